"""Projective warps of images, on either runtime."""
import numpy as np

from deeplab.core import tf_compat, utils
from deeplab.core.tf_compat import tf

BILINEAR = 'BILINEAR'
NEAREST = 'NEAREST'

# Less than 1 by more than rounding, so that the last pixel is never beyond the image.
_KEPT_SHARE = 1.0 - 1e-6


def projective_transform(image, transform, output_size, interpolation, fill_value):
  """Returns an image warped by a projective map from output to input pixels.

  Output pixel (x, y) is read at ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k) with
  k = c0 x + c1 y + 1.

  Args:
    image: [height, width, channels] tensor.
    transform: [8] float32 tensor, a0, a1, a2, b0, b1, b2, c0, c1.
    output_size: (height, width), ints or int32 scalars.
    interpolation: BILINEAR or NEAREST.
    fill_value: colour outside the image: a number, or one per channel.

  Returns an [output height, output width, channels] tensor, dtype unchanged.
  """
  operation = tf_compat.projective_transform_op()
  transform = tf.cast(tf.expand_dims(transform, 0), tf.float32)
  size = tf.stack(output_size)
  fills = np.unique(np.asarray(fill_value, np.float32))
  if operation is not None and len(fills) == 1:
    warped = operation(tf.expand_dims(image, 0), transform, size, interpolation,
                       float(fills[0]))[0]
  else:
    # Shifted by the fill, 0 outside is the fill colour.
    fill = tf.cast(tf.constant(fill_value), image.dtype)
    shifted = tf.expand_dims(image - fill, 0)
    warped = (gather_transform(shifted, transform, size, interpolation) if operation is None
              else operation(shifted, transform, size, interpolation, 0.0))[0] + fill
  warped.set_shape(utils.static_size(output_size) + (image.shape.as_list()[2],))
  return warped


def scale_and_shift(image, transform, output_size, interpolation):
  """Returns what `projective_transform` does for a transform that scales and shifts only.

  Cheaper, since rows and columns are independent. The transform is (a0, 0, a2, 0, b1, b2, 0, 0),
  whose a0 and b1 may be negative. Every output pixel must lie inside of the image, up to rounding.
  """
  t = tf.unstack(transform, num=8)
  height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
  rows, columns = [tf.cast(length, tf.float32) for length in output_size]
  top, bottom = _shares_inside(t[5], t[5] + t[4] * (rows - 1.0), height)
  left, right = _shares_inside(t[2], t[2] + t[0] * (columns - 1.0), width)
  scaled = tf.image.crop_and_resize(
      tf.expand_dims(image, 0), [[top, left, bottom, right]], [0], tf.stack(output_size),
      method=interpolation.lower())[0]
  scaled.set_shape(utils.static_size(output_size) + (image.shape.as_list()[2],))
  return tf.cast(scaled, image.dtype)


def _shares_inside(first, last, length):
  """Returns two positions in pixels as shares of length - 1, in 0..1 after all rounding."""
  reach = tf.maximum(length - 1.0, 1.0)
  return [0.5 + (tf.clip_by_value(position / reach, 0.0, 1.0) - 0.5) * _KEPT_SHARE
          for position in (first, last)]


def gather_transform(images, transforms, output_size, interpolation):
  """Warps with elementary operations; equal to TensorFlow 2's own operation.

  As `projective_transform`, but of one image as a batch, [1, height, width, channels], with 0
  outside; transforms are [1, 8] and output_size is an int32 [2] tensor.
  """
  t = tf.unstack(transforms[0], num=8)
  x, y = tf.meshgrid(tf.cast(tf.range(output_size[1]), tf.float32),
                     tf.cast(tf.range(output_size[0]), tf.float32))
  k = t[6] * x + t[7] * y + 1.0
  input_x = (t[0] * x + t[1] * y + t[2]) / k
  input_y = (t[3] * x + t[4] * y + t[5]) / k
  image = images[0]
  if interpolation == NEAREST:
    return tf.expand_dims(_pixels(image, _round(input_x), _round(input_y)), 0)
  left, top = tf.floor(input_x), tf.floor(input_y)
  right_share = tf.expand_dims(input_x - left, 2)
  bottom_share = tf.expand_dims(input_y - top, 2)

  def row(y):
    return ((1.0 - right_share) * tf.cast(_pixels(image, left, y), tf.float32)
            + right_share * tf.cast(_pixels(image, left + 1.0, y), tf.float32))

  warped = (1.0 - bottom_share) * row(top) + bottom_share * row(top + 1.0)
  return tf.expand_dims(tf.cast(warped, images.dtype), 0)


def _round(x):
  # Halves go away from zero, as in C.
  return tf.sign(x) * tf.floor(tf.abs(x) + 0.5)


def _pixels(image, x, y):
  """Returns [h, w, channels] pixels at integral float positions; 0 outside the image."""
  height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
  is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
  zeros = tf.zeros_like(x)
  positions = tf.cast(tf.stack([tf.where(is_inside, y, zeros),
                                tf.where(is_inside, x, zeros)], axis=2), tf.int32)
  return (tf.gather_nd(image, positions)
          * tf.cast(tf.expand_dims(is_inside, 2), image.dtype))
