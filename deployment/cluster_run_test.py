"""Trainings by several processes on this machine, and what happens when one is lost."""
import glob
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

from deeplab.core.checkpoints import restoring
from deeplab.core.tf_compat import tf
from deeplab.datasets.records import shards
from deeplab.testing import forked_scripts, slow, tiny_run
from deeplab.utils.runs import run_lock

pytestmark = pytest.mark.usefixtures('shallow_network')

# All pixels have labels, so that the mean over workers is that over the joint batch.
SIZE = (33, 33)
NUM_IMAGES = 4
FLAGS = ('--train_crop_size=33,33', '--augmentation=none', '--min_scale_factor=1',
         '--max_scale_factor=1', '--fine_tune_batch_norm=false',
         '--log_steps=1', '--skip_data_check') + tiny_run.MODEL_FLAGS
ALONE = FLAGS + ('--train_batch_size=1', '--training_number_of_steps=100000',
                 '--save_interval_secs=1')
ENDLESS = ALONE + ('--cluster_timeout_secs=60',)


class TinyCluster(object):
  """Workers and parameter servers with hosts of their own; a context manager that ends them.

  Attributes:
    worker_hosts: list of 'host:port' of the workers.
    ps_hosts: list of 'host:port' of the parameter servers.
  """

  def __init__(self, folder, num_workers, num_ps, *script_flags):
    """Prepares the processes.

    Args:
      folder: existing folder for the logs.
      num_workers: number of workers.
      num_ps: number of parameter servers.
      *script_flags: flags of train.py that all have.
    """
    ports = forked_scripts.free_ports(num_workers + num_ps)
    hosts = ['127.0.0.1:%d' % port for port in ports]
    self.worker_hosts, self.ps_hosts = hosts[:num_workers], hosts[num_workers:]
    self._folder = str(folder)
    self._flags = script_flags
    self._processes = {}
    self._num_starts = 0

  def __enter__(self):
    return self

  def __exit__(self, *unused_error):
    for process in self._processes.values():
      process.send(signal.SIGKILL)

  def start(self, job, index, *more_flags):
    """Starts a task, also again; returns its Process."""
    self._num_starts += 1
    log = os.path.join(self._folder, '%s_%d.%d.log' % (job, index, self._num_starts))
    process = forked_scripts.start(
        'train.py', log, '--job_name=%s' % job, '--task=%d' % index,
        '--worker_hosts=%s' % ','.join(self.worker_hosts),
        '--ps_hosts=%s' % ','.join(self.ps_hosts), *(self._flags + more_flags))
    self._processes[job, index, self._num_starts] = process
    return process

  def start_all(self):
    """Starts all tasks; returns (list of workers' Processes, list of servers')."""
    # In this order: servers wait for the chief from their own start on.
    workers = [self.start('worker', index) for index in range(len(self.worker_hosts))]
    return workers, [self.start('ps', index) for index in range(len(self.ps_hosts))]


@pytest.fixture(scope='module', name='records')
def make_records(tmp_path_factory):
  folder = tmp_path_factory.mktemp('records')
  samples = [sample._replace(label=np.minimum(sample.label, 3))
             for sample in tiny_run.make_samples([SIZE] * NUM_IMAGES)]
  whole = tiny_run.write_records(str(folder), samples, split='train')
  # A shard per worker.
  records = list(tf.io.tf_record_iterator(whole))
  os.remove(whole)
  for index in range(2):
    with tf.io.TFRecordWriter(os.path.join(
        str(folder), shards.shard_name('train', index, 2))) as writer:
      for record in records[index::2]:
        writer.write(record)
  return str(folder)


@pytest.fixture(scope='module', name='weights')
def make_weights(tmp_path_factory):
  return tiny_run.write_checkpoint(
      tmp_path_factory.mktemp('weights'), np.zeros(SIZE + (3,)),
      tiny_run.MODEL_OPTIONS._replace(aspp_with_batch_norm=False), step=0)


def run_flags(records, logdir):
  return ('--dataset_dir=%s' % records, '--train_logdir=%s' % logdir)


def values_in(logdir):
  reader = tf.train.NewCheckpointReader(restoring.resolve_checkpoint(str(logdir)))
  return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


# One step with clipping: where the weights hardly move, a pixel at the bend of an activation
# falls on either side by rounding alone.
@pytest.mark.parametrize('num_ps, num_steps, more_flags', [
    (2, 5, ()), (1, 1, ('--num_clones=2', '--clone_on_cpu', '--clip_gradient_norm=0.5'))])
def test_two_workers_train_as_one_with_the_joint_batch(records, weights, tmp_path, num_ps,
                                                       num_steps, more_flags):
  # Without the head of which a tenth is dropped at random.
  start = ('--tf_initial_checkpoint=%s' % weights, '--training_number_of_steps=%d' % num_steps,
           '--noaspp_with_batch_norm', '--base_learning_rate=0.001') + FLAGS
  result = forked_scripts.run('train.py', *(
      run_flags(records, tmp_path / 'one') + start + ('--train_batch_size=4',) + more_flags))
  assert result.code == 0, result.log
  with TinyCluster(tmp_path, 2, num_ps, *(
      run_flags(records, tmp_path / 'two') + start + ('--train_batch_size=2',)
      + more_flags)) as processes:
    workers, servers = processes.start_all()
    assert forked_scripts.wait_for_end(*(workers + servers)) == [0] * (2 + num_ps), (
        workers[0].log + workers[1].log)
  one, two = values_in(tmp_path / 'one'), values_in(tmp_path / 'two')
  before = tf.train.NewCheckpointReader(weights)
  assert sorted(one) == sorted(two)
  moved = 0
  for name, value in one.items():
    # The optimizer's sums of gradients are larger than the weights' way by 1 / learning rate.
    tolerance = 1e-4 if name.endswith('/Momentum') else 1e-5
    np.testing.assert_allclose(two[name], value, rtol=0, atol=tolerance, err_msg=name)
    if before.has_tensor(name) and 'step' not in name:
      moved = max(moved, np.abs(before.get_tensor(name) - value).max())
  assert moved > 1e-5
  assert 'images/s' in workers[0].log
  # One writes, all log.
  assert 'step %d/%d' % (num_steps, num_steps) in workers[1].log
  assert len(glob.glob(str(tmp_path / 'two' / 'events*'))) == 1


@slow.only_if_asked
def test_a_worker_that_is_killed_is_waited_for(records, tmp_path):
  with TinyCluster(tmp_path, 2, 1, *(
      run_flags(records, tmp_path / 'run') + ENDLESS)) as processes:
    (chief, worker), _ = processes.start_all()
    forked_scripts.wait_for_step(chief, 5)
    worker.send(signal.SIGKILL)
    forked_scripts.wait_for_end(worker)
    forked_scripts.wait_until(lambda: 'Waiting for worker 1 (127.0.0.1:' in chief.log, 'waiting',
                            chief)
    step = forked_scripts.last_step(chief)
    worker = processes.start('worker', 1)
    forked_scripts.wait_for_step(chief, step + 5)
    assert forked_scripts.last_step(worker) > step
    assert 'worker 1 (127.0.0.1' in chief.log
    chief.send(signal.SIGTERM)
    worker.send(signal.SIGTERM)
    assert forked_scripts.wait_for_end(chief, worker) == [143, 143], chief.log + worker.log
  assert values_in(tmp_path / 'run')['global_step'] > step


@slow.only_if_asked
def test_a_chief_that_is_killed_continues_at_its_checkpoint(records, tmp_path):
  with TinyCluster(tmp_path, 2, 1, *(
      run_flags(records, tmp_path / 'run') + ENDLESS)) as processes:
    (chief, worker), _ = processes.start_all()
    forked_scripts.wait_until(
        lambda: (restoring.resolve_checkpoint(str(tmp_path / 'run')) or '-0')[-2:] != '-0',
        'second checkpoint', chief)
    chief.send(signal.SIGKILL)
    forked_scripts.wait_for_end(chief)
    saved = restoring.global_step(restoring.resolve_checkpoint(str(tmp_path / 'run')))
    chief = processes.start('worker', 0)
    forked_scripts.wait_for_step(chief, saved + 5)
    assert 'Continuing at %s' % (tmp_path / 'run' / ('model.ckpt-%d' % saved)) in chief.log
    # The worker went back with it, without having been started again.
    assert worker.code() is None
    steps = [int(step) for step in forked_scripts.STEP.findall(chief.log)]
    assert steps[0] == saved + 1
    chief.send(signal.SIGTERM)
    worker.send(signal.SIGTERM)
    assert forked_scripts.wait_for_end(chief, worker) == [143, 143], chief.log + worker.log


@slow.only_if_asked
def test_a_lost_parameter_server_ends_the_training_and_all_can_start_again(records, tmp_path):
  flags = run_flags(records, tmp_path / 'run') + ENDLESS + ('--cluster_timeout_secs=4',)
  with TinyCluster(tmp_path, 2, 2, *flags) as processes:
    workers, servers = processes.start_all()
    forked_scripts.wait_until(
        lambda: (restoring.resolve_checkpoint(str(tmp_path / 'run')) or '-0')[-2:] != '-0',
        'second checkpoint', workers[0])
    servers[1].send(signal.SIGKILL)
    assert forked_scripts.wait_for_end(*workers) == [1, 1]
    for worker in workers:
      assert 'ps 1 (127.0.0.1:' in worker.log.strip().splitlines()[-1]
      assert '--cluster_timeout_secs=4' in worker.log.strip().splitlines()[-1]
    # The other server has nobody to serve.
    assert forked_scripts.wait_for_end(servers[0]) == [1]
    assert 'The chief, worker 0' in servers[0].log
  saved = restoring.global_step(restoring.resolve_checkpoint(str(tmp_path / 'run')))
  with TinyCluster(tmp_path, 2, 2, *flags) as processes:
    (chief, _), _ = processes.start_all()
    forked_scripts.wait_for_step(chief, saved + 2)


def test_processes_that_never_start_are_named(records, tmp_path):
  flags = run_flags(records, tmp_path / 'run') + ENDLESS + ('--cluster_timeout_secs=3',)
  with TinyCluster(tmp_path, 3, 1, *flags) as processes:
    # In this order: the server waits for the chief from its own start on.
    chief, server = processes.start('worker', 0), processes.start('ps', 0)
    assert forked_scripts.wait_for_end(chief) == [1]
    last_line = chief.log.strip().splitlines()[-1]
    assert 'error: worker 1 (127.0.0.1:' in last_line
    assert ', worker 2 (127.0.0.1:' in last_line
    assert 'did not answer within --cluster_timeout_secs=3' in last_line
    assert forked_scripts.wait_for_end(server) == [1]
  assert not restoring.resolve_checkpoint(str(tmp_path / 'run'))


def test_all_are_told_to_stop_at_once(records, tmp_path):
  with TinyCluster(tmp_path, 2, 1, *(
      run_flags(records, tmp_path / 'run') + ENDLESS
      + ('--save_interval_secs=1000',))) as processes:
    workers, servers = processes.start_all()
    forked_scripts.wait_for_step(workers[0], 3)
    for process in servers + workers:
      process.send(signal.SIGTERM)
    codes = forked_scripts.wait_for_end(*(workers + servers))
    assert codes == [143] * 3, workers[0].log + workers[1].log
    assert 'the weights are saved in' in workers[0].log
    assert 'the chief saves the weights in' in workers[1].log
  assert values_in(tmp_path / 'run')['global_step'] >= 3


@slow.only_if_asked_on_tf1
def test_workers_may_move_the_weights_each_on_its_own(records, tmp_path):
  flags = run_flags(records, tmp_path / 'run') + FLAGS + (
      '--train_batch_size=1', '--training_number_of_steps=30', '--nosync',
      '--startup_delay_steps=4')
  with TinyCluster(tmp_path, 2, 1, *flags) as processes:
    workers, servers = processes.start_all()
    assert forked_scripts.wait_for_end(*(workers + servers)) == [0, 0, 0], workers[1].log
    assert forked_scripts.STEP.search(workers[1].log), workers[1].log
  assert values_in(tmp_path / 'run')['global_step'] >= 30


def test_an_evaluator_follows_the_training(records, tmp_path):
  flags = run_flags(records, tmp_path / 'run') + FLAGS + (
      '--train_batch_size=1', '--training_number_of_steps=4', '--eval_split=train')
  with TinyCluster(tmp_path, 1, 1, *flags) as processes:
    workers, servers = processes.start_all()
    evaluator = processes.start('evaluator', 0)
    assert forked_scripts.wait_for_end(*(workers + servers + [evaluator])) == [0, 0, 0], (
        evaluator.log + workers[0].log)
    assert 'Mean IoU on train: ' in evaluator.log
  assert (tmp_path / 'run' / 'best').is_dir()


def test_two_trainings_in_one_folder_are_refused(records, tmp_path):
  flags = run_flags(records, tmp_path / 'run') + ENDLESS
  with TinyCluster(tmp_path, 1, 1, *flags) as processes, \
       TinyCluster(tmp_path, 1, 1, *flags) as others:
    (chief,), _ = processes.start_all()
    forked_scripts.wait_for_step(chief, 1)
    (second,), _ = others.start_all()
    assert forked_scripts.wait_for_end(second) == [1]
    assert 'is in use: process %d on %s' % (chief.pid, socket.gethostname()) in second.log
    result = forked_scripts.run('train.py', *(run_flags(records, tmp_path / 'run') + ALONE))
    assert (result.code, 'is in use' in result.last_line) == (1, True)
    assert chief.code() is None
    assert (tmp_path / 'run' / run_lock.FILE_NAME).exists()


def test_a_taken_port_is_one_line(records, tmp_path):
  with TinyCluster(tmp_path, 1, 1, *(
      run_flags(records, tmp_path / 'run') + ENDLESS)) as processes, socket.socket() as taken:
    address = processes.ps_hosts[0]
    taken.bind(('', int(address.split(':')[1])))
    taken.listen(1)
    server = processes.start('ps', 0)
    assert forked_scripts.wait_for_end(server) == [1]
    assert 'error: Port %s of ps 0 (%s) cannot be listened on' % (
        address.split(':')[1], address) in server.log.strip().splitlines()[-1]


@slow.only_if_asked
def test_the_launcher_starts_all_and_stops_them(records, tmp_path):
  launcher = os.path.join(tiny_run.ROOT, 'deployment', 'launch_local.sh')
  common = ['--'] + list(run_flags(records, tmp_path / 'run') + FLAGS)
  with open(str(tmp_path / 'shown'), 'wb') as shown:
    process = subprocess.Popen(
        ['sh', launcher, '--workers=2', '--ps=1', '--logs=%s' % (tmp_path / 'logs')] + common
        + ['--training_number_of_steps=100000', '--train_batch_size=1'],
        env=dict(os.environ, PYTHON=sys.executable), stdout=shown, stderr=subprocess.STDOUT,
        start_new_session=True)

  class Shown(object):
    log = property(lambda self: (tmp_path / 'shown').read_text())
    code = staticmethod(process.poll)

  try:
    forked_scripts.wait_for_step(Shown(), 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=forked_scripts.DEADLINE_SECS) == 130
  finally:
    if process.poll() is None:
      os.killpg(process.pid, signal.SIGKILL)
  assert sorted(os.listdir(str(tmp_path / 'logs'))) == ['ps_0.log', 'worker_0.log',
                                                        'worker_1.log']
  assert values_in(tmp_path / 'run')['global_step'] >= 3


@pytest.mark.parametrize('flags, problem', [
    (('--worker_hosts=a:1,b:1',), '2 workers need at least one parameter server'),
    (('--worker_hosts=a:1', '--ps_hosts=b'), "hosts are written host:port, got 'b'"),
    (('--num_replicas=2',), '--num_replicas=2, but the hosts are those of 1'),
    (('--num_ps_tasks=1', '--num_replicas=2'), '--num_replicas=2, but the hosts are those of 1'),
    (('--task=1',), '--task=1: there are no --worker_hosts'),
    (('--job_name=ps',), 'there are no workers for ps 0'),
    (('--worker_hosts=a:1,b:1', '--ps_hosts=c:1', '--master=grpc://d:1'), '--master=grpc://d:1'),
    (('--worker_hosts=a:1,b:1', '--ps_hosts=c:1', '--gradient_accumulation_steps=2'),
     '--gradient_accumulation_steps=2'),
    (('--worker_hosts=a:1,b:1', '--ps_hosts=c:1', '--startup_delay_steps=2'),
     '--startup_delay_steps is for --nosync'),
])
def test_flags_that_do_not_fit_are_named(records, tmp_path, flags, problem):
  message, = tiny_run.run_main('train', run_flags(records, tmp_path / 'run') + FLAGS
                               + ('--train_batch_size=1',) + flags)
  assert problem in message
  assert not (tmp_path / 'run' / 'checkpoint').exists()
