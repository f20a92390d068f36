"""Decodes no more of a JPEG file than a crop needs."""
from __future__ import annotations

import typing

from deeplab.core.tf_compat import tf

# libjpeg decodes at these reductions for less work.
_RATIOS = (2, 4, 8)


class Part(typing.NamedTuple):
  """A part of an image.

  Attributes:
    pixels: [height, width, 3] uint8.
    origin: int32 [2], (y, x) of the first pixel in the image; negative where the edge is
      repeated around it.
    ratio: float32 scalar, pixels of the image per pixel of the part, in each direction.
  """
  pixels: tf.Tensor
  origin: tf.Tensor
  ratio: tf.Tensor


def decode_part(data, window, net_scale):
  """Returns the Part of an image that a window shows, at full or reduced size.

  JPEG files are decoded in the window only; at 1/2, 1/4 or 1/8 of the size where they will be
  shrunk by at least as much. Other files are decoded whole.

  Args:
    data: string scalar, a JPEG or PNG file.
    window: int32 [4] tensor, (y, x, height, width) in the image.
    net_scale: float32 scalar, factor by which the image will be scaled.
  """

  def whole(ratio=1):
    pixels = tf.image.decode_jpeg(data, channels=3, ratio=ratio)
    edge = 0
    if ratio > 1:
      # The outermost pixels of the image lie beyond the centres of the reduced ones.
      edge = 1
      pixels = tf.pad(pixels, [[edge, edge], [edge, edge], [0, 0]], 'SYMMETRIC')
    return pixels, tf.fill([2], -edge * ratio), tf.constant(float(ratio))

  def in_window():
    return (tf.image.decode_and_crop_jpeg(data, window, channels=3), window[:2],
            tf.constant(1.0))

  def jpeg():
    decode = in_window
    # From the least reduction to the strongest, so that the strongest is tried first.
    for ratio in _RATIOS:
      decode = _choose(net_scale <= 1.0 / ratio, ratio, whole, decode)
    return decode()

  # decode_jpeg reads PNG files too, but cannot reduce or crop them.
  pixels, origin, ratio = tf.cond(tf.image.is_jpeg(data), jpeg, whole)
  pixels.set_shape([None, None, 3])
  return Part(pixels, origin, ratio)


def _choose(is_chosen, ratio, whole, otherwise):
  return lambda: tf.cond(is_chosen, lambda: whole(ratio), otherwise)
