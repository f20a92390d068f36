"""The cell that searched backbones repeat: pairs of operations on earlier states, summed.

References:
  Liu et al., "Progressive Neural Architecture Search", ECCV 2018, section 3.1.
  Liu et al., "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic Image
    Segmentation", CVPR 2019, section 3.1.
"""
import functools
import typing

from deeplab.core import usage, utils, xception
from deeplab.core.tf_compat import slim, tf

# States 0 and 1: the input of the cell and that of the cell before it.
_NUM_INPUT_STATES = 2
_ATROUS_RATE = 2


class NASBaseCell(object):
  """A cell of a genotype; call it once per layer of the network.

  States 0 and 1 are the projected input of the cell and the output of the cell before its
  predecessor. Every two operations make the next state: the sum of both results.
  """

  def __init__(self, num_conv_filters, operations, used_hiddenstates, hiddenstate_indices,
               drop_path_keep_prob, total_num_cells, total_training_steps):
    """Keeps the genotype.

    Args:
      num_conv_filters: channels of a state at filter_scaling 1.
      operations: list of keys of OPERATIONS, two per new state.
      used_hiddenstates: list, per state whether it is left out of the output.
      hiddenstate_indices: list, per operation the state that it is applied to.
      drop_path_keep_prob: share of the paths kept in the last cell at the last step; 1.0 keeps all.
      total_num_cells: number of cells of the network.
      total_training_steps: step at which the share of dropped paths is full.

    Raises ValueError if the lists do not fit together, or an operation is unknown.
    """
    if len(operations) % 2 or len(operations) != len(hiddenstate_indices):
      raise ValueError('A cell needs two operations per state and one index per operation; '
                       'got %d operations and %d hiddenstate_indices.'
                       % (len(operations), len(hiddenstate_indices)))
    num_states = _NUM_INPUT_STATES + len(operations) // 2
    if len(used_hiddenstates) != num_states:
      raise ValueError('used_hiddenstates must have %d entries, one per state; got %d.'
                       % (num_states, len(used_hiddenstates)))
    for number, index in enumerate(hiddenstate_indices):
      if not 0 <= index < _NUM_INPUT_STATES + number // 2:
        raise ValueError('hiddenstate_indices[%d]=%s is not an earlier state (0..%d).'
                         % (number, index, _NUM_INPUT_STATES + number // 2 - 1))
    self._num_conv_filters = num_conv_filters
    self._operations = [usage.lookup(OPERATIONS, name, what='NAS operation')
                        for name in operations]
    self._used_hiddenstates = used_hiddenstates
    self._hiddenstate_indices = hiddenstate_indices
    self._drop_path_keep_prob = drop_path_keep_prob
    self._total_num_cells = total_num_cells
    self._total_training_steps = total_training_steps
    # Those of the layer that is being built.
    self._cell_num = None
    self._filter_size = None

  def __call__(self, net, scope, filter_scaling, stride, prev_layer, cell_num):
    """Builds one layer of the network.

    Args:
      net: [batch, height, width, channels] output of the layer before.
      filter_scaling: factor on the number of channels.
      stride: 1 or 2.
      prev_layer: output of the layer before that, of any size; None: `net`.
      cell_num: index of the layer, from 0.

    Returns a [batch, ceil(height/stride), ceil(width/stride), 5 * channels of a state] tensor for
    five states that are not used within the cell.
    """
    self._cell_num = cell_num
    self._filter_size = int(self._num_conv_filters * filter_scaling)
    with tf.variable_scope(scope):
      states = self._cell_base(net, prev_layer)
      pairs = list(zip(self._operations, self._hiddenstate_indices))
      for number, pair in enumerate(zip(pairs[::2], pairs[1::2])):
        with tf.variable_scope('comb_iter_%d' % number):
          results = []
          for side, (operation, index) in zip(('left', 'right'), pair):
            with tf.variable_scope(side):
              # Only states 0 and 1 are strided.
              result = operation.apply(states[index], self._filter_size,
                                       stride if index < _NUM_INPUT_STATES else 1)
              results.append(self._apply_drop_path(result) if operation.is_dropped else result)
          states.append(results[0] + results[1])
      return tf.concat([state for state, is_used in zip(states, self._used_hiddenstates)
                        if not is_used], axis=3)

  def _cell_base(self, net, prev_layer):
    """Returns states 0 and 1."""
    if prev_layer is None:
      prev_layer = net
    else:
      prev_layer = resize_to(prev_layer, utils.image_size(net))
      if prev_layer.shape.as_list()[3] != self._filter_size:
        prev_layer = tf.nn.relu(prev_layer)
        prev_layer = slim.conv2d(prev_layer, self._filter_size, 1, scope='prev_1x1')
        prev_layer = slim.batch_norm(prev_layer, scope='prev_bn')
    net = tf.nn.relu(net)
    net = slim.conv2d(net, self._filter_size, 1, scope='1x1')
    net = slim.batch_norm(net, scope='beginning_bn')
    return [net, prev_layer]

  def _apply_drop_path(self, net):
    """Returns net, at random zeroed for whole images; the others grow to make up for it.

    Paths are dropped more often in later cells and later steps (Zoph et al., "Learning
    Transferable Architectures for Scalable Image Recognition", CVPR 2018, ScheduledDropPath).
    """
    if self._drop_path_keep_prob >= 1.0:
      return net
    depth_ratio = (self._cell_num + 1) / float(self._total_num_cells)
    keep_prob = 1.0 - depth_ratio * (1.0 - self._drop_path_keep_prob)
    step = tf.cast(_global_step(), tf.float32)
    step_ratio = tf.minimum(1.0, step / float(self._total_training_steps))
    keep_prob = 1.0 - step_ratio * (1.0 - keep_prob)
    is_kept = tf.floor(keep_prob + tf.random_uniform([tf.shape(net)[0], 1, 1, 1]))
    return net * tf.cast(is_kept / keep_prob, net.dtype)


def resize_to(images, size):
  """Returns NHWC images resized bilinearly to (height, width), ints or int32 scalars.

  They are left as they are where they are known to have that size; where it is known at run
  time only, resizing to the own size is exact.
  """
  own = images.shape.as_list()[1:3]
  if None not in own and own == list(utils.static_size(size)):
    return images
  return utils.resize_bilinear(images, size, images.dtype)


def _global_step():
  """Returns the global step, made outside the scope of the cell where there is none."""
  step = tf.train.get_global_step()
  if step is None:
    with tf.variable_scope(tf.VariableScope(reuse=False, name='')):
      step = tf.train.create_global_step()
  return step


class Operation(typing.NamedTuple):
  """A row of OPERATIONS."""
  apply: typing.Callable  # Function (net, number of channels, stride) -> result.
  is_dropped: bool = True  # Whether drop path may drop the result.


def _separable(kernel_size, num_layers, net, depth, stride):
  for layer in range(1, num_layers + 1):
    name = '%dx%d_%d' % (kernel_size, kernel_size, layer)
    net = tf.nn.relu(net)
    net = xception.separable_conv2d_same(
        net, depth, kernel_size, depth_multiplier=1, stride=stride if layer == 1 else 1,
        regularize_depthwise=True, scope='separable_' + name)
    net = slim.batch_norm(net, scope='bn_sep_' + name)
  return net


def _atrous(kernel_size, net, depth, stride):
  name = '%dx%d' % (kernel_size, kernel_size)
  net = tf.nn.relu(net)
  rate = _ATROUS_RATE
  if stride == 2:
    rate = 1
    net = utils.resize_bilinear(net, utils.scale_size(utils.image_size(net), 0.5), net.dtype)
  net = slim.conv2d(net, depth, kernel_size, rate=rate, scope='atrous_' + name)
  return slim.batch_norm(net, scope='bn_atr_' + name)


def _pool(kind, kernel_size, net, depth, stride):
  has_depth = net.shape.as_list()[3] == depth
  pool2d = {'avg': slim.avg_pool2d, 'max': slim.max_pool2d}[kind]
  net = pool2d(net, kernel_size, stride=stride, padding='SAME')
  return net if has_depth else _project(net, depth, 1)


def _none(net, depth, stride):
  if stride == 1 and net.shape.as_list()[3] == depth:
    return net
  return _project(tf.nn.relu(net), depth, stride)


def _project(net, depth, stride):
  net = slim.conv2d(net, depth, 1, stride=stride, scope='1x1')
  return slim.batch_norm(net, scope='bn_1')


_KERNELS = (3, 5, 7)

OPERATIONS = {'none': Operation(_none, is_dropped=False)}
OPERATIONS.update(
    ('separable_%dx%d_%d' % (k, k, layers), Operation(functools.partial(_separable, k, layers)))
    for k in _KERNELS for layers in (1, 2, 3))
OPERATIONS.update(
    ('atrous_%dx%d' % (k, k), Operation(functools.partial(_atrous, k))) for k in _KERNELS)
OPERATIONS.update(
    ('%s_pool_%dx%d' % (kind, k, k), Operation(functools.partial(_pool, kind, k)))
    for kind in ('avg', 'max') for k in (2,) + _KERNELS)
