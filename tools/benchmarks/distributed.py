"""What training by several processes on this machine costs.

Workers talk over the loopback device. All share its cores, so that the time of a step with the
network says little; the time of the exchange alone and the bytes that it moves say what a network
between machines has to carry, see `scaling_prediction`.
"""
import functools
import json
import os
import subprocess
import sys
import tempfile
import time

from absl import logging

from deeplab.core.storage import files, json_text
from deeplab.core.tf_compat import tf
from deeplab.deployment.cluster import parameter_server
from deeplab.deployment.cluster import replica as replica_lib
from deeplab.deployment.cluster import tasks as cluster_lib
from deeplab.testing import forked_scripts
from deeplab.tools.benchmarks import child, training
from deeplab.utils.training import options as train_options

_VARIANT = 'mobilenet_v2'
_CROP, _BATCH_SIZE = 65, 1
_NUM_WORKERS = (1, 2, 4)
_WARM_UP_RUNS, _LEAST_RUNS, _LEAST_SECS = 3, 10, 5.0
_TIMEOUT_SECS = 300
_LOOPBACK = 'lo'

_RUNNER = ('import json, sys; from deeplab.tools.benchmarks import distributed as b; '
           'b.run_task(**json.loads(sys.argv[1]))')


def measure_all(settings):
  """Yields the rows of `__main__`; of the settings' variants the first, or MobileNetV2."""
  variant = (settings.variants or [_VARIANT])[0]
  for number in _NUM_WORKERS:
    what = '%s, %d worker%s, ' % (variant, number, 's' if number > 1 else '')
    for kind in ('step', 'exchange alone'):
      runs = [_measure(variant, number, kind == 'exchange alone') for _ in range(settings.repeats)]
      yield child.row(what + kind, [1e3 * run['step_secs'] for run in runs], 'ms')
    figures = runs[-1]
    yield dict(child.row(what + 'bytes moved per step', figures['bytes'] / 1e6, 'MB'),
               note='%.2f x the weights (%.2f MB)' % (
                   figures['bytes'] / figures['model_bytes'], figures['model_bytes'] / 1e6))


def _measure(variant, num_workers, is_exchange):
  """Returns the figures of the chief: seconds and bytes of a step, bytes of the weights."""
  hosts = ['127.0.0.1:%d' % port for port in forked_scripts.free_ports(num_workers + 1)]
  tasks = [(cluster_lib.PS, 0)] + [(cluster_lib.WORKER, index) for index in range(num_workers)]
  with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'figures')
    processes = [subprocess.Popen([sys.executable, '-c', _RUNNER, json.dumps({
        'worker_hosts': hosts[1:], 'ps_hosts': hosts[:1], 'job': job, 'index': index,
        'variant': variant, 'is_exchange': is_exchange, 'path': path})]) for job, index in tasks]
    try:
      # The chief is the one that measures; the others go on until they are told to end.
      if processes[1].wait(timeout=_TIMEOUT_SECS):
        raise RuntimeError('Training with %d workers failed.' % num_workers)
    finally:
      for process in processes:
        process.kill()
        process.wait()
    return json_text.read(path)


def run_task(worker_hosts, ps_hosts, job, index, variant, is_exchange, path):
  """A process of a measurement; the chief writes its figures to a file, the others never end."""
  logging.set_verbosity(logging.WARNING)
  cluster = cluster_lib.Cluster(ps_hosts, worker_hosts, cluster_lib.Task(job, index))
  if job == cluster_lib.PS:
    parameter_server.start_server(cluster).join()
  replica = replica_lib.Replica(cluster, cluster_lib.ClusterSettings())
  with tf.Graph().as_default(), replica.device():
    train_op = _exchange(replica, variant) if is_exchange else _train_op(replica, variant)
    model_bytes = sum(v.shape.num_elements() * v.dtype.size for v in tf.trainable_variables())
    session = _session(replica, cluster)
    for _ in range(_WARM_UP_RUNS):
      session.run(train_op)
    runs, moved, begin = 0, _bytes_received(), time.perf_counter()
    while not replica.is_chief or runs < _LEAST_RUNS or time.perf_counter() - begin < _LEAST_SECS:
      session.run(train_op)
      runs += 1
    secs = time.perf_counter() - begin
    files.write_text(path, json.dumps({
        'step_secs': secs / runs, 'bytes': (_bytes_received() - moved) / runs,
        'model_bytes': model_bytes}))
  # Servers of TensorFlow cannot be stopped.
  os._exit(0)


def _session(replica, cluster):
  """Returns the session of a worker, without the hooks of training, with the variables there."""
  server = parameter_server.start_server(cluster)
  session = tf.Session(server.target, config=tf.ConfigProto(
      allow_soft_placement=True, device_filters=parameter_server.device_filters(
          cluster.tasks(cluster_lib.PS) + [cluster.task])))
  if replica.is_chief:
    session.run(tf.global_variables_initializer())
  else:
    missing = tf.report_uninitialized_variables(
        tf.global_variables() + replica.ready_variables())
    while session.run(missing).size:
      time.sleep(0.2)
  session.run(tf.local_variables_initializer())
  for hook in replica.session_hooks():
    hook.after_create_session(session, None)
  return session


def _exchange(replica, variant):
  """Returns the operation that reads the weights and moves them by made-up gradients."""
  _train_op(None, variant)
  update = functools.partial(tf.train.GradientDescentOptimizer(1e-6).apply_gradients,
                             global_step=tf.train.get_global_step())
  return replica.aggregated(update)(
      [(tf.multiply(variable, 1e-3), variable) for variable in tf.trainable_variables()])


def _train_op(replica, variant):
  return training.make_train_op(
      training.constant_samples(_BATCH_SIZE, _CROP), variant, _CROP, None,
      train_options.TrainOptions(None, train_batch_size=_BATCH_SIZE), replica=replica)


def _bytes_received():
  """Returns the bytes that the loopback device has carried."""
  with open('/proc/net/dev') as f:
    for line in f:
      name, _, counts = line.partition(':')
      if name.strip() == _LOOPBACK:
        return int(counts.split()[0])
  raise RuntimeError('There is no device %s in /proc/net/dev.' % _LOOPBACK)
