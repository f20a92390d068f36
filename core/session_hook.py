"""The base of hooks, as `tf.train.SessionRunHook`, which is there before TensorFlow is loaded."""


class SessionRunHook(object):
  """What a `tf.train.MonitoredSession` calls; all of it does nothing."""

  def begin(self):
    """Is called before the graph is final."""

  def after_create_session(self, session, coord):
    """Is called with each new session."""

  def before_run(self, run_context):
    """Returns the `tf.train.SessionRunArgs` of what a step runs besides, or None."""

  def after_run(self, run_context, run_values):
    """Is called after each step."""

  def end(self, session):
    """Is called at the end, while there is a session."""
