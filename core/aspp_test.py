"""ASPP: branches, image pooling, dropout."""
import numpy as np
import pytest

from deeplab.core import aspp, layers, quantization
from deeplab.core.checkpoints import initial_weights
from deeplab.core.options import NetworkOptions
from deeplab.core.tf_compat import tf
from deeplab.testing import networks

OPTIONS = NetworkOptions({'semantic': 3}, crop_size=[65, 97], output_stride=16,
                       atrous_rates=[1, 2])


def random_features(height=5, width=7):
  return np.random.RandomState(0).normal(size=[2, height, width, 4]).astype(np.float32)


def run(values, is_static=True, **changes):
  """Returns the ASPP features of `values` with golden weights."""
  with tf.Graph().as_default(), tf.Session() as session:
    features = tf.placeholder(tf.float32, values.shape if is_static else [None, None, None, 4])
    output = aspp.build_aspp(features, OPTIONS._replace(**changes), 0.0)
    networks.load_golden_weights(session, tf.global_variables())
    return session.run(output, {features: values})


@pytest.mark.parametrize('changes, depth, kernels', [
    ({}, 1024, {'aspp1_depthwise', 'aspp2_pointwise', 'image_pooling'}),
    ({'aspp_with_separable_conv': False}, 1024, {'aspp1', 'aspp2', 'image_pooling'}),
    ({'add_image_level_feature': False}, 768, {'aspp1_depthwise', 'aspp2_pointwise'}),
    ({'atrous_rates': None}, 512, {'image_pooling'}),
])
def test_branches(changes, depth, kernels):
  with tf.Graph().as_default():
    output = aspp.build_aspp(tf.zeros([2, 5, 7, 4]), OPTIONS._replace(**changes), 0.0)
    scopes = {v.op.name.split('/')[0] for v in tf.trainable_variables()}
    projection, = [v for v in tf.trainable_variables()
                   if v.op.name == 'concat_projection/weights']
  assert output.shape.as_list() == [2, 5, 7, 256]
  assert projection.shape.as_list() == [1, 1, depth, 256]
  assert scopes >= kernels | {'aspp0'}
  assert ('image_pooling' in scopes) == ('image_pooling' in kernels)


def test_without_crop_size_pooling_covers_the_image():
  features = random_features()
  with_crop = run(features)
  unknown = run(features, is_static=False, crop_size=None)
  np.testing.assert_allclose(unknown, with_crop, rtol=1e-4, atol=1e-4)


def test_small_pooling_windows_see_parts_of_the_image():
  features = random_features()
  whole = run(features)
  parts = run(features, image_pooling_crop_size=[33, 33],
              image_pooling_stride=[2, 2])
  assert whole.shape == parts.shape
  assert np.abs(whole - parts).max() > 0.01


def test_bounded_activations_end_at_six():
  features = random_features()
  bounded = run(100 * features, use_bounded_activation=True)
  assert bounded.max() <= 6 < run(100 * features).max()


def gated(features, gate, **changes):
  """Returns ASPP features of a gate whose weights are 0: it is a function of the bias alone."""
  options = OPTIONS._replace(aspp_with_squeeze_and_excitation=True, aspp_convs_filters=8, **changes)
  with tf.Graph().as_default(), tf.Session() as session:
    output = aspp.build_aspp(tf.constant(features), options, 0.0)
    networks.load_golden_weights(session, tf.global_variables())
    if options.add_image_level_feature:
      weights, biases = [v for v in tf.global_variables() if v.op.name.startswith('image_pooling/')]
      initial_weights.assign(session, {
          weights: np.zeros([1, 1, 4, 8]), biases: np.full([8], gate)})
    return session.run(output)


@pytest.mark.parametrize('image_se_uses_qsigmoid, gate, value', [
    (True, -3, 0), (True, 0, .50001), (True, 3, 1.00002), (True, 9, 1.00002),
    (False, 0, .5), (False, 2, 1 / (1 + np.exp(-2)))])
def test_image_pooling_becomes_a_gate(image_se_uses_qsigmoid, gate, value):
  features = random_features()
  plain = gated(features, None, add_image_level_feature=False)
  found = gated(features, gate, image_se_uses_qsigmoid=image_se_uses_qsigmoid)
  np.testing.assert_allclose(found, value * plain, rtol=1e-5, atol=1e-6)


def test_a_gate_goes_with_rates_or_without_projection():
  assert gated(random_features(), 0).shape == (2, 5, 7, 8)
  assert gated(random_features(), 0, atrous_rates=None,
               aspp_with_concat_projection=False).shape == (2, 5, 7, 8)


def test_a_gate_of_windows_is_resized_after_its_activation():
  found = run(random_features(), aspp_with_squeeze_and_excitation=True,
              image_pooling_crop_size=[33, 33], image_pooling_stride=[2, 2])
  assert found.shape == (2, 5, 7, 256)
  with tf.Graph().as_default() as graph:
    aspp.build_aspp(tf.zeros([2, 5, 7, 4]), OPTIONS._replace(
        aspp_with_squeeze_and_excitation=True), 0.0)
    resize, = [op for op in graph.get_operations() if op.type == 'ResizeBilinear']
    assert resize.inputs[0].op.type == 'Sigmoid'


def test_a_quantised_sigmoid_has_ranges_before_and_after():
  with tf.Graph().as_default():
    with layers.quantize(quantization.Quantizer()):
      aspp.build_aspp(tf.zeros([2, 5, 7, 4]), OPTIONS._replace(
          aspp_with_squeeze_and_excitation=True), 0.0)
    names = {v.op.name for v in tf.global_variables()}
  assert {'image_pooling/act_quant/min', 'image_pooling/sigmoid/act_quant/max'} <= names


def test_without_projection_all_channels_go_on_without_dropout():
  with tf.Graph().as_default() as graph:
    output = aspp.build_aspp(tf.zeros([2, 5, 7, 4]), OPTIONS._replace(
        aspp_with_concat_projection=False, aspp_convs_filters=16), 0.0, is_training=True)
    assert output.shape.as_list() == [2, 5, 7, 64]
    assert not [op for op in graph.get_operations() if 'dropout' in op.name]


@pytest.mark.parametrize('is_training', [False, True])
def test_dropout_in_training_only(is_training):
  with tf.Graph().as_default() as graph:
    aspp.build_aspp(tf.zeros([2, 5, 7, 4]), OPTIONS, 0.0, is_training=is_training)
    names = [op.name for op in graph.get_operations() if 'concat_projection_dropout' in op.name
             and 'random_uniform' in op.name.lower()]
  assert bool(names) == is_training


def test_a_pooling_window_larger_than_the_features_is_told():
  with pytest.raises(ValueError, match='window of image pooling is 9x9 features, and images '
                                       'have 5x7: image_pooling_crop_size must not be larger'):
    run(random_features(), image_pooling_crop_size=[129, 129])
