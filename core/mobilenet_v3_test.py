"""MobileNetV3 and EdgeTPU: tables, strides, widths, activations, quantised variables."""
import json
import os

import numpy as np
import pytest

from deeplab import model
from deeplab.core import backbones, blocks, feature_extractor, layers, mobilenet_v3
from deeplab.core.options import NetworkOptions
from deeplab.core.tf_compat import slim, tf
from deeplab.testing import networks

QUANTISED_VARIABLES = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), '..', 'shared', 'contract',
    'master', 'variables', '%s_quant8.json')
LARGE, SMALL, EDGETPU = 'mobilenet_v3_large_seg', 'mobilenet_v3_small_seg', 'mobilenet_edgetpu'


class Built(object):
  """Features, end points and variables of a network for images of zeros."""

  def __init__(self, variant, size=65, **settings):
    with tf.Graph().as_default() as graph:
      self.features, self.end_points = feature_extractor.extract_features(
          tf.zeros([1, size, size, 3]), model_variant=variant,
          **dict({'output_stride': 32}, **settings))
      self.shapes = {v.op.name.partition('/')[2]: v.shape.as_list()
                     for v in tf.trainable_variables()}
      self.operations = {op.name for op in graph.get_operations()}

  def channels(self, layer='%s'):
    """Returns what weights of that name give in each block, None where there are none."""
    return [self.shapes.get(layer % ('expanded_conv_%d' % index if index else 'expanded_conv'),
                            [None])[-1]
            for index in range(sum(name.endswith('project/weights') for name in self.shapes))]

  def kernels(self, layer):
    """Returns the sides of kernels, by block."""
    return [shape[0] for _, shape in sorted(
        ((int((name.split('/')[0] + '_0').split('_')[2]), shape)
         for name, shape in self.shapes.items() if name.endswith(layer)))]


def test_large_is_the_table_of_the_paper_with_half_its_last_channels():
  built = Built(LARGE)
  assert built.channels('%s/project/weights') == [
      16, 24, 24, 40, 40, 40, 80, 80, 80, 80, 112, 112, 80, 80, 80]
  assert built.channels('%s/depthwise/BatchNorm/beta') == [
      16, 64, 72, 72, 120, 120, 240, 200, 184, 184, 480, 672, 336, 480, 480]
  assert built.channels('%s/expand/weights')[0] is None
  assert built.channels('%s/squeeze_excite/Conv/weights') == [None] * 3 + [24, 32, 32] + [
      None] * 4 + [120, 168, 88, 120, 120]
  assert built.kernels('depthwise_weights') == [3] * 3 + [5] * 3 + [3] * 6 + [5] * 3
  assert built.shapes['Conv/weights'] == [3, 3, 3, 16]
  assert built.shapes['Conv_1/weights'] == [1, 1, 80, 480]


def test_small_is_the_table_of_the_paper_with_half_its_last_channels():
  built = Built(SMALL)
  assert built.channels('%s/project/weights') == [16, 24, 24] + [40] * 3 + [48] * 5
  assert built.channels('%s/depthwise/BatchNorm/beta') == [
      16, 72, 88, 96, 240, 240, 120, 144, 144, 288, 288]
  assert built.channels('%s/squeeze_excite/Conv/weights') == [
      8, None, None, 24, 64, 64, 32, 40, 40, 72, 72]
  assert built.kernels('depthwise_weights') == [3] * 3 + [5] * 8
  assert built.shapes['Conv_1/weights'] == [1, 1, 48, 288]


def test_edgetpu_expands_early_layers_by_full_convolutions():
  built = Built(EDGETPU)
  assert built.channels('%s/project/weights') == (
      [16] + [32] * 4 + [48] * 4 + [96] * 8 + [160] * 4 + [192])
  assert built.channels('%s/expand/weights') == (
      [None] + [128] * 4 + [256] + [192] * 3 + [384] * 4 + [768] + [384] * 3 + [768] + [640] * 3
      + [1280])
  assert built.channels('%s/depthwise/BatchNorm/beta')[:9] == [None] * 9
  assert built.kernels('expand/weights') == [3] * 8 + [1] * 13
  assert built.kernels('depthwise_weights') == [3] * 8 + [5] * 4 + [3]
  assert built.shapes['Conv_1/weights'] == [1, 1, 192, 1280]
  sums = [name.split('/')[1] for name in built.operations if name.endswith('/add')]
  # Layers of stride 2, and those with other channels, have none; nor has layer 15.
  assert sorted(int(name.split('_')[2]) for name in sums) == [
      2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20]


@pytest.mark.parametrize('variant, stem, outputs, last', [
    (LARGE, 16, [16, 24, 24] + [32] * 3 + [64] * 4 + [88] * 2 + [64] * 3, 360),
    (EDGETPU, 24, [16] + [24] * 4 + [40] * 4 + [72] * 8 + [120] * 4 + [144], 960),
])
def test_a_narrow_network_has_multiples_of_eight_channels(variant, stem, outputs, last):
  built = Built(variant, depth_multiplier=0.75)
  assert built.shapes['Conv/weights'][3] == stem
  assert built.channels('%s/project/weights') == outputs
  assert built.features.shape.as_list() == [1, 3, 3, last]


@pytest.mark.parametrize('variant, output_stride, expected', [
    (LARGE, 32, {}),
    (LARGE, 16, {15: 2, 16: 2}),
    (LARGE, 8, {**dict.fromkeys(range(9, 15), 2), 15: 4, 16: 4}),
    (SMALL, 16, {11: 2, 12: 2}),
    (SMALL, 8, {**dict.fromkeys(range(6, 11), 2), 11: 4, 12: 4}),
    (EDGETPU, 16, dict.fromkeys(range(20, 24), 2)),
    (EDGETPU, 8, {layer: 2 if layer < 20 else 4 for layer in range(12, 24)}),
])
def test_strides_beyond_the_output_stride_become_rates(monkeypatch, variant, output_stride,
                                                       expected):
  given = []
  take = blocks.StrideBudget.next

  def record(budget, stride):
    given.append(take(budget, stride))
    return given[-1]

  monkeypatch.setattr(blocks.StrideBudget, 'next', record)
  built = Built(variant, output_stride=output_stride)
  assert {layer: rate for layer, (_, rate) in enumerate(given, 1) if rate > 1} == expected
  assert np.prod([stride for stride, _ in given]) == output_stride
  assert built.features.shape.as_list()[1:3] == [64 // output_stride + 1] * 2


@pytest.mark.parametrize('output_stride', [4, 16])
def test_atrous_features_of_edgetpu_subsample_to_the_strided_ones(output_stride):
  def network(images, output_stride=None):
    with slim.arg_scope(backbones.row(EDGETPU).arg_scope()):
      return mobilenet_v3.mobilenet_edgetpu(images, 0.25, output_stride, 'layer_23')

  strided, dense = networks.strided_and_dense(network, (65, 33), output_stride)
  step = 32 // output_stride
  np.testing.assert_allclose(dense[:, ::step, ::step], strided,
                             atol=1e-4 * np.abs(strided).max())


@pytest.mark.parametrize('variant, channels', [
    (LARGE, [16, 72, 120, 672]), (SMALL, [16, 16, 88, 144]), (EDGETPU, [32, 128, 192, 384])])
def test_the_decoder_takes_what_is_not_gated_yet(variant, channels):
  built = Built(variant)
  for index, stride in enumerate((2, 4, 8, 16)):
    name, = backbones.decoder_end_points(variant, stride)
    tensor = built.end_points[name]
    assert tensor.shape.as_list() == [1, 64 // stride + 1, 64 // stride + 1, channels[index]]
    assert 'squeeze_excite' not in tensor.op.name and 'project' not in tensor.op.name
    assert tensor.op.type in ('Relu', 'Mul')


def test_gates_and_hard_swish():
  values = np.array([-4, -3, -1, 0, 2, 3, 5], np.float32)
  with tf.Graph().as_default(), tf.Session() as session:
    gates, swish = session.run([layers.hard_sigmoid(tf.constant(values)),
                                layers.hard_swish(tf.constant(values))])
  np.testing.assert_allclose(gates, np.clip(values + 3, 0, 6) * 0.16667, rtol=1e-6)
  assert gates[3] == pytest.approx(0.50001) and gates[-1] == pytest.approx(1.00002)
  np.testing.assert_allclose(swish, values * np.clip(values + 3, 0, 6) / 6, rtol=1e-6)


@pytest.mark.parametrize('settings, message', [
    ({'divisible_by': 8}, 'divisible_by=8: %s does not know this setting; leave it out. It is for '
                          'mobilenet_v2'),
    ({'multi_grid': [1, 2, 4]}, r'multi_grid=\[1, 2, 4\]: %s does not know this setting'),
    ({'depth_multiplier': 0}, 'depth_multiplier must be positive, got 0'),
    ({'output_stride': 64}, 'output_stride=64 cannot be reached'),
    ({'final_endpoint': 'layer_30'}, "Unknown final_endpoint 'layer_30'"),
])
@pytest.mark.parametrize('variant', [LARGE, SMALL, EDGETPU])
def test_settings_that_cannot_be_served_are_refused(variant, settings, message):
  with pytest.raises(ValueError, match=message.replace('%s', variant)):
    Built(variant, 33, **settings)


def test_a_network_ends_at_the_layer_that_is_asked_for():
  built = Built(SMALL, final_endpoint='layer_12')
  assert built.features is built.end_points['layer_12']
  assert built.features.shape.as_list() == [1, 3, 3, 48]
  assert 'Conv_1/weights' not in built.shapes


def quantised(variant, is_training=False):
  """Returns the variables of a graph with 8 bits, and of its ranges the number."""
  options = NetworkOptions({'semantic': 19}, model_variant=variant, output_stride=32,
                           crop_size=[33, 33], quantize_delay_step=0)
  with tf.Graph().as_default() as graph:
    tf.train.get_or_create_global_step()
    model.multi_scale_logits(tf.zeros([1, 33, 33, 3]), options, None, is_training=is_training)
    return (sorted([v.op.name, v.shape.as_list()] for v in tf.global_variables()
                   if v.op.name != 'global_step'),
            sum(op.type == 'FakeQuantWithMinMaxVars' for op in graph.get_operations()))


@pytest.mark.parametrize('variant, scope, num_variables, num_ranges', [
    (EDGETPU, '', 585, 139), (LARGE, 'MobilenetV3/', 731, 226)])
def test_quantised_variables_are_the_recorded_ones(variant, scope, num_variables, num_ranges):
  variables, found_ranges = quantised(variant)
  assert (len(variables), found_ranges) == (num_variables, num_ranges)
  assert quantised(variant, is_training=True) == (variables, found_ranges)
  path = QUANTISED_VARIABLES % variant
  if not os.path.exists(path):
    pytest.skip('no recorded variables in %s' % path)
  with open(path) as stream:
    recorded = json.load(stream)
  # The recorded head of the large network is another one.
  assert [v for v in variables if v[0].startswith(scope)] == [
      v for v in recorded if v[0].startswith(scope)]
