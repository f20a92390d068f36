"""How a program that cannot go on, or is told to stop, ends: with one line and an exit code."""
import os
import signal
import sys
import threading
import time

from absl import logging

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# What the program is called in the line, where that is not the name of its file.
_names = []


def call_program(name):
  """Sets what the program is called in its error line, such as 'deeplab train'."""
  _names[:] = [name]


def stop(error, code):
  """Writes an error (exception or text) as one line to stderr and exits with `code`.

  Runs of spaces and line ends become one space.
  """
  name = _names[0] if _names else os.path.basename(sys.argv[0])
  sys.stderr.write('%s: error: %s\n' % (name, ' '.join(str(error).split())))
  sys.stderr.flush()
  sys.exit(code)


class Stopped(KeyboardInterrupt):
  """A signal ends the program: what is unfinished is cleaned up as after Ctrl-C.

  Attributes:
    exit_code: 128 plus the number of the signal.
  """

  def __init__(self, message, signal_number):
    super().__init__(message)
    self.exit_code = 128 + signal_number


def stop_on_sigterm():
  """Has SIGTERM raise Stopped in the main thread; a second one ends the process at once."""
  signal.signal(signal.SIGTERM, _raise_stopped)


def _raise_stopped(number, unused_frame):
  signal.signal(number, signal.SIG_DFL)
  raise Stopped('terminated.', number)


class StopRequest(object):
  """Remembers the first SIGINT or SIGTERM within a `with` block; the second ends the process.

  At once, even within a step that never ends. Signals that are ignored, as SIGINT under nohup,
  stay so; outside the main thread nothing is watched.

  Attributes:
    number: of the signal, None before it.
    time: when it came, as time.monotonic() has it.
  """
  number = time = None
  _thread = None

  def __init__(self, note):
    """Prepares; `note` is what the log then says after the name of the signal."""
    self._note = note

  def __enter__(self):
    if threading.current_thread() is threading.main_thread():
      # Python calls handlers between its own instructions only, not within a step; the bytes
      # in the pipe come at once.
      self._reader, self._writer = os.pipe()
      os.set_blocking(self._writer, False)
      self._former = {number: signal.signal(number, self._remember) for number in _SIGNALS
                      if signal.getsignal(number) is not signal.SIG_IGN}
      self._former_wakeup = signal.set_wakeup_fd(self._writer)
      self._thread = threading.Thread(target=self._read_signals, daemon=True)
      self._thread.start()
    return self

  def __exit__(self, error_type, error, trace):
    if self._thread:
      signal.set_wakeup_fd(self._former_wakeup)
      for number, handler in self._former.items():
        signal.signal(number, handler)
      os.close(self._writer)
      self._thread.join()
      os.close(self._reader)

  def _remember(self, number, unused_frame):
    if not self.number:
      self.number, self.time = number, time.monotonic()

  def _read_signals(self):
    """Reads signal numbers until the pipe is closed; ends the process at the second."""
    is_first = True
    for number in iter(lambda: os.read(self._reader, 1), b''):
      number = number[0]
      if number not in _SIGNALS:
        continue
      name = signal.Signals(number).name
      if not is_first:
        sys.stderr.write('\n%s again: ended at once.\n' % name)
        sys.stderr.flush()
        os._exit(128 + number)
      is_first = False
      self._remember(number, None)
      logging.info('%s: %s; once more to stop at once.', name, self._note)
