"""SIGTERM and SIGINT end a program as exceptions, so that what is unfinished is cleaned up."""
import signal

from deeplab.command_line import ending

_AGAIN_SECS = 0.05


def raise_on_signals():
  """Has SIGTERM raise ending.Stopped in the main thread, and SIGINT KeyboardInterrupt.

  A second SIGTERM ends the process at once. SIGINT that is ignored, as under nohup, or has
  another handler stays as it is.
  """
  signal.signal(signal.SIGTERM, _terminate)
  if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _interrupt)


def _terminate(unused_number, frame):
  if _is_put_off(frame, _terminate):
    return
  signal.signal(signal.SIGTERM, signal.SIG_DFL)
  raise ending.Stopped('terminated.', signal.SIGTERM)


def _interrupt(unused_number, frame):
  if not _is_put_off(frame, _interrupt):
    raise KeyboardInterrupt


def _is_put_off(frame, handler):
  """Within a __del__, whose exceptions Python drops, has the handler called a moment later."""
  while frame is not None and frame.f_code.co_name != '__del__':
    frame = frame.f_back
  if frame is None:
    return False
  signal.signal(signal.SIGALRM, handler)
  signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECS)
  return True
