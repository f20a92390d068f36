"""Sizes of images and labels: what they are, and resizing by a factor or to a range."""
from deeplab.core.images.augmentation import RandomSource
from deeplab.core.settings import Setting
from deeplab.core.tf_compat import tf
from deeplab.core.usage import UsageError

KEEP_ASPECT_RATIO = Setting(
    True, 'Resizing keeps the shape of images; off: both sides become the longer one.')


def resolve_shape(tensor, rank=None, scope=None):
  """Returns the shape of a tensor as a list: ints where static, else int32 scalars.

  Raises ValueError if the tensor has another rank than `rank`, where that is given.
  """
  with tf.name_scope(scope, 'resolve_shape', [tensor]):
    static = (tensor.shape if rank is None else tensor.shape.with_rank(rank)).as_list()
    if None not in static:
      return static
    dynamic = tf.shape(tensor)
    return [dynamic[i] if d is None else d for i, d in enumerate(static)]


def of_rank(tensor, rank):
  """Returns a tensor, taken to be of `rank` if its rank is not known; others fail when run.

  The tensor itself stays as it is.
  """
  return tf.ensure_shape(tensor, [None] * rank) if tensor.shape.ndims is None else tensor


def get_random_scale(min_scale_factor, max_scale_factor, step_size, random_source=None):
  """Returns a random scale factor, a float or a float32 scalar tensor.

  Args:
    step_size: least distance between the factors drawn from, which are evenly spaced: from
      0.5 to 2 by 0.4 they are 0.5, 1, 1.5 and 2. Beyond the range: min_scale_factor alone.
      0: any factor in the range.

  Raises ValueError if min_scale_factor is negative or above max_scale_factor.
  """
  if min_scale_factor < 0 or min_scale_factor > max_scale_factor:
    raise UsageError('min_scale_factor=%s and max_scale_factor=%s: need 0 <= min <= max.'
                     % (min_scale_factor, max_scale_factor))
  if min_scale_factor == max_scale_factor:
    return float(min_scale_factor)
  random_source = random_source or RandomSource()
  if step_size == 0:
    return random_source.uniform(min_scale_factor, max_scale_factor)
  num_steps = int((max_scale_factor - min_scale_factor) / step_size + 1)
  return tf.linspace(float(min_scale_factor), float(max_scale_factor),
                     num_steps)[random_source.integer(num_steps)]


def randomly_scale_image_and_label(image, label=None, scale=1.0):
  """Scales an image (bilinear) and its label by the same factor.

  Args:
    image: [height, width, channels] tensor.
    label: [height, width, 1] tensor, or None. Integers take the nearest pixel; floats, such as
      shares of a class, are blended (bilinear).
    scale: float or float32 scalar tensor.

  Returns:
    image: float32 of size int(size * scale), at least 1; unchanged where scale is the number 1.
    label: of the same size, dtype unchanged; or None.

  Raises ValueError for a label that is neither integer nor float.
  """
  if isinstance(scale, (int, float)) and scale == 1.0:
    return image, label
  image = of_rank(image, 3)
  size = tf.cast(tf.cast(tf.shape(image)[:2], tf.float32) * scale, tf.int32)
  size = tf.maximum(size, 1)
  image = _resize(image, size, tf.image.ResizeMethod.BILINEAR)
  if label is not None:
    label = _resize_label(label, size)
  return image, label


def resize_to_range(image, label=None, min_size=None, max_size=None, factor=None,
                    align_corners=True, label_layout_is_chw=False, scope=None,
                    method='bilinear', keep_aspect_ratio=KEEP_ASPECT_RATIO.default):
  """Resizes so that the short side is min_size and the long side at most max_size.

  Args:
    image: [height, width, channels] tensor.
    label: [height, width, 1] tensor, or [1, height, width]; or None. For its values see
      `randomly_scale_image_and_label`.
    min_size: short side in pixels, or None for no resizing.
    max_size: limit of the long side in pixels, or None.
    factor: sides become multiples of this plus one, or None.
    align_corners: whether the corner pixels keep their place.
    label_layout_is_chw: whether the label's channel comes first.
    method: tf.image.ResizeMethod of the image.
    keep_aspect_ratio: off: both sides become the longer one of the resized image.

  Returns [image, label]; the label is None if none was given.

  Raises ValueError for max_size without min_size, or a label that is neither integer nor float.
  """
  with tf.name_scope(scope, 'resize_to_range', [image]):
    if not min_size:
      if max_size:
        raise UsageError('max_resize_value=%s needs min_resize_value too.' % max_size)
      return [image, label]
    size = resized_size(resolve_shape(image, rank=3)[:2], min_size, max_size, factor,
                        keep_aspect_ratio)
    image = _resize(image, size, method, align_corners)
    if label is None:
      return [image, None]
    if label_layout_is_chw:
      label = tf.transpose(label, [1, 2, 0])
    label = _resize_label(label, size, align_corners)
    return [image, tf.transpose(label, [2, 0, 1]) if label_layout_is_chw else label]


def resized_size(size, min_size, max_size=None, factor=None,
                 keep_aspect_ratio=KEEP_ASPECT_RATIO.default):
  """Returns the int32 [2] tensor (height, width) that `resize_to_range` gives, see there.

  `size` is (height, width) before, ints or int32 scalars or one int32 tensor.
  """
  size = tf.cast(tf.stack(size) if isinstance(size, (list, tuple)) else size, tf.float32)
  result = tf.ceil(size * (float(min_size) / tf.reduce_min(size)))
  if max_size:
    max_size = float(max_size)
    if factor:
      # The largest multiple plus one that stays below the limit.
      max_size += (factor - (max_size - 1) % factor) % factor - factor
    shrunk = tf.ceil(size * (max_size / tf.reduce_max(size)))
    result = tf.cond(tf.reduce_max(result) > max_size, lambda: shrunk, lambda: result)
  result = tf.cast(result, tf.int32)
  if factor:
    result += (factor - (result - 1) % factor) % factor
  return result if keep_aspect_ratio else tf.fill([2], tf.reduce_max(result))


def _resize_label(label, size, align_corners=True):
  if label.dtype.is_integer:
    return _resize(label, size, tf.image.ResizeMethod.NEAREST_NEIGHBOR, align_corners)
  if label.dtype.is_floating:
    resized = _resize(label, size, tf.image.ResizeMethod.BILINEAR, align_corners)
    return tf.cast(resized, label.dtype)
  raise ValueError('A label must hold integers or floats to be resized, got %s.'
                   % label.dtype.name)


def _resize(image, size, method, align_corners=True):
  image = of_rank(image, 3)
  channels = image.shape.as_list()[2]
  resized = tf.image.resize_images(tf.expand_dims(image, 0), size, method=method,
                                   align_corners=align_corners)
  resized = tf.squeeze(resized, 0)
  resized.set_shape([None, None, channels])
  return resized
