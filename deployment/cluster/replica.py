"""A worker of a cluster: what `utils.training.loop` needs to train as one of several processes.

    replica = Replica(cluster, tasks.ClusterSettings(cluster_timeout_secs=300.0))
    with replica.open():
      loop.train(..., placement=loop.Placement(replica=replica))
"""
import contextlib
import functools
import types

from absl import logging

from deeplab.core.checkpoints import folder as checkpoint_folder
from deeplab.core.tf_compat import tf
from deeplab.deployment.cluster import parameter_server, synchronous
from deeplab.deployment.cluster import tasks as cluster_lib
from deeplab.deployment.cluster import watch as cluster_watch

# Between two looks of a worker whether the chief has restored the weights.
_READY_SECS = 1.0


class Replica(object):
  """One of the workers that train the same weights.

  Attributes:
    index: number of this worker; 0 is the chief.
    num_replicas: number of workers.
    is_chief: whether this worker writes checkpoints and summaries.
    batches_per_step: batches of how many workers make a step.
  """

  def __init__(self, cluster, settings):
    """Describes the worker that is the task of a Cluster, with tasks.ClusterSettings."""
    self._cluster = cluster
    self._timeout_secs = settings.cluster_timeout_secs
    self._startup_delay_steps = settings.startup_delay_steps
    self.index = cluster.task.index
    self.num_replicas = cluster.num_workers
    self.is_chief = cluster.is_chief
    self._worker_device = '/job:%s/task:%d' % cluster.task
    self._updates = synchronous.SynchronousUpdates(
        self.num_replicas, self.index, self._worker_device) if settings.sync else None
    self.batches_per_step = self.num_replicas if settings.sync else 1
    self._server = None

  @contextlib.contextmanager
  def open(self, config=None):
    """Starts the server of this process, of devices as a ConfigProto says.

    Tells the parameter servers when all is done. Raises ValueError if the port is taken.
    """
    self._server = parameter_server.start_server(self._cluster, config)
    logging.info('%s%s of %d listens on %s.', self._cluster.task,
                 ', the chief,' if self.is_chief else '', self.num_replicas,
                 self._cluster.address(self._cluster.task))
    # A worker that failed may be started again, the training is not over then.
    try:
      yield self
    except KeyboardInterrupt:
      parameter_server.tell_done(self._cluster, self._server.target)
      raise
    parameter_server.tell_done(self._cluster, self._server.target)

  def device(self):
    """Returns the context manager of the graph: variables on parameter servers, the rest here."""
    return tf.device(tf.train.replica_device_setter(
        cluster=tf.train.ClusterSpec(self._cluster.spec()), worker_device=self._worker_device,
        ps_strategy=_LeastLoaded(self._cluster.num_ps), merge_devices=True))

  def aggregated(self, update):
    """Returns `synchronous.SynchronousUpdates.aggregated(update)`, or `update` itself."""
    return self._updates.aggregated(update) if self._updates else update

  def watch(self, is_stopping, save):
    """Returns the ClusterWatch of the session; the chief alone will `save`."""
    return cluster_watch.ClusterWatch(self._cluster, self._needed(), self._timeout_secs,
                                      is_stopping, save if self.is_chief else None)

  def session(self, scaffold, hooks, config, checkpoint_dir):
    """Returns the tf.train.MonitoredSession of this worker.

    It is made, again after a failure too, once all processes that it needs are there. The chief
    restores the newest checkpoint of `checkpoint_dir`. Raises ValueError if a process of the
    cluster does not answer.
    """
    own_config = tf.ConfigProto()
    own_config.CopyFrom(config)
    own_config.device_filters.extend(parameter_server.device_filters(
        self._cluster.tasks(cluster_lib.PS) + [self._cluster.task]))
    create = functools.partial(_join_session, scaffold, self._server.target, own_config)
    if self.is_chief:
      create = checkpoint_folder.ChiefSessionCreator(
          scaffold, self._server.target, own_config, checkpoint_dir).create_session

    def create_in_complete_cluster():
      cluster_watch.wait_for_tasks(self._cluster, self._needed(), self._timeout_secs)
      return create()

    return tf.train.MonitoredSession(
        types.SimpleNamespace(create_session=create_in_complete_cluster),
        hooks=hooks + self.session_hooks())

  def ready_variables(self):
    """Returns the variables, of no checkpoint, that a worker waits for; the chief sets them."""
    return self._updates.ready_variables if self._updates and not self.is_chief else []

  def session_hooks(self):
    """Returns the list of hooks that make the worker take part."""
    if self._updates:
      return [self._updates]
    wait_steps = self.index * self._startup_delay_steps
    return [tf.train.GlobalStepWaiterHook(wait_steps)] if wait_steps else []

  def _needed(self):
    """Returns the Tasks that this worker cannot do without."""
    workers = self._cluster.tasks(cluster_lib.WORKER)
    needed = workers if self._updates else workers[:1]
    return self._cluster.tasks(cluster_lib.PS) + [
        task for task in needed if task != self._cluster.task]


def _join_session(scaffold, target, config):
  """Returns the session of a worker that is not the chief, as soon as the weights are there."""
  scaffold.finalize()
  manager = tf.train.SessionManager(
      local_init_op=scaffold.local_init_op, ready_op=scaffold.ready_op,
      ready_for_local_init_op=scaffold.ready_for_local_init_op,
      graph=tf.get_default_graph(), recovery_wait_secs=_READY_SECS)
  return manager.wait_for_session(target, config=config, max_wait_secs=float('Inf'))


class _LeastLoaded(object):
  """Places variables where the fewest bytes are; in turn, one server may get all large ones."""

  def __init__(self, num_ps):
    self._num_bytes = [0] * num_ps

  def __call__(self, operation):
    task = self._num_bytes.index(min(self._num_bytes))
    shape = tf.TensorShape(operation.get_attr('shape'))
    self._num_bytes[task] += (shape.num_elements() or 1) * tf.as_dtype(
        operation.get_attr('dtype')).size
    return task
