"""ASPP: branches, image pooling, dropout."""
import numpy as np
import pytest

from deeplab.core import aspp
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
