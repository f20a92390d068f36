"""Tests of activations that are computed again: equal gradients, in time, with less kept."""
import numpy as np
import pytest

from deeplab.core.tf_compat import slim, tf
from deeplab.utils.speed_and_memory import recomputation

_NUM_BLOCKS = 4
_ACTIVATIONS = ('Add', 'AddV2', 'BiasAdd', 'Conv2D', 'Relu6', 'Tanh')


def _network(images):
  """A chain of residual blocks that widen and narrow, with dropout at the end."""
  net = images
  for index in range(_NUM_BLOCKS):
    with tf.variable_scope('block%d' % index):
      wide = tf.nn.relu6(slim.conv2d(net, 32, 3, activation_fn=None, normalizer_fn=slim.batch_norm,
                                     normalizer_params={'is_training': True}))
      wide = tf.tanh(slim.conv2d(wide, 32, 3, activation_fn=None))
      net += slim.conv2d(wide, 2, 1, activation_fn=None)
  return slim.dropout(net, 0.9, is_training=True)


def _gradients(repeat=None):
  """Returns values of the gradients, and what `repeat` returned; the graph is the default."""
  tf.set_random_seed(3)
  graph = tf.get_default_graph()
  images = tf.constant(np.random.RandomState(0).uniform(-1, 1, (2, 9, 9, 2)), tf.float32)
  loss = tf.reduce_mean(tf.square(_network(images)))
  num_forward = len(graph.get_operations())
  gradients = tf.gradients(loss, tf.trainable_variables())
  operations = graph.get_operations()
  count = 0
  if repeat:
    count = repeat([images], operations[:num_forward], operations[num_forward:])
  with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    return session.run(gradients), count


@pytest.mark.parametrize('repeat, least_count', [
    (recomputation.recompute, 5 * (_NUM_BLOCKS - 1)),
    (recomputation.recompute_cheap, 2 * _NUM_BLOCKS)])
def test_gradients_are_the_same(repeat, least_count, monkeypatch):
  monkeypatch.setattr(recomputation, '_LEAST_BYTES', 1)
  with tf.Graph().as_default():
    plain, _ = _gradients()
  with tf.Graph().as_default():
    recomputed, count = _gradients(repeat)
  assert count >= least_count
  for actual, wanted in zip(recomputed, plain):
    np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-6)


class _Output(object):
  """What a test asks of a tensor."""

  def __init__(self, tensor):
    self.name, self.type = tensor.name, tensor.op.type
    self.channels = tensor.shape.as_list()[-1] if tensor.shape.ndims else None


def _copies(graph):
  return [op for op in graph.get_operations() if op.name.startswith('recomputed')]


def test_wide_activations_are_copied_and_narrow_ends_are_kept():
  with tf.Graph().as_default() as graph:
    _gradients(recomputation.recompute)
    types = {op.type for op in _copies(graph)}
    # What shapes are taken of is not kept for that.
    kept = {tensor for op in graph.get_operations()
            if op.name.startswith('gradients') and not op.type.startswith('Shape')
            for tensor in map(_Output, op.inputs)
            if tensor.name.startswith('block') and tensor.type in _ACTIVATIONS}
  assert {'Conv2D', 'Relu6', 'Tanh', 'FusedBatchNormV3'} <= types
  # Random operations run once.
  assert not types & {'RandomUniform', 'VariableV2', 'VarHandleOp', 'ReadVariableOp'}
  assert {tensor.channels for tensor in kept} <= {2}


def test_copies_wait_for_the_gradient_of_their_end():
  with tf.Graph().as_default() as graph:
    _gradients(recomputation.recompute)
    waiting = [op for op in _copies(graph) if op.type == 'Identity' and op.control_inputs]
    assert waiting
    for op in waiting:
      assert all(trigger.name.startswith('gradients') for trigger in op.control_inputs)


def test_of_a_layer_only_the_convolution_is_kept(monkeypatch):
  monkeypatch.setattr(recomputation, '_LEAST_BYTES', 1)
  with tf.Graph().as_default() as graph:
    _gradients(recomputation.recompute_cheap)
    copies = _copies(graph)
    kept = {tensor.op.type for op in graph.get_operations()
            if op.name.startswith('gradients') and not op.type.startswith('Shape')
            for tensor in op.inputs
            if tensor.op.name.startswith('block') and tensor.value_index == 0}
  assert {'FusedBatchNormV3', 'Relu6'} <= {op.type for op in copies}
  assert 'Conv2D' not in {op.type for op in copies}
  assert not kept & {'FusedBatchNormV3', 'Relu6'}
  # They use the mean and variance of the first time.
  assert not any(op.get_attr('is_training') for op in copies if op.type == 'FusedBatchNormV3')


def test_small_tensors_are_kept():
  with tf.Graph().as_default():
    assert _gradients(recomputation.recompute_cheap)[1] == 0


def test_nothing_to_forget_is_left_alone():
  with tf.Graph().as_default() as graph:
    x = tf.placeholder(tf.float32, [3])
    weight = tf.get_variable('w', [3])
    loss = tf.reduce_sum(x * weight)
    num_forward = len(graph.get_operations())
    tf.gradients(loss, [weight])
    operations = graph.get_operations()
    assert recomputation.recompute([x], operations[:num_forward], operations[num_forward:]) == 0
