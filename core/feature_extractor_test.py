"""The backbone table: end points, scaling, network functions, bad settings."""
import numpy as np
import pytest

from deeplab.core import backbones, feature_extractor
from deeplab.core.tf_compat import slim, tf
from deeplab.testing import slow

VARIANTS = sorted(backbones.BACKBONES)
# Always gives features at stride 8.
STRIDE_8_ONLY = 'nas_hnasnet'


@slow.only_if_asked_on_tf1
@pytest.mark.parametrize('variant', VARIANTS)
def test_every_backbone_has_decoder_end_points_of_four_strides(variant):
  output_stride = 8 if variant == STRIDE_8_ONLY else 16
  with tf.Graph().as_default():
    features, end_points = feature_extractor.extract_features(
        tf.zeros([1, 65, 97, 3]), model_variant=variant, output_stride=output_stride)
  assert features.shape.as_list()[:3] == [1, 64 // output_stride + 1, 96 // output_stride + 1]
  for stride in (2, 4, 8, 16):
    if stride > output_stride:
      continue
    for name in backbones.decoder_end_points(variant, stride):
      assert end_points[name].shape.as_list()[:3] == [1, 64 // stride + 1, 96 // stride + 1]


@pytest.mark.parametrize('variant, channels', [
    ('mobilenet_v2', 144), ('resnet_v1_18', 64), ('resnet_v1_50', 256), ('xception_41', 256),
    ('xception_71', 256)])
def test_low_level_features_of_stride_four(variant, channels):
  with tf.Graph().as_default():
    _, end_points = feature_extractor.extract_features(
        tf.zeros([1, 33, 33, 3]), model_variant=variant, output_stride=16)
    name, = backbones.decoder_end_points(variant, 4)
    op = end_points[name].op.type
    assert end_points[name].shape.as_list() == [1, 9, 9, channels]
  # After batch norm; only MobileNet's has an activation.
  assert op == ('Relu6' if variant == 'mobilenet_v2' else 'FusedBatchNormV3')


def test_public_views_cover_the_table():
  for view in (feature_extractor.networks_map, feature_extractor.arg_scopes_map,
               feature_extractor.name_scope, feature_extractor.networks_to_feature_maps):
    assert sorted(view) == VARIANTS
  assert feature_extractor.name_scope['resnet_v1_50_beta'] == 'resnet_v1_50'
  assert feature_extractor.name_scope['mobilenet_v2'] == 'MobilenetV2'
  assert feature_extractor.name_scope['xception_71'] == 'xception_71'


@pytest.mark.parametrize('variant, mean', [
    (None, [123.15, 115.90, 103.06]), ('resnet_v1_101', [123.15, 115.90, 103.06]),
    ('resnet_v1_18', [123.15, 115.90, 103.06]), ('resnet_v1_18_beta', [127.5] * 3),
    ('resnet_v1_101_beta', [127.5] * 3), ('xception_65', [127.5] * 3)])
def test_mean_pixel(variant, mean):
  assert feature_extractor.mean_pixel(variant) == mean


@pytest.mark.parametrize('variant', VARIANTS)
def test_mean_pixel_is_scaled_to_zero(variant):
  row = backbones.BACKBONES[variant]
  with tf.Graph().as_default(), tf.Session() as session:
    pixel = tf.constant(feature_extractor.mean_pixel(variant), shape=[1, 1, 1, 3])
    np.testing.assert_allclose(session.run(row.preprocess(pixel)), 0.0, atol=1e-6)


def test_image_scaling():
  image = np.array([0, 255, 100, 7], np.float32).reshape([1, 1, 1, 4])
  with tf.Graph().as_default(), tf.Session() as session:
    unit, imagenet = session.run([
        backbones._preprocess_zero_mean_unit_range(tf.constant(image)),
        backbones._preprocess_subtract_imagenet_mean(tf.constant(image))])
  np.testing.assert_allclose(unit.ravel()[:2], [-1, 1], atol=1e-6)
  np.testing.assert_allclose(imagenet.ravel(), [-123.15, 139.1, -3.06, 7], atol=1e-4)


@pytest.mark.parametrize('preprocess', [False, True])
def test_network_functions_bring_preprocessing_and_arg_scope(preprocess):
  with tf.Graph().as_default():
    network = feature_extractor.get_network('resnet_v1_50', preprocess)
    features, _ = network(tf.zeros([1, 33, 33, 3]), is_training=False, output_stride=8)
    assert features.shape.as_list() == [1, 5, 5, 2048]
    assert 'resnet_v1_50/conv1/BatchNorm/gamma' in [
        v.op.name for v in tf.trainable_variables()]
    own = network.__name__
  assert own == 'resnet_v1_50'


def test_given_arg_scope_is_used():
  with tf.Graph().as_default():
    with slim.arg_scope([slim.conv2d], normalizer_fn=None) as scope:
      network = feature_extractor.get_network('resnet_v1_50', True, arg_scope=scope)
    network(tf.zeros([1, 33, 33, 3]))
    assert 'resnet_v1_50/conv1/biases' in [v.op.name for v in tf.trainable_variables()]


@pytest.mark.parametrize('variant', ['resnet_v1_50', 'xception_41'])
def test_image_classifier(variant):
  with tf.Graph().as_default():
    logits, end_points = feature_extractor.extract_features(
        tf.zeros([2, 33, 33, 3]), model_variant=variant, output_stride=32, num_classes=7,
        global_pool=True)
    assert logits.shape.as_list() == end_points['predictions'].shape.as_list() == [2, 1, 1, 7]


@pytest.mark.parametrize('settings, message', [
    ({'model_variant': 'xception_56'}, "Unknown model_variant 'xception_56'. Did you mean "
                                       "'xception_65'"),
    ({'model_variant': 'resnet_v1_50', 'output_stride': 6}, 'multiple of 4'),
    ({'model_variant': 'xception_41', 'output_stride': 3}, 'multiple of 2'),
    ({'model_variant': 'xception_41', 'output_stride': 64}, 'output_stride=64 cannot'),
    ({'model_variant': 'xception_41', 'multi_grid': [1, 2]}, 'multi_grid must be 3'),
    ({'model_variant': 'resnet_v1_18', 'multi_grid': [1, 2, 4]},
     r'multi_grid must be 2 positive rates such as 1,2, got \[1, 2, 4\]'),
    ({'model_variant': 'resnet_v1_18', 'depth_multiplier': 0.5}, 'resnet_v1_18 does not know'),
    ({'model_variant': 'mobilenet_v2', 'multi_grid': [1, 2, 4]},
     r'multi_grid=\[1, 2, 4\]: mobilenet_v2 does not know this setting; leave it out. It is '
     'for resnet_v1_101, .*xception_71'),
    ({'model_variant': 'xception_65', 'depth_multiplier': 0.5},
     'It is for mobilenet_edgetpu, mobilenet_v2, mobilenet_v3_large_seg'),
    ({'model_variant': 'resnet_v1_50', 'nas_training_hyper_parameters':
        {'drop_path_keep_prob': 0.8, 'total_training_steps': 10}},
     'drop_path_keep_prob=0.8: resnet_v1_50 does not know this setting'),
])
def test_bad_settings(settings, message):
  with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
    feature_extractor.extract_features(tf.zeros([1, 33, 33, 3]), **settings)


def test_stride_without_end_point():
  with pytest.raises(ValueError, match='decoder_output_stride=32: xception_65 has no decoder '
                                       'end point there. Valid strides: 2, 4, 8, 16'):
    backbones.decoder_end_points('xception_65', 32)
