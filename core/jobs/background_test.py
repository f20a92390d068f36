"""Tests of work in background threads."""
import os
import signal
import threading
import time

import pytest

from deeplab.core.jobs import background


def test_all_work_is_done_at_the_end_of_the_block():
  done = []
  with background.BackgroundWork(2, max_waiting_bytes=100) as work:
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

  with background.BackgroundWork(4, max_waiting_bytes=130) as work:
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
  with background.BackgroundWork(1, max_waiting_bytes=1) as work:
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
      with background.BackgroundWork(1, 100) as work:
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
    with background.BackgroundWork(1, 10) as work:
      work.submit(1, fail)
