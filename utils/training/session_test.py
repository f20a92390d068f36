"""Tests of the end of a session by signals, with real processes, and of its steady timer."""
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from deeplab.command_line import ending
from deeplab.core.checkpoints import restoring
from deeplab.core.tf_compat import tf
from deeplab.utils.training import session as train_session

# Far more than any of it takes on a busy machine.
_DEADLINE_SECS = 300

# Tells when steps begin; each ends with a line of the standard input, or with its end.
_PROGRAM = """
import sys
import numpy as np
from absl import logging
from deeplab.command_line import ending
from deeplab.core.tf_compat import tf
from deeplab.utils.training import session as train_session

logging.set_verbosity(logging.INFO)

def slow(step):
  print('step %d' % step, flush=True)
  sys.stdin.readline()
  return step

step = tf.train.get_or_create_global_step()
with tf.control_dependencies([tf.py_func(slow, [step], tf.int64)]):
  train_op = tf.assign_add(step, 1)
try:
  with train_session.StopOnSignal(sys.argv[1]) as stop:
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=sys.argv[1], hooks=[stop], log_step_count_steps=None,
        save_checkpoint_secs=3600, save_summaries_secs=None,
        save_summaries_steps=None) as session:
      while not session.should_stop():
        session.run(train_op)
except ending.Stopped as error:
  print('Stopped: %s' % error, flush=True)
  sys.exit(error.exit_code)
"""


class Run(object):
  """A process that trains; killed where it does not end in time."""

  def __init__(self, folder, preexec_fn=None):
    # Without buffers, from which `communicate` would not take what came early.
    self.process = subprocess.Popen(
        [sys.executable, '-c', _PROGRAM, str(folder)], bufsize=0, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=preexec_fn)
    self._deadline = threading.Timer(_DEADLINE_SECS, self.process.kill)
    self._deadline.start()

  def run_to_step(self, step, first=0):
    """Returns within a step; `first` is the one that runs, or that the process begins with."""
    self.process.stdin.write(b'\n' * (step - first))
    self._wait_for(self.process.stdout, b'step %d\n' % step)

  def send(self, number):
    """Sends a first signal; returns once the process has noticed it."""
    self.process.send_signal(number)
    self._wait_for(self.process.stderr, b'%s: saving and stopping after this step'
                   % signal.Signals(number).name.encode())

  def finish(self):
    """Lets all steps end; returns (exit code, standard output, standard error)."""
    out, err = self.process.communicate()
    self._deadline.cancel()
    return self.process.returncode, out.decode(), err.decode()

  def _wait_for(self, stream, text):
    for line in stream:
      if text in line:
        return
    raise AssertionError('Ended without %r:\n%r' % (text, self.finish()))


def saved_step(folder):
  return restoring.global_step(restoring.resolve_checkpoint(str(folder)))


@pytest.mark.parametrize('number, code', [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_after_the_step_and_tells_itself_in_the_exit_code(
    tmp_path, number, code):
  run = Run(tmp_path)
  run.run_to_step(2)
  run.send(number)
  exit_code, out, err = run.finish()
  assert exit_code == code, err
  # The step that was running is the last.
  assert not [line for line in out.splitlines() if line.startswith('step')]
  assert saved_step(tmp_path) == 3
  assert ('Stopped: stopped by %s; the weights are saved in %s. The same command continues'
          % (signal.Signals(number).name, tmp_path)) in out
  # The same command continues.
  run = Run(tmp_path)
  run.run_to_step(3, first=3)
  run.process.kill()
  run.finish()


def test_a_second_signal_ends_a_step_that_never_ends(tmp_path):
  run = Run(tmp_path)
  run.run_to_step(0)
  run.send(signal.SIGINT)
  assert run.process.poll() is None
  run.process.send_signal(signal.SIGINT)
  # Its standard input stays open.
  assert run.process.wait(_DEADLINE_SECS / 2) == 130
  _, _, err = run.finish()
  assert 'SIGINT again: ended at once.' in err
  assert saved_step(tmp_path) == 0


def test_ignored_signals_stay_ignored(tmp_path):
  run = Run(tmp_path, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
  run.run_to_step(1)
  run.process.send_signal(signal.SIGINT)
  run.run_to_step(6, first=1)
  run.send(signal.SIGTERM)
  assert run.finish()[0] == 143


def test_a_signal_before_the_session_stops_it_before_the_first_step():
  with tf.Graph().as_default():
    step = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    with pytest.raises(ending.Stopped) as caught:
      with train_session.StopOnSignal('run') as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        with tf.train.MonitoredSession(hooks=[stop]) as session:
          while not session.should_stop():
            session.run(step)
            raise AssertionError('A step was run.')
  assert caught.value.exit_code == 143


def test_handlers_are_put_back_and_errors_pass():
  former = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
  with pytest.raises(RuntimeError):
    with train_session.StopOnSignal('run'):
      assert signal.getsignal(signal.SIGINT) is not former[0]
      raise RuntimeError('x')
  assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == former
  assert signal.set_wakeup_fd(-1) == -1


def test_other_threads_watch_nothing():
  former = signal.getsignal(signal.SIGTERM)
  seen = []

  def run():
    with train_session.StopOnSignal('run'):
      seen.append(signal.getsignal(signal.SIGTERM))

  thread = threading.Thread(target=run)
  thread.start()
  thread.join()
  assert seen == [former]


def test_the_timer_triggers_by_the_steady_clock_alone(monkeypatch):
  steady = [100.0]
  monkeypatch.setattr(time, 'monotonic', lambda: steady[0])
  timer = train_session._SteadyTimer(every_secs=60)
  assert timer.should_trigger_for_step(7)
  assert timer.update_last_triggered_step(7) == (None, None)
  steady[0] += 59
  # The time of day jumps by a day.
  monkeypatch.setattr(time, 'time', lambda: 1e9)
  assert not timer.should_trigger_for_step(9)
  monkeypatch.setattr(time, 'time', lambda: 0.0)
  steady[0] += 1
  assert timer.should_trigger_for_step(9)
  assert not timer.should_trigger_for_step(7)
  assert timer.update_last_triggered_step(9) == (60, 2)
  assert timer.last_triggered_step() == 9
