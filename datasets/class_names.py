"""Reads class names and colours from a comma list or a file."""
import csv
import os

_HEADER = ['name', 'r', 'g', 'b']


def read_class_names(value):
  """Returns (class names or None, colours or None).

  Args:
    value: None or '', or names separated by commas, or the path of a text or CSV file with
      one class per line in the order of the ids: `name` or `name,r,g,b`; a first line
      `name,r,g,b` is a header.

  Returns:
    names: list of str, or None without `value`.
    colors: list of [r, g, b], or None without colours.

  Raises:
    ValueError: no such file, a line is something else, or a name is empty or repeated.
  """
  if not value:
    return None, None
  if os.path.isfile(value):
    return _read_file(value)
  if '/' in value or value.endswith(('.txt', '.csv')):
    raise ValueError('File of class names %r does not exist.' % value)
  names = [name.strip() for name in value.split(',')]
  _check_names(names, 'the class names %r' % value)
  return names, None


def _read_file(path):
  try:
    with open(path, encoding='utf-8-sig', newline='') as f:
      rows = [[cell.strip() for cell in row] for row in csv.reader(f)]
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise ValueError('Class names %r cannot be read: %s.' % (path, error)) from error
  rows = [row for row in rows if any(row)]
  if rows and [cell.lower() for cell in rows[0]] == _HEADER:
    rows = rows[1:]
  if not rows:
    raise ValueError('File of class names %r is empty.' % path)
  if len({len(row) for row in rows}) > 1 or len(rows[0]) not in (1, 4):
    raise ValueError('%r: every line must be `name`, or every line `name,r,g,b`; got %r.'
                     % (path, ','.join(next((r for r in rows if len(r) != len(rows[0])),
                                            rows[0]))))
  names = [row[0] for row in rows]
  _check_names(names, path)
  colors = [_color(row, path) for row in rows] if len(rows[0]) == 4 else None
  return names, colors


def _color(row, path):
  try:
    color = [int(cell) for cell in row[1:]]
  except ValueError:
    color = [-1]
  if min(color) < 0 or max(color) > 255:
    raise ValueError('%r: class %r has the colour %s, expected three integers in 0..255.'
                     % (path, row[0], ','.join(row[1:])))
  return color


def _check_names(names, where):
  for i, name in enumerate(names):
    if not name:
      raise ValueError('In %s, class %d has an empty name.' % (where, i))
    if name in names[:i]:
      raise ValueError('In %s, classes %d and %d are both called %r.'
                       % (where, names.index(name), i, name))
