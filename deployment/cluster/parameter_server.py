"""Parameter servers: they hold the variables until the training is done."""
import signal
import time

from absl import logging

from deeplab.command_line import ending
from deeplab.core.storage import errors
from deeplab.core.tf_compat import tf
from deeplab.deployment.cluster import tasks as cluster_lib
from deeplab.deployment.cluster import watch

# One queue per parameter server, in which workers say that they are done.
_QUEUE = 'done'
_CAPACITY = 1 << 12
_LOOK_SECS = 2.0
# How long to stay for workers that are slower than the chief.
_LAST_WORKERS_SECS = 60.0
# How long to stay for the chief to save, once told to stop; Kubernetes kills after 30.
_STOP_SECS = 25.0
_TELL_SECS = 10.0
# How long to stay for workers that are done but still close their sessions.
_LEAVE_SECS, _LEAVE_LOOK_SECS = 10.0, 0.2


def start_server(cluster, config=None):
  """Returns the started tf.train.Server, of a ConfigProto; raises ValueError if a port is taken."""
  cluster_lib.check_port_is_free(cluster)
  with errors.told('%s cannot listen on %s' % (cluster.task, cluster.address(cluster.task)),
                   tf.errors.OpError):
    return tf.train.Server(cluster.spec(), job_name=cluster.task.job,
                           task_index=cluster.task.index, config=config)


def serve(cluster, timeout_secs):
  """Holds variables until all workers are done, of a Cluster whose task is a parameter server.

  Raises ValueError if the port is taken, or the chief is away for more than `timeout_secs`; and
  ending.Stopped if SIGTERM or SIGINT came and the chief had its time to save.
  """
  server = start_server(cluster, tf.ConfigProto(device_count={'GPU': 0}))
  logging.info('%s listens on %s.', cluster.task, cluster.address(cluster.task))
  chief = cluster_lib.Task(cluster_lib.WORKER, 0)
  absences = watch.Absences(cluster, [chief])
  stop = ending.StopRequest('ending once the chief has saved')
  done, chief_left_at = set(), None
  with stop, tf.Graph().as_default():
    next_done = _queue_of(cluster.task).dequeue()
    with _session(server.target, [cluster.task]) as session:
      while len(done) < cluster.num_workers:
        try:
          done.add(int(session.run(next_done, options=_deadline(_LOOK_SECS))))
          continue
        except tf.errors.DeadlineExceededError:
          pass
        now = time.monotonic()
        if 0 in done:
          chief_left_at = chief_left_at or now
          if now - chief_left_at >= _LAST_WORKERS_SECS or stop.number:
            break
          continue
        away = absences.look(timeout_secs)
        if stop.number and (away or now - stop.time >= _STOP_SECS):
          break
        if away and away[chief] >= timeout_secs:
          raise ValueError('The chief, %s, is away for --cluster_timeout_secs=%g: there is '
                           'nobody to serve.' % (absences.name(chief), timeout_secs))
  _let_workers_leave(cluster)
  if stop.number:
    raise ending.Stopped('stopped by %s.' % signal.Signals(stop.number).name, stop.number)
  logging.info('The workers are done.')


def _let_workers_leave(cluster):
  """Stays while workers close their sessions, which TensorFlow 1 does not without the server."""
  addresses = [cluster.address(task) for task in cluster.tasks(cluster_lib.WORKER)]
  until = time.monotonic() + _LEAVE_SECS
  while time.monotonic() < until and any(map(cluster_lib.is_reachable, addresses)):
    time.sleep(_LEAVE_LOOK_SECS)


def tell_done(cluster, target):
  """Tells the parameter servers that this worker is done; does without those that are away.

  `target` is that of the server of this process.
  """
  for task in cluster.tasks(cluster_lib.PS):
    if not cluster_lib.is_reachable(cluster.address(task)):
      continue
    try:
      with tf.Graph().as_default():
        told = _queue_of(task).enqueue(cluster.task.index)
        session = _session(target, [cluster.task, task])
        session.run(told, options=_deadline(_TELL_SECS))
        # In vain, and in TensorFlow 1 for ever, if the server went away meanwhile.
        watch.run_within(_TELL_SECS, session.close)
    except tf.errors.OpError as error:
      logging.warning('%s was not told that this worker is done: %s', task,
                      errors.reason_of(error))


def device_filters(tasks):
  """Returns the devices of Tasks alone: a session that sees other workers waits for each one."""
  return ['/job:%s/task:%d' % task for task in tasks]


def _queue_of(task):
  with tf.device('/job:%s/task:%d/device:CPU:0' % task):
    return tf.FIFOQueue(_CAPACITY, [tf.int32], [[]], shared_name='%s_%d' % (_QUEUE, task.index))


def _session(target, tasks):
  return tf.Session(target, config=tf.ConfigProto(device_filters=device_filters(tasks)))


def _deadline(secs):
  return tf.RunOptions(timeout_in_ms=int(secs * 1000))
