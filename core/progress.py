"""Progress bars, on terminals and in log files."""
import sys

import tqdm

_TERMINAL_INTERVAL_SECS = 0.5
# A log file keeps every state of the bar.
_LOG_INTERVAL_SECS = 30.0


def bar(description, total=None):
  """Returns a tqdm bar on stderr that counts images, with rate and time left.

  Args:
    description: what is being done, e.g. 'evaluating'.
    total: number of images, or None where it is not known.
  """
  is_terminal = sys.stderr is not None and sys.stderr.isatty()
  return tqdm.tqdm(
      desc=description, total=total, unit='image',
      mininterval=_TERMINAL_INTERVAL_SECS if is_terminal else _LOG_INTERVAL_SECS)
