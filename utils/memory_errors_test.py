"""Tests of what a training that does not fit into memory is told."""
import contextlib
import types

import pytest

from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.testing import slow
from deeplab.utils import graph_rewrites, memory_errors, train_graph
from deeplab.utils.memory_estimate import StepMemory
from deeplab.utils.training_test import DATASET, MODEL_OPTIONS, make_options, make_samples

pytestmark = pytest.mark.usefixtures('shallow_network')

GB = 10 ** 9
STEP = memory_errors.Step(8, (513, 257))
PLAIN, CHECKPOINTING = StepMemory(GB, 8 * GB), StepMemory(GB, 3 * GB)


def advise(limit, memory=PLAIN, checkpointing=CHECKPOINTING, **kwargs):
  return memory_errors.advice(STEP._replace(**kwargs), memory, checkpointing, limit)


def test_the_largest_batch_and_crop_that_fit_are_told():
  # 15 % stay free: 5.1 GB, 4.1 of it for images.
  assert advise(6 * GB) == (
      ': by estimate a step takes 9 GB, and there is 6 GB. Try --train_batch_size=4, or '
      '--train_crop_size=353,177, or --gradient_checkpointing (about 4 GB, slower).')


@pytest.mark.parametrize('limit, changes, wanted', [
    (6, {'num_clones': 3, 'batch_size': 9}, '--train_batch_size=3, or'),
    (6, {'output_stride': 8}, 'or --train_crop_size=361,177, or'),
    (6, {'pooling_size': (400, 100)},
     'or --train_crop_size=353,177 --image_pooling_crop_size=353,177, or'),
    (6, {'pooling_size': (300, 100)}, 'or --train_crop_size=353,177, or'),
    # A batch of one has only the others.
    (6, {'batch_size': 1}, 'Try --train_crop_size=353,177, or --gradient_checkpointing (about'),
    (4, {}, 'Try --train_batch_size=2, or --train_crop_size=273,129.'),
    # Nothing alone: the crop would be of less than 65 pixels a side.
    (1.6, {'num_clones': 2}, 'Try --train_batch_size=2 --train_crop_size=193,97.'),
    (2.1, {'num_clones': 2, 'crop_size': (257, 129)},
     'Try --train_batch_size=2 --gradient_checkpointing.'),
    (1.0, {}, 'Try a smaller --model_variant or --depth_multiplier.'),
    # Of one image a smaller crop, and only with checkpointing.
    (1.6, {'batch_size': 1}, 'Try --train_crop_size=161,65 --gradient_checkpointing.'),
])
def test_clones_strides_and_limits_are_kept(limit, changes, wanted):
  assert wanted in advise(int(limit * GB), **changes)


def test_what_is_on_already_is_not_advised():
  assert 'Try --train_batch_size=1 --train_crop_size=257,113.' in advise(
      int(1.5 * GB), checkpointing=None)


def test_what_did_not_fit_did_not_whatever_is_estimated():
  assert '--train_batch_size=6' in advise(20 * GB)
  assert 'a step takes 20 GB, and there is 20 GB' in advise(20 * GB)


def test_half_is_suggested_where_no_limit_is_known():
  assert advise(None, checkpointing=None) == (
      '. Try --train_batch_size=3, or --train_crop_size=321,161.')


MESSAGE = ('OOM when allocating tensor with shape[8,513,513,64] and type float on '
           '/job:localhost/replica:0/task:0/device:%s:0 by allocator bfc\n\t [[x]]')


@contextlib.contextmanager
def tiny_training(deployment=None, **kwargs):
  """The graph of a tiny training, under `readable_memory_errors`."""
  options = make_options(train_batch_size=2, **kwargs)
  model_options = MODEL_OPTIONS._replace(crop_size=(65, 65))
  with tf.Graph().as_default():
    samples = {name: tf.image.resize_nearest_neighbor(tensor, [65, 65])
               for name, tensor in make_samples().items()}
    train_graph.build_train_graph(samples, DATASET, model_options, options)
    with memory_errors.readable_memory_errors(DATASET, model_options, options, deployment):
      yield


def fail(device, deployment=None, **kwargs):
  """Returns the message of a tiny training that does not fit on a device."""
  with pytest.raises(ValueError) as caught:
    with tiny_training(deployment, **kwargs):
      raise tf.errors.ResourceExhaustedError(None, None, MESSAGE % device)
  return str(caught.value)


@pytest.mark.parametrize('device, told, limit', [
    # One of two clones is in the memory of a GPU; both are in that of the processor.
    ('GPU', 'by estimate a step takes 5 GB, and there is 4 GB', 4),
    ('CPU', 'by estimate a step takes 9 GB, and there is 8 GB', 8),
])
def test_the_device_of_an_error_tells_which_memory_is_meant(monkeypatch, device, told, limit):
  monkeypatch.setattr(memory_errors.tf_compat, 'num_gpus', lambda: 2)
  monkeypatch.setattr(memory_errors.tf_compat, 'gpu_memory_bytes', lambda: 4 * GB)
  set_limit(monkeypatch, 8 * GB)
  monkeypatch.setattr(memory_errors._Training, 'memory',
                      lambda self, num_here: PLAIN.scaled(num_here / 2.))
  monkeypatch.setattr(memory_errors._Training, 'memory_with_checkpointing',
                      lambda self, num_here: CHECKPOINTING.scaled(num_here / 2.))
  model_options = MODEL_OPTIONS._replace(crop_size=(65, 65))
  with pytest.raises(ValueError) as caught:
    with memory_errors.readable_memory_errors(
        DATASET, model_options, make_options(train_batch_size=2),
        types.SimpleNamespace(num_clones=2)):
      raise tf.errors.ResourceExhaustedError(None, None, MESSAGE % device)
  assert str(caught.value).startswith(
      'Out of memory with 2 images of 65x65 pixels per step (a tensor [8,513,513,64] did not fit '
      'on /job:localhost/replica:0/task:0/device:%s:0): %s' % (device, told))


def test_a_full_disk_is_not_taken_for_full_memory(monkeypatch):
  monkeypatch.setattr(memory_errors.tf_compat, 'num_gpus', lambda: 1)
  with pytest.raises(tf.errors.ResourceExhaustedError):
    with memory_errors.readable_memory_errors(DATASET, MODEL_OPTIONS, make_options()):
      raise tf.errors.ResourceExhaustedError(None, None, 'model.ckpt; No space left on device')


def set_limit(monkeypatch, num_bytes):
  """Sets what the processor has of memory."""
  monkeypatch.setattr(graph_rewrites, 'cpu_memory_limit_bytes', lambda: num_bytes)


@slow.only_if_asked
def test_the_graph_of_the_training_is_estimated(monkeypatch):
  set_limit(monkeypatch, 10 << 20)
  monkeypatch.setattr(memory_errors.tf_compat, 'gpu_memory_bytes', lambda: 1 << 20)
  # As with a GPU: nothing is looked at beforehand.
  monkeypatch.setattr(memory_errors.tf_compat, 'num_gpus', lambda: 1)
  message = fail('CPU')
  assert message.startswith(
      'Out of memory with 2 images of 65x65 pixels per step (a tensor [8,513,513,64] did not fit '
      'on /job:localhost/replica:0/task:0/device:CPU:0): by estimate a step takes 0.0')
  assert 'there is 0.01 GB. Try --train_batch_size=1' in message
  assert '--gradient_checkpointing' not in fail('CPU', gradient_checkpointing=True)
  message = fail('GPU', types.SimpleNamespace(num_clones=2))
  assert 'there is 0.001 GB. Try a smaller --model_variant' in message


@pytest.mark.skipif(IS_TF1, reason='TensorFlow 1.15 tells when it has no memory left')
def test_a_step_too_large_for_the_processor_is_refused_before_it_begins(monkeypatch, caplog):
  need = []

  def fits(share):
    set_limit(monkeypatch, int(share * need[0]))
    with tiny_training():
      pass

  monkeypatch.setattr(
      memory_errors, 'advice',
      lambda step, memory, checkpointing, limit: need.append(memory.num_bytes()) or '. Try less.')
  set_limit(monkeypatch, 1)
  with pytest.raises(ValueError, match='Too little memory for 2 images of 65x65 pixels per step'
                                       '. Try less.'):
    with tiny_training():
      pytest.fail('begun')
  with pytest.raises(ValueError, match='Too little memory'):
    fits(0.7)
  with caplog.at_level('WARNING'):
    fits(0.8)
  assert 'Perhaps too little memory for 2 images of 65x65' in caplog.text
  caplog.clear()
  fits(1.01)
  assert not caplog.records
  set_limit(monkeypatch, None)
  with tiny_training():
    pass


def test_other_errors_pass():
  with pytest.raises(tf.errors.InvalidArgumentError):
    with tiny_training():
      raise tf.errors.InvalidArgumentError(None, None, 'something else')
