import numpy as np
import pytest

from deeplab.core import tf_compat
from deeplab.core.tf_compat import tf
from deeplab.utils.speed_and_memory import filter_gradients

SIZE = 5


def gradients_of(kernel_size, stride=1, num_images=2, size=SIZE, data=None):
  """Returns (gradient of the weights, its replacement or None, gradient read by another)."""
  graph = tf.get_default_graph()
  images = tf.constant(np.random.RandomState(0).normal(
      size=[num_images, size, size, 3]).astype(np.float32)) if data is None else data
  weights = tf.get_variable('weights', [kernel_size, kernel_size, 3, 4])
  outputs = tf.nn.conv2d(images, weights, [1, stride, stride, 1], 'SAME')
  gradient, = tf.gradients(tf.reduce_sum(tf.sin(outputs)), [weights])
  doubled = gradient + gradient
  replaced = filter_gradients.use_matrix_products(graph.get_operations())
  return gradient, replaced.get(gradient.name), doubled


def test_the_gradient_is_the_same():
  with tf.Graph().as_default(), tf.Session() as session:
    gradient, replacement, doubled = gradients_of(1)
    session.run(tf.global_variables_initializer())
    expected, actual, read = session.run([gradient, replacement, doubled])
  assert replacement.op.type == 'Reshape' and actual.shape == (1, 1, 3, 4)
  assert np.abs(expected).max() > 1
  np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
  np.testing.assert_allclose(read, 2 * expected, rtol=1e-5, atol=1e-5)


def test_readers_no_longer_need_the_convolution():
  with tf.Graph().as_default():
    gradient, replacement, doubled = gradients_of(1)
    assert not gradient.consumers()
    assert [tensor.name for tensor in doubled.op.inputs] == [replacement.name] * 2


@pytest.mark.parametrize('arguments', [
    {'kernel_size': 3}, {'kernel_size': 1, 'stride': 2},
    {'kernel_size': 1, 'num_images': 1, 'size': 182}], ids=['3x3', 'stride', 'many pixels'])
def test_others_stay(arguments):
  with tf.Graph().as_default():
    _, replacement, _ = gradients_of(**arguments)
  assert replacement is None


def test_an_unknown_number_of_pixels_stays():
  with tf.Graph().as_default():
    _, replacement, _ = gradients_of(1, data=tf.placeholder(tf.float32, [None, SIZE, SIZE, 3]))
  assert replacement is None


def test_gpus_choose_for_themselves(monkeypatch):
  monkeypatch.setattr(tf_compat, 'num_gpus', lambda: 1)
  with tf.Graph().as_default():
    _, replacement, _ = gradients_of(1)
  assert replacement is None
