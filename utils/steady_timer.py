"""When to save: by a clock that nobody sets."""
import time

from deeplab.core.tf_compat import tf


class SteadyTimer(tf.train.SecondOrStepTimer):
  """A timer of seconds that a change of the time of day neither stops nor triggers.

  That of TensorFlow saves nothing for an hour after the clock was set back by one.
  """

  def __init__(self, every_secs):
    """Makes a timer that triggers at its first step and then every so many seconds."""
    super(SteadyTimer, self).__init__(every_secs=every_secs)
    self._triggered_at = None

  def should_trigger_for_step(self, step):
    """Whether to act at a global step."""
    if self._last_triggered_step is None:
      return True
    return (step != self._last_triggered_step
            and time.monotonic() >= self._triggered_at + self._every_secs)

  def update_last_triggered_step(self, step):
    """Notes a step at which something was done; returns (seconds, steps) since the last."""
    now, last, at = time.monotonic(), self._last_triggered_step, self._triggered_at
    self._triggered_at, self._last_triggered_step = now, step
    return (None, None) if last is None else (now - at, step - last)
