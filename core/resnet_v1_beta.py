"""ResNet v1 with atrous output strides, with the plain and the `_beta` (three 3x3) root.

The stride of a block sits in its last unit, so that low-level features of full resolution
exist right before it.

References:
  He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1.
  Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017,
    section 3.2 (multi-grid).
"""
import functools
import typing

from deeplab.core import blocks as blocks_lib
from deeplab.core import layers
from deeplab.core.blocks import stack_blocks_dense
from deeplab.core.conv2d_ws import conv2d, conv2d_same
from deeplab.core.tf_compat import add_arg_scope, slim, tf

# Output channels of a unit over those of its 3x3 convolution.
_EXPANSION = 4
# The root convolution and the max pool halve the image once each.
_ROOT_STRIDE = 4
# (base depth, stride) of the blocks before the last one.
_STRIDED_BLOCKS = ((64, 2), (128, 2), (256, 2))
# The last one has a unit per multi_grid rate.
_LAST_BASE_DEPTH = 512


def resnet_arg_scope(is_training=True, weight_decay=0.0001, batch_norm_decay=0.95,
                     batch_norm_epsilon=1e-5, batch_norm_scale=True,
                     use_weight_standardization=False):
  """Returns the arg scope of ResNet: ReLU, batch norm, He initialisation, L2.

  With is_training batch norm uses (and updates towards) batch statistics; batch_norm_scale says
  whether it has a gamma. use_weight_standardization is that of `conv2d_ws.conv2d`.
  """
  with slim.arg_scope([slim.conv2d],
                      weights_regularizer=slim.l2_regularizer(weight_decay),
                      weights_initializer=slim.variance_scaling_initializer(),
                      activation_fn=tf.nn.relu, normalizer_fn=slim.batch_norm), \
       slim.arg_scope([slim.batch_norm], is_training=is_training, decay=batch_norm_decay,
                      epsilon=batch_norm_epsilon, scale=batch_norm_scale), \
       slim.arg_scope([conv2d], use_weight_standardization=use_weight_standardization), \
       slim.arg_scope([slim.max_pool2d], padding='SAME') as scope:
    return scope


@add_arg_scope
def bottleneck(inputs, depth, depth_bottleneck, stride, unit_rate=1, rate=1,
               outputs_collections=None, scope=None):
  """Applies a residual unit: 1x1, 3x3 (stride, atrous), 1x1, plus the shortcut.

  Args:
    inputs: [batch, height, width, channels] tensor.
    depth, depth_bottleneck: channels of the result, and of the first two convolutions.
    stride: stride of the 3x3 convolution and of the shortcut.
    unit_rate: factor on `rate` from multi_grid.
    rate: atrous rate from the output stride.
    outputs_collections: collection that receives the output, or None.
    scope: variable scope, default 'bottleneck_v1'.

  Returns a [batch, ceil(height/stride), ceil(width/stride), depth] tensor, after ReLU.
  """
  with tf.variable_scope(scope, 'bottleneck_v1', [inputs]) as unit_scope:
    shortcut = _shortcut(inputs, depth, stride)
    residual = conv2d(inputs, depth_bottleneck, 1, stride=1, scope='conv1')
    residual = conv2d_same(residual, depth_bottleneck, 3, stride, rate=rate * unit_rate,
                           scope='conv2')
    residual = conv2d(residual, depth, 1, stride=1, activation_fn=None, scope='conv3')
    return _joined(shortcut, residual, outputs_collections, unit_scope)


@add_arg_scope
def lite_bottleneck(inputs, depth, stride, unit_rate=1, rate=1, outputs_collections=None,
                    scope=None):
  """Applies a residual unit of two 3x3 convolutions, the second with the stride.

  `depth` is that of both; both are dilated by rate * unit_rate. The scope is 'lite_bottleneck_v1'
  by default; the other arguments, and the result, are those of `bottleneck`.
  """
  with tf.variable_scope(scope, 'lite_bottleneck_v1', [inputs]) as unit_scope:
    shortcut = _shortcut(inputs, depth, stride)
    residual = conv2d_same(inputs, depth, 3, 1, rate=rate * unit_rate, scope='conv1')
    with slim.arg_scope([slim.conv2d], activation_fn=None):
      residual = conv2d_same(residual, depth, 3, stride, rate=rate * unit_rate, scope='conv2')
    return _joined(shortcut, residual, outputs_collections, unit_scope)


def _shortcut(inputs, depth, stride):
  """Returns the inputs with the depth and the stride of a unit."""
  if inputs.shape.as_list()[3] != depth:
    return conv2d(inputs, depth, 1, stride=stride, activation_fn=None, scope='shortcut')
  if stride > 1:
    return slim.max_pool2d(inputs, 1, stride=stride, scope='shortcut')
  return inputs


def _joined(shortcut, residual, outputs_collections, unit_scope):
  output = layers.quantize_sum(tf.nn.relu(shortcut + residual))
  return slim.utils.collect_named_outputs(outputs_collections, unit_scope.name, output)


def root_block_fn_for_beta_variant(net, depth_multiplier=1.0):
  """Returns [batch, ceil(h/2), ceil(w/2), 128]: three 3x3 convolutions, the first strided.

  `depth_multiplier` is a factor on their channels.
  """
  net = conv2d_same(net, int(64 * depth_multiplier), 3, stride=2, scope='conv1_1')
  net = conv2d(net, int(64 * depth_multiplier), 3, stride=1, scope='conv1_2')
  return conv2d(net, int(128 * depth_multiplier), 3, stride=1, scope='conv1_3')


def _plain_root_block(net):
  """Returns [batch, ceil(h/2), ceil(w/2), 64]: one strided 7x7 convolution."""
  return conv2d_same(net, 64, 7, stride=2, scope='conv1')


def resnet_v1_beta(inputs, blocks, num_classes=None, is_training=None, global_pool=True,
                   output_stride=None, root_block_fn=None, reuse=None, scope=None):
  """Builds a ResNet of any blocks; call within `resnet_arg_scope`.

  Args:
    inputs: [batch, height, width, 3] float tensor.
    blocks: list of Block, see `resnet_v1_beta_block`.
    num_classes: adds an image classifier when set, else None.
    is_training: whether batch norm uses batch statistics; None: as the arg scope says.
    global_pool: whether features are averaged over the image.
    output_stride: input size over feature size, a multiple of 4, or None for the designed one.
    root_block_fn: function (images) -> features at stride 2, or None for the 7x7 root.
    scope, reuse: variable scope, and whether its variables are reused.

  Returns features (or logits) [batch, h, w, channels], and a dict from the names of all layers,
  units and blocks to their outputs.

  Raises ValueError if output_stride cannot be reached.
  """
  batch_norm = {} if is_training is None else {'is_training': is_training}
  with tf.variable_scope(scope, 'resnet_v1', [inputs], reuse=reuse) as network_scope:
    collection = network_scope.original_name_scope + 'end_points'
    with slim.arg_scope([slim.conv2d, bottleneck, lite_bottleneck,
                         stack_blocks_dense],
                        outputs_collections=collection), \
         slim.arg_scope([slim.batch_norm], **batch_norm):
      net = (root_block_fn or _plain_root_block)(inputs)
      net = slim.max_pool2d(net, 3, stride=2, padding='SAME', scope='pool1')
      net = stack_blocks_dense(net, blocks, output_stride, root_stride=_ROOT_STRIDE)
      end_points = slim.utils.convert_collection_to_dict(collection, clear_collection=True)
      net = blocks_lib.classify(net, end_points, global_pool, num_classes, network_scope.name)
  return net, end_points


def resnet_v1_beta_block(scope, base_depth, num_units, stride):
  """Returns a Block of `num_units` bottlenecks, the last of which strides.

  `base_depth` is that of the 3x3 convolutions; the outputs have four times as many channels.
  """
  return _block(scope, base_depth, _strided_last(num_units, stride))


def resnet_v1_small_beta_block(scope, base_depth, num_units, stride):
  """Returns a Block of `num_units` lite bottlenecks of that depth, the last of which strides."""
  return _lite_block(scope, base_depth, _strided_last(num_units, stride))


def _strided_last(num_units, stride):
  return [(1, 1)] * (num_units - 1) + [(stride, 1)]


def _block(scope, base_depth, strides_and_unit_rates):
  return blocks_lib.Block(scope, bottleneck, [
      {'depth': base_depth * _EXPANSION, 'depth_bottleneck': base_depth, 'stride': stride,
       'unit_rate': unit_rate} for stride, unit_rate in strides_and_unit_rates])


def _lite_block(scope, depth, strides_and_unit_rates):
  return blocks_lib.Block(scope, lite_bottleneck, [
      {'depth': depth, 'stride': stride, 'unit_rate': unit_rate}
      for stride, unit_rate in strides_and_unit_rates])


class _Design(typing.NamedTuple):
  """What the depths of ResNet differ in."""
  scope: str
  num_units: typing.Sequence[int]  # Of each of _STRIDED_BLOCKS.
  block: typing.Callable = _block  # Function that makes one of these, and the last.
  num_last_units: int = 3  # Of the last block; each has a rate of multi_grid.


_18 = _Design('resnet_v1_18', (2, 2, 2), _lite_block, 2)
_50 = _Design('resnet_v1_50', (3, 4, 6))
_101 = _Design('resnet_v1_101', (3, 4, 23))


def _variant(name, design, root_block_fn=None):
  """Returns the function of the network of a design and a root, called `name`."""
  def network(inputs, num_classes=None, is_training=None, global_pool=False,
              output_stride=None, multi_grid=None, reuse=None, scope=design.scope):
    """Builds the network; features have 2048 channels, those of ResNet-18 have 512.

    Arguments and results are those of `resnet_v1_beta`, but for multi_grid: the unit rates of
    the three units of the last block, two of ResNet-18, or None for 1 each.
    """
    multi_grid = blocks_lib.check_multi_grid(multi_grid, design.num_last_units)
    blocks = [design.block('block%d' % number, base_depth, _strided_last(count, stride))
              for number, ((base_depth, stride), count)
              in enumerate(zip(_STRIDED_BLOCKS, design.num_units), 1)]
    blocks.append(design.block('block%d' % (len(blocks) + 1), _LAST_BASE_DEPTH,
                               [(1, unit_rate) for unit_rate in multi_grid]))
    return resnet_v1_beta(
        inputs, blocks, num_classes=num_classes, is_training=is_training,
        global_pool=global_pool, output_stride=output_stride, root_block_fn=root_block_fn,
        reuse=reuse, scope=scope)

  network.__name__ = network.__qualname__ = name
  return network


def resnet_v1_18_beta(inputs, num_classes=None, is_training=None, global_pool=False,
                      output_stride=None, multi_grid=None, root_depth_multiplier=0.25,
                      reuse=None, scope=_18.scope):
  """Builds the network; features have 512 channels.

  root_depth_multiplier is a factor on the channels of the root; the other arguments and the results
  are those of `resnet_v1_18`.
  """
  network = _variant('resnet_v1_18_beta', _18, functools.partial(
      root_block_fn_for_beta_variant, depth_multiplier=root_depth_multiplier))
  return network(inputs, num_classes, is_training, global_pool, output_stride, multi_grid, reuse,
                 scope)


# The plain root is one 7x7 convolution; that of the beta variants, three of 3x3.
resnet_v1_18 = _variant('resnet_v1_18', _18)
resnet_v1_50 = _variant('resnet_v1_50', _50)
resnet_v1_50_beta = _variant('resnet_v1_50_beta', _50, root_block_fn_for_beta_variant)
resnet_v1_101 = _variant('resnet_v1_101', _101)
resnet_v1_101_beta = _variant('resnet_v1_101_beta', _101, root_block_fn_for_beta_variant)
