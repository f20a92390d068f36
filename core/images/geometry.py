"""Where pixels go: pad, crop, warp, flip; image and label together."""
from deeplab.core import utils
from deeplab.core.images import affine
from deeplab.core.images.augmentation import RandomSource
from deeplab.core.images.resizing import of_rank, resolve_shape
from deeplab.core.tf_compat import tf

# Colours outside the image where the caller gives none: mid grey, and the usual ignore id.
_DEFAULT_IMAGE_FILL = 127.5
_DEFAULT_LABEL_FILL = 255


def flip_dim(tensor_list, prob=0.5, dim=1, random_source=None):
  """Flips all tensors or none.

  Args:
    tensor_list: list of tensors, [height, width, channels] of any dtype for images.
    prob: probability of flipping, 0..1.
    dim: dimension to reverse; 1 is the width of an image.

  Returns a list of the tensors and a bool scalar that tells whether they are flipped.

  Raises ValueError if a tensor has no dimension `dim`.
  """
  is_flipped = tf.less_equal((random_source or RandomSource()).uniform(), prob)
  outputs = []
  for tensor in tensor_list:
    if not 0 <= dim < len(tensor.shape):
      raise ValueError('dim=%d is not a dimension of a tensor of shape %s.'
                       % (dim, tensor.shape))
    flipped = tf.cond(is_flipped, lambda t=tensor: tf.reverse(t, [dim]), lambda t=tensor: t)
    flipped.set_shape(tensor.shape)
    outputs.append(flipped)
  return outputs + [is_flipped]


def pad_to_bounding_box(image, offset_height, offset_width, target_height, target_width,
                        pad_value):
  """Pads an image to a size, at an offset.

  Args:
    image: [height, width, channels] or [batch, height, width, channels] tensor or array;
      three dimensions are taken for granted where they are not known.
    offset_height, offset_width: rows of padding above, columns left.
    target_height, target_width: size of the result in pixels.
    pad_value: colour of the padding: a number or [channels] values.

  Returns a tensor of the image's rank, target_height x target_width, dtype unchanged.

  Raises ValueError if the image has another rank, or is statically too large. A dynamically too
  large image fails when it is run.
  """
  image = of_rank(tf.convert_to_tensor(image), 3)
  if image.shape.ndims not in (3, 4):
    raise ValueError('pad_to_bounding_box needs a [height, width, channels] image or a batch '
                     'of them, got shape %s.' % image.shape)
  height, width = resolve_shape(image)[-3:-1]
  below = target_height - offset_height - height
  right = target_width - offset_width - width
  checks = [
      check for what, size, offset, rest in (('height', height, offset_height, below),
                                             ('width', width, offset_width, right))
      for check in _fits(what, size, offset, rest)]
  pad_value = tf.cast(tf.convert_to_tensor(pad_value), image.dtype)
  paddings = [[offset_height, below], [offset_width, right], [0, 0]]
  with tf.control_dependencies(checks):
    padded = tf.pad(image - pad_value,
                    [[0, 0]] * (image.shape.ndims - 3) + paddings) + pad_value
  static = image.shape.as_list()
  padded.set_shape(static[:-3] + list(utils.static_size((target_height, target_width)))
                   + static[-1:])
  return padded


def random_crop(image_list, crop_height, crop_width, do_affine_perturbation=False,
                fill_values=None, perturbation=None, random_source=None):
  """Crops all images to the same random window, which may be a little warped.

  Args:
    image_list: list of [height, width, channels] tensors of equal height and width.
    crop_height, crop_width: size of the window in pixels.
    do_affine_perturbation: whether the window is warped; for fill_values and perturbation see
      `centered_affine_perturbation`.

  Returns a list of [crop_height, crop_width, channels] tensors, dtypes unchanged.

  Raises ValueError if the list is empty, or the images are statically of different sizes or smaller
  than the window. Where sizes are not static, this fails when run.
  """
  if not image_list:
    raise ValueError('random_crop needs at least one image.')
  random_source = random_source or RandomSource()
  image_list = _of_one_size(image_list, crop_height, crop_width)
  height, width = resolve_shape(image_list[0], rank=3)[:2]
  offset_height = random_source.integer(height - crop_height + 1)
  offset_width = random_source.integer(width - crop_width + 1)
  if do_affine_perturbation:
    return centered_affine_perturbation(
        image_list, offset_height, offset_width, crop_height, crop_width,
        fill_values=fill_values, perturbation=perturbation, random_source=random_source)
  return [_crop(image, offset_height, offset_width, crop_height, crop_width)
          for image in image_list]


def random_normal_clipped(shape=(), mean=0.0, stddev=0.05, dtype='float32',
                          clip_stddev_factor=3, random_source=None):
  """Returns normal draws, clipped to mean +- clip_stddev_factor * stddev."""
  draws = (random_source or RandomSource()).normal(mean, stddev, shape)
  limit = clip_stddev_factor * stddev
  return tf.cast(tf.clip_by_value(draws, mean - limit, mean + limit), dtype)


def centered_affine_perturbation(image_list, offset_height, offset_width, crop_height,
                                 crop_width, fill_values=None, perturbation=None,
                                 random_source=None):
  """Crops all images to the same window, warped about its centre.

  Pixel p of the window, counted from its centre, is read at A p + t with
  A = [[1 + a, b], [c, 1 + d]] and t = (tx, ty) in pixels. Float images are read bilinearly;
  integer images, label maps, take the nearest pixel.

  Args:
    image_list: list of [height, width, channels] tensors of equal height and width.
    offset_height, offset_width: first row and column of the window.
    crop_height, crop_width: size of the window in pixels.
    fill_values: colour outside the image, per image; None: 127.5, and 255 for integers.
    perturbation: [6] float32 tensor a, b, tx, c, d, ty; None: clipped normal draws of
      standard deviation 0.05.

  Returns a list of [crop_height, crop_width, channels] tensors, dtypes unchanged.
  """
  if perturbation is None:
    perturbation = random_normal_clipped([6], random_source=random_source)
  transform = window_transform(offset_height, offset_width, crop_height, crop_width,
                               perturbation)
  outputs = []
  for index, image in enumerate(of_rank(image, 3) for image in image_list):
    if fill_values is not None:
      fill = fill_values[index]
    else:
      fill = _DEFAULT_LABEL_FILL if image.dtype.is_integer else _DEFAULT_IMAGE_FILL
    outputs.append(affine.projective_transform(
        image, transform, (crop_height, crop_width),
        affine.NEAREST if image.dtype.is_integer else affine.BILINEAR, fill))
  return outputs


def window_transform(offset_height, offset_width, crop_height, crop_width, perturbation):
  """Returns the [8] transform from a warped window to the image, see `affine`.

  Arguments are those of `centered_affine_perturbation`; offsets are ints or scalars.
  """
  a, b, tx, c, d, ty = tf.unstack(perturbation, num=6)
  center_x, center_y = crop_width / 2.0, crop_height / 2.0
  left = tf.cast(offset_width, tf.float32) + center_x
  top = tf.cast(offset_height, tf.float32) + center_y
  return tf.stack([
      1.0 + a, b, left + tx - (1.0 + a) * center_x - b * center_y,
      c, 1.0 + d, top + ty - c * center_x - (1.0 + d) * center_y,
      0.0, 0.0])


def _fits(what, size, offset, rest):
  """Returns the checks that a side fits where it is padded to; raises if it cannot."""
  message = ('pad_to_bounding_box: target_%s must be >= %s + offset_%s, offsets not negative'
             % (what, what, what))
  if isinstance(offset, int) and isinstance(rest, int):
    if min(offset, rest) < 0:
      raise ValueError('%s; got %s=%s, offset_%s=%s, target_%s=%s.' % (
          message, what, size, what, offset, what, size + offset + rest))
    return []
  return [tf.Assert(tf.minimum(offset, rest) >= 0, [message, size, offset])]


def _of_one_size(image_list, crop_height, crop_width):
  """Returns the images, which fail when run unless equal in size and not below the crop."""
  image_list = [of_rank(image, 3) for image in image_list]
  sizes = [image.shape.with_rank(3).as_list()[:2] for image in image_list]
  for size in sizes:
    if (size[0] or crop_height) < crop_height or (size[1] or crop_width) < crop_width:
      raise ValueError('A crop of %sx%s does not fit an image of %sx%s.'
                       % (crop_height, crop_width, size[0], size[1]))
  if all(size == sizes[0] and None not in size for size in sizes):
    return image_list
  first = tf.shape(image_list[0])[:2]
  checks = [tf.Assert(tf.reduce_all(first >= [crop_height, crop_width]),
                      ['A crop does not fit an image of', first])]
  checks.extend(
      tf.Assert(tf.reduce_all(tf.equal(tf.shape(image)[:2], first)),
                ['random_crop needs images of equal size, got', first, tf.shape(image)[:2]])
      for image in image_list[1:])
  with tf.control_dependencies(checks):
    return [tf.identity(image) for image in image_list]


def _crop(image, offset_height, offset_width, crop_height, crop_width):
  """Returns the window of an image; fails when run if the image is smaller."""
  cropped = tf.slice(image, tf.stack([offset_height, offset_width, 0]),
                     tf.stack([crop_height, crop_width, -1]))
  cropped.set_shape([crop_height, crop_width, image.shape.as_list()[2]])
  return cropped
