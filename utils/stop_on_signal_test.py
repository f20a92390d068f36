"""Tests of the end of a run by signals, with real processes."""
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from deeplab.core import checkpoints
from deeplab.core.tf_compat import tf
from deeplab.utils import stop_on_signal

# One step takes sys.argv[2] seconds; tells when steps begin.
_PROGRAM = """
import sys, time
import numpy as np
from deeplab.core.tf_compat import tf
from deeplab.utils import stop_on_signal

def slow(step):
  print('step %d' % step, flush=True)
  time.sleep(float(sys.argv[2]))
  return step

step = tf.train.get_or_create_global_step()
with tf.control_dependencies([tf.py_func(slow, [step], tf.int64)]):
  train_op = tf.assign_add(step, 1)
try:
  with stop_on_signal.StopOnSignal(sys.argv[1]) as stop:
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=sys.argv[1], hooks=[stop], log_step_count_steps=None,
        save_checkpoint_secs=3600, save_summaries_secs=None,
        save_summaries_steps=None) as session:
      while not session.should_stop():
        session.run(train_op)
except stop_on_signal.Stopped as error:
  print('Stopped: %s' % error, flush=True)
  sys.exit(error.exit_code)
"""


class Run(object):
  """A process that trains."""

  def __init__(self, folder, step_secs, preexec_fn=None):
    self.process = subprocess.Popen(
        [sys.executable, '-c', _PROGRAM, str(folder), str(step_secs)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=preexec_fn)

  def wait_for_step(self, step):
    for line in self.process.stdout:
      if line.strip() == b'step %d' % step:
        return
    raise AssertionError(self.process.stderr.read())

  def finish(self):
    """Returns (exit code, standard output, standard error)."""
    out, err = self.process.communicate(timeout=60)
    return self.process.returncode, out.decode(), err.decode()


def saved_step(folder):
  return checkpoints.global_step(checkpoints.resolve_checkpoint(str(folder)))


@pytest.mark.parametrize('number, code', [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_after_the_step_and_tells_itself_in_the_exit_code(
    tmp_path, number, code):
  run = Run(tmp_path, 0.2)
  run.wait_for_step(2)
  run.process.send_signal(number)
  exit_code, out, err = run.finish()
  assert exit_code == code, err
  steps = [int(line.split()[1]) for line in out.splitlines() if line.startswith('step')]
  # The step that was running, at most one that had just begun.
  assert steps in ([], [3])
  assert saved_step(tmp_path) == (steps or [2])[-1] + 1
  assert ('Stopped: stopped by %s; the weights are saved in %s. The same command continues'
          % (signal.Signals(number).name, tmp_path)) in out
  # The same command continues.
  run = Run(tmp_path, 0.2)
  run.wait_for_step(saved_step(tmp_path))
  run.process.kill()
  run.finish()


def test_a_second_signal_ends_a_step_that_never_ends(tmp_path):
  run = Run(tmp_path, 1000)
  run.wait_for_step(0)
  run.process.send_signal(signal.SIGINT)
  time.sleep(0.3)
  assert run.process.poll() is None
  start = time.time()
  run.process.send_signal(signal.SIGINT)
  code, _, err = run.finish()
  assert code == 130
  assert time.time() - start < 10
  assert 'SIGINT again: ended at once.' in err
  assert saved_step(tmp_path) == 0


def test_ignored_signals_stay_ignored(tmp_path):
  run = Run(tmp_path, 0.1,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
  run.wait_for_step(1)
  run.process.send_signal(signal.SIGINT)
  run.wait_for_step(6)
  run.process.send_signal(signal.SIGTERM)
  assert run.finish()[0] == 143


def test_a_signal_before_the_session_stops_it_before_the_first_step():
  with tf.Graph().as_default():
    step = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    with pytest.raises(stop_on_signal.Stopped) as caught:
      with stop_on_signal.StopOnSignal('run') as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        with tf.train.MonitoredSession(hooks=[stop]) as session:
          while not session.should_stop():
            session.run(step)
            raise AssertionError('A step was run.')
  assert caught.value.exit_code == 143


def test_handlers_are_put_back_and_errors_pass():
  former = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
  with pytest.raises(RuntimeError):
    with stop_on_signal.StopOnSignal('run'):
      assert signal.getsignal(signal.SIGINT) is not former[0]
      raise RuntimeError('x')
  assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == former
  assert signal.set_wakeup_fd(-1) == -1


def test_other_threads_watch_nothing():
  former = signal.getsignal(signal.SIGTERM)
  seen = []

  def run():
    with stop_on_signal.StopOnSignal('run'):
      seen.append(signal.getsignal(signal.SIGTERM))

  thread = threading.Thread(target=run)
  thread.start()
  thread.join()
  assert seen == [former]
