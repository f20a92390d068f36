"""Ctrl-C and SIGTERM end a training run after its current step, with the weights saved."""
import signal

from deeplab.command_line import ending
from deeplab.core import tf_compat


class StopOnSignal(ending.StopRequest, tf_compat.SessionRunHook):
  """Asks the session to stop after the step in which SIGINT or SIGTERM came.

  A context manager around the session, and a hook of it:

      with StopOnSignal(train_logdir) as stop:
        with tf.train.MonitoredTrainingSession(hooks=[stop, ...]) as session:
          ...

  The session saves as it does at the end of every run; then the block raises `ending.Stopped`.
  """

  def __init__(self, train_logdir, is_saving=True):
    """Prepares the hook.

    Args:
      train_logdir: folder of the checkpoints.
      is_saving: whether this process is the one that saves.
    """
    super().__init__('saving and stopping after this step')
    self._train_logdir = train_logdir
    self._is_saving = is_saving

  def __exit__(self, error_type, error, trace):
    super().__exit__(error_type, error, trace)
    if error_type is None and self.number:
      raise ending.Stopped(
          ('stopped by %s; the weights are saved in %s. The same command continues there.'
           if self._is_saving else 'stopped by %s; the chief saves the weights in %s.')
          % (signal.Signals(self.number).name, self._train_logdir), self.number)

  def after_create_session(self, session, coord):
    if self.number:
      coord.request_stop()

  def after_run(self, run_context, run_values):
    if self.number:
      run_context.request_stop()
