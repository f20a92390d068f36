"""Ctrl-C and SIGTERM end a training run after its current step, with the weights saved."""
import os
import signal
import sys
import threading

from absl import logging

from deeplab.command_line import ending
from deeplab.core import tf_compat

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopOnSignal(tf_compat.SessionRunHook):
  """Asks the session to stop after the step in which SIGINT or SIGTERM came.

  A context manager around the session, and a hook of it:

      with StopOnSignal(train_logdir) as stop:
        with tf.train.MonitoredTrainingSession(hooks=[stop, ...]) as session:
          ...

  The session saves as it does at the end of every run; then the block raises ending.Stopped. A
  second signal ends the process at once, even within a step that never ends. Signals that
  are ignored, as SIGINT under nohup, stay so; outside the main thread nothing is watched.
  """

  def __init__(self, train_logdir, is_saving=True):
    """Prepares the hook.

    Args:
      train_logdir: folder of the checkpoints.
      is_saving: whether this process is the one that saves.
    """
    self._train_logdir = train_logdir
    self._is_saving = is_saving
    self._signal_number = None
    self._former = {}

  def __enter__(self):
    if threading.current_thread() is threading.main_thread():
      self._watch()
    return self

  def __exit__(self, error_type, error, trace):
    if self._former:
      self._unwatch()
    if error_type is None and self._signal_number:
      raise ending.Stopped(
          ('stopped by %s; the weights are saved in %s. The same command continues there.'
           if self._is_saving else 'stopped by %s; the chief saves the weights in %s.')
          % (signal.Signals(self._signal_number).name, self._train_logdir),
          self._signal_number)

  @property
  def is_requested(self):
    """Whether a signal has asked to stop."""
    return self._signal_number is not None

  def after_create_session(self, session, coord):
    if self._signal_number:
      coord.request_stop()

  def after_run(self, run_context, run_values):
    if self._signal_number:
      run_context.request_stop()

  def _watch(self):
    # Python calls handlers between its own instructions only, not within a step; the bytes
    # in the pipe come at once.
    self._reader, self._writer = os.pipe()
    os.set_blocking(self._writer, False)
    for number in _SIGNALS:
      if signal.getsignal(number) is not signal.SIG_IGN:
        self._former[number] = signal.signal(number, self._remember)
    self._former_wakeup = signal.set_wakeup_fd(self._writer)
    self._thread = threading.Thread(target=self._read_signals, daemon=True)
    self._thread.start()

  def _unwatch(self):
    signal.set_wakeup_fd(self._former_wakeup)
    for number, handler in self._former.items():
      signal.signal(number, handler)
    self._former = {}
    os.close(self._writer)
    self._thread.join()
    os.close(self._reader)

  def _remember(self, number, unused_frame):
    self._signal_number = self._signal_number or number

  def _read_signals(self):
    """Reads signal numbers until the pipe is closed; ends the process at the second."""
    is_first = True
    while True:
      numbers = os.read(self._reader, 1)
      if not numbers:
        return
      number = numbers[0]
      if number not in _SIGNALS:
        continue
      if not is_first:
        sys.stderr.write('\n%s again: ended at once.\n' % signal.Signals(number).name)
        sys.stderr.flush()
        os._exit(128 + number)
      is_first = False
      self._remember(number, None)
      logging.info('%s: saving and stopping after this step; once more to stop at once.',
                   signal.Signals(number).name)
