"""Watches whether the other processes of a cluster are there, and ends what waits in vain.

TensorFlow waits for a lost process without end, inside of calls that Python cannot interrupt. A
thread beside the training tries to connect to each process that is needed. One that is away may
come back; after a time it is named and the training ends, with the weights saved by the chief.
"""
import contextlib
import os
import sys
import threading
import time

from absl import logging

from deeplab.core import tf_compat
from deeplab.core.tf_compat import tf
from deeplab.deployment.cluster import tasks as cluster_lib

_PROBE_SECS = 1.0
# Between two lines about the same process.
_REMIND_SECS = 30.0
# First line about a process: a restart of this length is not worth one.
_QUIET_SECS = 5.0
# How long others are waited for once this process was told to stop.
_STOPPING_SECS = 5.0
# How long saving and leaving may take.
_SAVE_SECS, _LEAVE_SECS = 60.0, 20.0
_EXIT_CODE = 1


class Absences(object):
  """How long which processes have been away."""

  def __init__(self, cluster, tasks):
    """Prepares for the Tasks of a Cluster."""
    self._cluster = cluster
    self._tasks = list(tasks)
    self._since, self._told = {}, {}

  def look(self, limit_secs):
    """Connects to every process once; logs who is away, each at first and then now and again.

    Returns dict, Task -> seconds it has been away without a break, of those that are away. The log
    says that they are given up after `limit_secs`.
    """
    now = time.monotonic()
    missing = [task for task in self._tasks
               if not cluster_lib.is_reachable(self._cluster.address(task))]
    for task in [task for task in self._since if task not in missing]:
      if self._told.pop(task, None):
        logging.info('%s is back.', self.name(task))
      del self._since[task]
    away = {task: now - self._since.setdefault(task, now) for task in missing}
    for task, secs in sorted(away.items()):
      if secs >= _QUIET_SECS and now - self._told.get(task, -_REMIND_SECS) >= _REMIND_SECS:
        self._told[task] = now
        logging.warning('Waiting for %s, away for %.0f s; giving up after %g s.',
                        self.name(task), secs, limit_secs)
    return away

  def name(self, task):
    """Returns 'worker 1 (host:port)'."""
    return '%s (%s)' % (task, self._cluster.address(task))

  def names(self, tasks):
    """Returns the names of several Tasks as text."""
    return ', '.join(self.name(task) for task in sorted(tasks))


def wait_for_tasks(cluster, tasks, timeout_secs):
  """Returns once all Tasks of a Cluster listen; raises ValueError that names those that do not."""
  absences = Absences(cluster, tasks)
  start = time.monotonic()
  while True:
    away = absences.look(timeout_secs)
    if not away:
      return
    if time.monotonic() - start >= timeout_secs:
      raise ValueError('%s did not answer within --cluster_timeout_secs=%g. Look at the log of '
                       'each, and at the hosts and ports.' % (absences.names(away), timeout_secs))
    time.sleep(min(_PROBE_SECS, timeout_secs))


class ClusterWatch(tf_compat.SessionRunHook):
  """Ends a session whose cluster has been incomplete for too long; a hook and a context manager.

      with ClusterWatch(cluster, tasks, timeout_secs, is_stopping, save) as watch:
        with tf.train.MonitoredSession(creator, hooks=[watch, ...]) as session:
          ...

  Raises ValueError, on leaving the block, that names who is missing. If the process was told to
  stop meanwhile, the block is left without an error: the others have stopped too.
  """

  def __init__(self, cluster, tasks, timeout_secs, is_stopping=lambda: False, save=None):
    """Prepares the watch over the Tasks of a Cluster that the training needs.

    One of them may be away for `timeout_secs`. `is_stopping()` tells whether this process was told
    to stop; `save(session)` saves the weights, or is None.
    """
    self._absences = Absences(cluster, tasks)
    self._timeout_secs = timeout_secs
    self._is_stopping = is_stopping
    self._save = save
    self._session = None
    self._error = None
    self._is_left = threading.Event()
    self._thread = threading.Thread(target=self._watch, daemon=True)

  def __enter__(self):
    self._thread.start()
    return self

  def __exit__(self, error_type, error, trace):
    self._is_left.set()
    self._thread.join()
    if self._error is None or error_type is None or not issubclass(
        error_type, (tf.errors.OpError, RuntimeError)):
      return False
    if self._is_stopping():
      return True
    raise ValueError(self._error) from error

  def after_create_session(self, session, coord):
    self._session = session

  def end(self, session):
    # The others leave too.
    self._is_left.set()

  def _watch(self):
    while not self._is_left.wait(_PROBE_SECS):
      limit_secs = _STOPPING_SECS if self._is_stopping() else self._timeout_secs
      away = self._absences.look(limit_secs)
      lost = [task for task, secs in away.items() if secs >= limit_secs]
      if lost and not self._is_left.is_set():
        self._give_up(lost, away)
        return

  def _give_up(self, lost, away):
    """Saves what there is and ends the session, or else the process."""
    self._error = '%s: away for --cluster_timeout_secs=%g. Look at its log; the same commands ' \
        'continue at the newest checkpoint.' % (self._absences.names(lost), self._timeout_secs)
    holders = [task for task in away if task.job == cluster_lib.PS]
    if self._save and self._session is not None and not holders:
      run_within(_SAVE_SECS, lambda: self._save(self._session))
    if self._session is not None:
      run_within(_LEAVE_SECS, self._session.close)
    if not self._is_left.wait(_LEAVE_SECS):
      sys.stderr.write('%s: error: %s\n' % (os.path.basename(sys.argv[0]), self._error))
      sys.stderr.flush()
      os._exit(_EXIT_CODE)


def run_within(secs, action):
  """Runs a function in a thread and waits some seconds for it; its errors are dropped."""
  def run():
    with contextlib.suppress(tf.errors.OpError, RuntimeError, ValueError, OSError):
      action()

  thread = threading.Thread(target=run, daemon=True)
  thread.start()
  thread.join(secs)
