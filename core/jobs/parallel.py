"""Work beside the main thread: in worker processes with a progress bar, and in threads."""
import collections
import concurrent.futures
import concurrent.futures.process
import multiprocessing
import os
import signal
import threading
import time

from absl import logging

from deeplab.core.images import limits
from deeplab.core.jobs import progress

# Worker processes are forked where the system can: they need no second import of TensorFlow
# (some seconds each), and they use only its file writer and protocol buffers, never a
# session, whose threads would not survive the fork.
_START_METHOD = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else 'spawn'
_POLL_SECS = 0.2
# What processes share: 'finished', number of items that are, and 'stop', event that one failed.
_shared = {}


class _Stopped(Exception):
  """Another worker failed; the result of this one is not wanted."""


def run(function, work, sizes, num_processes=None, description='', may_fork=True):
  """Returns `[function(piece, on_item) for piece in work]`, computed over processes.

  Args:
    function: module-level function; calls `on_item()` after every item it has finished.
    work: list of pickleable pieces.
    sizes: number of items of each piece, for the progress bar.
    num_processes: number of worker processes; None: one per processor. One: this process.
    description: begins the progress bar.
    may_fork: off: worker processes are new ones, for work on file systems whose clients have
      threads, which would not survive a fork.

  Raises ValueError as the first piece that failed raised it, or if a worker process died.
  """
  if num_processes is not None and num_processes < 1:
    raise ValueError('num_processes must be at least 1, got %r.' % (num_processes,))
  num_processes = min(num_processes or os.cpu_count() or 1, len(work))
  with progress.bar(description, total=sum(sizes)) as bar:
    context = multiprocessing.get_context(_START_METHOD if may_fork else 'spawn')
    shared = _shared_state(context) if num_processes > 1 else None
    if shared is None:
      return [function(piece, bar.update) for piece in work]
    pool = concurrent.futures.ProcessPoolExecutor(
        num_processes, mp_context=context, initializer=_start_worker,
        initargs=(shared, os.getpid(), limits.max_pixels()))
    return _run_in_pool(pool, function, work, shared, bar)


def _shared_state(context):
  """Returns the content of `_shared` of processes; None where the machine has no such."""
  try:
    return {'finished': context.Value('q', 0), 'stop': context.Event()}
  except OSError as error:
    logging.warning('Working in one process: this machine has no shared memory (/dev/shm: %s).',
                    error.strerror)
    return None


def _run_in_pool(pool, function, work, shared, bar):
  futures = []
  with pool:
    try:
      futures = [pool.submit(function, piece, _count_item) for piece in work]
      _wait(futures, shared['finished'], bar)
      return [future.result() for future in futures]
    except concurrent.futures.process.BrokenProcessPool as error:
      raise ValueError('A worker process died, probably for lack of memory. Run again with '
                       'fewer processes; what is finished is kept.') from error
    except BaseException:
      shared['stop'].set()
      for future in futures:
        future.cancel()
      raise


def _wait(futures, finished, bar):
  """Waits for all futures; raises what the first failed one raised."""
  pending = set(futures)
  while pending:
    done, pending = concurrent.futures.wait(
        pending, timeout=_POLL_SECS, return_when=concurrent.futures.FIRST_EXCEPTION)
    bar.update(finished.value - bar.n)
    for future in done:
      future.result()
  bar.update(finished.value - bar.n)


def _start_worker(shared, parent, max_image_pixels):
  _shared.update(shared)
  limits.set_max_pixels(max_image_pixels)
  # Ctrl-C reaches the whole process group; the parent alone decides what happens.
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  signal.signal(signal.SIGTERM, signal.SIG_DFL)
  threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()


def _exit_with_parent(parent):
  """Ends an orphan: without this, workers of a killed build would wait for work for ever."""
  while os.getppid() == parent:
    time.sleep(_POLL_SECS)
  os._exit(1)


def _count_item():
  if _shared['stop'].is_set():
    raise _Stopped()
  with _shared['finished'].get_lock():
    _shared['finished'].value += 1


class BackgroundWork(object):
  """Calls functions in threads; use it in a `with` block, which ends when all are done.

  The first error of a function is raised by the next `submit`, or by the end of the block. What
  was submitted is done even if the wait at the end is interrupted by Ctrl-C or SIGTERM.
  """

  def __init__(self, num_threads, max_waiting_bytes):
    """`submit` waits while over `max_waiting_bytes` are unfinished; one piece is always let in."""
    self._threads = concurrent.futures.ThreadPoolExecutor(num_threads)
    self._max_waiting_bytes = max_waiting_bytes
    self._num_bytes = 0
    self._changed = threading.Condition()
    self._futures = collections.deque()

  def submit(self, num_bytes, function, *arguments):
    """Has `function(*arguments)` called; waits only while too much is unfinished.

    Until then the arguments hold `num_bytes` of memory. Raises the error of an earlier function.
    """
    while self._futures and self._futures[0].done():
      self._futures.popleft().result()
    with self._changed:
      self._changed.wait_for(lambda: not self._num_bytes or (
          self._num_bytes + num_bytes <= self._max_waiting_bytes))
      self._num_bytes += num_bytes
    future = self._threads.submit(function, *arguments)
    future.add_done_callback(lambda unused_future: self._release(num_bytes))
    self._futures.append(future)

  def __enter__(self):
    return self

  def __exit__(self, error_type, *unused_args):
    # Not by shutdown: a thread whose join was interrupted counts as ended.
    try:
      concurrent.futures.wait(self._futures)
    except KeyboardInterrupt:
      concurrent.futures.wait(self._futures)
      raise
    finally:
      self._threads.shutdown(wait=True)
    if error_type is None:
      for future in self._futures:
        future.result()

  def _release(self, num_bytes):
    with self._changed:
      self._num_bytes -= num_bytes
      self._changed.notify_all()
