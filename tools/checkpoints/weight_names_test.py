"""Tests of what names of variables say."""
import pytest

from deeplab.tools.checkpoints import weight_names

_SHAPES = {
    'aspp0/weights': [1, 1, 320, 256],
    'aspp0/weights/Momentum': [1, 1, 320, 256],
    'aspp0/weights/Momentum_1': [1, 1, 320, 256],
    'aspp0/weights/Adam_1': [1, 1, 320, 256],
    'aspp0/weights/ExponentialMovingAverage': [1, 1, 320, 256],
    'aspp0/BatchNorm/moving_mean': [256],
    'aspp0/weights_quant/min': [],
    'aspp0/weights_quant/aspp0/weights_quant/max/biased': [],
    'aspp0/act_quant/aspp0/act_quant/min/local_step': [],
    'global_step': [],
    'beta1_power': [],
    'semantic/beta2_power': [],
}


def test_network_has_neither_slots_nor_counters_nor_ranges():
  assert set(weight_names.model_shapes(_SHAPES)) == {
      'aspp0/weights', 'aspp0/BatchNorm/moving_mean'}


def test_ranges_are_without_helpers():
  assert weight_names.range_shapes(_SHAPES) == {'aspp0/weights_quant/min': []}


def test_slots_by_kind():
  assert {kind: sorted(slots) for kind, slots in weight_names.slot_shapes(_SHAPES).items()} == {
      'Momentum': ['aspp0/weights/Momentum', 'aspp0/weights/Momentum_1'],
      'Adam': ['aspp0/weights/Adam_1'],
      'moving averages (EMA)': ['aspp0/weights/ExponentialMovingAverage']}


@pytest.mark.parametrize('name, is_trainable', [
    ('a/weights', True), ('a/BatchNorm/beta', True), ('a/BatchNorm/moving_mean', False),
    ('a/BatchNorm/moving_variance', False)])
def test_moving_statistics_are_not_trained(name, is_trainable):
  assert weight_names.is_trainable(name) == is_trainable


@pytest.mark.parametrize('name, scope', [
    ('MobilenetV2/expanded_conv_1/expand/BatchNorm/beta', 'MobilenetV2/expanded_conv_1'),
    ('aspp0/BatchNorm/beta', 'aspp0'), ('aspp0/weights', 'aspp0'),
    ('global_step', 'global_step')])
def test_scope_leaves_out_the_parts_of_a_layer(name, scope):
  assert weight_names.scope_of(name) == scope


def test_constants_of_a_frozen_graph_that_are_no_weights_are_left_out():
  assert list(weight_names.weights_of_constants(
      {'aspp0/weights': [2], 'sub/y': [], 'aspp0/Conv2D/dilation_rate': [2]})) == [
          'aspp0/weights']


def test_folded_graph_is_refused():
  with pytest.raises(ValueError, match='batch norm folded into its weights. Name the checkp'):
    weight_names.weights_of_constants({'aspp0/weights': [2], 'a/Conv2D/folded_weights': [3]})
