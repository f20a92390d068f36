"""Tests of work in processes and in threads."""
import errno
import os
import signal
import threading
import time

import pytest

from deeplab.core.jobs import parallel


def _square(piece, on_item):
  on_item()
  return piece * piece


def _process_id(unused_piece, on_item):
  on_item()
  return os.getpid()


def _process_id_once_there_are_two(folder, on_item):
  with open(os.path.join(folder, str(os.getpid())), 'w'):
    pass
  deadline = time.monotonic() + 60
  while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
    time.sleep(0.01)
  return _process_id(folder, on_item)


def _fail_on_two(piece, on_item):
  if piece == 2:
    raise ValueError('piece %d is bad' % piece)
  for _ in range(2000):
    on_item()
    time.sleep(0.05)


def _die(piece, on_item):
  del piece, on_item
  os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize('num_processes', [1, 2, None])
def test_results_come_in_the_order_of_the_work(num_processes):
  assert parallel.run(_square, list(range(9)), [1] * 9, num_processes) == [
      x * x for x in range(9)]


def test_work_is_done_by_new_processes_too():
  # A new process may not find this module: it is called by the folder of the checkout.
  assert parallel.run('{0} is done'.format, [1, 2, 3], [1] * 3, 2, may_fork=False) == [
      '1 is done', '2 is done', '3 is done']


def test_work_is_spread_over_processes(tmp_path):
  ids = set(parallel.run(_process_id_once_there_are_two, [str(tmp_path)] * 4, [1] * 4, 2))
  assert len(ids) == 2
  assert os.getpid() not in ids


def test_one_process_is_this_one():
  assert parallel.run(_process_id, [0], [1], 4) == [os.getpid()]


@pytest.mark.parametrize('num_processes', [1, 2])
def test_the_first_error_stops_all_work(num_processes):
  begin = time.monotonic()
  with pytest.raises(ValueError, match='^piece 2 is bad$'):
    parallel.run(_fail_on_two, [2, 1] * 5, [2000] * 10, num_processes)
  # Each of the others takes 100 s.
  assert time.monotonic() - begin < 50


def test_a_worker_that_dies_is_one_clear_error():
  with pytest.raises(ValueError, match='A worker process died'):
    parallel.run(_die, [0, 1], [1, 1], 2)


def test_without_shared_memory_one_process_does_the_work(monkeypatch):
  class Context(object):
    def Value(self, *unused):  # noqa: N802  (a name of multiprocessing)
      raise OSError(errno.EROFS, os.strerror(errno.EROFS))

  monkeypatch.setattr(parallel.multiprocessing, 'get_context', lambda unused_method: Context())
  monkeypatch.setattr(parallel.logging, 'warning', lambda text, *words: told.append(text % words))
  told = []
  assert set(parallel.run(_process_id, [0, 1, 2], [1] * 3, 2)) == {os.getpid()}
  assert told == ['Working in one process: this machine has no shared memory (/dev/shm: Read-only '
                  'file system).']


def test_no_processes_is_an_error():
  with pytest.raises(ValueError, match='num_processes must be at least 1, got 0'):
    parallel.run(_square, [1], [1], 0)


def test_all_work_is_done_at_the_end_of_the_block():
  done = []
  with parallel.BackgroundWork(2, max_waiting_bytes=100) as work:
    for index in range(20):
      work.submit(30, done.append, index)
  assert sorted(done) == list(range(20))


def test_submit_waits_while_too_much_is_unfinished():
  go_on = threading.Event()
  submitted = []

  def submit_three(work):
    for index in range(3):
      work.submit(60, go_on.wait)
      submitted.append(index)

  with parallel.BackgroundWork(4, max_waiting_bytes=130) as work:
    thread = threading.Thread(target=submit_three, args=(work,))
    thread.start()
    deadline = time.monotonic() + 60
    while len(submitted) < 2 and time.monotonic() < deadline:
      time.sleep(0.01)
    thread.join(0.3)
    assert submitted == [0, 1]
    go_on.set()
    thread.join(60)
    assert submitted == [0, 1, 2]


def test_what_is_larger_than_the_limit_is_let_in_alone():
  done = []
  with parallel.BackgroundWork(1, max_waiting_bytes=1) as work:
    work.submit(1000, done.append, 1)
    work.submit(1000, done.append, 2)
  assert done == [1, 2]


def test_what_was_submitted_is_done_though_the_end_is_interrupted():
  done = []
  is_at_end = threading.Event()

  def interrupt():
    is_at_end.wait()
    time.sleep(0.2)  # Now the main thread waits for this function.
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.2)
    done.append('interrupted')

  def raise_interrupt(unused_number, unused_frame):
    raise KeyboardInterrupt

  former = signal.signal(signal.SIGUSR1, raise_interrupt)
  try:
    with pytest.raises(KeyboardInterrupt):
      with parallel.BackgroundWork(1, 100) as work:
        work.submit(1, interrupt)
        work.submit(1, done.append, 'waiting')
        is_at_end.set()
  finally:
    signal.signal(signal.SIGUSR1, former)
  assert done == ['interrupted', 'waiting']


def test_errors_come_out():
  def fail():
    raise ValueError('disk is full')

  with pytest.raises(ValueError, match='disk is full'):
    with parallel.BackgroundWork(1, 10) as work:
      work.submit(1, fail)
