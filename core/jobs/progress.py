"""Progress bars, on terminals and in log files."""
import contextlib
import sys

import tqdm
from absl import logging

_TERMINAL_INTERVAL_SECS = 0.5
# A log file keeps every state of the bar.
_LOG_INTERVAL_SECS = 30.0


def bar(description, total=None, unit='image', initial=0, only_on_terminals=False):
  """Returns a tqdm bar on stderr that counts images, with rate and time left.

  `description` says what is being done, e.g. 'evaluating'; `total` is None where it is not known;
  `unit` is what is counted; `initial` is the count to start at. With `only_on_terminals` nothing is
  shown where stderr is no terminal.
  """
  is_terminal = sys.stderr is not None and sys.stderr.isatty()
  return tqdm.tqdm(
      desc=description, total=total, unit=unit, initial=initial,
      disable=only_on_terminals and not is_terminal,
      mininterval=_TERMINAL_INTERVAL_SECS if is_terminal else _LOG_INTERVAL_SECS)


@contextlib.contextmanager
def log_lines_above_bars():
  """Writes log lines above the bars of a terminal instead of into them."""
  handler = logging.get_absl_handler()
  handle = handler.handle

  def handle_above(record):
    with tqdm.tqdm.external_write_mode(file=sys.stderr):
      return handle(record)

  handler.handle = handle_above
  try:
    yield
  finally:
    handler.handle = handle


def format_rate(per_second):
  """Returns a rate as text with two digits that count at least: 123.4, 5.6, 0.034."""
  return '%.1f' % per_second if per_second >= 1 else '%.2g' % per_second
