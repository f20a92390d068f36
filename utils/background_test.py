"""Tests of work in background threads."""
import threading

import pytest

from deeplab.utils import background


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
    thread.join(0.3)
    assert submitted == [0, 1]
    go_on.set()
    thread.join(10)
    assert submitted == [0, 1, 2]


def test_what_is_larger_than_the_limit_is_let_in_alone():
  done = []
  with background.BackgroundWork(1, max_waiting_bytes=1) as work:
    work.submit(1000, done.append, 1)
    work.submit(1000, done.append, 2)
  assert done == [1, 2]


def test_errors_come_out():
  def fail():
    raise ValueError('disk is full')

  with pytest.raises(ValueError, match='disk is full'):
    with background.BackgroundWork(1, 10) as work:
      work.submit(1, fail)
