"""The session of a training: what it starts from, what it saves and when, in which process.

Ctrl-C and SIGTERM end it after its current step, with the weights saved.
"""
import os
import signal
import time

from absl import logging

from deeplab.command_line import ending
from deeplab.core import tf_compat
from deeplab.core.checkpoints import folder as checkpoint_folder
from deeplab.core.tf_compat import tf
from deeplab.utils.speed_and_memory import graph_rewrites, memory

_CHECKPOINT_NAME = 'model.ckpt'


class TrainSession(object):
  """Makes the session of a training graph, alone or as one of several workers."""

  def __init__(self, options, placement, start=None):
    """Prepares the session in the default graph, which must be complete.

    For the placement see `loop`; `start` is the initial_weights.Plan of a first start, or None.
    """
    self._options = options
    self._placement = placement
    # Relative paths hold in a copy of the folder too.
    self._saver = tf.train.Saver(max_to_keep=options.keep_checkpoint_max, save_relative_paths=True)
    self._scaffold = tf.train.Scaffold(
        saver=self._saver, ready_op=_ready_op(placement.replica),
        init_fn=None if start is None else lambda unused_scaffold, session: start.load(session))

  def save(self, session):
    """Saves a checkpoint out of turn."""
    self._saver.save(session, os.path.join(self._options.train_logdir, _CHECKPOINT_NAME),
                     global_step=tf.train.get_global_step(session.graph))

  def open(self, hooks, listeners):
    """Returns the monitored session, of SessionRunHooks and CheckpointSaverListeners."""
    logging.info('Starting the session: the weights are loaded.')
    memory.pool_cpu_memory()
    options, replica, clones = self._options, self._placement.replica, self._placement.clones
    config = graph_rewrites.session_config(options, clones and clones.session_config)
    hooks = [tf.train.StopAtStepHook(last_step=options.training_number_of_steps)] + hooks
    if self._placement.is_chief:
      saver = tf.train.CheckpointSaverHook(
          options.train_logdir, save_secs=options.save_interval_secs,
          scaffold=self._scaffold, listeners=listeners)
      summaries = tf.train.SummarySaverHook(
          save_secs=options.save_summaries_secs, scaffold=self._scaffold,
          output_dir=options.train_logdir)
      saver._timer = _SteadyTimer(options.save_interval_secs)
      summaries._timer = _SteadyTimer(options.save_summaries_secs)
      hooks += [saver, summaries]
    if replica:
      return replica.session(self._scaffold, hooks, config, options.train_logdir)
    return tf.train.MonitoredSession(checkpoint_folder.ChiefSessionCreator(
        self._scaffold, self._placement.master or '', config, options.train_logdir), hooks=hooks)


def _ready_op(replica):
  """Returns the operation that tells what a session waits for; None: TensorFlow's own."""
  if not replica or not replica.ready_variables():
    return None
  return tf.concat([tf.report_uninitialized_variables(),
                    tf.report_uninitialized_variables(replica.ready_variables())], 0)


class _SteadyTimer(object):
  """A timer, as TensorFlow has them, that a change of the time of day neither stops nor triggers.

  That of TensorFlow saves nothing for an hour after the clock was set back by one.
  """

  def __init__(self, every_secs):
    """Makes a timer that triggers at its first step and then every so many seconds."""
    self._every_secs = every_secs
    self._last = None  # (Time, step) of the last trigger.

  def should_trigger_for_step(self, step):
    """Whether to act at a global step."""
    if self._last is None:
      return True
    at, last_step = self._last
    return step != last_step and time.monotonic() >= at + self._every_secs

  def update_last_triggered_step(self, step):
    """Notes a step at which something was done; returns (seconds, steps) since the last."""
    last, self._last = self._last, (time.monotonic(), step)
    return (None, None) if last is None else (self._last[0] - last[0], step - last[1])

  def last_triggered_step(self):
    """Returns the step that was noted last, or None."""
    return self._last and self._last[1]


class StopOnSignal(ending.StopRequest, tf_compat.SessionRunHook):
  """Asks the session to stop after the step in which SIGINT or SIGTERM came.

  A context manager around the session, and a hook of it:

      with StopOnSignal(train_logdir) as stop:
        with tf.train.MonitoredTrainingSession(hooks=[stop, ...]) as session:
          ...

  The session saves as it does at the end of every run; then the block raises `ending.Stopped`.
  """

  def __init__(self, train_logdir, is_saving=True):
    """Prepares the hook of a process that saves into the folder, or leaves that to the chief."""
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
