"""Public names of the input pipeline's geometry; the code is in `core/images/`."""
from deeplab.core.images.geometry import (
    centered_affine_perturbation,
    flip_dim,
    pad_to_bounding_box,
    random_crop,
    random_normal_clipped,
    window_transform,
)
from deeplab.core.images.leg_cut import half_plane_mask, random_crop_legs
from deeplab.core.images.resizing import (
    get_random_scale,
    randomly_scale_image_and_label,
    resize_to_range,
    resized_size,
    resolve_shape,
)

__all__ = [
    'centered_affine_perturbation', 'flip_dim', 'get_random_scale', 'half_plane_mask',
    'pad_to_bounding_box', 'random_crop', 'random_crop_legs', 'random_normal_clipped',
    'randomly_scale_image_and_label', 'resize_to_range', 'resized_size', 'resolve_shape',
    'window_transform']
