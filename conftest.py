"""What holds for all tests."""
import os
import signal
import sys
import threading

import pytest

# A script's background jobs ignore SIGINT, and so would all programs that tests start and stop.
if threading.current_thread() is threading.main_thread():
  signal.signal(signal.SIGINT, signal.default_int_handler)

# Some terminals export their width, which that of help would go by.
os.environ.pop('COLUMNS', None)


def _take_share_of_cores():
  """Gives each of the test processes cores of its own, with all that it starts.

  TensorFlow makes as many threads as it sees cores; those of two processes on the same cores
  wait for each other. Not so on the TF1 lane, where one thread is too few: there it does the
  work of a step and of the input in turns.
  """
  if sys.version_info < (3, 8):
    return
  worker, num_workers = [os.environ.get('PYTEST_XDIST_WORKER' + name) for name in ('', '_COUNT')]
  if worker and hasattr(os, 'sched_setaffinity'):
    share = sorted(os.sched_getaffinity(0))[int(worker[2:])::int(num_workers)]
    if share:
      os.sched_setaffinity(0, share)


_take_share_of_cores()


@pytest.fixture(scope='module', name='shallow_network')
def use_shallow_network():
  """Makes mobilenet_v2 shallow for the tests of a module; see testing/networks.py."""
  from deeplab.testing import networks  # TensorFlow counts the cores when it is loaded.
  with networks.shallow():
    yield


@pytest.hookimpl(tryfirst=True)  # Before pytest selects by marks.
def pytest_collection_modifyitems(items):
  """Marks and leaves out what takes long; see testing/slow.py."""
  from deeplab.testing import slow  # As above.
  slow.mark_and_skip(items)
