"""How a program that cannot go on ends: with one line and an exit code."""
import os
import signal
import sys

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT

# What the program is called in the line, where that is not the name of its file.
_names = []


class Stopped(KeyboardInterrupt):
  """A signal ended what runs; the message says what is left of it.

  Attributes:
    exit_code: what the process should exit with: 128 plus the number of the signal.
  """

  def __init__(self, message, signal_number):
    super(Stopped, self).__init__(message)
    self.exit_code = 128 + signal_number


def call_program(name):
  """Sets what the program is called in its error line, such as 'deeplab train'."""
  _names[:] = [name]


def program_name():
  """Returns what the program is called: the name given, else that of its file."""
  return _names[0] if _names else os.path.basename(sys.argv[0])


def stop(error, code):
  """Writes an error as one line to stderr and exits.

  Args:
    error: exception or text; runs of spaces and line ends become one space.
    code: exit code of the process.
  """
  sys.stderr.write('%s: error: %s\n' % (program_name(), ' '.join(str(error).split())))
  sys.stderr.flush()
  sys.exit(code)
