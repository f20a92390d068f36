"""losses.csv: the course of a training run, one row per line of its log.

    step,total_loss,semantic_merged_logits,L2,learning_rate,...
    10,1.9463,1.8117,0.13459,0.05,...
"""
import csv
import io
import os

import numpy as np

from deeplab.core import files

FILE_NAME = 'losses.csv'
STEP = 'step'
TOTAL_LOSS = 'total_loss'

_FIRST_COLUMNS = (STEP, TOTAL_LOSS)
_LAST_COLUMNS = ('learning_rate', 'gradient_norm', 'images_per_sec', 'input_wait_share',
                 'wall_time')


class LossTable(object):
  """The table of a run that is going on; every row is on disk once it is appended."""

  def __init__(self, folder, parts, start_step):
    """Opens the table in `folder`, or makes it.

    Rows beyond start_step, of steps that are trained once more, and a row cut short are
    dropped. The columns of an existing table keep their places; new ones follow.

    Args:
      folder: existing folder.
      parts: names of the parts of the loss.
      start_step: global step that the run starts or continues at.
    """
    path = os.path.join(folder, FILE_NAME)
    columns, rows = _read_rows(path)
    for name in _FIRST_COLUMNS + tuple(parts) + _LAST_COLUMNS:
      if name not in columns:
        columns.append(name)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval='', lineterminator='\n')
    writer.writeheader()
    writer.writerows(row for row in rows if float(row[STEP]) <= start_step)
    files.write_text(path, text.getvalue())
    self._path, self._columns = path, columns

  def append(self, row):
    """Adds a row.

    Args:
      row: dict, column -> number; a column that is None or absent stays empty.
    """
    with open(self._path, 'a', encoding='utf-8', newline='') as f:
      csv.DictWriter(f, self._columns, restval='', lineterminator='\n').writerow(
          {name: _format(name, value) for name, value in row.items()})


def read(path):
  """Returns the columns of a losses.csv.

  Args:
    path: the file.

  Returns:
    dict, column -> [rows] float64 array; NaN where a cell is empty.

  Raises:
    ValueError: the file is missing, no such table, or has no rows; names it.
  """
  if not os.path.isfile(path):
    raise ValueError('No file %s.' % path)
  columns, rows = _read_rows(path)
  if not rows:
    raise ValueError('%s has no rows yet: the first comes after log_steps steps.' % path)
  return {name: np.array([float(row[name] or 'nan') for row in rows]) for name in columns}


def _read_rows(path):
  """Returns column names and whole rows (dicts of texts); [] and [] without a file."""
  try:
    with open(path, encoding='utf-8', newline='') as f:
      lines = f.read().split('\n')
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
    if len(row) != len(columns) or not all(
        _is_number(cell) or (not cell and name != STEP) for name, cell in row.items()):
      raise ValueError('%s, line %d: expected %d numbers, got %r. Correct or remove the line.'
                       % (path, number, len(columns), lines[number - 1][:80]))
  return columns, rows


def _is_number(cell):
  try:
    float(cell)
    return True
  except ValueError:
    return False


def _format(name, value):
  if value is None:
    return ''
  if name == STEP:
    return '%d' % value
  return '%.3f' % value if name == 'wall_time' else '%.6g' % value
