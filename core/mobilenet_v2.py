"""MobileNetV2 as a table of inverted residual blocks, with atrous output strides.

Reference: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
  CVPR 2018, table 2.
"""
import typing

from deeplab.core import blocks, layers
from deeplab.core.tf_compat import slim, tf

_WEIGHTS_STDDEV = 0.09
_BATCH_NORM_DECAY = 0.997
_BATCH_NORM_EPSILON = 0.001
# Inner channel counts are multiples of this whatever the outer divisor is.
_EXPANSION_DIVISOR = 8


class Block(typing.NamedTuple):
  """One inverted residual block: channels out, stride, expansion factor."""
  num_outputs: int
  stride: int
  expansion: int = 6


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
  if depth_multiplier <= 0:
    raise ValueError('depth_multiplier must be positive, got %r.' % (depth_multiplier,))
  is_full_width = depth_multiplier == 1.0
  divisor = divisible_by or (8 if is_full_width else 1)
  min_depth = 8 if is_full_width else 1
  last_endpoint = 'layer_%d' % (len(BLOCKS) + 1)
  final_endpoint = final_endpoint or last_endpoint
  strides = blocks.StrideBudget(output_stride)
  end_points = {}

  def depth(num_outputs):
    return make_divisible(num_outputs * depth_multiplier, divisor, min_depth)

  with tf.variable_scope(scope, 'MobilenetV2', [images], reuse=reuse):
    stride, rate = strides.next(2)
    net = blocks.name_input(images, scope or 'MobilenetV2')
    net = layers.conv2d(net, depth(STEM_OUTPUTS), 3, stride=stride, rate=rate, scope='Conv')
    end_points['layer_1'] = net
    for index, block in enumerate(BLOCKS):
      name = 'layer_%d' % (index + 2)
      if final_endpoint in end_points:
        break
      stride, rate = strides.next(block.stride)
      block_scope = 'expanded_conv_%d' % index if index else 'expanded_conv'
      net, inner = _inverted_residual(
          net, block._replace(num_outputs=depth(block.num_outputs), stride=stride),
          rate, block_scope)
      end_points[name] = net
      end_points.update(('%s/%s' % (name, key), value) for key, value in inner.items())
  if final_endpoint not in end_points:
    raise ValueError('Unknown final_endpoint %r of MobileNetV2; the last one is %r.'
                     % (final_endpoint, last_endpoint))
  if final_endpoint == last_endpoint:
    strides.check_reached()
  return end_points[final_endpoint], end_points


def _inverted_residual(inputs, block, rate, scope):
  """Expands, filters depthwise, projects linearly; adds the input where shapes allow."""
  num_inputs = inputs.shape.as_list()[3]
  inner = {}
  with tf.variable_scope(scope):
    net = inputs
    if block.expansion > 1:
      expanded = make_divisible(num_inputs * block.expansion, _EXPANSION_DIVISOR)
      net = layers.conv2d(net, expanded, 1, scope='expand')
      inner['expansion_output'] = net
    net = layers.depthwise_conv2d(net, 3, stride=block.stride, rate=rate, scope='depthwise')
    inner['depthwise_output'] = net
    net = layers.conv2d(net, block.num_outputs, 1, activation_fn=None, scope='project')
    if block.stride == 1 and num_inputs == block.num_outputs:
      net = layers.quantize_sum(tf.add(net, inputs, name='add'))
    return tf.identity(net, name='output'), inner
