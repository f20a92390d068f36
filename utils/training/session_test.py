"""Tests of the timer of checkpoints, with clocks that jump."""
import time

from deeplab.utils.training import session


def test_it_triggers_by_the_steady_clock_alone(monkeypatch):
  steady = [100.0]
  monkeypatch.setattr(time, 'monotonic', lambda: steady[0])
  timer = session._SteadyTimer(every_secs=60)
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
