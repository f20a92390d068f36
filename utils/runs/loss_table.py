"""losses.csv: the course of a training run, one row per line of its log.

    step,total_loss,semantic_merged_logits,regularization,learning_rate,...
    10,1.9463,1.8117,0.13459,0.05,...
"""
import csv
import io
import os
import time

import numpy as np

from deeplab.command_line import flag_reading
from deeplab.core.storage import files

FILE_NAME = 'losses.csv'
STEP = 'step'
TOTAL_LOSS = 'total_loss'

# Between two writes of a table beyond this machine, which is written as a whole.
_REMOTE_INTERVAL_SECS = 30.
_FIRST_COLUMNS = (STEP, TOTAL_LOSS)
_LAST_COLUMNS = ('learning_rate', 'gradient_norm', 'images_per_sec', 'input_wait_share',
                 'wall_time')


class LossTable(object):
  """The table of a run that is going on.

  Every row is on disk once it is appended. A table beyond this machine, which cannot be appended
  to, is written anew now and then, and by `flush`.
  """

  def __init__(self, folder, parts, start_step):
    """Opens the table in an existing folder, or makes it.

    Rows beyond `start_step`, at which the run starts or continues, are of steps trained once more:
    they are dropped, and so is a row cut short. The columns of an existing table keep their places;
    new ones, of `parts` (names of the parts of the loss), follow.
    """
    self._path = os.path.join(folder, FILE_NAME)
    columns, rows = _read_rows(self._path)
    for name in _FIRST_COLUMNS + tuple(parts) + _LAST_COLUMNS:
      if name not in columns:
        columns.append(name)
    # Kept where the file cannot be appended to.
    self._text = io.StringIO() if files.is_remote(self._path) else None
    self._written_at = time.monotonic()
    self._columns = columns
    kept = self._lines([row for row in rows if float(row[STEP]) <= start_step], with_header=True)
    if self._text is not None:
      self._text.write(kept)
    files.write_text(self._path, kept)

  def append(self, row):
    """Adds a row, dict of column -> number; a column that is None or absent stays empty."""
    line = self._lines([{name: _format(name, value) for name, value in row.items()}])
    if self._text is None:
      files.append_text(self._path, line)
      return
    self._text.write(line)
    if time.monotonic() - self._written_at >= _REMOTE_INTERVAL_SECS:
      self.flush()

  def flush(self):
    """Writes the rows that are not on disk yet."""
    if self._text is not None:
      files.write_text(self._path, self._text.getvalue())
      self._written_at = time.monotonic()

  def _lines(self, rows, with_header=False):
    text = io.StringIO()
    writer = csv.DictWriter(text, self._columns, restval='', lineterminator='\n')
    if with_header:
      writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read(path):
  """Returns the columns of a losses.csv: dict, name -> [rows] float64 array, NaN for empty cells.

  Raises ValueError if the file is missing, no such table, or has no rows; names it.
  """
  if not files.is_file(path):
    raise ValueError('No file %s.' % path)
  columns, rows = _read_rows(path)
  if not rows:
    raise ValueError('%s has no rows yet: the first comes after log_steps steps.' % path)
  return {name: np.array([float(row[name] or 'nan') for row in rows]) for name in columns}


def _read_rows(path):
  """Returns column names and whole rows (dicts of texts); [] and [] without a file."""
  try:
    lines = files.read_text(path).split('\n')
  except FileNotFoundError:
    return [], []
  # What follows the last line end was cut short.
  records = list(csv.reader(lines[:-1]))
  if not records:
    return [], []
  columns = records[0]
  if columns[:2] != list(_FIRST_COLUMNS) or len(set(columns)) != len(columns):
    raise ValueError('%s is no table of losses: its first line must begin with %s, it is %r. '
                     'Move the file away.' % (path, ','.join(_FIRST_COLUMNS), lines[0][:80]))
  rows = [dict(zip(columns, record)) for record in records[1:]]
  for number, row in enumerate(rows, 2):
    cells = [cell or 'nan' for cell in row.values()]
    if len(row) != len(columns) or not row[STEP] or not flag_reading.numbers_of(cells):
      raise ValueError('%s, line %d: expected %d numbers, got %r. Correct or remove the line.'
                       % (path, number, len(columns), lines[number - 1][:80]))
  return columns, rows


def _format(name, value):
  if value is None:
    return ''
  if name == STEP:
    return '%d' % value
  return '%.3f' % value if name == 'wall_time' else '%.6g' % value
