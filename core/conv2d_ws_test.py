"""Convolutions with standardised weights, and those that pad when they stride."""
import numpy as np
import pytest

from deeplab.core import conv2d_ws, resnet_v1_beta
from deeplab.core.tf_compat import slim, tf


def random_inputs(height=5, width=5):
  return np.random.RandomState(0).normal(size=[1, height, width, 4]).astype(np.float32)


def outputs_of(use_weight_standardization, **kwargs):
  """Returns the outputs of a 3x3 convolution with random weights, and the L2 of these."""
  kernel = np.random.RandomState(1).normal(size=[3, 3, 4, 3])
  with tf.Graph().as_default(), tf.Session() as session:
    net = conv2d_ws.conv2d(
        tf.constant(random_inputs()), 3, 3, use_weight_standardization=use_weight_standardization,
        weights_initializer=tf.constant_initializer(kernel), scope='conv',
        weights_regularizer=slim.l2_regularizer(2.0), **kwargs)
    session.run(tf.global_variables_initializer())
    return session.run([net, tf.losses.get_regularization_loss()]) + [
        sorted(v.op.name for v in tf.global_variables())]


@pytest.mark.parametrize('is_standardised, total, magnitude', [
    (False, 38.33213, 257.0335), (True, 37.51176, 283.2115)])
def test_sums_are_the_known_ones_and_l2_is_of_the_weights_themselves(is_standardised, total,
                                                                     magnitude):
  net, l2, names = outputs_of(is_standardised, activation_fn=None)
  np.testing.assert_allclose([net.sum(), np.abs(net).sum()], [total, magnitude], rtol=1e-5)
  assert l2 == pytest.approx(np.square(np.random.RandomState(1).normal(size=[108])).sum(),
                             rel=1e-5)
  assert names == ['conv/biases', 'conv/weights']


def test_batch_norm_activation_and_atrous_rates_are_those_of_plain_convolutions():
  _, _, plain = outputs_of(False, normalizer_fn=slim.batch_norm)
  net, _, names = outputs_of(True, normalizer_fn=slim.batch_norm, rate=2)
  assert names == plain
  assert net.min() == 0 < net.max() and net.shape == (1, 5, 5, 3)


def variables_and_features(**kwargs):
  with tf.Graph().as_default(), tf.Session() as session:
    with slim.arg_scope(resnet_v1_beta.resnet_arg_scope(False, **kwargs)):
      features, end_points = resnet_v1_beta.resnet_v1_18_beta(tf.ones([1, 33, 33, 3]))
    for seed, variable in enumerate(tf.trainable_variables()):
      variable.initializer.run(feed_dict={variable.initializer.inputs[1]: np.random.RandomState(
          seed).uniform(0.1, 0.2, variable.shape.as_list())})
    session.run([v.initializer for v in tf.global_variables() if 'moving' in v.op.name])
    return sorted(v.op.name for v in tf.global_variables()), sorted(end_points), session.run(
        features)


def test_resnet_is_standardised_by_its_arg_scope():
  names, end_points, features = variables_and_features()
  found = variables_and_features(use_weight_standardization=True)
  assert found[:2] == (names, end_points)
  assert np.abs(features).max() > 10 * np.abs(found[2]).max()


@pytest.mark.parametrize('size', [5, 6])
@pytest.mark.parametrize('kernel_size', [3, 7])
def test_strided_convolution_subsamples_the_dense_one(size, kernel_size):
  with tf.Graph().as_default(), tf.Session() as session:
    inputs = tf.constant(random_inputs(size, size))
    strided = conv2d_ws.conv2d_same(inputs, 3, kernel_size, stride=2, scope='conv')
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
      dense = slim.conv2d(inputs, 3, kernel_size, padding='SAME', scope='conv')
    session.run(tf.global_variables_initializer())
    strided, dense = session.run([strided, dense])
  np.testing.assert_allclose(strided, dense[:, ::2, ::2], atol=1e-5)
