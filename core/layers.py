"""Convolutions and sums that are plain, or quantised, as the scope around them says.

    with quantize(Quantizer(is_training=True)):
      net = conv2d(images, 32, 3, stride=2, scope='Conv')

Plain, `conv2d` and `depthwise_conv2d` are those of TF-Slim. Quantised, they have the same variables
and arg scopes, and batch norm becomes part of their weights, as in the integer network to come:

    weights, gamma / sqrt(variance + epsilon) --> fold --> fake_quantize_weights --+
                                         inputs --> convolution <------------------+
    --> bias of batch norm --> activation --> fake_quantize

References:
  Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 3.2.
  Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", 2018,
    section 3.2.2.
"""
import typing

from deeplab.core import quantization
from deeplab.core.tf_compat import add_arg_scope, slim, tf


def quantize(quantizer):
  """Returns an arg scope of these layers: quantised by a `quantization.Quantizer`; None: plain."""
  return slim.arg_scope([conv2d, depthwise_conv2d, quantize_result], quantizer=quantizer)


@add_arg_scope
def conv2d(inputs, num_outputs, kernel_size, quantizer=None, **kwargs):
  """Applies `slim.conv2d`, or the same quantised where there is a `quantization.Quantizer`.

  Further arguments are fields of `Layer`; they, and the surrounding arg scope of `slim.conv2d`,
  mean what they mean there. [batch, height, width, channels] inputs become
  [batch, h, w, num_outputs].
  """
  if quantizer is None:
    return slim.conv2d(inputs, num_outputs, kernel_size, **kwargs)
  layer = Layer(**dict(arg_scope_of(slim.conv2d), **kwargs))
  num_inputs = inputs.shape.as_list()[3]

  def convolve(weights):
    return tf.nn.convolution(inputs, weights, padding=layer.padding,
                             strides=pair(layer.stride), dilation_rate=pair(layer.rate))

  return _quantized_layer(layer, quantizer, Kernel(
      'weights', [kernel_size, kernel_size, num_inputs, num_outputs], [num_outputs], convolve))


@add_arg_scope
def depthwise_conv2d(inputs, kernel_size, quantizer=None, **kwargs):
  """Applies `slim.separable_conv2d` without its pointwise half, or the same quantised.

  Arguments are those of `conv2d`, the arg scope is that of `slim.separable_conv2d`. Returns a
  [batch, h, w, channels] tensor.
  """
  if quantizer is None:
    return slim.separable_conv2d(inputs, None, kernel_size, depth_multiplier=1, **kwargs)
  layer = Layer(**dict(arg_scope_of(slim.separable_conv2d), **kwargs))
  channels = inputs.shape.as_list()[3]

  def convolve(weights):
    return tf.nn.depthwise_conv2d(inputs, weights, [1] + pair(layer.stride) + [1],
                                  layer.padding, rate=pair(layer.rate))

  return _quantized_layer(layer, quantizer, Kernel(
      'depthwise_weights', [kernel_size, kernel_size, channels, 1], [channels, 1], convolve))


def quantize_sum(total):
  """Returns a sum of layers as it is, or quantised, for it needs a range of its own."""
  return quantize_result(total, quantization.SUM_SCOPE)


def multiply(net, factor, scope):
  """Returns net * factor, a tensor that broadcasts or a number; quantised with a range in scope."""
  return quantize_result(net * factor, '%s/%s' % (scope, quantization.PRODUCT_SCOPE))


@add_arg_scope
def quantize_result(result, scope, quantizer=None):
  """Returns what was computed of layers as it is, or quantised with a range in the scope.

  `scope` None: `act_quant` in the scope around, and `act_quant_1` for a second one.
  """
  if quantizer is None:
    return result
  return quantization.fake_quantize(result, quantizer, scope)


def hard_sigmoid(net, prefix=''):
  """Returns relu6(net + 3) / 6: gates of 0 to 1.00002.

  `prefix` is that of the scopes of ranges, if it is quantised.

  Reference: Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.
  """
  return multiply(_shifted_relu6(net), _SIXTH_OF_GATES, prefix + 'mul')


def hard_swish(net, prefix=''):
  """Returns net * relu6(net + 3) / 6; arguments and reference are those of `hard_sigmoid`."""
  scope = prefix + 'hard_swish/mul'
  return multiply(multiply(net, _shifted_relu6(net), scope), 1 / 6., scope + '_1')


# Published weights were trained with so many digits.
_SIXTH_OF_GATES = 0.16667
# Activations of several steps, each of which has a range.
_COMPOSED = (hard_sigmoid, hard_swish)


def _shifted_relu6(net):
  # A scope that is entered again numbers its names anew; the outermost is never left.
  is_outermost = not tf.get_variable_scope().name
  return quantize_result(tf.nn.relu6(net + 3.0),
                         quantization.ACTIVATION_SCOPE if is_outermost else None)


def _relu(net):
  return tf.nn.relu(net)


class Layer(typing.NamedTuple):
  """Arguments of a quantised convolution: those of `slim.conv2d` that are served."""
  scope: str
  stride: typing.Union[int, typing.Sequence[int]] = 1
  rate: typing.Union[int, typing.Sequence[int]] = 1
  padding: str = 'SAME'
  activation_fn: typing.Optional[typing.Callable] = _relu
  normalizer_fn: typing.Optional[typing.Callable] = None
  weights_initializer: typing.Optional[typing.Callable] = None
  weights_regularizer: typing.Optional[typing.Callable] = None
  reuse: typing.Optional[bool] = None
  outputs_collections: typing.Optional[str] = None


class BatchNorm(typing.NamedTuple):
  """Arguments of the batch norm of a quantised convolution, as in `slim.batch_norm`."""
  is_training: bool = True
  decay: float = 0.999
  epsilon: float = 0.001
  center: bool = True
  scale: bool = False


class Kernel(typing.NamedTuple):
  """What a kind of convolution has of its own."""
  name: str  # Name of the variable.
  shape: typing.Sequence[int]  # Its shape.
  # Shape of one number per output channel that multiplies the weights.
  scale_shape: typing.Sequence[int]
  convolve: typing.Callable  # Function of weights that convolves the inputs of the layer.

  @property
  def num_outputs(self):
    """Number of output channels."""
    return self.scale_shape[0]


# Name, whether it starts at one, whether it is trainable.
_BATCH_NORM_VARIABLES = (
    ('gamma', True, True),
    ('beta', False, True),
    ('moving_mean', False, False),
    ('moving_variance', True, False),
)


def pair(value):
  """Returns [vertical, horizontal] of an int or a pair."""
  return list(slim.utils.two_element_tuple(value))


def arg_scope_of(slim_function):
  """Returns what the arg scope around says of a function of TF-Slim, dict."""
  return slim.current_arg_scope().get(slim.arg_scope_func_key(slim_function), {})


def _quantized_layer(layer, quantizer, kernel):
  """Returns the quantised output of a convolution with its batch norm or bias."""
  with tf.variable_scope(layer.scope, reuse=layer.reuse) as scope:
    weights = weights_of(layer, kernel.name, kernel.shape)
    if layer.normalizer_fn is None:
      net = add_bias(kernel.convolve(quantization.fake_quantize_weights(weights, quantizer)))
    elif layer.normalizer_fn is slim.batch_norm:
      net = _fold_batch_norm(weights, quantizer, kernel)
    else:
      raise ValueError('Quantised layers know slim.batch_norm, got %r.' % layer.normalizer_fn)
    is_composed = layer.activation_fn in _COMPOSED
    if not is_composed and layer.activation_fn is not None:
      net = layer.activation_fn(net)
    net = quantization.fake_quantize(
        net, quantizer, quantization.INNER_SCOPE if is_composed else quantization.ACTIVATION_SCOPE)
  if is_composed:
    net = layer.activation_fn(net, layer.scope + '/')
  return slim.utils.collect_named_outputs(layer.outputs_collections, scope.name, net)


def weights_of(layer, name, shape):
  """Returns the variable of the weights of a Layer."""
  return slim.model_variable(name, shape, regularizer=layer.weights_regularizer,
                             initializer=layer.weights_initializer or slim.xavier_initializer())


def add_bias(net):
  """Returns net plus the variable of its biases, which start at 0."""
  return tf.nn.bias_add(net, slim.model_variable(
      'biases', net.shape.as_list()[3:], initializer=tf.zeros_initializer()))


def _fold_batch_norm(weights, quantizer, kernel):
  """Returns the batch-normalised convolution, with batch norm as part of the weights.

  The weights that are quantised are always those of inference, made with the moving variance: they
  do not jitter from batch to batch. While batch statistics are in use, the outputs are corrected by
  the ratio of the two deviations. Adds the update of the moving averages to UPDATE_OPS.
  """
  options = BatchNorm(**arg_scope_of(slim.batch_norm))
  if not (options.center and options.scale):
    raise ValueError('Quantised layers need batch norm with center and scale.')
  with tf.variable_scope('BatchNorm'):
    gamma, beta, mean, variance = [
        slim.model_variable(
            name, [kernel.num_outputs], trainable=is_trainable,
            initializer=tf.ones_initializer() if is_one else tf.zeros_initializer())
        for name, is_one, is_trainable in _BATCH_NORM_VARIABLES]
    sigma = tf.sqrt(variance + options.epsilon)
    folded = weights * tf.reshape(gamma / sigma, kernel.scale_shape)
  net = kernel.convolve(quantization.fake_quantize_weights(folded, quantizer))
  if not options.is_training:
    return tf.nn.bias_add(net, beta - mean * gamma / sigma)
  batch_mean, batch_variance, unbiased_variance = _batch_statistics(
      lambda: kernel.convolve(weights), mean, variance, quantizer)
  # This step folds with the averages it found.
  with tf.control_dependencies([sigma]):
    for average, value in ((mean, batch_mean), (variance, unbiased_variance)):
      tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign_sub(
          average, (1.0 - options.decay) * (average - value)))
  batch_sigma = tf.sqrt(batch_variance + options.epsilon)
  return net * (sigma / batch_sigma) + (beta - batch_mean * gamma / batch_sigma)


def _batch_statistics(outputs_fn, mean, variance, quantizer):
  """Returns mean, variance and unbiased variance per channel of what `outputs_fn` returns.

  They are the moving averages, `mean` and `variance`, once these are frozen.
  """
  def of_batch():
    outputs = outputs_fn()
    batch_mean, batch_variance = tf.nn.moments(outputs, [0, 1, 2])
    count = tf.cast(tf.reduce_prod(tf.shape(outputs)[:3]), tf.float32)
    return (batch_mean, batch_variance,
            batch_variance * count / tf.maximum(count - 1.0, 1.0))

  if quantizer.freeze_step is None:
    return of_batch()
  return tf.cond(
      quantization.global_step() < quantizer.freeze_step, of_batch,
      lambda: (tf.identity(mean), tf.identity(variance), tf.identity(variance)))
