"""A plain input pipeline, one step after the other: the yardstick of `benchmark_input`.

Every record is decoded whole, scaled whole, padded, warped with a margin, cropped, flipped and
varied in colour, and the finished crops are shuffled.
"""
from deeplab.core import affine, photometric, preprocess_utils
from deeplab.core.tf_compat import tf
from deeplab.datasets import example

_SHUFFLE_BUFFER = 100
_NUM_READERS = 2


def make_batches(files, batch_size, crop_size, scales, augmentation, padding):
  """Returns a tf.data.Dataset of dicts: image float32, label int32.

  Args:
    files: paths of the shards.
    batch_size: images per batch.
    crop_size: (height, width).
    scales: (min_scale_factor, max_scale_factor, scale_factor_step_size).
    augmentation: Augmentation.
    padding: Padding.
  """

  @tf.autograph.experimental.do_not_convert
  def make_sample(serialized):
    sample = example.parse(serialized)
    image, label = tf.cast(sample['image'], tf.float32), tf.cast(sample['labels_class'], tf.int32)
    image, label = _vary(image, label, crop_size, scales, augmentation, padding)
    return {'image': image, 'label': label}

  return (tf.data.TFRecordDataset(files, num_parallel_reads=_NUM_READERS)
          .map(make_sample, num_parallel_calls=_NUM_READERS)
          .shuffle(_SHUFFLE_BUFFER).repeat().batch(batch_size).prefetch(batch_size))


def _vary(image, label, crop_size, scales, augmentation, padding):
  scale = preprocess_utils.get_random_scale(*scales)
  image, label = preprocess_utils.randomly_scale_image_and_label(image, label, scale)
  height, width = tf.unstack(tf.maximum(tf.shape(image)[:2], list(crop_size)))
  image = preprocess_utils.pad_to_bounding_box(image, 0, 0, height, width, padding.mean_pixel)
  label = preprocess_utils.pad_to_bounding_box(label, 0, 0, height, width, padding.ignore_label)
  if any(augmentation.affine_stddevs):
    image, label = _warp_whole(image, label, crop_size, augmentation, padding)
  image, label = preprocess_utils.random_crop([image, label], *crop_size)
  image, label, _ = preprocess_utils.flip_dim([image, label], augmentation.flip_probability)
  image = tf.image.random_hue(image, augmentation.hue)
  image = tf.image.random_saturation(image, *augmentation.saturation)
  image = tf.image.random_brightness(image, photometric.FULL_RANGE * augmentation.brightness)
  image = tf.image.random_contrast(image, *augmentation.contrast)
  if augmentation.blur_probability:
    image = tf.cond(tf.random.uniform([]) < augmentation.blur_probability,
                    lambda: photometric.random_blur(image, stddev=augmentation.blur_stddev),
                    lambda: image)
  if augmentation.noise_stddev:
    image = photometric.random_noise(image, stddev=augmentation.noise_stddev)
  return tf.clip_by_value(image, 0.0, photometric.FULL_RANGE), label


def _warp_whole(image, label, crop_size, augmentation, padding):
  """Pads by half a crop on each side, warps everything, and cuts the padding off again."""
  perturbation = preprocess_utils.random_normal_clipped(
      [6], stddev=1.0, clip_stddev_factor=augmentation.affine_clip) * tf.constant(
          augmentation.affine_stddevs)
  top, left = crop_size[0] // 2, crop_size[1] // 2
  height, width = tf.unstack(tf.shape(image)[:2])
  size = height + 2 * top, width + 2 * left
  transform = preprocess_utils.window_transform(
      0, 0, tf.cast(size[0], tf.float32), tf.cast(size[1], tf.float32), perturbation)
  outputs = []
  for tensor, fill, method in ((image, padding.mean_pixel, affine.BILINEAR),
                               (label, padding.ignore_label, affine.NEAREST)):
    padded = preprocess_utils.pad_to_bounding_box(tensor, top, left, size[0], size[1], fill)
    warped = affine.projective_transform(padded, transform, size, method, fill)
    outputs.append(warped[top:top + height, left:left + width])
  return outputs
