"""Convolutions whose weights may be standardised: with mean 0 and deviation 1 per output channel.

Reference: Qiao et al., "Micro-Batch Training with Batch-Channel Normalization and Weight
  Standardization", 2019, section 3.
"""
from deeplab.core import layers
from deeplab.core.blocks import fixed_padding
from deeplab.core.tf_compat import add_arg_scope, slim, tf

_EPSILON = 1e-5


@add_arg_scope
def conv2d(inputs, num_outputs, kernel_size, use_weight_standardization=False, **kwargs):
  """Applies `layers.conv2d`, or the same with standardised weights.

  Args:
    inputs: [batch, height, width, channels] tensor.
    num_outputs, kernel_size: number of output channels, side of the kernel.
    use_weight_standardization: whether the inputs meet (weights - mean) / sqrt(variance + 1e-5), of
      all weights of an output channel. Variables and L2 are those of the weights as they are.
    Others are those of `layers.conv2d`.

  Returns a [batch, h, w, num_outputs] tensor.
  """
  if not use_weight_standardization:
    return layers.conv2d(inputs, num_outputs, kernel_size, **kwargs)
  layer = layers.Layer(**dict(layers.arg_scope_of(slim.conv2d), **kwargs))
  with tf.variable_scope(layer.scope, 'Conv', [inputs], reuse=layer.reuse) as scope:
    weights = layers.weights_of(
        layer, 'weights', [kernel_size, kernel_size, inputs.shape.as_list()[3], num_outputs])
    mean, variance = tf.nn.moments(weights, [0, 1, 2], keepdims=True)
    net = tf.nn.convolution(
        inputs, (weights - mean) * tf.rsqrt(variance + _EPSILON), padding=layer.padding,
        strides=layers.pair(layer.stride), dilation_rate=layers.pair(layer.rate))
    net = layer.normalizer_fn(net) if layer.normalizer_fn else layers.add_bias(net)
    net = layer.activation_fn(net) if layer.activation_fn else net
  return slim.utils.collect_named_outputs(layer.outputs_collections, scope.name, net)


def conv2d_same(inputs, num_outputs, kernel_size, stride, rate=1, scope=None):
  """Applies `conv2d`, with `fixed_padding` in place of SAME when it strides.

  Returns a [batch, ceil(height/stride), ceil(width/stride), num_outputs] tensor.
  """
  padding = 'SAME'
  if stride > 1:
    inputs, padding = fixed_padding(inputs, kernel_size, rate), 'VALID'
  return conv2d(inputs, num_outputs, kernel_size, stride=stride, rate=rate, padding=padding,
                scope=scope)
