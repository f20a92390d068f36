"""The decoder: sizes, strides, names."""
import pytest

from deeplab.core import decoder, layers, quantization
from deeplab.core.tf_compat import tf

STRIDE_4 = 'xception_65/entry_flow/block2/unit_1/xception_module/separable_conv2_pointwise'
STRIDE_8 = 'xception_65/entry_flow/block3/unit_1/xception_module/separable_conv2_pointwise'


def refine(strides, crop_size=(65, 98), **kwargs):
  end_points = {STRIDE_4: tf.zeros([2, 17, 25, 6]), STRIDE_8: tf.zeros([2, 9, 13, 5])}
  return decoder.refine_by_decoder(
      tf.zeros([2, 5, 7, 8]), end_points, crop_size=crop_size,
      decoder_output_stride=strides, model_variant='xception_65', **kwargs)


def shapes():
  return {v.op.name: v.shape.as_list() for v in tf.trainable_variables()
          if v.op.name.endswith('weights')}


@pytest.mark.parametrize('crop_size', [(65, 98), None])
def test_features_are_refined_to_the_last_stride(crop_size):
  with tf.Graph().as_default():
    features = refine([8, 4], crop_size, decoder_use_separable_conv=True)
    assert features.shape.as_list() == [2, 17, 25, 256]
    names = shapes()
  assert names['decoder/feature_projection0/weights'] == [1, 1, 5, 48]
  assert names['decoder/feature_projection0_1/weights'] == [1, 1, 6, 48]
  assert names['decoder/decoder_conv0_depthwise/depthwise_weights'] == [3, 3, 56, 1]
  assert names['decoder/decoder_conv0_1_depthwise/depthwise_weights'] == [3, 3, 304, 1]
  assert names['decoder/decoder_conv1_1_pointwise/weights'] == [1, 1, 256, 256]


def test_plain_convolutions():
  with tf.Graph().as_default():
    refine([4])
    assert shapes() == {
        'decoder/feature_projection0/weights': [1, 1, 6, 48],
        'decoder/decoder_conv0/decoder_conv0_1/weights': [3, 3, 56, 256],
        'decoder/decoder_conv0/decoder_conv0_2/weights': [3, 3, 256, 256]}
    assert len(tf.losses.get_regularization_losses()) == 3


def test_sums_of_several_strides():
  with tf.Graph().as_default():
    features = refine([8, 4], decoder_use_sum_merge=True, decoder_filters=16,
                      decoder_use_separable_conv=True)
    assert features.op.type == 'AddV2' and features.shape.as_list() == [2, 17, 25, 16]
    assert shapes() == {
        'decoder/feature_projection0/weights': [1, 1, 5, 16],
        'decoder/feature_projection0_1/weights': [1, 1, 6, 16],
        'decoder/decoder_split_sep_conv0_depthwise/depthwise_weights': [3, 3, 8, 1],
        'decoder/decoder_split_sep_conv0_pointwise/weights': [1, 1, 8, 16],
        'decoder/decoder_split_sep_conv0_1_depthwise/depthwise_weights': [3, 3, 16, 1],
        'decoder/decoder_split_sep_conv0_1_pointwise/weights': [1, 1, 16, 16]}


def test_every_sum_has_a_range():
  with tf.Graph().as_default():
    with layers.quantize(quantization.Quantizer()):
      refine([8, 4], decoder_use_sum_merge=True, decoder_filters=16)
    names = {v.op.name for v in tf.global_variables() if quantization.is_range(v.op.name)}
  assert {'decoder/act_quant/min', 'decoder/sum_1/act_quant/max'} <= names
  # Weights and outputs of two convolutions in each of two stages.
  assert len(names) == 2 * (2 * 2 * 2 + 2)


def test_a_decoder_that_makes_logits_is_linear_in_every_stage():
  with tf.Graph().as_default() as graph:
    logits = refine([8, 4], decoder_output_is_logits=True, decoder_filters=7,
                    decoder_use_separable_conv=True)
    assert logits.shape.as_list() == [2, 17, 25, 7]
    assert not [op for op in graph.get_operations() if op.type in ('Relu', 'FusedBatchNormV3')]
    biases = {v.op.name for v in tf.trainable_variables() if v.op.name.endswith('biases')}
  assert biases == {'decoder/%s/biases' % name for name in (
      'feature_projection0', 'feature_projection0_1', 'decoder_conv0/decoder_conv0_1',
      'decoder_conv0/decoder_conv0_2', 'decoder_conv0_1/decoder_conv0_1_1',
      'decoder_conv0_1/decoder_conv0_1_2')}


@pytest.mark.parametrize('strides, message', [
    ([4, 8], r'must be descending strides such as 4 or 16,4; got \[4, 8\]'),
    (None, 'must be descending strides .* got None'),
    ([6], 'decoder_output_stride=6: xception_65 has no decoder end point there'),
])
def test_bad_strides(strides, message):
  with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
    refine(strides)
