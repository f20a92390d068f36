"""What training by several processes costs: two ways to exchange gradients, on this machine.

Workers talk over the loopback device. All share its cores, so that the time of a step with the
network says little; the time of the exchange alone and the bytes that it moves say what a network
between machines has to carry, see `scaling_prediction`.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

from absl import logging

from deeplab.core import keys, options
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry as dataset_registry
from deeplab.deployment import cluster as cluster_lib
from deeplab.deployment import parameter_server, synchronous
from deeplab.deployment import replica as replica_lib
from deeplab.testing import tiny_cluster
from deeplab.utils import benchmark_steps, train_graph, train_options

_MODULE = 'deeplab.utils.benchmark_distributed'
_VARIANT = 'mobilenet_v2'
_CROP, _BATCH_SIZE, _NUM_CLASSES = 65, 1, 21
_NUM_WORKERS = (1, 2, 4)
_WARM_UP_RUNS, _LEAST_RUNS, _LEAST_SECS = 3, 10, 5.0
_TIMEOUT_SECS = 300
_LOOPBACK = 'lo'
_GROUP_KEY = 1

_RUNNER = ('import json, sys; from deeplab.utils import benchmark_distributed as b; '
           'b.run_task(**json.loads(sys.argv[1]))')


class Collectives(object):
  """The other idea, to compare: each worker has the weights, and gradients go around a ring.

  What `train_graph` needs of a `replica.Replica`.
  """

  def __init__(self, cluster):
    self._cluster = cluster
    self.index = cluster.task.index
    self.is_chief = cluster.is_chief
    self._device = '/job:%s/task:%d' % cluster.task

  def device(self):
    """Returns the context manager of the graph: everything is in this process."""
    return tf.device(self._device + '/device:CPU:0')

  def aggregated(self, update):
    """Returns the function that averages gradients around the ring and calls `update`."""
    def reduce_and_update(grads_and_vars):
      pairs = [pair for pair in grads_and_vars if pair[0] is not None]
      number = self._cluster.num_workers
      means = [tf.raw_ops.CollectiveReduce(
          input=gradient, group_size=number, group_key=_GROUP_KEY, instance_key=index + 1,
          merge_op='Add', final_op='Div', subdiv_offsets=[0])
               for index, (gradient, _) in enumerate(pairs)] if number > 1 else [
                   gradient for gradient, _ in pairs]
      return update([(mean, variable) for mean, (_, variable) in zip(means, pairs)])

    return reduce_and_update

  def session(self):
    """Returns the session of this worker, with the variables initialised."""
    config = tf.ConfigProto(allow_soft_placement=True)
    config.experimental.collective_group_leader = '/job:worker/replica:0/task:0'
    server = tf.train.Server({'worker': list(self._cluster.worker_hosts)}, 'worker',
                             self.index, config=config)
    session = tf.Session(server.target, config=config)
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    return session


class Accumulators(object):
  """The idea that training uses, without hooks: accumulators on parameter servers."""

  def __init__(self, cluster):
    self._cluster = cluster
    self.index = cluster.task.index
    self.is_chief = cluster.is_chief
    self._placed = replica_lib.Replica(cluster)
    self._updates = synchronous.SynchronousUpdates(
        cluster.num_workers, self.index, '/job:%s/task:%d' % cluster.task)

  def device(self):
    """See `replica.Replica.device`."""
    return self._placed.device()

  def aggregated(self, update):
    """See `replica.Replica.aggregated`."""
    return self._updates.aggregated(update)

  def session(self):
    """Returns the session of this worker, with the variables initialised."""
    server = parameter_server.start_server(self._cluster)
    session = tf.Session(server.target, config=tf.ConfigProto(
        allow_soft_placement=True, device_filters=parameter_server.device_filters(
            self._cluster.tasks(cluster_lib.PS) + [self._cluster.task])))
    if self.is_chief:
      session.run(tf.global_variables_initializer())
    else:
      missing = tf.report_uninitialized_variables(
          tf.global_variables() + self._updates.ready_variables)
      while session.run(missing).size:
        time.sleep(0.2)
    session.run(tf.local_variables_initializer())
    self._updates.start_hook().after_create_session(session, None)
    return session


MECHANISMS = {'accumulators on parameter servers': Accumulators, 'ring of workers': Collectives}


def measure_all(repeats, variants=None):
  """Yields the rows of the benchmark; see `utils/benchmark.py`.

  Args:
    repeats: measurements of each figure; the median counts.
    variants: the one backbone to measure, or None for MobileNetV2.
  """
  variant = (variants or [_VARIANT])[0]
  for mechanism in sorted(MECHANISMS):
    for number in _NUM_WORKERS:
      what = '%s, %s, %d worker%s' % (variant, mechanism, number, 's' if number > 1 else '')
      for is_exchange in (False, True):
        runs = sorted((_measure(variant, mechanism, number, is_exchange)
                       for _ in range(repeats)), key=lambda run: run['step_secs'])
        figures = runs[len(runs) // 2]
        kind = 'exchange alone' if is_exchange else 'step'
        yield {'what': '%s, %s' % (what, kind), 'value': 1e3 * figures['step_secs'],
               'unit': 'ms'}
      yield {'what': '%s, bytes moved per step' % what, 'value': figures['bytes'] / 1e6,
             'unit': 'MB', 'note': '%.2f x the weights (%.2f MB)' % (
                 figures['bytes'] / figures['model_bytes'], figures['model_bytes'] / 1e6)}


def _measure(variant, mechanism, num_workers, is_exchange):
  """Returns the figures of the chief: seconds and bytes of a step, bytes of the weights."""
  num_ps = 1 if MECHANISMS[mechanism] is Accumulators else 0
  ports = tiny_cluster.free_ports(num_workers + num_ps)
  hosts = ['127.0.0.1:%d' % port for port in ports]
  tasks = [(cluster_lib.PS, index) for index in range(num_ps)] + [
      (cluster_lib.WORKER, index) for index in range(num_workers)]
  with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'figures')
    processes = [subprocess.Popen([sys.executable, '-c', _RUNNER, json.dumps({
        'mechanism': mechanism, 'worker_hosts': hosts[:num_workers],
        'ps_hosts': hosts[num_workers:], 'job': job, 'index': index, 'variant': variant,
        'is_exchange': is_exchange, 'path': path})]) for job, index in tasks]
    try:
      # The chief is the one that measures; the others go on until they are told to end.
      if processes[num_ps].wait(timeout=_TIMEOUT_SECS):
        raise RuntimeError('%s with %d workers failed.' % (mechanism, num_workers))
    finally:
      for process in processes:
        process.kill()
        process.wait()
    with open(path) as f:
      return json.load(f)


def run_task(mechanism, worker_hosts, ps_hosts, job, index, variant, is_exchange, path):
  """A process of a measurement; the chief writes its figures to a file, the others never end."""
  logging.set_verbosity(logging.WARNING)
  cluster = cluster_lib.Cluster(ps_hosts, worker_hosts, cluster_lib.Task(job, index))
  if job == cluster_lib.PS:
    parameter_server.start_server(cluster).join()
  replica = MECHANISMS[mechanism](cluster)
  with tf.Graph().as_default(), replica.device():
    train_op = _exchange(replica, variant) if is_exchange else _step(replica, variant)
    model_bytes = sum(v.shape.num_elements() * v.dtype.size for v in tf.trainable_variables())
    session = replica.session()
    for _ in range(_WARM_UP_RUNS):
      session.run(train_op)
    runs, moved, begin = 0, _bytes_received(), time.perf_counter()
    while not replica.is_chief or runs < _LEAST_RUNS or time.perf_counter() - begin < _LEAST_SECS:
      session.run(train_op)
      runs += 1
    secs = time.perf_counter() - begin
    with open(path, 'w') as f:
      json.dump({'step_secs': secs / runs, 'bytes': (_bytes_received() - moved) / runs,
                 'model_bytes': model_bytes}, f)
  # Servers of TensorFlow cannot be stopped.
  os._exit(0)


def _step(replica, variant):
  samples = benchmark_steps.constant_samples(_BATCH_SIZE, _CROP)
  return _graph(replica, variant, samples).train_op


def _exchange(replica, variant):
  """Returns the operation that reads the weights and moves them by made-up gradients."""
  samples = benchmark_steps.constant_samples(_BATCH_SIZE, _CROP)
  _graph(None, variant, samples)
  global_step = tf.train.get_global_step()
  optimizer = tf.train.GradientDescentOptimizer(1e-6)

  def update(grads_and_vars):
    return optimizer.apply_gradients(grads_and_vars, global_step)

  return replica.aggregated(update)(
      [(tf.multiply(variable, 1e-3), variable) for variable in tf.trainable_variables()])


def _graph(replica, variant, samples):
  model_options = options.ModelOptions(
      {keys.OUTPUT_TYPE: _NUM_CLASSES}, crop_size=[_CROP, _CROP], output_stride=16,
      model_variant=variant)
  return train_graph.build_train_graph(
      samples, dataset_registry.DATASETS['pascal_voc_seg'], model_options,
      train_options.TrainOptions(None, train_batch_size=_BATCH_SIZE), replica=replica)


def _bytes_received():
  """Returns the bytes that the loopback device has carried."""
  with open('/proc/net/dev') as f:
    for line in f:
      name, _, counts = line.partition(':')
      if name.strip() == _LOOPBACK:
        return int(counts.split()[0])
  raise RuntimeError('There is no device %s in /proc/net/dev.' % _LOOPBACK)
