"""Reads class names and colours from a comma list or a file."""
import csv
import os
import re
import typing

from deeplab.core.storage import errors, files

_HEADER = ['name', 'r', 'g', 'b']
# Lines of tables as other programs write them: labelmap.txt of CVAT, label_colors.txt of CamVid.
_OTHER_LINES = (
    re.compile(r'(?P<name>[^#].*?):(?P<r>\d+),(?P<g>\d+),(?P<b>\d+):[^:]*:[^:]*'),
    re.compile(r'(?P<r>\d+)\s+(?P<g>\d+)\s+(?P<b>\d+)\s+(?P<name>\S.*)'))
_COMMENT = '#'
BACKGROUND = 'background'
BACKGROUND_NAMES = (BACKGROUND, '_background_')
# Rows and annotations called so are pixels that do not count.
IGNORE_NAMES = ('ignore', '__ignore__')


class ColorTable(typing.NamedTuple):
  """What the colours of label pictures mean."""
  class_names: typing.List[str]  # One name per class id.
  # One [r, g, b] per class id, the first of each class.
  class_colors: typing.List[typing.List[int]]
  colors: typing.Tuple[typing.Tuple[int, int, int], ...]  # Tuple of (r, g, b), all of them.
  ids: typing.Tuple[int, ...]  # Tuple of the class id, or ignore label, of each of `colors`.


def read_class_names(value):
  """Returns (list of class names or None, list of [r, g, b] or None without colours).

  `value` is None or '', or names separated by commas, or the path of a text or CSV file with one
  class per line in the order of the ids: `name` or `name,r,g,b`; a first line `name,r,g,b` is a
  header. Or lines `id,name` from 0 on, as in _classes.csv of Roboflow; or a labelmap.txt of CVAT or
  label_colors.txt of CamVid. Raises ValueError if there is no such file, a line is something else,
  or a name is empty or repeated.
  """
  if not value:
    return None, None
  if os.path.isfile(value):
    where, (names, colors) = value, _read_file(value)
  elif '/' in value or value.endswith(('.txt', '.csv')):
    raise ValueError('File of class names %r does not exist.' % value)
  else:
    where, colors = 'the class names %r' % value, None
    names = [name.strip() for name in value.split(',')]
  for i, name in enumerate(names):
    if not name:
      raise ValueError('In %s, class %d has an empty name.' % (where, i))
    if name in names[:i]:
      raise ValueError('In %s, classes %d and %d are both called %r.'
                       % (where, names.index(name), i, name))
  return names, colors


def read_color_table(path, ignore_label):
  """Returns the ColorTable of a CSV file of lines `name,r,g,b`, or of a table of CVAT or CamVid.

  Class ids follow the order of the lines. Several lines may have one name; those called `ignore`
  are pixels that do not count. Raises ValueError if there is no such file, a line is something
  else, a colour is there twice, or there are no classes.
  """
  names, class_colors, colors, ids = [], [], [], []
  for row in _read_rows(path):
    if len(row) != len(_HEADER) or not row[0]:
      raise ValueError('%r: every line must be `name,r,g,b`; got %r.' % (path, ','.join(row)))
    name, color = row[0], _color(row, path)
    if tuple(color) in colors:
      raise ValueError('%r: the colour %s is there twice, the second time for %r.'
                       % (path, ','.join(row[1:]), name))
    if name not in names and name not in IGNORE_NAMES:
      names.append(name)
      class_colors.append(color)
    colors.append(tuple(color))
    ids.append(ignore_label if name in IGNORE_NAMES else names.index(name))
  if not names:
    raise ValueError('%r: all lines are ignored ones, there are no classes.' % path)
  return ColorTable(names, class_colors, tuple(colors), tuple(ids))


def _read_rows(path):
  """Returns the cells of the lines of a CSV file, without a header and empty lines."""
  with errors.told('Class names %r cannot be read' % path, OSError, UnicodeDecodeError,
                   csv.Error):
    lines = [line for line in files.read_lines(path) if line]
    rows = _other_rows(lines) or [
        [cell.strip() for cell in row] for row in csv.reader(lines)]
  rows = [row for row in rows if any(row)]
  if rows and [cell.lower() for cell in rows[0]] == _HEADER:
    rows = rows[1:]
  if not rows:
    raise ValueError('File of class names %r is empty.' % path)
  return rows


def _other_rows(lines):
  """Returns rows as of `name,r,g,b`; [] where not all lines are of another program's table."""
  for pattern in _OTHER_LINES:
    matches = [pattern.fullmatch(line) for line in lines if not line.startswith(_COMMENT)]
    if matches and all(matches):
      return [[match.group(name).strip() for name in _HEADER] for match in matches]
  return []


def _without_ids(rows):
  """Returns rows `name` of rows `id,name`, whose ids must count from 0; others unchanged."""
  if any(len(row) != 2 for row in rows):
    return rows
  numbered = rows if rows[0][0].isdigit() else rows[1:]
  has_ids = numbered and all(row[0] == str(i) for i, row in enumerate(numbered))
  return [row[1:] for row in numbered] if has_ids else rows


def _read_file(path):
  rows = _without_ids(_read_rows(path))
  odd = [row for row in rows if len(row) not in (1, 4) or len(row) != len(rows[0])]
  if odd:
    raise ValueError('%r: every line must be `name`, or every line `name,r,g,b`; got %r.'
                     % (path, ','.join(odd[0])))
  colors = [_color(row, path) for row in rows] if len(rows[0]) == 4 else None
  return [row[0] for row in rows], colors


def _color(row, path):
  try:
    color = [int(cell) for cell in row[1:]]
  except ValueError:
    color = [-1]
  if min(color) < 0 or max(color) > 255:
    raise ValueError('%r: class %r has the colour %s, expected three integers in 0..255.'
                     % (path, row[0], ','.join(row[1:])))
  return color
