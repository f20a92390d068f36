"""What holds for all tests."""
import os
import signal
import threading

# A script's background jobs ignore SIGINT, and so would all programs that tests start and stop.
if threading.current_thread() is threading.main_thread():
  signal.signal(signal.SIGINT, signal.default_int_handler)


def _take_share_of_cores():
  """Gives each of the test processes cores of its own, with all that it starts.

  TensorFlow makes as many threads as it sees cores; those of two processes on the same cores
  wait for each other.
  """
  worker, num_workers = [os.environ.get('PYTEST_XDIST_WORKER' + name) for name in ('', '_COUNT')]
  if worker and hasattr(os, 'sched_setaffinity'):
    share = sorted(os.sched_getaffinity(0))[int(worker[2:])::int(num_workers)]
    if share:
      os.sched_setaffinity(0, share)


_take_share_of_cores()
