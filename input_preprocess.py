"""From a decoded record to the network's input: resizing, padding, and augmentation.

The order of the steps, each on image and label together where it moves pixels: leg cut,
resize to range, random scale, pad, affine warp and crop, flip, colour, blur, noise, clip.
Outside training only resizing and padding take place. `core/images/one_pass_crop` takes all the
steps of training that move pixels at once.
"""
from deeplab.core import feature_extractor, preprocess_utils, utils
from deeplab.core.images import input_errors, leg_cut, photometric, resizing
from deeplab.core.images.augmentation import AUGMENTATIONS, Padding, RandomSource
from deeplab.core.tf_compat import tf


def preprocess_image_and_label(
    image, label, crop_height, crop_width, min_resize_value=None, max_resize_value=None,
    resize_factor=None, min_scale_factor=1.0, max_scale_factor=1.0,
    scale_factor_step_size=0, ignore_label=255, is_training=True, model_variant=None,
    landmarks=None, augmentation=None, random_source=None, name=None,
    keep_aspect_ratio=resizing.KEEP_ASPECT_RATIO.default):
  """Prepares one image and its label.

  Args:
    image, label: [height, width, 3] in 0..255 and [height, width, 1] class ids; outside training
      the label may be None.
    crop_height, crop_width: of the result in pixels.
    min_resize_value, max_resize_value: short side to resize to and limit of the long side, in
      pixels, or None.
    resize_factor: resized sides become multiples of this plus one, or None.
    min_scale_factor, max_scale_factor: range of the random scale.
    scale_factor_step_size: step between random scales; 0: any in the range.
    ignore_label, model_variant: label of padding, and backbone whose mean pixel is its colour.
    is_training: whether to augment and crop; else the image is padded only.
    landmarks: string scalar of body landmarks ('' where unknown), or None.
    augmentation: Augmentation, or None for that of 'forma'.
    random_source: RandomSource, or None.
    name: string scalar, the record's name for messages, or None.
    keep_aspect_ratio: see `preprocess_utils.resize_to_range`.

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
  padding = Padding(feature_extractor.mean_pixel(model_variant), ignore_label)
  original_image = image
  image = tf.cast(image, tf.float32)
  label = None if label is None else tf.cast(label, tf.int32)

  if is_training and landmarks is not None and augmentation.leg_cut_probability:
    is_cut = leg_cut.draw_is_cut(landmarks, augmentation, random_source)
    image, label = leg_cut.cut_if(is_cut, image, label, lambda: preprocess_utils.random_crop_legs(
        image, label, landmarks, padding.mean_pixel, ignore_label, random_source, name))
  if min_resize_value or max_resize_value:
    image, label = preprocess_utils.resize_to_range(
        image, label, min_size=min_resize_value, max_size=max_resize_value,
        factor=resize_factor, keep_aspect_ratio=keep_aspect_ratio)
    original_image = image
  if is_training:
    scale = preprocess_utils.get_random_scale(
        min_scale_factor, max_scale_factor, scale_factor_step_size, random_source)
    image, label = preprocess_utils.randomly_scale_image_and_label(image, label, scale)
  size = preprocess_utils.resolve_shape(image, rank=3)[:2]
  crop_size = (crop_height, crop_width)
  image, label = _pad_to_crop(image, label, crop_size, padding)
  if is_training:
    image, label = _crop_and_flip(image, label, crop_size, padding, augmentation, random_source)
    image = photometric.vary_colors(image, augmentation, random_source)
  else:
    image, label = _check_fits(image, label, size, crop_size, name)
  return original_image, image, label


def color(x, hue_max_delta=0.08, saturation_facter_lb=0.5, saturation_facter_ub=1.5,
          brightness_max_delta=0.2, contract_factor_lb=0.7, contrast_factor_ub=1.3):
  """Varies hue, saturation, brightness and contrast of a [height, width, 3] float32 in 0..255.

  Args:
    hue_max_delta: largest shift in turns of the colour circle, 0..0.5; 0: off.
    brightness_max_delta: largest shift as a share of the full range 0..255.
    saturation_facter_lb, saturation_facter_ub, contract_factor_lb, contrast_factor_ub: least and
      largest factors on saturation and contrast.
  """
  random_source = RandomSource()
  tint = photometric.random_tint(
      hue_max_delta, (saturation_facter_lb, saturation_facter_ub), random_source)
  return photometric.random_light(tint(x), brightness_max_delta,
                                  (contract_factor_lb, contrast_factor_ub), random_source)


def blur(x, mean=0.0, stddev=1.0):
  """Returns an image shrunk by 1 + |N(mean, stddev)| and enlarged again."""
  return photometric.random_blur(x, mean, stddev)


def noise(x, mean=0.0, stddev=0.01):
  """Returns an image in 0..255 plus normal noise, given as shares of the full range."""
  return photometric.random_noise(x, mean, stddev)


def _pad_to_crop(image, label, crop_size, padding):
  """Pads below and right, to at least the crop size."""
  size = preprocess_utils.resolve_shape(image, rank=3)[:2]
  target_height, target_width = map(utils.larger, size, crop_size)
  image = preprocess_utils.pad_to_bounding_box(
      image, 0, 0, target_height, target_width, padding.mean_pixel)
  if label is not None:
    label = preprocess_utils.pad_to_bounding_box(
        label, 0, 0, target_height, target_width, padding.ignore_label)
  return image, label


def _crop_and_flip(image, label, crop_size, padding, augmentation, random_source):
  is_warped = any(augmentation.affine_stddevs)
  perturbation = preprocess_utils.random_normal_clipped(
      [6], stddev=1.0, clip_stddev_factor=augmentation.affine_clip,
      random_source=random_source) * tf.constant(
          augmentation.affine_stddevs) if is_warped else None
  image, label = preprocess_utils.random_crop(
      [image, label], crop_size[0], crop_size[1], do_affine_perturbation=is_warped,
      fill_values=list(padding), perturbation=perturbation,
      random_source=random_source)
  if augmentation.flip_probability:
    image, label, _ = preprocess_utils.flip_dim(
        [image, label], augmentation.flip_probability, dim=1, random_source=random_source)
  return image, label


def _check_fits(image, label, size, crop_size, name):
  """Returns padded image and label of static shape; fails, maybe when run, if `size` is larger."""
  for length, limit in zip(size, crop_size):
    if isinstance(length, int) and length > limit:
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
