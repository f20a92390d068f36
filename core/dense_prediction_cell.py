"""The dense prediction cell: a searched head of 256-channel branches in place of ASPP.

Reference: Chen et al., "Searching for Efficient Multi-Scale Architectures for Dense Image
  Prediction", NeurIPS 2018.
"""
from deeplab.core import layers, usage, utils
from deeplab.core.aspp import CONCAT_PROJECTION_SCOPE
from deeplab.core.head import head_arg_scope
from deeplab.core.tf_compat import slim, tf

META_ARCHITECTURE_SCOPE = 'meta_architecture'
# Keys and values of a branch.
_OP = 'op'
_CONV = 'conv'
_PYRAMID_POOLING = 'pyramid_pooling'
_KERNEL = 'kernel'
_RATE = 'rate'
_GRID_SIZE = 'grid_size'
_TARGET_SIZE = 'target_size'
_INPUT = 'input'

_POINTWISE = (1, [1, 1])
_KERNELS = _POINTWISE + (3, [3, 3])
# Value of `input` that stands for the backbone features.
_FEATURES = -1
# The output stride that the rates of a configuration are meant for.
_RATE_OUTPUT_STRIDE = 16
# Keys of hparams.
_DEPTH = 'reduction_size'
_RATE_MULTIPLIER = 'conv_rate_multiplier'


def dense_prediction_cell_hparams():
  """Returns the sizes the cell was searched with.

  Keys: reduction_size, channels of a branch; concat_channels, channels of the result;
  dropout_on_concat_features and dropout_on_projection_features, whether dropout comes
  before and after the last projection while training; dropout_keep_prob;
  conv_rate_multiplier, what the rates of 3x3 convs are multiplied by.
  """
  return {
      _DEPTH: 256,
      'dropout_on_concat_features': True,
      'dropout_on_projection_features': False,
      'dropout_keep_prob': 0.9,
      'concat_channels': 256,
      _RATE_MULTIPLIER: 1,
  }


def hparams_of(output_stride):
  """Returns the hparams that keep the reach of the rates at another output stride than 16.

  Raises ValueError if output_stride is larger than 16 or does not divide it.
  """
  if _RATE_OUTPUT_STRIDE % output_stride:
    raise ValueError(
        'output_stride must divide %d with a dense prediction cell, got %s.'
        % (_RATE_OUTPUT_STRIDE, output_stride))
  return {_RATE_MULTIPLIER: _RATE_OUTPUT_STRIDE // output_stride}


class DensePredictionCell(object):
  """Builds the head that a list of branches describes.

  A branch is a dict:
    input: -1 for the backbone features, or the index of an earlier branch.
    op: 'conv' or 'pyramid_pooling'.
    kernel: side of the kernel of a conv, 1 or 3, or [1, 1] or [3, 3].
    rate: [vertical, horizontal] atrous rate of a 3x3 conv before it is multiplied; default 1.
    grid_size: [rows, columns] that pooling divides the image into.
  """

  def __init__(self, config, hparams=None):
    """Keeps the branches, and `dense_prediction_cell_hparams` with what is other in hparams.

    Rates that are meant for output stride 16 need `hparams_of` another one. Raises ValueError if a
    branch is malformed, and names its index and key; or if hparams has a key that there is not, or
    a conv_rate_multiplier that is no integer from 1 up.
    """
    check_config(config)
    self.config = config
    self.hparams = dense_prediction_cell_hparams()
    for key, value in (hparams or {}).items():
      usage.lookup(self.hparams, key, what='key of hparams')
      self.hparams[key] = value
    multiplier = self.hparams[_RATE_MULTIPLIER]
    if not _is_int(multiplier) or multiplier < 1:
      raise ValueError('%s must be an integer from 1 up, got %r.'
                       % (_RATE_MULTIPLIER, multiplier))

  def build_cell(self, features, output_stride=16, crop_size=None,
                 image_pooling_crop_size=None, weight_decay=0.00004, reuse=None,
                 is_training=False, fine_tune_batch_norm=False, scope=None,
                 batch_norm_decay=None):
    """Returns the features of all branches, projected.

    Args:
      features: [batch, height, width, channels] backbone features.
      output_stride: network input size over feature size, which pooling goes by.
      crop_size: (height, width) of the network input, or None: that of the features.
      image_pooling_crop_size: (height, width) that sizes pooling windows; None: crop_size.
      scope: variable scope, or None for 'meta_architecture'.
      batch_norm_decay: decay of the moving averages, or None for the head's own.
      The others are those of `feature_extractor.extract_features`.

    Returns a [batch, height, width, concat_channels] tensor.
    """
    with head_arg_scope(weight_decay, is_training and fine_tune_batch_norm, reuse=reuse,
                        batch_norm_decay=batch_norm_decay), \
         tf.variable_scope(scope or META_ARCHITECTURE_SCOPE, values=[features]):
      # The smallest network input that gives the features, where it is not known.
      crop_size = crop_size or [
          (d - 1) * output_stride + 1 for d in utils.image_size(features)]
      branches = []
      for index, branch in enumerate(self.config):
        inputs = features if branch[_INPUT] == _FEATURES else branches[branch[_INPUT]]
        operation = self._parse_operation(
            branch, crop_size, output_stride, image_pooling_crop_size)
        branches.append(_OPERATIONS[operation[_OP]](
            inputs, operation, self.hparams, weight_decay, 'branch%d' % index))
      net = tf.concat(branches, 3)
      net = self._dropout(net, 'dropout_on_concat_features', is_training)
      net = layers.conv2d(net, self.hparams['concat_channels'], 1,
                          scope=CONCAT_PROJECTION_SCOPE)
      return self._dropout(net, 'dropout_on_projection_features', is_training)

  def _dropout(self, net, switch, is_training):
    if not self.hparams[switch]:
      return net
    return slim.dropout(net, keep_prob=self.hparams['dropout_keep_prob'],
                        is_training=is_training, scope=switch)

  def _parse_operation(self, config, crop_size, output_stride,
                       image_pooling_crop_size=None):
    """Returns a branch in feature pixels: op, kernel (or pooling window), rate or target_size."""
    if config[_OP] == _CONV:
      return {_OP: _CONV, _KERNEL: config[_KERNEL], _RATE: config.get(_RATE, [1, 1])}
    target_size, window = self._get_pyramid_pooling_arguments(
        crop_size, output_stride, config[_GRID_SIZE], image_pooling_crop_size)
    return {_OP: _PYRAMID_POOLING, _TARGET_SIZE: target_size, _KERNEL: window}

  def _get_pyramid_pooling_arguments(self, crop_size, output_stride, image_grid,
                                     image_pooling_crop_size=None):
    """Returns (size to enlarge to, pooling window), each [height, width] in feature pixels."""
    return (utils.scale_size(crop_size, 1.0 / output_stride),
            [utils.scale_dimension(d, 1.0 / (output_stride * cells))
             for d, cells in zip(image_pooling_crop_size or crop_size, image_grid)])


# --- operations of a branch: (inputs, parsed operation, hparams, weight_decay, scope) -> tensor


def _conv(inputs, operation, hparams, weight_decay, scope):
  depth = hparams[_DEPTH]
  if operation[_KERNEL] in _POINTWISE:
    return layers.conv2d(inputs, depth, 1, scope=scope)
  rate = [side * hparams[_RATE_MULTIPLIER] for side in operation[_RATE]]
  return utils.split_separable_conv2d(inputs, filters=depth, rate=rate,
                                      weight_decay=weight_decay, scope=scope)


def _pyramid_pooling(inputs, operation, hparams, weight_decay, scope):
  del weight_decay  # in the arg scope
  window = operation[_KERNEL]
  if None in utils.static_size(window):
    net = _average_pool_any_window(inputs, window)
  else:
    net = utils.pool_windows(inputs, window, stride=1)
  net = layers.conv2d(net, hparams[_DEPTH], 1, scope=scope)
  return utils.resize_bilinear(net, operation[_TARGET_SIZE], inputs.dtype)


_OPERATIONS = {_CONV: _conv, _PYRAMID_POOLING: _pyramid_pooling}


def _average_pool_any_window(inputs, window):
  """Average pooling, VALID, stride 1, by running sums: its window is known at run time only."""
  num_channels = inputs.shape.as_list()[3]
  net = inputs
  for axis, length in ((1, window[0]), (2, window[1])):
    paddings = [[0, 0]] * 4
    paddings[axis] = [1, 0]
    sums = tf.pad(tf.cumsum(net, axis), paddings)
    positions = tf.range(tf.shape(net)[axis] - length + 1)
    net = tf.gather(sums, positions + length, axis=axis) - tf.gather(
        sums, positions, axis=axis)
    net = net / tf.cast(length, net.dtype)
  net.set_shape([None, None, None, num_channels])
  return net


# --- checks ------------------------------------------------------------------------------


def check_config(config):
  """Raises a ValueError that names index and key unless all branches are well formed."""
  if not isinstance(config, (list, tuple)) or not config:
    raise ValueError('The dense prediction cell must be a list of at least one branch, '
                     'got %s.' % _shown(config))
  for index, branch in enumerate(config):
    try:
      _check_branch(branch, index)
    except ValueError as error:
      raise ValueError('Dense prediction cell, entry %d: %s' % (index, error)) from error


def _check_branch(branch, index):
  if not isinstance(branch, dict):
    raise ValueError('expected an object of keys such as "op", got %s.' % _shown(branch))
  branch = dict({_RATE: [1, 1]}, **branch)
  _check_key(branch, _INPUT, lambda x: _is_int(x) and _FEATURES <= x < index,
             '-1 (the features) or the index of an earlier entry')
  _check_key(branch, _OP, lambda x: isinstance(x, str), '"conv" or "pyramid_pooling"')
  usage.lookup(_OPERATIONS, branch[_OP], what=_OP)
  for key, is_valid, expected in _KEYS[branch[_OP]]:
    _check_key(branch, key, is_valid, expected)


def _check_key(branch, key, is_valid, expected):
  if key not in branch:
    raise ValueError('no "%s", expected %s.' % (key, expected))
  if not is_valid(branch[key]):
    raise ValueError('"%s" is %s, expected %s.' % (key, _shown(branch[key]), expected))


def _is_int(value):
  return isinstance(value, int) and not isinstance(value, bool)


def _is_pair(value):
  return (isinstance(value, (list, tuple)) and len(value) == 2
          and all(_is_int(x) and x > 0 for x in value))


def _shown(value):
  text = repr(value)
  return text if len(text) <= 80 else text[:77] + '...'


# Operation -> (key, check, what is expected) of its own keys; `rate` may be absent.
_KEYS = {
    _CONV: ((_KERNEL, lambda x: not isinstance(x, bool) and x in _KERNELS, '1 or 3'),
            (_RATE, _is_pair, 'two positive integers')),
    _PYRAMID_POOLING: ((_GRID_SIZE, _is_pair, 'two positive integers'),),
}
