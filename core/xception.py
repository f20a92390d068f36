"""Xception as tables of modules, with atrous output strides.

References:
  Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017.
  Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image
    Segmentation", ECCV 2018, section 3.2.
"""
import functools
import typing

from deeplab.core import blocks as blocks_lib
from deeplab.core.blocks import Block, fixed_padding, stack_blocks_dense
from deeplab.core.conv2d_ws import conv2d_same
from deeplab.core.tf_compat import add_arg_scope, slim, tf

# Bounded activations lie in [-6, 6], as those of ReLU6 do in [0, 6].
_CLIP_CAP = 6
_ROOT_STRIDE = 2
_SKIPS = ('conv', 'none', 'sum')


class _Module(typing.NamedTuple):
  """A row of a flow: one block of `num_units` modules, the arguments of xception_block."""
  depth_list: typing.Sequence[int]
  skip_connection_type: str
  stride: int = 1
  num_units: int = 1
  activation_fn_in_separable_conv: bool = False


_ENTRY_FLOW = (
    _Module((128,) * 3, 'conv', stride=2),
    _Module((256,) * 3, 'conv', stride=2),
    _Module((728,) * 3, 'conv', stride=2),
)
_DEEP_ENTRY_FLOW = (
    _Module((128,) * 3, 'conv', stride=2),
    _Module((256,) * 3, 'conv'),
    _Module((256,) * 3, 'conv', stride=2),
    _Module((728,) * 3, 'conv'),
    _Module((728,) * 3, 'conv', stride=2),
)
_EXIT_FLOW = (
    _Module((728, 1024, 1024), 'conv', stride=2),
    _Module((1536, 1536, 2048), 'none', activation_fn_in_separable_conv=True),
)


def xception_arg_scope(weight_decay=0.00004, batch_norm_decay=0.9997,
                       batch_norm_epsilon=0.001, batch_norm_scale=True,
                       weights_initializer_stddev=0.09, regularize_depthwise=False,
                       use_batch_norm=True, use_bounded_activation=False):
  """Returns the arg scope of Xception: ReLU, batch norm, L2.

  Args:
    weight_decay, regularize_depthwise: L2 factor, and whether it covers depthwise weights.
    batch_norm_decay, batch_norm_epsilon: decay of the moving averages; added to the variance.
    use_batch_norm, batch_norm_scale: whether there is batch norm; whether it has a gamma.
    weights_initializer_stddev: of the truncated normal initialiser.
    use_bounded_activation: whether activations are bounded to [0, 6] (ReLU6), for
      networks that will be quantised; strided modules then pad as SAME does.
  """
  l2 = slim.l2_regularizer(weight_decay)
  with slim.arg_scope([slim.conv2d, slim.separable_conv2d],
                      weights_initializer=tf.truncated_normal_initializer(
                          stddev=weights_initializer_stddev),
                      activation_fn=_activation(use_bounded_activation),
                      normalizer_fn=slim.batch_norm if use_batch_norm else None), \
       slim.arg_scope([slim.batch_norm], decay=batch_norm_decay,
                      epsilon=batch_norm_epsilon, scale=batch_norm_scale), \
       slim.arg_scope([slim.conv2d], weights_regularizer=l2), \
       slim.arg_scope([slim.separable_conv2d],
                      weights_regularizer=l2 if regularize_depthwise else None), \
       slim.arg_scope([xception_module], use_bounded_activation=use_bounded_activation,
                      use_explicit_padding=not use_bounded_activation) as scope:
    return scope


def _activation(is_bounded):
  return tf.nn.relu6 if is_bounded else tf.nn.relu


def _clip(features):
  return tf.clip_by_value(features, -_CLIP_CAP, _CLIP_CAP)


@add_arg_scope
def separable_conv2d_same(inputs, num_outputs, kernel_size, depth_multiplier, stride,
                          rate=1, use_explicit_padding=True, regularize_depthwise=False,
                          scope=None, **kwargs):
  """Applies a depthwise and a pointwise convolution, aligned alike for every input size.

  Args:
    inputs: [batch, height, width, channels] tensor.
    kernel_size, stride, rate: of the depthwise convolution; the atrous rate is 1 where stride
      is not.
    depth_multiplier: depthwise outputs per input channel.
    use_explicit_padding: whether to use `fixed_padding` instead of SAME when striding.
    regularize_depthwise: whether both form one layer `<scope>` with one normaliser, so
      that the regulariser covers both; else they are two layers, `<scope>_depthwise` and
      `<scope>_pointwise`.
    **kwargs: further arguments of the slim layers.

  Returns a [batch, ceil(height/stride), ceil(width/stride), num_outputs] tensor.
  """
  padding = 'SAME'
  if stride > 1 and use_explicit_padding:
    inputs, padding = fixed_padding(inputs, kernel_size, rate), 'VALID'
  depthwise = dict(kwargs, kernel_size=kernel_size, depth_multiplier=depth_multiplier,
                   stride=stride, rate=rate, padding=padding)
  if regularize_depthwise:
    return slim.separable_conv2d(inputs, num_outputs, scope=scope, **depthwise)
  net = slim.separable_conv2d(inputs, None, scope=scope + '_depthwise', **depthwise)
  return slim.conv2d(net, num_outputs, 1, scope=scope + '_pointwise', **kwargs)


@add_arg_scope
def xception_module(inputs, depth_list, skip_connection_type, stride, unit_rate_list=None,
                    rate=1, activation_fn_in_separable_conv=False,
                    regularize_depthwise=False, outputs_collections=None, scope=None,
                    use_bounded_activation=False, use_explicit_padding=True):
  """Applies three separable convolutions, the last one strided, and a skip connection.

  Args:
    inputs: [batch, height, width, channels] tensor.
    depth_list: output channels of the three convolutions.
    skip_connection_type: 'conv' (1x1 convolution), 'sum' (the inputs) or 'none'.
    stride: stride of the third convolution.
    unit_rate_list: factors on `rate` of the three convolutions, or None for 1, 1, 1.
    rate: atrous rate from the output stride.
    activation_fn_in_separable_conv: whether ReLU follows each depthwise and pointwise
      convolution, instead of preceding each separable one.
    regularize_depthwise, use_explicit_padding: see `separable_conv2d_same`.
    outputs_collections: collection that receives the output, or None.
    scope: variable scope, default 'xception_module'.
    use_bounded_activation: whether all activations are bounded, see `_CLIP_CAP`.

  Returns a [batch, ceil(height/stride), ceil(width/stride), depth_list[2]] tensor. Raises
  ValueError for other than three depths or rates, or an unknown skip connection.
  """
  unit_rates = unit_rate_list or blocks_lib.DEFAULT_MULTI_GRID
  if len(depth_list) != 3 or len(unit_rates) != 3:
    raise ValueError('An Xception module has three convolutions; got depth_list=%s, '
                     'unit_rate_list=%s.' % (depth_list, unit_rates))
  if skip_connection_type not in _SKIPS:
    raise ValueError('Unknown skip_connection_type %r. Valid: %s.'
                     % (skip_connection_type, ', '.join(_SKIPS)))
  relu = _activation(use_bounded_activation)
  inner = relu if activation_fn_in_separable_conv else (
      _clip if use_bounded_activation else None)
  with tf.variable_scope(scope, 'xception_module', [inputs]) as module_scope:
    residual = inputs
    for index, (depth, unit_rate) in enumerate(zip(depth_list, unit_rates)):
      if not activation_fn_in_separable_conv:
        residual = relu(residual)
      residual = separable_conv2d_same(
          residual, depth, 3, depth_multiplier=1, stride=stride if index == 2 else 1,
          rate=rate * unit_rate, use_explicit_padding=use_explicit_padding,
          regularize_depthwise=regularize_depthwise, activation_fn=inner,
          scope='separable_conv%d' % (index + 1))
    outputs = residual
    if skip_connection_type != 'none':
      shortcut = inputs if skip_connection_type == 'sum' else slim.conv2d(
          inputs, depth_list[2], 1, stride=stride, activation_fn=None, scope='shortcut')
      outputs = (tf.nn.relu6(_clip(residual) + _clip(shortcut)) if use_bounded_activation
                 else residual + shortcut)
    return slim.utils.collect_named_outputs(outputs_collections, module_scope.name, outputs)


def xception(inputs, blocks, num_classes=None, is_training=True, global_pool=True,
             keep_prob=0.5, output_stride=None, reuse=None, scope=None):
  """Builds an Xception of any blocks; call within `xception_arg_scope`.

  Args:
    inputs: [batch, height, width, 3] float tensor.
    blocks: list of Block, see `xception_block`.
    num_classes: adds dropout and an image classifier when set, else None.
    is_training: whether batch norm uses batch statistics and dropout is active.
    global_pool: whether features are averaged over the image.
    keep_prob: of the dropout before the classifier.
    output_stride: input size over feature size, an even number, or None for the designed one.
    scope, reuse: variable scope, and whether its variables are reused.

  Returns features (or logits) [batch, h, w, channels], and a dict from the names of all layers,
  modules and blocks to their outputs.

  Raises ValueError if output_stride cannot be reached.
  """
  with tf.variable_scope(scope, 'xception', [inputs], reuse=reuse) as network_scope:
    collection = network_scope.original_name_scope + 'end_points'
    with slim.arg_scope([slim.conv2d, slim.separable_conv2d, xception_module,
                         stack_blocks_dense], outputs_collections=collection), \
         slim.arg_scope([slim.batch_norm], is_training=is_training):
      net = conv2d_same(inputs, 32, 3, stride=2, scope='entry_flow/conv1_1')
      net = conv2d_same(net, 64, 3, stride=1, scope='entry_flow/conv1_2')
      net = stack_blocks_dense(net, blocks, output_stride, root_stride=_ROOT_STRIDE)
      end_points = slim.utils.convert_collection_to_dict(collection, clear_collection=True)
      net = blocks_lib.classify(
          net, end_points, global_pool, num_classes, network_scope.name,
          dropout=functools.partial(slim.dropout, keep_prob=keep_prob, is_training=is_training,
                                    scope='prelogits_dropout'))
  return net, end_points


def xception_block(scope, depth_list, skip_connection_type, activation_fn_in_separable_conv,
                   regularize_depthwise, num_units, stride, unit_rate_list=None):
  """Returns a Block of `num_units` equal modules; see `xception_module`."""
  return Block(scope, xception_module, [{
      'depth_list': depth_list,
      'skip_connection_type': skip_connection_type,
      'activation_fn_in_separable_conv': activation_fn_in_separable_conv,
      'regularize_depthwise': regularize_depthwise,
      'stride': stride,
      'unit_rate_list': unit_rate_list or blocks_lib.DEFAULT_MULTI_GRID,
  }] * num_units)


def _variant(name, entry_flow, num_middle_units):
  """Returns the function of a network: its name and scope, entry flow, units of middle flow."""
  flows = (('entry_flow', entry_flow),
           ('middle_flow', (_Module((728,) * 3, 'sum', num_units=num_middle_units),)),
           ('exit_flow', _EXIT_FLOW))

  def network(inputs, num_classes=None, is_training=True, global_pool=True, keep_prob=0.5,
              output_stride=None, regularize_depthwise=False, multi_grid=None, reuse=None,
              scope=name):
    """Builds the network; features have 2048 channels.

    Arguments and results are those of `xception`, but for regularize_depthwise, see
    `separable_conv2d_same`, and multi_grid: the unit rates of the three convolutions of the
    last module, or None for 1, 1, 1.
    """
    multi_grid = blocks_lib.check_multi_grid(multi_grid)
    blocks = [xception_block('%s/block%d' % (flow, number),
                             regularize_depthwise=regularize_depthwise, **module._asdict())
              for flow, modules in flows for number, module in enumerate(modules, 1)]
    for row in blocks[-1].args:
      row['unit_rate_list'] = multi_grid
    return xception(
        inputs, blocks, num_classes=num_classes, is_training=is_training,
        global_pool=global_pool, keep_prob=keep_prob, output_stride=output_stride,
        reuse=reuse, scope=scope)

  network.__name__ = network.__qualname__ = name
  return network


xception_41 = _variant('xception_41', _ENTRY_FLOW, 8)
xception_65 = _variant('xception_65', _ENTRY_FLOW, 16)
xception_71 = _variant('xception_71', _DEEP_ENTRY_FLOW, 16)
