"""From a decoded record to the network's input: resizing, padding, and augmentation.

The order of the steps, each on image and label together where it moves pixels: leg cut,
resize to range, random scale, pad, affine warp and crop, flip, colour, blur, noise, clip.
Outside training only resizing and padding take place.
"""
from deeplab.core import (
    affine,
    crop_geometry,
    feature_extractor,
    input_errors,
    leg_cut,
    partial_decode,
    photometric,
    preprocess_utils,
)
from deeplab.core.augmentation import AUGMENTATIONS
from deeplab.core.random_source import RandomSource
from deeplab.core.tf_compat import tf


def preprocess_image_and_label(
    image, label, crop_height, crop_width, min_resize_value=None, max_resize_value=None,
    resize_factor=None, min_scale_factor=1.0, max_scale_factor=1.0,
    scale_factor_step_size=0, ignore_label=255, is_training=True, model_variant=None,
    landmarks=None, augmentation=None, random_source=None, name=None):
  """Prepares one image and its label.

  Args:
    image: [height, width, 3] tensor in 0..255.
    label: [height, width, 1] tensor of class ids, or None outside training.
    crop_height: height of the result in pixels.
    crop_width: width of the result in pixels.
    min_resize_value: short side to resize to, in pixels, or None.
    max_resize_value: limit of the long side, or None.
    resize_factor: resized sides become multiples of this plus one, or None.
    min_scale_factor: least random scale.
    max_scale_factor: largest random scale.
    scale_factor_step_size: step between random scales; 0: any in the range.
    ignore_label: label of padding.
    is_training: whether to augment and crop; else the image is padded only.
    model_variant: backbone whose mean pixel is the colour of padding.
    landmarks: string scalar of body landmarks ('' where unknown), or None.
    augmentation: Augmentation, or None for that of 'forma'.
    random_source: RandomSource, or None.
    name: string scalar, the record's name for messages, or None.

  Returns:
    original_image: the image after resizing (uint8 if there was none).
    image: [crop_height, crop_width, 3] float32 in 0..255.
    label: [crop_height, crop_width, 1] int32, or None.

  Raises:
    ValueError: training without label, or bad sizes or scales.
  """
  if is_training and label is None:
    raise ValueError('Training needs labels: choose a split that has them.')
  augmentation = augmentation or AUGMENTATIONS['forma']
  random_source = random_source or RandomSource()
  mean_pixel = feature_extractor.mean_pixel(model_variant)
  original_image = image
  image = tf.cast(image, tf.float32)
  label = None if label is None else tf.cast(label, tf.int32)

  if is_training and landmarks is not None and augmentation.leg_cut_probability:
    image, label = _maybe_cut_legs(image, label, landmarks, mean_pixel, ignore_label,
                                   augmentation, random_source, name)
  if min_resize_value or max_resize_value:
    image, label = preprocess_utils.resize_to_range(
        image, label, min_size=min_resize_value, max_size=max_resize_value,
        factor=resize_factor)
    original_image = image
  if is_training:
    scale = preprocess_utils.get_random_scale(
        min_scale_factor, max_scale_factor, scale_factor_step_size, random_source)
    image, label = preprocess_utils.randomly_scale_image_and_label(image, label, scale)
  size = preprocess_utils.resolve_shape(image, rank=3)[:2]
  image, label = _pad_to_crop(image, label, crop_height, crop_width, mean_pixel, ignore_label)
  if is_training:
    image, label = _crop_and_flip(image, label, crop_height, crop_width, mean_pixel,
                                  ignore_label, augmentation, random_source)
    image = _vary_colors(image, augmentation, random_source)
  else:
    image, label = _check_fits(image, label, size, (crop_height, crop_width), name)
  return original_image, image, label


def crop_from_encoded(
    image_data, label, crop_size, resizing, scales, ignore_label, model_variant, landmarks,
    augmentation, random_source, name):
  """Returns a random training crop, read from the encoded image in one pass.

  From equal random numbers the crop is that of `preprocess_image_and_label`, pixels at borders
  apart: scale, pad, warp, crop and flip are one resampling of the part that is needed.

  Args:
    image_data: string scalar, a JPEG or PNG file.
    label: [height, width, 1] uint8 tensor of class ids, of the size of the image.
    crop_size: (height, width) of the crop, ints.
    resizing: crop_geometry.Resizing.
    scales: (min_scale_factor, max_scale_factor, scale_factor_step_size).
    ignore_label: label of padding.
    model_variant: backbone whose mean pixel is the colour of padding.
    landmarks: string scalar of body landmarks ('' where unknown), or None.
    augmentation: Augmentation.
    random_source: RandomSource.
    name: string scalar, the record's name for messages.

  Returns:
    image: [crop height, crop width, 3] float32 in 0..255.
    label: [crop height, crop width, 1] int32.
  """
  mean_pixel = feature_extractor.mean_pixel(model_variant)
  may_cut = landmarks is not None and augmentation.leg_cut_probability
  if may_cut:
    is_cut = tf.logical_and(
        tf.not_equal(landmarks, ''),
        random_source.uniform() < augmentation.leg_cut_probability)
    shares = leg_cut.draw_shares(random_source)
  size = tf.shape(label)[:2]
  geometry = crop_geometry.draw(size, crop_size, resizing, scales, augmentation, random_source)
  part = partial_decode.decode_part(
      image_data, geometry.window(size, crop_size), geometry.net_scale)
  # Only where the crop shows the image; the rest is padding.
  box = geometry.visible_box(size, crop_size)
  shown = geometry.starting_at(box[:2])
  box_size = tf.unstack(box[2:], num=2)
  to_part = shown.seen_from(part.origin, part.ratio)
  pixels = tf.cast(part.pixels, tf.float32)
  if geometry.is_warped:
    image = affine.projective_transform(pixels, to_part, box_size, affine.BILINEAR, mean_pixel)
    label = affine.projective_transform(label, shown.transform, box_size, affine.NEAREST,
                                        ignore_label)
  else:
    image = affine.scale_and_shift(pixels, to_part, box_size, affine.BILINEAR)
    label = affine.scale_and_shift(label, shown.transform, box_size, affine.NEAREST)
  if may_cut:
    image, label = tf.cond(
        is_cut,
        lambda: leg_cut.cut_below(
            image, label, *(leg_cut.cut_points(landmarks, shares, name)
                            + [shown.transform, mean_pixel, ignore_label])),
        lambda: (image, label))
  tint = photometric.random_tint(augmentation.hue, augmentation.saturation, random_source)
  # A branch forgets shapes.
  image.set_shape([None, None, 3])
  label.set_shape([None, None, 1])
  # Padding takes part in the colours like the image; grey stays grey.
  is_grey = len(set(mean_pixel)) == 1
  padding = mean_pixel[0] if is_grey else tint(tf.constant(mean_pixel, tf.float32, [1, 1, 3]))
  image = _pad_around(tint(image), box, crop_size, padding)
  label = _pad_around(tf.cast(label, tf.int32), box, crop_size, ignore_label)
  return _vary_light(image, augmentation, random_source), label


def color(x, hue_max_delta=0.08, saturation_facter_lb=0.5, saturation_facter_ub=1.5,
          brightness_max_delta=0.2, contract_factor_lb=0.7, contrast_factor_ub=1.3):
  """Returns an image with random hue, saturation, brightness and contrast.

  Args:
    x: [height, width, 3] float32 tensor in 0..255.
    hue_max_delta: see `photometric.random_color`, also for the others.
    saturation_facter_lb: least saturation factor.
    saturation_facter_ub: largest saturation factor.
    brightness_max_delta: largest shift as a share of the full range 0..255.
    contract_factor_lb: least contrast factor.
    contrast_factor_ub: largest contrast factor.
  """
  return photometric.random_color(
      x, hue_max_delta, (saturation_facter_lb, saturation_facter_ub), brightness_max_delta,
      (contract_factor_lb, contrast_factor_ub))


def blur(x, mean=0.0, stddev=1.0):
  """Returns an image shrunk by 1 + |N(mean, stddev)| and enlarged again."""
  return photometric.random_blur(x, mean, stddev)


def noise(x, mean=0.0, stddev=0.01):
  """Returns an image in 0..255 plus normal noise, given as shares of the full range."""
  return photometric.random_noise(x, mean, stddev)


def _maybe_cut_legs(image, label, landmarks, mean_pixel, ignore_label, augmentation,
                    random_source, name):
  # Drawn outside the branch: draws must not depend on what was drawn before.
  is_cut = tf.logical_and(
      tf.not_equal(landmarks, ''),
      random_source.uniform() < augmentation.leg_cut_probability)
  cut_image, cut_label = tf.cond(
      is_cut,
      lambda: preprocess_utils.random_crop_legs(
          image, label, landmarks, mean_pixel, ignore_label, random_source, name),
      lambda: (image, label))
  cut_image.set_shape(image.shape)
  cut_label.set_shape(label.shape)
  return cut_image, cut_label


def _pad_to_crop(image, label, crop_height, crop_width, mean_pixel, ignore_label):
  """Pads below and right, to at least the crop size."""
  height, width = preprocess_utils.resolve_shape(image, rank=3)[:2]
  target_height = _at_least(height, crop_height)
  target_width = _at_least(width, crop_width)
  image = preprocess_utils.pad_to_bounding_box(
      image, 0, 0, target_height, target_width, mean_pixel)
  if label is not None:
    label = preprocess_utils.pad_to_bounding_box(
        label, 0, 0, target_height, target_width, ignore_label)
  return image, label


def _at_least(size, minimum):
  return tf.maximum(size, minimum) if isinstance(size, tf.Tensor) else max(size, minimum)


def _crop_and_flip(image, label, crop_height, crop_width, mean_pixel, ignore_label,
                   augmentation, random_source):
  is_warped = any(augmentation.affine_stddevs)
  perturbation = preprocess_utils.random_normal_clipped(
      [6], stddev=1.0, clip_stddev_factor=augmentation.affine_clip,
      random_source=random_source) * tf.constant(
          augmentation.affine_stddevs) if is_warped else None
  image, label = preprocess_utils.random_crop(
      [image, label], crop_height, crop_width, do_affine_perturbation=is_warped,
      fill_values=[mean_pixel, ignore_label], perturbation=perturbation,
      random_source=random_source)
  if augmentation.flip_probability:
    image, label, _ = preprocess_utils.flip_dim(
        [image, label], augmentation.flip_probability, dim=1, random_source=random_source)
  return image, label


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


def _vary_colors(image, augmentation, random_source):
  tint = photometric.random_tint(augmentation.hue, augmentation.saturation, random_source)
  return _vary_light(tint(image), augmentation, random_source)


def _vary_light(image, augmentation, random_source):
  """Varies brightness and contrast, blurs, adds noise; the result stays inside of 0..255."""
  varied = photometric.random_light(
      image, augmentation.brightness, augmentation.contrast, random_source)
  if augmentation.blur_probability:
    varied = _maybe_blur(varied, augmentation, random_source)
  if augmentation.noise_stddev:
    varied = photometric.random_noise(varied, stddev=augmentation.noise_stddev,
                                      random_source=random_source)
  # The steps before stay inside of the range; only these may leave it.
  return image if varied is image else tf.clip_by_value(varied, 0.0, photometric.FULL_RANGE)


def _maybe_blur(image, augmentation, random_source):
  return tf.cond(
      random_source.uniform() < augmentation.blur_probability,
      lambda: photometric.random_blur(image, stddev=augmentation.blur_stddev,
                                      random_source=random_source),
      lambda: image)


def _check_fits(image, label, size, crop_size, name):
  """Fails unless the crop holds the image, when run if sizes are not static.

  Args:
    image: the padded image.
    label: the padded label, or None.
    size: [height, width] of the image before padding, ints or int32 scalars.
    crop_size: (height, width).
    name: string scalar, the record's name for messages, or None.

  Returns:
    (image, label), of static shapes.
  """
  for is_static, length, limit in zip((isinstance(d, int) for d in size), size, crop_size):
    if is_static and length > limit:
      raise ValueError('An image of %sx%s (height x width) does not fit into the crop size '
                       '%d,%d.' % (tuple(size) + tuple(crop_size)))
  check = input_errors.check(
      tf.reduce_all(tf.stack(size) <= crop_size),
      lambda: [
          'Record ', '' if name is None else name, ': the image is ', tf.as_string(size[0]),
          'x', tf.as_string(size[1]),
          ' (height x width), more than the crop size %d,%d holds: pass a crop size of at '
          'least ' % tuple(crop_size),
          tf.as_string(tf.maximum(size[0], crop_size[0])), ',',
          tf.as_string(tf.maximum(size[1], crop_size[1])), '.'])
  with tf.control_dependencies([check]):
    image = tf.identity(image)
  image.set_shape([crop_size[0], crop_size[1], 3])
  if label is not None:
    label.set_shape([crop_size[0], crop_size[1], 1])
  return image, label
