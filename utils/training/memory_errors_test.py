"""Tests of what a training that does not fit into memory is told, and of the estimate of a step."""
import contextlib
import types

import numpy as np
import pytest

from deeplab.core import keys
from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.testing import slow
from deeplab.tools.benchmarks import child, training
from deeplab.utils.speed_and_memory import graph_rewrites
from deeplab.utils.training import graph as train_graph
from deeplab.utils.training import losses, memory_errors
from deeplab.utils.training.loop_test import DATASET, MODEL_OPTIONS, make_options, make_samples

_FLOAT = 4
MESSAGE = ('OOM when allocating tensor with shape[8,513,513,64] and type float on '
           '/job:localhost/replica:0/task:0/device:CPU:0 by allocator bfc\n\t [[x]]')


def step_bytes_of(network):
  """Returns the estimate of a step without variables; network: function of a [1000] tensor."""
  with tf.Graph().as_default() as graph:
    source = tf.placeholder(tf.float32, [1000])
    tf.gradients(network(source), [source])
  return memory_errors.step_bytes(graph) / memory_errors._PEAK_SHARE[IS_TF1]


@pytest.mark.parametrize('network, kept', [
    # The gradient of a sum needs nothing, that of a square its input, that of a root its result.
    (tf.cumsum, 0), (tf.square, 1), (tf.sqrt, 1),
    (lambda net: tf.square(tf.square(net)), 2),
    # Passed on, made again of what is kept already, or only looked at.
    (lambda net: tf.square(tf.reshape(tf.identity(net), [10, 100])), 1),
    (lambda net: tf.square(tf.nn.relu(tf.square(net))), 2),
    (lambda net: tf.reduce_sum(tf.cumsum(net)), 0),
])
def test_what_gradients_read_of_the_forward_pass_counts_once(network, kept):
  assert step_bytes_of(network) == pytest.approx(1000 * _FLOAT * kept, abs=100)


def test_of_the_loss_one_image_counts():
  num_bytes = []
  for batch_size in (1, 6):
    with tf.Graph().as_default() as graph:
      logits = tf.placeholder(tf.float32, [batch_size, 5, 5, 3])
      losses.add_softmax_cross_entropy_loss_for_each_scale(
          {'scale': logits}, tf.zeros([batch_size, 65, 65, 1], tf.int32), 3, 255)
      tf.gradients(tf.losses.get_losses(), [logits])
    num_bytes.append(memory_errors.step_bytes(graph))
  assert num_bytes[0] > 65 * 65 * 3 * _FLOAT
  assert num_bytes[1] == pytest.approx(num_bytes[0], rel=0.1)


def test_weights_count_with_optimizer_and_gradients():
  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.float32, [8, 30])
    weights = tf.get_variable('weights', [30, 700])
    tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(tf.matmul(images, weights)))
  # Value, momentum, gradient twice.
  expected = 4 * 30 * 700 * _FLOAT + memory_errors._PEAK_SHARE[IS_TF1] * 8 * 30 * _FLOAT
  assert memory_errors.step_bytes(graph) == pytest.approx(expected, abs=100)


def of_training(batch_size, side, **kwargs):
  with tf.Graph().as_default() as graph:
    train_graph.build_train_graph(
        {keys.IMAGE: tf.placeholder(tf.uint8, [batch_size, side, side, 3]),
         keys.LABEL: tf.placeholder(tf.int32, [batch_size, side, side, 1])},
        DATASET, MODEL_OPTIONS._replace(crop_size=[side, side], depth_multiplier=1.0),
        make_options(**kwargs))
  return memory_errors.step_bytes(graph)


@slow.only_if_asked
def test_it_grows_with_batch_and_pixels_and_shrinks_with_gradient_checkpointing():
  two, four, six, large = (of_training(*step) for step in ((2, 257), (4, 257), (6, 257), (2, 513)))
  # Weights and the loss, of one image, stay the same.
  assert six - two == pytest.approx(2 * (four - two), rel=0.02)
  # Small features have more of a rim, and the loss has an image of more pixels.
  assert large - two == pytest.approx(3 * (four - two), rel=0.2)
  assert of_training(2, 513, gradient_checkpointing=True) < 0.6 * large
  assert of_training(2, 257, optimizer='adam') > two


@slow.only_if_asked
@pytest.mark.parametrize('recomputes', [False, pytest.param(True, marks=pytest.mark.skipif(
    IS_TF1, reason='its convolutions have work space; there the estimate refuses nothing'))])
def test_estimated_is_what_is_measured(recomputes):
  step = {'variant': 'mobilenet_v2', 'batch_size': 2, 'crop': 257,
          'training': {'gradient_checkpointing': recomputes}}
  figures = child.measure(child.Run(training.step_speed, step))
  assert np.isclose(figures['estimated_memory_mib'], figures['peak_memory_mib'], rtol=0.25)


def set_limit(monkeypatch, num_bytes):
  """Sets what the processor has of memory; there is no GPU."""
  monkeypatch.setattr(memory_errors.tf_compat, 'num_gpus', lambda: 0)
  monkeypatch.setattr(graph_rewrites, 'cpu_memory_limit_bytes', lambda: num_bytes)


@contextlib.contextmanager
def errors_of(num_clones=1, **kwargs):
  """`readable_memory_errors` of a batch of two crops of 65x65, where nothing else is told."""
  with memory_errors.readable_memory_errors(
      (65, 65), make_options(**dict({'train_batch_size': 2}, **kwargs)),
      types.SimpleNamespace(num_clones=num_clones)):
    yield


@pytest.mark.parametrize('settings, advice', [
    ({}, 'half the batch, --train_batch_size=1, or a smaller --train_crop_size, or '
         '--gradient_checkpointing.'),
    ({'train_batch_size': 9, 'num_clones': 3}, 'half the batch, --train_batch_size=3, or'),
    ({'train_batch_size': 1}, 'a smaller --train_crop_size, or --gradient_checkpointing.'),
    ({'num_clones': 2}, 'a smaller --train_crop_size, or --gradient_checkpointing.'),
    ({'gradient_checkpointing': True, 'train_batch_size': 1}, 'a smaller --train_crop_size.'),
])
def test_ways_that_are_open_are_told(monkeypatch, settings, advice):
  set_limit(monkeypatch, None)
  with pytest.raises(ValueError) as caught:
    with errors_of(**settings):
      raise tf.errors.ResourceExhaustedError(None, None, MESSAGE)
  number = settings.get('train_batch_size', 2)
  assert str(caught.value).startswith(
      'Out of memory with %d image%s of 65x65 pixels per step (a tensor [8,513,513,64] did not '
      'fit on /job:localhost/replica:0/task:0/device:CPU:0). Try %s'
      % (number, 's' if number > 1 else '', advice))


@pytest.mark.parametrize('error', [
    tf.errors.ResourceExhaustedError(None, None, 'model.ckpt; No space left on device'),
    tf.errors.InvalidArgumentError(None, None, 'something else')])
def test_a_full_disk_and_other_errors_pass(monkeypatch, error):
  set_limit(monkeypatch, None)
  with pytest.raises(type(error)):
    with errors_of():
      raise error


@pytest.mark.skipif(IS_TF1, reason='TensorFlow 1.15 tells when it has no memory left')
def test_a_step_too_large_for_the_processor_is_refused_before_it_begins(monkeypatch, caplog):
  with tf.Graph().as_default() as graph:
    train_graph.build_train_graph(make_samples(), DATASET, MODEL_OPTIONS, make_options())
    need = memory_errors.step_bytes(graph)

    def fits(share, **kwargs):
      set_limit(monkeypatch, int(share * need))
      with errors_of(**kwargs):
        pass

    with pytest.raises(ValueError, match=r'^Too little memory for 2 images of 65x65 pixels per '
                                         r'step: by estimate a step takes \S+ GB, and there is '
                                         r'\S+ GB. Try half the batch, '):
      set_limit(monkeypatch, 1)
      with errors_of():
        pytest.fail('begun')
    with pytest.raises(ValueError, match='Too little memory'):
      fits(0.7)
    with caplog.at_level('WARNING'):
      fits(0.8)
    assert 'Perhaps too little memory for 2 images of 65x65' in caplog.text
    caplog.clear()
    fits(1.01)
    fits(0.9, precision='bfloat16')
    set_limit(monkeypatch, None)
    with errors_of():
      pass
    set_limit(monkeypatch, 1)
    monkeypatch.setattr(memory_errors.tf_compat, 'num_gpus', lambda: 1)
    with errors_of():
      pass
    assert not caplog.records


def test_images_that_alone_are_too_large_are_refused(monkeypatch):
  monkeypatch.setattr(memory_errors.free_memory, 'free_bytes', lambda: 10 ** 9)
  memory_errors.check_batch(80, (1000, 1000))
  with pytest.raises(ValueError, match=r'--train_batch_size=90 with --train_crop_size=1000,1000: '
                                       r'.* take 1.1 GB, and there is 1 GB'):
    memory_errors.check_batch(90, (1000, 1000))
