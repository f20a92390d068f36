"""Tests of what a training that does not fit into memory is told, and of the estimate of a step."""
import contextlib
import os
import types

import numpy as np
import pytest

from deeplab.core import keys
from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.testing import slow
from deeplab.tools.benchmarks import child, training
from deeplab.utils.speed_and_memory import memory
from deeplab.utils.training import graph as train_graph
from deeplab.utils.training import losses
from deeplab.utils.training.loop_test import DATASET, MODEL_OPTIONS, make_options, make_samples

_FLOAT = 4
_MEMINFO = 'MemTotal:  8388608 kB\nMemFree:  100 kB\nMemAvailable:    4194304 kB\n'
_GB = 1 << 30
_SLURM = 'sys/fs/cgroup/memory/slurm/job_7'
_SLICE = 'sys/fs/cgroup/user.slice/job.scope'
MESSAGE = ('OOM when allocating tensor with shape[8,513,513,64] and type float on '
           '/job:localhost/replica:0/task:0/device:CPU:0 by allocator bfc\n\t [[x]]')


def step_bytes_of(network):
  """Returns the estimate of a step without variables; network: function of a [1000] tensor."""
  with tf.Graph().as_default() as graph:
    source = tf.placeholder(tf.float32, [1000])
    tf.gradients(network(source), [source])
  return memory.step_bytes(graph, 'float32') / memory._PEAK_SHARE[IS_TF1]


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
    num_bytes.append(memory.step_bytes(graph, 'float32'))
  assert num_bytes[0] > 65 * 65 * 3 * _FLOAT
  assert num_bytes[1] == pytest.approx(num_bytes[0], rel=0.1)


def test_weights_count_with_optimizer_and_gradients():
  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.float32, [8, 30])
    weights = tf.get_variable('weights', [30, 700])
    tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(tf.matmul(images, weights)))
  # Value, momentum, gradient twice.
  expected = 4 * 30 * 700 * _FLOAT + memory._PEAK_SHARE[IS_TF1] * 8 * 30 * _FLOAT
  assert memory.step_bytes(graph, 'float32') == pytest.approx(expected, abs=100)


def of_training(batch_size, side, **kwargs):
  with tf.Graph().as_default() as graph:
    train_graph.build_train_graph(
        {keys.IMAGE: tf.placeholder(tf.uint8, [batch_size, side, side, 3]),
         keys.LABEL: tf.placeholder(tf.int32, [batch_size, side, side, 1])},
        DATASET, MODEL_OPTIONS._replace(crop_size=[side, side], depth_multiplier=1.0),
        make_options(**kwargs))
  return memory.step_bytes(graph, 'float32')


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
@pytest.mark.parametrize('level', [
    'nothing', 'batch_norm', pytest.param('all', marks=pytest.mark.skipif(
        IS_TF1, reason='its convolutions have work space; there the estimate refuses nothing'))])
def test_estimated_is_what_is_measured(level):
  step = {'variant': 'mobilenet_v2', 'batch_size': 2, 'crop': 257,
          'training': {'recompute': level}}
  figures = child.measure(child.Run(training.step_speed, step))
  assert np.isclose(figures['estimated_memory_mib'], figures['peak_memory_mib'], rtol=0.25)


@pytest.mark.parametrize('limit_share, settings, level', [
    (1.8, {}, 'nothing'), (1.5, {}, 'batch_norm'), (None, {}, 'batch_norm'),
    (1.5, {'recompute': 'nothing'}, 'nothing'), (1.8, {'recompute': 'all'}, 'all'),
    (1.8, {'gradient_checkpointing': True}, 'all')])
def test_what_fits_is_kept_unless_told_otherwise(monkeypatch, limit_share, settings, level):
  graph = tf.Graph()
  monkeypatch.setattr(memory, 'step_bytes', lambda *unused: _GB)
  set_limit(monkeypatch, limit_share and int(limit_share * _GB))
  assert memory.recomputation_level(graph, make_options(**settings)) == level


def set_limit(monkeypatch, num_bytes):
  """Sets what the processor has of memory; there is no GPU."""
  monkeypatch.setattr(memory.tf_compat, 'num_gpus', lambda: 0)
  monkeypatch.setattr(memory, 'cpu_memory_limit_bytes', lambda: num_bytes)


@contextlib.contextmanager
def errors_of(num_clones=1, **kwargs):
  """`readable_memory_errors` of a batch of two crops of 65x65, where nothing else is told."""
  with memory.readable_memory_errors(
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
    need = memory.step_bytes(graph, 'float32')

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
    monkeypatch.setattr(memory.tf_compat, 'num_gpus', lambda: 1)
    with errors_of():
      pass
    assert not caplog.records


def test_images_that_alone_are_too_large_are_refused(monkeypatch):
  monkeypatch.setattr(memory, 'free_bytes', lambda: 10 ** 9)
  memory.check_batch(80, (1000, 1000))
  with pytest.raises(ValueError, match=r'--train_batch_size=90 with --train_crop_size=1000,1000: '
                                       r'.* take 1.1 GB, and there is 1 GB'):
    memory.check_batch(90, (1000, 1000))


def test_the_limit_of_tensors_is_that_of_the_pool(monkeypatch):
  monkeypatch.setenv('TF_CPU_ALLOCATOR_USE_BFC', 'true')
  monkeypatch.setenv('TF_CPU_BFC_MEM_LIMIT_IN_MB', '300')
  memory.pool_cpu_memory()
  assert memory.cpu_memory_limit_bytes() == 300 << 20
  monkeypatch.delenv('TF_CPU_BFC_MEM_LIMIT_IN_MB')
  assert memory.cpu_memory_limit_bytes() is None
  monkeypatch.setenv('TF_CPU_ALLOCATOR_USE_BFC', 'false')
  monkeypatch.setattr(memory, 'free_bytes', lambda: 7)
  assert memory.cpu_memory_limit_bytes() == 7


@pytest.mark.parametrize('files, expected', [
    pytest.param({}, 4 * _GB, id='no groups'),
    pytest.param({'sys/fs/cgroup/memory.max': 'max\n', 'sys/fs/cgroup/memory.current': '5\n'},
                 4 * _GB, id='no limit'),
    pytest.param({'sys/fs/cgroup/memory.max': 2 * _GB, 'sys/fs/cgroup/memory.current': _GB,
                  'sys/fs/cgroup/memory.stat': 'anon 3\ninactive_file %d\nfile 5\n' % (_GB // 2)},
                 3 * _GB // 2, id='a container'),
    pytest.param({'sys/fs/cgroup/memory.max': 9 * _GB, 'sys/fs/cgroup/memory.current': _GB},
                 4 * _GB, id='a limit above what is free'),
    pytest.param({'sys/fs/cgroup/memory.max': 2 * _GB, 'sys/fs/cgroup/memory.current': 3 * _GB},
                 0, id='more than the limit is taken'),
    pytest.param({'sys/fs/cgroup/memory/memory.limit_in_bytes': 2 * _GB,
                  'sys/fs/cgroup/memory/memory.usage_in_bytes': _GB,
                  'sys/fs/cgroup/memory/memory.stat':
                      'inactive_file 7\ntotal_inactive_file %d\n' % (_GB // 4)},
                 5 * _GB // 4, id='a container, version 1'),
    pytest.param({'proc/self/cgroup': '5:cpu:/x\n4:memory:/slurm/job_7/step_0\n0::/y\n',
                  _SLURM + '/memory.limit_in_bytes': _GB, _SLURM + '/memory.usage_in_bytes': 1,
                  _SLURM + '/step_0/memory.limit_in_bytes': 2 ** 63 - 4096,
                  _SLURM + '/step_0/memory.usage_in_bytes': 1},
                 _GB - 1, id='a job of a batch system, version 1'),
    pytest.param({'proc/self/cgroup': '0::/user.slice/job.scope\n',
                  _SLICE + '/memory.max': 2 * _GB, _SLICE + '/memory.current': 5,
                  'sys/fs/cgroup/user.slice/memory.max': _GB,
                  'sys/fs/cgroup/user.slice/memory.current': 7},
                 _GB - 7, id='a group within a smaller one'),
])
def test_what_is_free_is_within_the_limits_of_groups(tmp_path, files, expected):
  for name, content in dict({'proc/meminfo': _MEMINFO}, **files).items():
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(content))
  assert memory.free_bytes(str(tmp_path)) == expected


def test_what_is_free_is_within_the_machine():
  free = memory.free_bytes()
  if free is None:
    pytest.skip('not told by this system')
  assert 1 << 20 < free <= os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')


def test_what_is_free_is_unknown_where_the_system_does_not_tell_it(tmp_path):
  assert memory.free_bytes(str(tmp_path)) is None
