"""How strongly training images are varied, the presets, and what is outside of an image."""
import typing


class Augmentation(typing.NamedTuple):
  """Strengths of the random steps, in the order they are taken; zero turns a step off.

  The random scale has flags of its own and is not part of this record; without augmentation it
  is off too, unless its flags are given.

  Attributes:
    leg_cut_probability: of cutting the legs off where a record has landmarks, 0..1.
    affine_stddev: standard deviation of the entries of the affine warp, one number for all
      or one for each of a, b, tx, c, d, ty (shares; tx and ty in pixels).
    affine_clip: limit of those entries, in standard deviations.
    flip_probability: of mirroring left-right, 0..1.
    hue: largest shift in turns of the colour circle, 0..0.5.
    saturation: (least, largest) factor; (1, 1) turns it off.
    brightness: largest shift, as a share of the full range.
    contrast: (least, largest) factor; (1, 1) turns it off.
    blur_probability: of blurring, 0..1.
    blur_stddev: standard deviation of the blur factor over 1.
    noise_stddev: standard deviation of the noise, as a share of the full range.
  """
  leg_cut_probability: float = 0.2
  affine_stddev: typing.Union[float, typing.Tuple[float, ...]] = 0.05
  affine_clip: float = 3.0
  flip_probability: float = 0.5
  hue: float = 0.08
  saturation: typing.Tuple[float, float] = (0.5, 1.5)
  brightness: float = 0.2
  contrast: typing.Tuple[float, float] = (0.7, 1.3)
  blur_probability: float = 0.1
  blur_stddev: float = 1.0
  noise_stddev: float = 0.01

  @property
  def affine_stddevs(self):
    """Standard deviations of the six entries of the warp."""
    if isinstance(self.affine_stddev, (tuple, list)):
      return tuple(self.affine_stddev)
    return (self.affine_stddev,) * 6


_NONE = Augmentation(
    leg_cut_probability=0.0, affine_stddev=0.0, flip_probability=0.0, hue=0.0,
    saturation=(1.0, 1.0), brightness=0.0, contrast=(1.0, 1.0), blur_probability=0.0,
    noise_stddev=0.0)

AUGMENTATIONS = {
    'none': _NONE,
    # Scale, crop and flip: what the published DeepLab results used.
    'deeplab': _NONE._replace(flip_probability=0.5),
    # For pictures of people in all kinds of light.
    'forma': Augmentation(),
}


class Padding(typing.NamedTuple):
  """Colour and label of pixels that are not of the image.

  Attributes:
    mean_pixel: RGB in 0..255, three numbers, that the network's scaling maps to about 0.
    ignore_label: label that does not count.
  """
  mean_pixel: typing.Sequence[float]
  ignore_label: int
