"""Scale, warp, crop and flip as one map from the pixels of a crop to those of the source.

    geometry = draw(size, crop_size, ...)
    window = geometry.window(size, crop_size)      the part of the source that is needed
    affine.projective_transform(part, geometry.seen_from(window origin), ...)

Positions are pixel centres, (0, 0) the first one.
"""
from __future__ import annotations

import typing

import numpy as np

from deeplab.core.images import geometry
from deeplab.core.images.augmentation import RandomSource
from deeplab.core.images.resizing import KEEP_ASPECT_RATIO, get_random_scale, resized_size
from deeplab.core.tf_compat import tf

# Pixels read around a position: its neighbours, and one for rounding.
_MARGIN_PX = 2
# A warp mixes the outermost pixels with padding up to a pixel away. Without one, only rounding
# leads out of the source.
_WARPED_REACH_PX, _REACH_PX = 1.0, 2e-3
_LEAST_DETERMINANT = 1e-9


class Resizing(typing.NamedTuple):
  """How the source is resized before anything random: arguments of `resizing.resize_to_range`."""
  min_size: typing.Optional[int] = None
  max_size: typing.Optional[int] = None
  factor: typing.Optional[int] = None
  keep_aspect_ratio: bool = KEEP_ASPECT_RATIO.default


class CropGeometry(typing.NamedTuple):
  """Where the pixels of a crop lie in the source.

  In its methods `size` is (height, width) of the source, int32 [2] tensor, and `crop_size` that of
  the crop, ints.
  """
  # [8] float32 tensor: crop pixel (x, y) is source pixel (t0 x + t1 y + t2, t3 x + t4 y + t5); t6 =
  # t7 = 0.
  transform: tf.Tensor
  # Float32 scalar, size after all scaling over size of the source; the smaller of both sides.
  net_scale: tf.Tensor
  is_warped: bool = True  # Bool; without a warp t1 = t3 = 0.

  def visible_box(self, size, crop_size):
    """Returns the part of the crop that shows the source, int32 [4]: y, x, height, width.

    The rest of the crop is padding. The box has at least one pixel.
    """
    t = tf.unstack(self.transform, num=8)
    bottom, right = tf.unstack(tf.cast(size, tf.float32) - 1.0, num=2)
    determinant = t[0] * t[4] - t[1] * t[3]
    is_regular = tf.abs(determinant) > _LEAST_DETERMINANT
    divisor = tf.where(is_regular, determinant, tf.ones_like(determinant))
    reach = _WARPED_REACH_PX if self.is_warped else _REACH_PX
    corners = [(x - t[2], y - t[5]) for x in (-reach, right + reach)
               for y in (-reach, bottom + reach)]
    positions = tf.stack([[(t[0] * y - t[3] * x) / divisor for x, y in corners],
                          [(t[4] * x - t[1] * y) / divisor for x, y in corners]])
    limit = np.array(crop_size, np.int32)
    # As floats first: far away is more than an int holds.
    begin = tf.clip_by_value(tf.ceil(tf.reduce_min(positions, 1)), 0.0, limit - 1.0)
    end = tf.clip_by_value(tf.floor(tf.reduce_max(positions, 1)) + 1.0, begin + 1.0,
                           tf.constant(limit, tf.float32))
    box = tf.cast(tf.concat([begin, end - begin], 0), tf.int32)
    return tf.where(is_regular, box, tf.constant([0, 0] + limit.tolist()))

  def starting_at(self, origin):
    """Returns the geometry of the part of the crop that begins at a pixel, int32 [2] (y, x)."""
    y, x = tf.unstack(tf.cast(origin, tf.float32), num=2)
    t = tf.unstack(self.transform, num=8)
    return self._replace(transform=tf.stack([
        t[0], t[1], t[0] * x + t[1] * y + t[2],
        t[3], t[4], t[3] * x + t[4] * y + t[5], 0.0, 0.0]))

  def window(self, size, crop_size):
    """Returns the part of the source that the crop shows, int32 [4]: y, x, height, width."""
    t = tf.unstack(self.transform, num=8)
    right, bottom = crop_size[1] - 1.0, crop_size[0] - 1.0
    x = tf.stack([t[0] * x + t[1] * y + t[2] for x in (0.0, right) for y in (0.0, bottom)])
    y = tf.stack([t[3] * x + t[4] * y + t[5] for x in (0.0, right) for y in (0.0, bottom)])
    lowest = tf.floor(tf.stack([tf.reduce_min(y), tf.reduce_min(x)])) - _MARGIN_PX
    highest = tf.ceil(tf.stack([tf.reduce_max(y), tf.reduce_max(x)])) + _MARGIN_PX
    size = tf.cast(size, tf.int32)
    # At least one pixel, also where the crop shows none.
    begin = tf.clip_by_value(tf.cast(lowest, tf.int32), 0, size - 1)
    end = tf.clip_by_value(tf.cast(highest, tf.int32) + 1, begin + 1, size)
    return tf.concat([begin, end - begin], 0)

  def seen_from(self, origin, ratio=1.0):
    """Returns the transform to the pixels of a part of the source, or of a reduced source.

    `origin` is (y, x) of the part's first pixel in the source, a [2] tensor; `ratio` is the source
    pixels per pixel of the part in each direction, a number or scalar.
    """
    origin = tf.cast(origin, tf.float32)
    ratio = tf.cast(ratio, tf.float32)
    # A reduced pixel is the mean of `ratio` pixels: its centre lies between theirs.
    shift = 0.5 / ratio - 0.5
    t = tf.unstack(self.transform, num=8)
    return tf.stack([
        t[0] / ratio, t[1] / ratio, (t[2] - origin[1]) / ratio + shift,
        t[3] / ratio, t[4] / ratio, (t[5] - origin[0]) / ratio + shift, 0.0, 0.0])


def draw(size, crop_size, resizing, scales, augmentation, random_source=None):
  """Returns a random CropGeometry.

  The random numbers are those that the single steps of `input_preprocess` draw, in the same order:
  from the same RandomSource both show the same crop. `size` is the source's, int32 [2], `crop_size`
  ints; `scales` is (min_scale_factor, max_scale_factor, step), see `resizing.get_random_scale`.
  """
  random_source = random_source or RandomSource()
  resized = tf.cast(size, tf.int32)
  if resizing.min_size:
    resized = resized_size(resized, *resizing)
  scale = get_random_scale(*(tuple(scales) + (random_source,)))
  scaled = resized
  if not isinstance(scale, float) or scale != 1.0:
    scaled = tf.maximum(tf.cast(tf.cast(resized, tf.float32) * scale, tf.int32), 1)
  perturbation = tf.zeros([6])
  is_warped = any(augmentation.affine_stddevs)
  if is_warped:
    perturbation = geometry.random_normal_clipped(
        [6], stddev=1.0, clip_stddev_factor=augmentation.affine_clip,
        random_source=random_source) * tf.constant(augmentation.affine_stddevs)
  padded = tf.maximum(scaled, list(crop_size))
  offset_y = random_source.integer(padded[0] - crop_size[0] + 1)
  offset_x = random_source.integer(padded[1] - crop_size[1] + 1)
  transform = geometry.window_transform(
      offset_y, offset_x, crop_size[0], crop_size[1], perturbation)
  if augmentation.flip_probability:
    is_flipped = random_source.uniform() <= augmentation.flip_probability
    transform = tf.where(is_flipped, _mirrored(transform, crop_size[1]), transform)
  shares = _shares(resized, scaled) * _shares(tf.cast(size, tf.int32), resized)
  scaling = tf.stack([shares[1]] * 3 + [shares[0]] * 3 + [1.0, 1.0])
  net_scale = tf.reduce_min(tf.cast(scaled, tf.float32) / tf.cast(size, tf.float32))
  return CropGeometry(transform * scaling, net_scale, is_warped)


def _mirrored(transform, width):
  """Returns the transform of the crop mirrored left-right."""
  t = tf.unstack(transform, num=8)
  last = width - 1.0
  return tf.stack([-t[0], t[1], t[2] + t[0] * last, -t[3], t[4], t[5] + t[3] * last, 0.0, 0.0])


def _shares(before, after):
  """Returns pixels before per pixel after a resizing that keeps the corner pixels."""
  before, after = tf.cast(before, tf.float32), tf.cast(after, tf.float32)
  return tf.where(after > 1, (before - 1) / tf.maximum(after - 1, 1), tf.zeros_like(after))
