"""Tests of the lock of a folder of checkpoints."""
import json
import os
import time

import pytest

from deeplab.core.storage import files
from deeplab.utils.runs import run_lock


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
  for name, secs in (('_BEAT_SECS', 0.05), ('_ABANDONED_SECS', 0.4), ('_LOOK_SECS', 0.05),
                     ('_SETTLE_SECS', 0.0)):
    monkeypatch.setattr(run_lock, name, secs)


def lock_of(folder):
  return folder / run_lock.FILE_NAME


def test_the_second_is_told_who_was_first(tmp_path):
  with run_lock.held(str(tmp_path)):
    with pytest.raises(ValueError, match='is in use: process %d on ' % os.getpid()):
      with run_lock.held(str(tmp_path)):
        pass
    assert json.loads(lock_of(tmp_path).read_text())['pid'] == os.getpid()
  assert not lock_of(tmp_path).exists()
  with run_lock.held(str(tmp_path)):
    pass


def test_a_folder_that_cannot_be_is_told(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(ValueError, match='--train_logdir=.*file cannot be used for results: File '
                                       'exists'):
    with run_lock.held(str(tmp_path / 'file')):
      pass
  assert (tmp_path / 'file').is_file()


def test_the_lock_goes_also_after_an_error(tmp_path):
  with pytest.raises(KeyError):
    with run_lock.held(str(tmp_path / 'new')):
      raise KeyError
  assert not (tmp_path / 'new').exists()


@pytest.mark.parametrize('changes', [
    {'pid': 2 ** 22 + 1}, {'process_start': '1'}, {'pid': None}])
def test_the_lock_of_a_process_that_is_gone_is_taken_over(tmp_path, changes):
  content = dict(run_lock._this_process(), token='other', since='then', beat=3)
  content.update(changes)
  lock_of(tmp_path).write_text(json.dumps(content))
  with run_lock.held(str(tmp_path)):
    assert json.loads(lock_of(tmp_path).read_text())['token'] != 'other'


def test_the_lock_of_another_machine_is_taken_over_once_it_rests(tmp_path):
  content = dict(run_lock._this_process(), machine='far away', host='far', token='other')
  lock_of(tmp_path).write_text(json.dumps(content))
  with run_lock.held(str(tmp_path)):
    pass


def test_the_lock_of_another_machine_that_trains_is_respected(tmp_path, monkeypatch):
  # The look ends with the first beat.
  monkeypatch.setattr(run_lock, '_ABANDONED_SECS', 600)
  here = run_lock._this_process()
  with monkeypatch.context() as far:
    far.setattr(run_lock, '_this_process', lambda: dict(here, machine='far away', host='far'))
    holder = run_lock.held(str(tmp_path))
    holder.__enter__()
  try:
    with pytest.raises(ValueError, match='process %d on far' % os.getpid()):
      with run_lock.held(str(tmp_path)):
        pass
  finally:
    holder.__exit__(None, None, None)


def test_the_lock_of_another_machine_that_ends_meanwhile_is_free(tmp_path, monkeypatch):
  content = dict(run_lock._this_process(), machine='far away', host='far', token='other')
  lock_of(tmp_path).write_text(json.dumps(content))
  monkeypatch.setattr(run_lock, '_ABANDONED_SECS', 600)
  sleep = time.sleep

  def end_other(secs):
    lock_of(tmp_path).unlink()
    monkeypatch.setattr(time, 'sleep', sleep)

  monkeypatch.setattr(time, 'sleep', end_other)
  with run_lock.held(str(tmp_path)):
    assert json.loads(lock_of(tmp_path).read_text())['token'] != 'other'


def test_locks_are_watched_where_there_is_no_proc(tmp_path, monkeypatch):
  monkeypatch.setattr(run_lock, '_text_of', lambda path: '')
  content = dict(run_lock._this_process(), token='other')
  lock_of(tmp_path).write_text(json.dumps(content))
  with run_lock.held(str(tmp_path)):
    # The look ends with the first beat.
    monkeypatch.setattr(run_lock, '_ABANDONED_SECS', 600)
    with pytest.raises(ValueError, match='is in use: process %d on ' % os.getpid()):
      with run_lock.held(str(tmp_path)):
        pass


@pytest.mark.parametrize('before', [None, {'pid': 2 ** 22 + 1, 'token': 'gone'}])
def test_who_was_slow_after_looking_is_refused(tmp_path, monkeypatch, before):
  """Another process takes the lock between the look and the writing."""
  # A beat would write a temporary file into the folder that is listed.
  monkeypatch.setattr(run_lock, '_BEAT_SECS', 600)
  if before:
    lock_of(tmp_path).write_text(json.dumps(dict(run_lock._this_process(), **before)))
  first, look = run_lock.held(str(tmp_path)), run_lock._check_is_free

  def slow_look(path):
    found = look(path)
    monkeypatch.setattr(run_lock, '_check_is_free', look)
    first.__enter__()
    return found

  monkeypatch.setattr(run_lock, '_check_is_free', slow_look)
  try:
    with pytest.raises(ValueError, match='is in use: process %d on ' % os.getpid()):
      with run_lock.held(str(tmp_path)):
        pass
    assert os.listdir(str(tmp_path)) == [run_lock.FILE_NAME]
  finally:
    first.__exit__(None, None, None)
  assert not os.listdir(str(tmp_path))


@pytest.mark.parametrize('place', ['file://%s', '%s'])
def test_the_lock_is_held_also_where_files_have_no_hard_links(tmp_path, monkeypatch, place):
  monkeypatch.setattr(files, 'write_new_text', lambda *unused: None)
  folder = place % tmp_path
  with run_lock.held(folder):
    with pytest.raises(ValueError, match='is in use'):
      with run_lock.held(folder):
        pass
  assert not os.listdir(str(tmp_path))


def test_the_holder_is_told_when_its_lock_was_taken_over(tmp_path):
  other = json.dumps({'token': 'other', 'pid': 7, 'host': 'far'})
  deadline = time.monotonic() + 30
  with run_lock.held(str(tmp_path)) as lock:
    lock.after_run(None, None)
    with pytest.raises(ValueError, match='taken over by process 7 on far, which trains there now'):
      while time.monotonic() < deadline:
        lock_of(tmp_path).write_text(other)
        time.sleep(0.02)
        lock.after_run(None, None)
  assert lock_of(tmp_path).read_text() == other


@pytest.mark.parametrize('text', ['', '{', '[]', '\xff'])
def test_a_lock_that_cannot_be_read_does_not_stop_anybody(tmp_path, text):
  lock_of(tmp_path).write_bytes(text.encode('latin-1'))
  with run_lock.held(str(tmp_path)):
    pass
