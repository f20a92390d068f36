"""The processes of a training on one machine, for tests."""
import contextlib
import os
import re
import signal
import socket
import time

from deeplab.testing import forked_scripts

STEP = re.compile(r'step (\d+)/\d+')
_POLL_SECS = 0.1
# Far more than any of it takes on a busy machine: the first step of two workers and two servers
# that share half a core takes 40.
DEADLINE_SECS = 400


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
    ports = free_ports(num_workers + num_ps)
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


@contextlib.contextmanager
def running(script, log_path, *script_flags, **env):
  """Yields the Process of a script, as `forked_scripts.start`, and kills it in the end."""
  process = forked_scripts.start(script, log_path, *script_flags, **env)
  try:
    yield process
  finally:
    process.send(signal.SIGKILL)


def free_ports(number):
  """Returns ports of this machine that nobody listens on."""
  sockets = [socket.socket() for _ in range(number)]
  try:
    for one in sockets:
      one.bind(('127.0.0.1', 0))
    return [one.getsockname()[1] for one in sockets]
  finally:
    for one in sockets:
      one.close()


def last_step(process):
  """Returns the newest step in the log of a worker; 0 before the first."""
  steps = STEP.findall(process.log)
  return int(steps[-1]) if steps else 0


def wait_for_step(process, step, deadline_secs=DEADLINE_SECS):
  """Returns once a worker has logged a step from `step` on.

  Raises:
    AssertionError: it ended, or did not come so far in time.
  """
  wait_until(lambda: last_step(process) >= step or process.code() is not None,
             'step %d' % step, process, deadline_secs)
  assert last_step(process) >= step, process.log


def wait_for_end(*processes):
  """Returns the list of exit codes.

  Raises:
    AssertionError: one did not end in time.
  """
  for process in processes:
    wait_until(lambda one=process: one.code() is not None, 'its end', process)
  return [process.code() for process in processes]


def wait_until(is_true, what, process, deadline_secs=DEADLINE_SECS):
  """Returns once a function returns true; raises AssertionError with a log in the end."""
  until = time.monotonic() + deadline_secs
  while not is_true():
    assert time.monotonic() < until, 'No %s in %d s:\n%s' % (what, deadline_secs, process.log)
    time.sleep(_POLL_SECS)
