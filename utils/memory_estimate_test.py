"""Tests of estimated memory: what counts, for how long, and how it grows."""
import numpy as np
import pytest

from deeplab.core import keys, options
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.testing import slow
from deeplab.utils import benchmark_child, memory_estimate, train_graph, train_options

pytestmark = slow.only_if_asked

_DATASET = registry.DatasetDescriptor({'train': 2}, 5, 255)
_FLOAT = 4


def _peak_of_chain(layers):
  """Returns the most bytes at once of a chain of functions of a [1000] float32 tensor."""
  with tf.Graph().as_default() as graph:
    net = tf.placeholder(tf.float32, [1000])
    for layer in layers:
      net = layer(net)
    last = tf.identity(net)
  return memory_estimate.peak_bytes(memory_estimate.in_order(graph, last.op), set())


def test_tensors_are_there_from_first_to_last_use():
  # Input and output of one layer at a time.
  assert _peak_of_chain([tf.cumsum] * 5) == 2 * 1000 * _FLOAT
  # The first result waits for the last.
  assert _peak_of_chain(
      [lambda net: tf.atan2(net, tf.cumsum(tf.cumsum(net)))]) == 3 * 1000 * _FLOAT


def test_what_is_written_in_place_or_passed_on_takes_nothing():
  assert _peak_of_chain([tf.nn.relu, tf.negative, lambda net: tf.reshape(net, [10, 100]),
                         tf.identity]) == 1000 * _FLOAT
  # Not in place: read later.
  assert _peak_of_chain(
      [lambda net: tf.atan2(net, tf.nn.relu(net))]) == 3 * 1000 * _FLOAT


def test_to_look_at_a_shape_keeps_nothing():
  def look_late(net):
    shape = tf.shape(net)
    return tf.cumsum(tf.cumsum(tf.cumsum(net))) + tf.cast(shape[0], tf.float32)

  # Created after what it would keep waiting.
  assert _peak_of_chain([lambda net: look_late(tf.cumsum(net))]) == 2 * 1000 * _FLOAT


def test_weights_count_with_optimizer_and_gradients():
  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.float32, [8, 30])
    weights = tf.get_variable('weights', [30, 7])
    loss = tf.reduce_sum(tf.matmul(images, weights))
    update = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
    with tf.control_dependencies([update]):
      train_op = tf.identity(loss, name='train_op')
  one, two = [memory_estimate.of_step(graph, num_clones) for num_clones in (1, 2)]
  # Value, momentum, gradient twice; and some scalars.
  assert one.weight_bytes == pytest.approx(4 * 30 * 7 * _FLOAT, abs=64)
  assert two.weight_bytes - one.weight_bytes == 2 * 30 * 7 * _FLOAT
  # The images, their gradient, which is made too, and that of the product.
  operations = memory_estimate.in_order(graph, train_op.op)
  peak = memory_estimate.peak_bytes(operations, {(30, 7)})
  assert peak == pytest.approx(8 * (30 + 30 + 7) * _FLOAT, abs=64)
  assert peak < one.image_bytes < 1.5 * peak
  assert one.scaled(0.5).num_bytes() == pytest.approx(one.weight_bytes + one.image_bytes / 2, abs=1)


def _of_training(batch_size, side, **kwargs):
  with tf.Graph().as_default() as graph:
    train_graph.build_train_graph(
        {keys.IMAGE: tf.placeholder(tf.uint8, [batch_size, side, side, 3]),
         keys.LABEL: tf.placeholder(tf.int32, [batch_size, side, side, 1])},
        _DATASET, options.ModelOptions({'semantic': 5}, crop_size=[side, side], output_stride=16),
        train_options.TrainOptions('', **kwargs))
  return memory_estimate.of_step(graph)


def test_it_grows_with_batch_and_pixels():
  small = _of_training(2, 257)
  for batch_size, side in ((6, 257), (2, 513)):
    large = _of_training(batch_size, side)
    scale = batch_size * side ** 2 / (2. * 257 ** 2)
    assert large.weight_bytes == pytest.approx(small.weight_bytes, rel=0.02)
    # The loss is of one image at a time, and small features have more of a rim.
    assert large.num_bytes() == pytest.approx(small.scaled(scale).num_bytes(), rel=0.15)


def test_gradient_checkpointing_takes_less_and_adam_more():
  plain = _of_training(2, 129)
  # Not if gradients of weights, which are among the last operations to be created, came last.
  assert _of_training(2, 129, gradient_checkpointing=True).image_bytes < 0.6 * plain.image_bytes
  assert _of_training(2, 129, optimizer='adam').weight_bytes > 1.2 * plain.weight_bytes


def test_estimated_is_what_is_measured():
  step = {'variant': 'mobilenet_v2', 'batch_size': 2, 'crop': 257}
  figures = benchmark_child.measure('deeplab.utils.benchmark_steps', 'step_speed', step)
  assert np.isclose(figures['estimated_memory_mib'], figures['peak_memory_mib'], rtol=0.25)
