"""Work in background threads with a limit on what waits in memory."""
import collections
import concurrent.futures
import threading


class BackgroundWork(object):
  """Calls functions in threads; use it in a `with` block, which ends when all are done.

  The first error of a function is raised by the next `submit`, or by the end of the block. What
  was submitted is done even if the wait at the end is interrupted by Ctrl-C or SIGTERM.
  """

  def __init__(self, num_threads, max_waiting_bytes):
    """Starts without work.

    Args:
      num_threads: functions called at once.
      max_waiting_bytes: `submit` waits while so much is unfinished; one piece of work is
        always let in.
    """
    self._threads = concurrent.futures.ThreadPoolExecutor(num_threads)
    self._max_waiting_bytes = max_waiting_bytes
    self._num_bytes = 0
    self._changed = threading.Condition()
    self._futures = collections.deque()

  def submit(self, num_bytes, function, *arguments):
    """Has `function(*arguments)` called; waits only while too much is unfinished.

    Args:
      num_bytes: memory that the arguments hold until then.
      function: what to call.
      *arguments: of the function.

    Raises:
      Exception: that of an earlier function.
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
