"""Aligned resizing, sizes and the split separable convolution."""
import numpy as np
import pytest

from deeplab.core import utils
from deeplab.core.tf_compat import slim, tf
from deeplab.testing import networks


@pytest.mark.parametrize('dim, scale, expected', [
    (513, 1 / 16.0, 33), (97, 0.5, 49), (512, 1 / 16.0, 32), (321, 1.5, 481), (1, 0.25, 1),
    (257, 1 / 8.0, 33)])
def test_scaled_dimensions(dim, scale, expected):
  assert utils.scale_dimension(dim, scale) == expected
  with tf.Graph().as_default(), tf.Session() as session:
    assert session.run(utils.scale_dimension(tf.constant(dim), scale)) == expected


def test_resizing_keeps_the_corners():
  image = np.array([[0.0, 4.0], [8.0, 12.0]]).reshape([1, 2, 2, 1])
  with tf.Graph().as_default(), tf.Session() as session:
    resized = utils.resize_bilinear(tf.constant(image), [3, 5], tf.float64)
    assert resized.dtype == tf.float64
    values = session.run(resized)[0, :, :, 0]
  np.testing.assert_allclose(values, [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8], [8, 9, 10, 11, 12]])


def test_sizes_are_static_where_known():
  with tf.Graph().as_default(), tf.Session() as session:
    assert utils.image_size(tf.zeros([1, 5, 7, 3])) == (5, 7)
    images = tf.placeholder(tf.float32, [None, None, 7, 3])
    size = utils.image_size(images)
    assert utils.static_size(size) == (None, 7)
    assert session.run(size[0], {images: np.zeros([2, 9, 7, 3])}) == 9


@pytest.mark.parametrize('rate', [1, 2, [1, 3]])
def test_split_separable_convolution_equals_numpy(rate):
  image = np.random.RandomState(0).normal(size=[1, 7, 8, 2]).astype(np.float32)
  with tf.Graph().as_default(), tf.Session() as session:
    with slim.arg_scope([slim.conv2d, slim.separable_conv2d], activation_fn=None):
      output = utils.split_separable_conv2d(tf.constant(image), 4, rate=rate, scope='conv')
    networks.load_golden_weights(session, tf.global_variables())
    assert len(tf.losses.get_regularization_losses()) == 1
    actual, variables = session.run([
        output, {v.op.name: v for v in tf.global_variables()}])
  rates = rate if isinstance(rate, list) else [rate, rate]
  padded = np.pad(image, [(0, 0), (rates[0],) * 2, (rates[1],) * 2, (0, 0)], 'constant')
  kernel = variables['conv_depthwise/depthwise_weights'][..., 0]
  depthwise = sum(kernel[i, j] * padded[:, i * rates[0]:i * rates[0] + 7,
                                        j * rates[1]:j * rates[1] + 8]
                  for i in range(3) for j in range(3))
  depthwise += variables['conv_depthwise/biases']
  expected = np.dot(depthwise, variables['conv_pointwise/weights'][0, 0]) + variables[
      'conv_pointwise/biases']
  np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)
