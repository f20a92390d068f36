"""MobileNetV2 as a table of inverted residual blocks, with atrous output strides.

The blocks, and what builds networks of them, are those of MobileNetV3 too.

References:
  Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2.
  Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.
"""
import typing

from deeplab.core import blocks, layers
from deeplab.core.tf_compat import slim, tf

_WEIGHTS_STDDEV = 0.09
_BATCH_NORM_DECAY = 0.997
_BATCH_NORM_EPSILON = 0.001
# Inner channel counts are multiples of this whatever the outer divisor is.
_INNER_DIVISOR = 8
# Channels over those that the gates are made of.
_SQUEEZE_FACTOR = 4


class Block(typing.NamedTuple):
  """One inverted residual block."""
  num_outputs: int
  stride: int = 1
  expansion: float = 6  # Inner channels over those of the input; 1: no convolution that expands.
  kernel_size: int = 3  # Side of the kernel that looks at neighbours.
  has_gates: bool = False  # Whether gates multiply inner channels (squeeze and excitation).
  activation: typing.Optional[typing.Callable] = None  # None: that of the arg scope.
  # Whether one full convolution expands and looks at neighbours, in place of a depthwise one.
  is_fused: bool = False
  has_residual: bool = True  # Whether the input is added where shapes allow.


class Network(typing.NamedTuple):
  """A network of such blocks."""
  stem_outputs: int  # Channels of the first convolution, 3x3 with stride 2.
  blocks: typing.Sequence[Block]
  last_outputs: typing.Optional[int] = None  # Of a 1x1 convolution at the end, or None: no such.
  # Of the first and the last convolution; None: that of the arg scope.
  activation: typing.Optional[typing.Callable] = None


STEM_OUTPUTS = 32
BLOCKS = (
    Block(16, 1, expansion=1),
    Block(24, 2), Block(24, 1),
    Block(32, 2), Block(32, 1), Block(32, 1),
    Block(64, 2), Block(64, 1), Block(64, 1), Block(64, 1),
    Block(96, 1), Block(96, 1), Block(96, 1),
    Block(160, 2), Block(160, 1), Block(160, 1),
    Block(320, 1),
)


def make_divisible(value, divisor, min_value=None):
  """Returns the multiple of `divisor` next to `value`, never below 90 % of it."""
  rounded = max(min_value or divisor, int(value + divisor / 2) // divisor * divisor)
  return rounded + divisor if rounded < 0.9 * value else rounded


def mobilenet_v2_arg_scope(is_training=False, weight_decay=0.00004,
                           batch_norm_decay=_BATCH_NORM_DECAY):
  """Returns the arg scope of MobileNetV2: ReLU6, batch norm, L2 on 1x1 and 3x3 weights.

  With is_training batch norm uses (and updates towards) batch statistics. Depthwise weights are
  not regularised.
  """
  with slim.arg_scope([slim.conv2d, slim.separable_conv2d],
                      weights_initializer=tf.truncated_normal_initializer(
                          stddev=_WEIGHTS_STDDEV),
                      normalizer_fn=slim.batch_norm, activation_fn=tf.nn.relu6,
                      padding='SAME'), \
       slim.arg_scope([slim.batch_norm], is_training=is_training, decay=batch_norm_decay,
                      epsilon=_BATCH_NORM_EPSILON, center=True, scale=True), \
       slim.arg_scope([slim.conv2d],
                      weights_regularizer=slim.l2_regularizer(weight_decay)), \
       slim.arg_scope([slim.separable_conv2d], weights_regularizer=None) as scope:
    return scope


def mobilenet_v2_base(images, depth_multiplier=1.0, output_stride=None, divisible_by=None,
                      final_endpoint=None, reuse=None, scope='MobilenetV2'):
  """Builds MobileNetV2 up to `final_endpoint`; call within `mobilenet_v2_arg_scope`.

  Args:
    images: [batch, height, width, 3] float tensor in -1..1.
    depth_multiplier: factor on all channel counts, > 0.
    output_stride: input size over feature size, or None for the network's own 32.
    divisible_by: channel counts are multiples of it; None: 8 at depth_multiplier 1, else 1.
    final_endpoint: end point to stop at; None: the last block.
    scope, reuse: variable scope, and whether its variables are reused.

  Returns:
    features: [batch, ceil(height/stride), ceil(width/stride), channels] tensor.
    end_points: dict, `layer_<n>` and `layer_<n>/{expansion,depthwise}_output` -> tensor.

  Raises ValueError if depth_multiplier is not positive, output_stride cannot be reached, or
  final_endpoint does not exist.
  """
  is_full_width = depth_multiplier == 1.0
  divisor = divisible_by or (8 if is_full_width else 1)
  min_depth = 8 if is_full_width else 1
  with tf.variable_scope(scope, 'MobilenetV2', [images], reuse=reuse):
    return build(images, Network(STEM_OUTPUTS, BLOCKS),
                 depth_function(depth_multiplier, divisor, min_depth), output_stride,
                 final_endpoint)


def depth_function(depth_multiplier, divisor, min_depth):
  """Returns the function from channels of a table to those of a network `depth_multiplier` wide.

  Raises ValueError if depth_multiplier is not positive.
  """
  if depth_multiplier <= 0:
    raise ValueError('depth_multiplier must be positive, got %r.' % (depth_multiplier,))
  return lambda channels: make_divisible(channels * depth_multiplier, divisor, min_depth)


def build(images, network, depth, output_stride=None, final_endpoint=None):
  """Builds a Network in the variable scope around; see `mobilenet_v2_base` for what is not here.

  `depth` is a function from channels of the table to those of the result.
  """
  last_endpoint = 'layer_%d' % (1 + len(network.blocks) + bool(network.last_outputs))
  final_endpoint = final_endpoint or last_endpoint
  strides = blocks.StrideBudget(output_stride)
  end_points = {}
  stride, rate = strides.next(2)
  net = blocks.name_input(images, tf.get_variable_scope().name)
  with _activated_by(network.activation):
    net = layers.conv2d(net, depth(network.stem_outputs), 3, stride=stride, rate=rate,
                        scope='Conv')
  end_points['layer_1'] = net
  for index, block in enumerate(network.blocks):
    name = 'layer_%d' % (index + 2)
    if final_endpoint in end_points:
      break
    stride, rate = strides.next(block.stride)
    block_scope = 'expanded_conv_%d' % index if index else 'expanded_conv'
    with _activated_by(block.activation):
      net, inner = _inverted_residual(
          net, block._replace(num_outputs=depth(block.num_outputs), stride=stride),
          rate, block_scope)
    end_points[name] = net
    end_points.update(('%s/%s' % (name, key), value) for key, value in inner.items())
  if network.last_outputs and final_endpoint not in end_points:
    with _activated_by(network.activation):
      end_points[last_endpoint] = layers.conv2d(net, depth(network.last_outputs), 1,
                                                scope='Conv_1')
  if final_endpoint not in end_points:
    raise ValueError('Unknown final_endpoint %r of %s; the last one is %r.' % (
        final_endpoint, tf.get_variable_scope().name, last_endpoint))
  if final_endpoint == last_endpoint:
    strides.check_reached()
  return end_points[final_endpoint], end_points


def _activated_by(activation):
  """Returns an arg scope of convolutions with that activation; None: with the one they have."""
  return slim.arg_scope([layers.conv2d, layers.depthwise_conv2d],
                        **({'activation_fn': activation} if activation else {}))


def _inverted_residual(inputs, block, rate, scope):
  """Expands, filters by neighbourhood, projects linearly; adds the input where shapes allow."""
  num_inputs = inputs.shape.as_list()[3]
  inner = {}
  strided = {'kernel_size': block.kernel_size, 'stride': block.stride, 'rate': rate}
  with tf.variable_scope(scope):
    net = inputs
    if block.expansion > 1:
      expanded = make_divisible(num_inputs * block.expansion, _INNER_DIVISOR)
      net = layers.conv2d(net, expanded, scope='expand',
                          **(strided if block.is_fused else {'kernel_size': 1}))
      inner['expansion_output'] = net
    if not block.is_fused:
      net = layers.depthwise_conv2d(net, scope='depthwise', **strided)
      inner['depthwise_output'] = net
    if block.has_gates:
      net = _squeeze_excite(net)
    net = layers.conv2d(net, block.num_outputs, 1, activation_fn=None, scope='project')
    if block.has_residual and block.stride == 1 and num_inputs == block.num_outputs:
      net = layers.quantize_sum(tf.add(net, inputs, name='add'))
    return tf.identity(net, name='output'), inner


def _squeeze_excite(net):
  """Multiplies each channel by a gate, about 0..1, that is made of the means of all channels.

  Reference: Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, section 3.
  """
  num_channels = net.shape.as_list()[3]
  with tf.variable_scope('squeeze_excite'), \
       slim.arg_scope([layers.conv2d], normalizer_fn=None):
    means = tf.reduce_mean(net, [1, 2], keepdims=True)
    squeezed = layers.conv2d(
        means, make_divisible(num_channels / _SQUEEZE_FACTOR, _INNER_DIVISOR), 1,
        activation_fn=tf.nn.relu, scope='Conv')
    gates = layers.conv2d(squeezed, num_channels, 1, activation_fn=layers.hard_sigmoid,
                          scope='Conv_1')
    return layers.multiply(net, gates, 'mul')
