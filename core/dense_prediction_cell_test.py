"""The dense prediction cell: sizes, rates, dropout and malformed configurations."""
import json
import os
from unittest import mock

import numpy as np
import pytest

from deeplab.core import dense_prediction_cell as dpc
from deeplab.core.tf_compat import tf
from deeplab.testing import networks

SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       'dense_prediction_cell_branch5_top1_cityscapes.json')
CONV1 = {'op': 'conv', 'kernel': 1, 'input': -1}
CONV3 = {'op': 'conv', 'kernel': 3, 'rate': [1, 3], 'input': 0}
POOL = {'op': 'pyramid_pooling', 'grid_size': [2, 3], 'input': -1}


def test_pooling_windows_divide_the_crop_into_the_grid():
  def sizes(grid_size, *arguments):
    pool = dict(POOL, grid_size=grid_size)
    operation = dpc.DensePredictionCell([pool])._parse_operation(pool, *arguments)
    return operation['target_size'], operation['kernel']

  assert sizes([4, 4], [513, 513], 16) == ([33, 33], [9, 9])
  assert sizes([1, 1], [257, 257], 16) == ([17, 17], [17, 17])
  assert sizes([2, 2], [513, 513], 16) == ([33, 33], [17, 17])
  assert sizes([1, 2], [513, 257], 16, [257, 257]) == ([33, 17], [17, 9])


def dilations(hparams, conv=CONV3, **kwargs):
  """Returns (rates of the depthwise convs of a cell, channels of its result)."""
  with tf.Graph().as_default(), mock.patch.object(
      dpc.utils.layers, 'depthwise_conv2d', wraps=dpc.utils.layers.depthwise_conv2d) as layer:
    output = dpc.DensePredictionCell([CONV1, conv], hparams).build_cell(
        tf.zeros([1, 9, 9, 3]), **kwargs)
    return [call[1]['rate'] for call in layer.call_args_list], output.shape.as_list()[3]


@pytest.mark.parametrize('output_stride, rate', [(16, [1, 3]), (8, [2, 6]), (4, [4, 12])])
def test_rates_grow_as_the_output_stride_shrinks(output_stride, rate):
  assert dilations(dpc.hparams_of(output_stride)) == ([rate], 256)


def test_hparams_are_the_defaults_with_what_is_other():
  cell = dpc.DensePredictionCell([CONV1], {'conv_rate_multiplier': 2})
  assert cell.hparams == dict(dpc.dense_prediction_cell_hparams(), conv_rate_multiplier=2)
  assert dilations({'conv_rate_multiplier': 2, 'concat_channels': 7}) == ([[2, 6]], 7)
  # Without it rates are as they stand, whatever the output stride.
  assert dilations(None, dict(CONV3, kernel=[3, 3]), output_stride=8) == ([[1, 3]], 256)


@pytest.mark.parametrize('hparams, message', [
    ({'conv_rate_multiplier': 0}, 'conv_rate_multiplier must be an integer from 1 up, got 0'),
    ({'conv_rate_multiplier': 1.5}, 'conv_rate_multiplier must be an integer from 1 up, got 1.5'),
    ({'conv_rate': 2}, "Unknown key of hparams 'conv_rate'. Did you mean 'conv_rate_multiplier'"),
])
def test_hparams_that_do_not_fit_are_told(hparams, message):
  with pytest.raises(ValueError, match=message):
    dpc.DensePredictionCell([CONV1], hparams)


def run(config, values, is_static=True, **kwargs):
  """Returns the cell's output for `values` with golden weights."""
  with tf.Graph().as_default(), tf.Session() as session:
    features = tf.placeholder(tf.float32, values.shape if is_static else [None, None, None, 3])
    output = dpc.DensePredictionCell(config).build_cell(features, **kwargs)
    networks.load_golden_weights(session, tf.global_variables())
    return session.run(output, {features: values})


def random_features(height=5, width=7):
  return np.random.RandomState(0).normal(size=[2, height, width, 3]).astype(np.float32)


def batch_norm_relu(values, scope):
  parts = {kind: networks.golden_weight('%s/BatchNorm/%s' % (scope, kind), [256])
           for kind in ('gamma', 'beta', 'moving_mean', 'moving_variance')}
  values = (values - parts['moving_mean']) / np.sqrt(parts['moving_variance'] + 1.001e-5)
  return np.maximum(values * parts['gamma'] + parts['beta'], 0)


def test_pointwise_branch_equals_numpy():
  expected = random_features()
  for scope, depth in (('branch0', 3), ('concat_projection', 256)):
    scope = 'meta_architecture/' + scope
    weights = networks.golden_weight(scope + '/weights', [1, 1, depth, 256])
    expected = batch_norm_relu(np.dot(expected, weights[0, 0]), scope)
  actual = run([CONV1], random_features())
  np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('size', [(5, 7), (6, 9)])
def test_sizes_known_at_run_time_only_give_the_same_features(size):
  config = [CONV1, CONV3, POOL, dict(POOL, input=1, grid_size=[1, 1])]
  features = random_features(*size)
  static = run(config, features, crop_size=[(d - 1) * 16 + 1 for d in size])
  unknown = run(config, features, is_static=False)
  assert static.shape == (2,) + size + (256,)
  np.testing.assert_allclose(unknown, static, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('is_training', [False, True])
def test_dropout_comes_before_the_projection_only(is_training):
  with tf.Graph().as_default() as graph:
    dpc.DensePredictionCell([CONV1]).build_cell(
        tf.zeros([1, 5, 5, 3]), is_training=is_training)
    scopes = {op.name.split('/')[1] for op in graph.get_operations()
              if 'random_uniform' in op.name.lower() and 'dropout' in op.name}
  assert scopes == ({'dropout_on_concat_features'} if is_training else set())


def test_weight_decay_covers_all_but_depthwise_weights():
  with tf.Graph().as_default():
    dpc.DensePredictionCell([CONV1, CONV3]).build_cell(tf.zeros([1, 5, 5, 3]))
    weights = [v for v in tf.trainable_variables() if v.op.name.endswith('/weights')]
    assert len(tf.losses.get_regularization_losses()) == len(weights) == 3


def test_shipped_cell_has_five_branches():
  with open(SHIPPED) as stream:
    cell = dpc.DensePredictionCell(json.load(stream))
  assert [branch['input'] for branch in cell.config] == [-1, 0, 1, 0, 0]
  assert cell.hparams == dpc.dense_prediction_cell_hparams()


@pytest.mark.parametrize('config, message', [
    ({}, 'must be a list of at least one branch, got {}'),
    ([], r'must be a list of at least one branch, got \[\]'),
    ([CONV1, 'conv'], "entry 1: expected an object of keys such as \"op\", got 'conv'"),
    ([dict(CONV1, op='conf')], "entry 0: Unknown op 'conf'. Did you mean 'conv'"),
    ([dict(CONV1, op=3)], 'entry 0: "op" is 3, expected "conv" or "pyramid_pooling"'),
    ([CONV1, {'op': 'conv', 'kernel': 3}], 'entry 1: no "input", expected -1'),
    ([dict(CONV1, input=0)], 'entry 0: "input" is 0, expected -1 .* earlier entry'),
    ([CONV1, dict(CONV3, kernel=5)], 'entry 1: "kernel" is 5, expected 1 or 3'),
    ([CONV1, dict(CONV3, rate=[1, 0])], r'entry 1: "rate" is \[1, 0\], expected two pos'),
    ([CONV1, dict(CONV3, rate=6)], 'entry 1: "rate" is 6, expected two positive'),
    ([{'op': 'pyramid_pooling', 'input': -1}], 'entry 0: no "grid_size"'),
])
def test_malformed_entries_are_named(config, message):
  with pytest.raises(ValueError, match=message):
    dpc.DensePredictionCell(config)


def test_output_stride_must_divide_sixteen():
  with pytest.raises(ValueError, match='divide 16 .* got 32'):
    dpc.hparams_of(32)
