"""Tensor operations shared by the backbones and the segmentation heads."""
from deeplab.core import layers
from deeplab.core.tf_compat import slim, tf


def resize_bilinear(images, size, output_dtype='float32'):
  """Returns [batch, height, width, channels] images resized with corners aligned.

  `size` is (height, width), ints or int32 scalars or one int32 tensor of two. Returns a
  [batch, size[0], size[1], channels] tensor of `output_dtype`.
  """
  images = tf.image.resize_bilinear(images, size, align_corners=True)
  if not isinstance(size, tf.Tensor):
    images.set_shape((None,) + static_size(size) + (None,))
  return tf.cast(images, dtype=output_dtype)


def scale_dimension(dim, scale):
  """Returns `int((dim - 1) * scale + 1)`: the size of `dim` aligned pixels after scaling.

  It is an int, or an int32 scalar tensor if `dim` is one.
  """
  if isinstance(dim, tf.Tensor):
    if float(1 / scale).is_integer():
      # Converters work out integers beforehand.
      return (dim - 1) // int(1 / scale) + 1
    return tf.cast((tf.cast(dim, tf.float32) - 1.0) * scale + 1.0, dtype=tf.int32)
  return int((float(dim) - 1.0) * scale + 1.0)


def scale_size(size, scale):
  """Returns [height, width] of a size after scaling, each as `scale_dimension` has it."""
  return [scale_dimension(d, scale) for d in size]


def image_size(images):
  """Returns (height, width) of an NHWC tensor: ints where static, else int32 scalars."""
  static = images.shape.as_list()[1:3]
  if None not in static:
    return tuple(static)
  dynamic = tf.shape(images)
  return tuple(dynamic[i + 1] if d is None else d for i, d in enumerate(static))


def aligned_size(size, output_stride, least_size=None):
  """Returns the least sides k * output_stride + 1 that hold an image, and a size at least.

  Images of other sizes have features that end beside their last pixels, and upsampling with
  aligned corners then shifts what is predicted.

  Args:
    size: (height, width), ints or int32 scalars or one int32 tensor of two.
    output_stride: of the network.
    least_size: (height, width) ints, for example the window of image pooling; or None.

  Returns (height, width), ints where those of `size` are.
  """
  sides = tf.unstack(size) if isinstance(size, tf.Tensor) else size
  return tuple(
      larger((side + output_stride - 2) // output_stride * output_stride + 1, least)
      for side, least in zip(sides, least_size or (1, 1)))


def larger(a, b):
  """Returns the larger of two ints or int32 scalars, an int where both are."""
  if isinstance(a, int) and isinstance(b, int):
    return max(a, b)
  return tf.maximum(a, b)


def static_size(size):
  """Returns (height, width) with None in place of tensors, for `set_shape`."""
  return tuple(None if isinstance(d, tf.Tensor) else int(d) for d in size)


def split_separable_conv2d(inputs, filters, kernel_size=3, rate=1, weight_decay=0.00004,
                           depthwise_weights_initializer_stddev=0.33,
                           pointwise_weights_initializer_stddev=0.06, scope=None):
  """Applies a depthwise and then a pointwise convolution, each with its own batch norm.

  Normaliser and activation come from the surrounding arg scope. The depthwise weights are
  not regularised.

  Args:
    inputs: [batch, height, width, channels] tensor.
    kernel_size, rate: side and atrous rate of the depthwise kernel.
    weight_decay: L2 factor of the pointwise weights.
    depthwise_weights_initializer_stddev: of the truncated normal initialiser.
    pointwise_weights_initializer_stddev: of the truncated normal initialiser.
    scope: prefix of the two variable scopes `<scope>_depthwise` and `<scope>_pointwise`.

  Returns a [batch, height, width, filters] tensor.

  Reference: Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic
    Image Segmentation", ECCV 2018, section 3.1.
  """
  outputs = layers.depthwise_conv2d(
      inputs, kernel_size, rate=rate, weights_regularizer=None, scope=scope + '_depthwise',
      weights_initializer=tf.truncated_normal_initializer(
          stddev=depthwise_weights_initializer_stddev))
  return layers.conv2d(
      outputs, filters, 1, weights_regularizer=slim.l2_regularizer(weight_decay),
      weights_initializer=tf.truncated_normal_initializer(
          stddev=pointwise_weights_initializer_stddev), scope=scope + '_pointwise')


# The reference's name.
q_sigmoid = layers.hard_sigmoid


def pool_windows(features, window, stride):
  """Returns the averages of windows that lie wholly inside of features.

  Args:
    features: [batch, height, width, channels] tensor.
    window: (height, width), in features.
    stride: step between windows, in features, or (down, right).

  Raises ValueError if the window is larger than the features.
  """
  if any(side is not None and length > side
         for length, side in zip(window, features.shape.as_list()[1:3])):
    raise ValueError(
        'The window of image pooling is %dx%d features, and images have %sx%s: '
        'image_pooling_crop_size must not be larger than the images or crops.'
        % (tuple(window) + tuple(features.shape.as_list()[1:3])))
  return slim.avg_pool2d(features, window, stride, padding='VALID')
