"""A training crop from an encoded image in one pass, decoding no more than it shows.

It shows what the single steps of `input_preprocess` would, see `core/images/crop_geometry`.
"""
from __future__ import annotations

import functools
import typing

from deeplab.core import keys
from deeplab.core.images import affine, crop_geometry, leg_cut, photometric
from deeplab.core.images.augmentation import Augmentation, Padding
from deeplab.core.tf_compat import tf

# libjpeg decodes at these reductions for less work.
_RATIOS = (2, 4, 8)


class TrainingCrops(typing.NamedTuple):
  """How crops are made of training records."""
  crop_size: typing.Tuple[int, int]  # (height, width) of the crops, ints.
  resizing: crop_geometry.Resizing
  # (min_scale_factor, max_scale_factor, scale_factor_step_size).
  scales: typing.Tuple[float, float, float]
  padding: Padding
  augmentation: Augmentation


class Part(typing.NamedTuple):
  """A part of an image."""
  pixels: tf.Tensor  # [height, width, 3] uint8.
  # Int32 [2], (y, x) of the first pixel in the image; negative where the edge is repeated around
  # it.
  origin: tf.Tensor
  ratio: tf.Tensor  # Float32 scalar, pixels of the image per pixel of the part, in each direction.


def crop_from_encoded(sample, crops, random_source):
  """Returns a random training crop, read from the encoded image in one pass.

  From equal random numbers the crop is that of `input_preprocess.preprocess_image_and_label`,
  pixels at borders apart: scale, pad, warp, crop and flip are one resampling of the part that is
  needed.

  Args:
    sample: dict of a record. keys.IMAGE: string scalar, a JPEG or PNG file; keys.LABELS_CLASS:
      [height, width, 1] uint8 tensor of class ids, of the size of the image; keys.IMAGE_NAME:
      string scalar; keys.LANDMARKS, which may be missing: string scalar of body landmarks, ''
      where unknown.

  Returns image, [crop height, crop width, 3] float32 in 0..255, and label,
  [crop height, crop width, 1] int32.
  """
  augmentation, landmarks = crops.augmentation, sample.get(keys.LANDMARKS)
  may_cut = landmarks is not None and augmentation.leg_cut_probability
  if may_cut:
    is_cut = leg_cut.draw_is_cut(landmarks, augmentation, random_source)
    shares = leg_cut.draw_shares(random_source)
  size = tf.shape(sample[keys.LABELS_CLASS])[:2]
  geometry = crop_geometry.draw(size, crops.crop_size, crops.resizing, crops.scales, augmentation,
                                random_source)
  # Only where the crop shows the image; the rest is padding.
  box = geometry.visible_box(size, crops.crop_size)
  shown = geometry.starting_at(box[:2])
  image, label = _read_box(sample, geometry, shown, tf.unstack(box[2:], num=2), crops)
  if may_cut:
    image, label = leg_cut.cut_if(is_cut, image, label, lambda: leg_cut.cut_below(
        image, label, leg_cut.cut_points(landmarks, shares, sample[keys.IMAGE_NAME]),
        shown.transform, crops.padding))
  tint = photometric.random_tint(augmentation.hue, augmentation.saturation, random_source)
  image, label = _tint_and_pad(image, label, tint, box, crops)
  return photometric.vary_light(image, augmentation, random_source), label


def _read_box(sample, geometry, shown, box_size, crops):
  """Returns image, float32, and label where a crop shows them, decoding no more than needed.

  `geometry` is that of the whole crop, `shown` that of the box, of (height, width) `box_size`.
  """
  label, padding = sample[keys.LABELS_CLASS], crops.padding
  part = decode_part(
      sample[keys.IMAGE], geometry.window(tf.shape(label)[:2], crops.crop_size),
      geometry.net_scale)
  to_part = shown.seen_from(part.origin, part.ratio)
  pixels = tf.cast(part.pixels, tf.float32)
  if geometry.is_warped:
    image = affine.projective_transform(pixels, to_part, box_size, affine.BILINEAR,
                                        padding.mean_pixel)
    label = affine.projective_transform(label, shown.transform, box_size, affine.NEAREST,
                                        padding.ignore_label)
  else:
    image = affine.scale_and_shift(pixels, to_part, box_size, affine.BILINEAR)
    label = affine.scale_and_shift(label, shown.transform, box_size, affine.NEAREST)
  image.set_shape([None, None, 3])
  label.set_shape([None, None, 1])
  return image, label


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
      decode = functools.partial(
          tf.cond, net_scale <= 1.0 / ratio, functools.partial(whole, ratio), decode)
    return decode()

  # decode_jpeg reads PNG files too, but cannot reduce or crop them.
  pixels, origin, ratio = tf.cond(tf.image.is_jpeg(data), jpeg, whole)
  pixels.set_shape([None, None, 3])
  return Part(pixels, origin, ratio)


def _tint_and_pad(image, label, tint, box, crops):
  """Returns a crop that shows image and label in a box; image and padding are tinted alike."""
  mean_pixel, ignore_label = crops.padding
  # Padding takes part in the colours like the image; grey stays grey.
  is_grey = len(set(mean_pixel)) == 1
  fill = mean_pixel[0] if is_grey else tint(tf.constant(mean_pixel, tf.float32, [1, 1, 3]))
  return (_pad_around(tint(image), box, crops.crop_size, fill),
          _pad_around(tf.cast(label, tf.int32), box, crops.crop_size, ignore_label))


def _pad_around(image, box, crop_size, fill):
  """Returns a crop that shows an image in a box, int32 [4] (y, x, height, width).

  Around it is `fill`: a number, or a [1, 1, channels] tensor, which takes two passes more.
  """
  after = tf.constant(list(crop_size)) - box[:2] - box[2:]
  margins = [[box[0], after[0]], [box[1], after[1]], [0, 0]]
  if tf.is_tensor(fill):
    padded = tf.pad(image - fill, margins) + fill
  else:
    padded = tf.pad(image, margins, constant_values=fill)
  padded.set_shape(list(crop_size) + [image.shape.as_list()[2]])
  return padded
