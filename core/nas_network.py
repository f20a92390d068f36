"""Backbones found by architecture search: PNASNet and Auto-DeepLab (HNASNet).

    images --stem--> stride 4 --12 cells, each on a level--> features

The level of a cell says its resolution: 0 is stride 4, 1 is stride 8, 2 is 16, 3 is 32.

References:
  Liu et al., "Progressive Neural Architecture Search", ECCV 2018.
  Liu et al., "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic Image
    Segmentation", CVPR 2019.
"""
import typing

from deeplab.core import blocks as blocks_lib
from deeplab.core import nas_cell, nas_genotypes, usage, utils
from deeplab.core.conv2d_ws import conv2d_same
from deeplab.core.tf_compat import slim, tf
from deeplab.core.usage import UsageError

# End point of the last features at stride 2, inside the stem, and of the stem.
STEM_STRIDE_2 = 'Conv1'
STEM = 'Stem'
_CELL = 'Cell_%d'

_HYPER_PARAMETERS = ('drop_path_keep_prob', 'total_training_steps')

# Output stride -> level of each cell; neighbours differ by 1 at most.
PNASNET_LEVELS = {
    8: [1] * 12,
    16: [1] * 4 + [2] * 8,
    32: [1] * 4 + [2] * 4 + [3] * 4,
}
HNASNET_LEVELS = {8: [0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1]}
_STRIDE_OF_LEVEL_0 = 4
_LEVEL_OF_STRIDE_32 = 3
# Stride that a stage of the classification head is designed for -> its channels. Each network has
# those above its own stride, and they keep the output stride that is asked for.
CLASSIFICATION_HEAD = {8: 256, 16: 512, 32: 1024}
_CLASSIFICATION_HEAD_OUTPUTS = 2048


class NASConfig(typing.NamedTuple):
  """Sizes and schedule of a network.

  Attributes:
    filter_scaling_rate: growth of the channels when the resolution halves.
    num_conv_filters: channels of a state at stride 4.
    total_training_steps, drop_path_keep_prob: see `nas_cell.NASBaseCell`.
  """
  filter_scaling_rate: float
  num_conv_filters: int
  total_training_steps: int
  drop_path_keep_prob: float


def config(num_conv_filters=20, total_training_steps=500000, drop_path_keep_prob=1.0):
  """Returns a NASConfig whose channels double when the resolution halves.

  Raises ValueError for a number out of its range.
  """
  for name, value in (('nas_stem_output_num_conv_filters', num_conv_filters),
                      ('total_training_steps', total_training_steps)):
    if value < 1:
      raise ValueError('%s must be at least 1, got %s.' % (name, value))
  if not 0 < drop_path_keep_prob <= 1:
    raise ValueError('drop_path_keep_prob must be above 0 and at most 1 (1 drops nothing), '
                     'got %s.' % drop_path_keep_prob)
  return NASConfig(2.0, num_conv_filters, total_training_steps, drop_path_keep_prob)


def nas_arg_scope(weight_decay=4e-5, batch_norm_decay=0.9997, batch_norm_epsilon=0.001):
  """Returns the arg scope of the networks: no activations, L2 on depthwise weights too."""
  with slim.arg_scope([slim.conv2d, slim.separable_conv2d],
                      weights_regularizer=slim.l2_regularizer(weight_decay),
                      weights_initializer=slim.variance_scaling_initializer(
                          factor=1.0 / 3.0, mode='FAN_IN', uniform=True),
                      activation_fn=None, biases_initializer=None), \
       slim.arg_scope([slim.batch_norm], decay=batch_norm_decay,
                      epsilon=batch_norm_epsilon, scale=True) as scope:
    return scope


def _nas_stem(inputs):
  """Returns the list of features at strides 2 and 4."""
  net = conv2d_same(inputs, 64, 3, stride=2, scope='conv0')
  net = slim.batch_norm(net, scope='conv0_bn')
  net = tf.nn.relu(net)
  net = conv2d_same(net, 64, 3, stride=1, scope='conv1')
  half = slim.batch_norm(net, scope='conv1_bn')
  net = tf.nn.relu(half)
  net = conv2d_same(net, 128, 3, stride=2, scope='conv2')
  return [half, slim.batch_norm(net, scope='conv2_bn')]


def _build_nas_base(images, cell, backbone, num_classes, hparams, global_pool=False,
                    reuse=None, scope=None, final_endpoint=None, removes_os32_stride=False,
                    head_stride=None):
  """Builds stem and cells; `backbone` is the list of the level of each cell.

  `removes_os32_stride` is nas_remove_os32_stride; `head_stride` is the output stride of the
  classification head, or None for no such head.

  The other arguments, results and errors are those of `pnasnet`.
  """
  names = [STEM_STRIDE_2, STEM] + [_CELL % number for number in range(len(backbone))]
  if final_endpoint is not None and final_endpoint not in names:
    raise ValueError('Unknown final_endpoint %r. Valid: %s.'
                     % (final_endpoint, ', '.join(names)))
  with tf.variable_scope(scope, 'nas', [images], reuse=reuse) as network_scope:
    layers = _nas_stem(images)
    num_cells = names.index(final_endpoint or names[-1]) + 1 - len(layers)
    if num_cells > 0:
      _stack_cells(layers, cell, backbone[:num_cells], hparams.filter_scaling_rate,
                   removes_os32_stride)
    end_points = dict(zip(names, layers))
    if final_endpoint is not None:
      return end_points[final_endpoint], end_points
    net = tf.nn.relu(layers[-1])
    if head_stride is not None:
      net = _classification_head(
          net, end_points, _STRIDE_OF_LEVEL_0 * 2 ** backbone[-1], head_stride)
    net = blocks_lib.classify(net, end_points, global_pool, num_classes, network_scope.name)
    return net, end_points


def _classification_head(net, end_points, stride, output_stride):
  """Returns features of 2048 channels at an output stride, of those at a stride.

  Stages that must not stride dilate instead: `StrideBudget` gives a stage the rate before it is
  multiplied, these take the one after.
  """
  if output_stride % stride:
    raise UsageError('output_stride=%d: the cells give features at stride %d, and the '
                     'classification head cannot enlarge them.' % (output_stride, stride))
  rate = 1
  for designed_stride, num_outputs in CLASSIFICATION_HEAD.items():
    if designed_stride <= stride:
      continue
    is_strided = designed_stride <= output_stride
    rate = rate if is_strided else 2 * rate
    name = 'downsample_os%d' % designed_stride
    net = conv2d_same(net, num_outputs, 3, stride=2 if is_strided else 1, rate=rate,
                      scope=name + '_conv')
    end_points[name] = slim.batch_norm(net, scope=name + '_bn')
    net = tf.nn.relu(end_points[name])
  name = 'classification_head'
  net = slim.conv2d(net, _CLASSIFICATION_HEAD_OUTPUTS, 1, scope=name + '_conv')
  end_points[name] = slim.batch_norm(net, scope=name + '_bn')
  return tf.nn.relu(end_points[name])


def _stack_cells(layers, cell, levels, filter_scaling_rate, removes_os32_stride):
  """Appends the output of every cell to `layers`, which holds those of the stem.

  The input of a cell that goes up a level is resized to the size that the network had at
  that level on its way down. That is `scale_dimension(size, 2)` for the odd sizes that
  crops of 32 * n + 1 pixels have at all levels; at others, features keep their stride.
  """
  before, sizes = 0, {0: utils.image_size(layers[-1])}
  for number, level in enumerate(levels):
    net = layers[-1]
    if level < before:
      net = nas_cell.resize_to(net, sizes[level])
    is_strided = level > before and not (
        removes_os32_stride and level == _LEVEL_OF_STRIDE_32)
    net = cell(net, scope='cell_%d' % number, filter_scaling=filter_scaling_rate ** level,
               stride=2 if is_strided else 1, prev_layer=layers[-2], cell_num=number)
    layers.append(net)
    sizes.setdefault(level, utils.image_size(net))
    before = level


def _variant(name, cell_type, levels_at):
  """Returns the function of a network: name and scope, cell, and output stride -> levels."""
  def network(images, num_classes, is_training=True, global_pool=False, output_stride=16,
              nas_stem_output_num_conv_filters=20, nas_training_hyper_parameters=None,
              reuse=None, scope=name, final_endpoint=None, nas_use_classification_head=False,
              nas_remove_os32_stride=False):
    """Builds the network; call within `nas_arg_scope`.

    Args:
      images: [batch, height, width, 3] float tensor.
      num_classes: adds an image classifier when set, else None.
      is_training: whether batch norm uses batch statistics and drop path is active.
      global_pool: whether features are averaged over the image.
      output_stride: input size over feature size, 8, 16 or 32; that of hnasnet without
        classification head is 8 whatever this says, the table of backbones refuses other values.
      nas_stem_output_num_conv_filters: channels of a state at stride 4.
      nas_training_hyper_parameters: dict with 'drop_path_keep_prob' and
        'total_training_steps', or None for no drop path.
      scope, reuse: variable scope, and whether its variables are reused.
      final_endpoint: end point to stop at, 'Conv1', 'Stem' or 'Cell_<i>'; None: the end.
      nas_use_classification_head: whether the convolutions of an image classifier follow.
      nas_remove_os32_stride: whether cells that are designed for stride 32 stay at 16 (hnasnet).

    Returns features (or logits) [batch, h, w, channels], and a dict of end points. Features of
    pnasnet have 5 * filters * output_stride / 4 channels, those of hnasnet 10 * filters, filters
    being nas_stem_output_num_conv_filters; those of the classification head 2048.

    Raises ValueError for another output_stride, if there is no end point of that name, or no
    stride to remove that is taken back later.
    """
    levels = levels_at(output_stride)
    if nas_remove_os32_stride and (
        _LEVEL_OF_STRIDE_32 not in levels or levels[-1] == _LEVEL_OF_STRIDE_32):
      raise UsageError('nas_remove_os32_stride is for networks that go to stride 32 and come back, '
                       'nas_hnasnet; %s does not.' % name)
    training = nas_training_hyper_parameters or {}
    unknown = sorted(set(training) - set(_HYPER_PARAMETERS))
    if unknown:
      raise ValueError('nas_training_hyper_parameters: unknown key %s. Valid: %s.'
                       % (', '.join(unknown), ', '.join(_HYPER_PARAMETERS)))
    hparams = config(nas_stem_output_num_conv_filters, **training)
    cell = cell_type(hparams.num_conv_filters, hparams.drop_path_keep_prob if is_training else 1.0,
                     len(levels), hparams.total_training_steps)
    with slim.arg_scope([slim.batch_norm], is_training=is_training):
      return _build_nas_base(images, cell, levels, num_classes, hparams, global_pool, reuse,
                             scope, final_endpoint, nas_remove_os32_stride,
                             output_stride if nas_use_classification_head else None)

  network.__name__ = network.__qualname__ = name
  return network


pnasnet = _variant('pnasnet', nas_genotypes.PNASCell, lambda output_stride: usage.lookup(
    PNASNET_LEVELS, output_stride, what='output_stride'))
hnasnet = _variant('hnasnet', nas_genotypes.HNASCell, lambda output_stride: HNASNET_LEVELS[8])
