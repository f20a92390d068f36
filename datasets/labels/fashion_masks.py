"""Label maps from the run-length masks of the iMaterialist (Fashion) release.

Each row of its CSV is one mask of one image: pixels as pairs of start and length, column by
column, counted from 1. The file is too large to keep: an index remembers where the rows are.
"""
import csv
import os
import typing

import numpy as np

from deeplab.core.storage import json_text
from deeplab.datasets.labels import label_sources
from deeplab.datasets.registry import FORMA_IGNORE_LABEL

_IMAGE, _PIXELS, _HEIGHT, _WIDTH, _CLASS = _COLUMNS = (
    'ImageId', 'EncodedPixels', 'Height', 'Width', 'ClassId')
# Masks of large images are lines of megabytes.
csv.field_size_limit(1 << 30)


def read_categories(path):
  """Returns a dict, category name -> id, of `label_descriptions.json`.

  Raises:
    ValueError: the file cannot be read or holds something else.
  """
  content = json_text.read(path, 'Descriptions of classes')
  try:
    return {category['name']: int(category['id']) for category in content['categories']}
  except (KeyError, TypeError, ValueError) as error:
    raise ValueError('%s: expected a list `categories` of objects with name and id.'
                     % path) from error


class Index(object):
  """Where the rows of each image are in the CSV.

  Attributes:
    path: the CSV file.
    offsets: dict, name of an image without extension -> tuple of byte offsets of its rows.
  """

  def __init__(self, path):
    """Reads the file once, line by line.

    Raises:
      ValueError: the file cannot be read or lacks a column.
    """
    self.path = path
    self.offsets = {}
    try:
      with open(path, 'rb') as f:
        header = f.readline()
        self._columns = self._find_columns(_parse_row(header))
        offset = len(header)
        for line in f:
          if line.strip():
            name = self._image_of(line, offset)
            self.offsets[name] = self.offsets.get(name, ()) + (offset,)
          offset += len(line)
    except (OSError, UnicodeDecodeError) as error:
      raise ValueError('Table of masks %r cannot be read: %s.' % (path, error)) from error
    if not self.offsets:
      raise ValueError('Table of masks %r has no rows.' % path)

  def label(self, name, targets, parts_path=None):
    """Returns the label source of an image.

    Args:
      name: name of the image without extension.
      targets: dict, category id -> class id.
      parts_path: PNG of body parts, class ids, or None.
    """
    return FashionLabel(self.path, self._columns, name, self.offsets.get(name, ()),
                        tuple(sorted(targets.items())), parts_path)

  def _find_columns(self, header):
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
      raise ValueError('%s: the first line lacks the columns %s; it has %s.'
                       % (self.path, ', '.join(missing), ', '.join(header)[:200]))
    return tuple(header.index(name) for name in _COLUMNS)

  def _image_of(self, line, offset):
    column = self._columns[0]
    # Ids of images have no commas: the long field need not be parsed here.
    cells = line.split(b',', column + 1)
    if len(cells) <= column:
      raise ValueError('%s: the row at byte %d is cut off: %r.' % (self.path, offset,
                                                                  line[:80]))
    return os.path.splitext(cells[column].strip(b'" \r\n').decode('utf-8'))[0]


class FashionLabel(typing.NamedTuple):
  """The label source of one image: masks by category, over body parts where they are given.

  A pixel belongs to the highest class id of all its masks and parts; one in no mask is what
  the parts say, or else ignored.

  Attributes:
    csv_path: the table of masks.
    columns: where the table has image, pixels, height, width and class.
    name: name of the image without extension.
    offsets: where in csv_path the rows of the image begin, in bytes.
    targets: tuple of (category id, class id).
    parts_path: PNG of class ids, or None.
  """
  csv_path: str
  columns: typing.Tuple[int, ...]
  name: str
  offsets: typing.Tuple[int, ...]
  targets: typing.Tuple[typing.Tuple[int, int], ...]
  parts_path: typing.Optional[str] = None

  def paths(self):
    """Returns the table and, if there is one, the PNG of parts."""
    return [self.csv_path] + ([self.parts_path] if self.parts_path else [])

  def read(self, height, width):
    """Returns the [height, width] uint8 class ids.

    Raises:
      ValueError: there are no rows, or a row or the parts do not fit the image.
    """
    if not self.offsets:
      raise ValueError('%s has no row of image %r.' % (self.csv_path, self.name))
    # Signed, so that ignored is below every class and a maximum paints in class order.
    labels = np.full((height, width), -1, np.int16)
    if self.parts_path:
      parts = label_sources.read_parts(self.parts_path, (height, width)).astype(np.int16)
      labels = np.where(parts == FORMA_IGNORE_LABEL, labels, parts)
    targets = dict(self.targets)
    with open(self.csv_path, 'rb') as f:
      for offset in self.offsets:
        f.seek(offset)
        class_id, mask = self._mask(_parse_row(f.readline()), targets, (height, width))
        np.maximum(labels, class_id, out=labels, where=mask)
    return np.where(labels < 0, FORMA_IGNORE_LABEL, labels).astype(np.uint8)

  def _mask(self, row, targets, size):
    """Returns (class id, [height, width] bool) of a row."""
    where = '%s, image %r' % (self.csv_path, self.name)
    try:
      _, pixels, height, width, category = [row[i] for i in self.columns]
      stated = int(float(height)), int(float(width))
      # Attributes may follow the category: 6_12_35.
      category = int(category.split('_')[0])
    except (ValueError, IndexError) as error:
      raise ValueError('%s: the row %.80r is not readable.' % (where, ','.join(row))) from error
    if category not in targets:
      raise ValueError('%s: unknown category %d.' % (where, category))
    if stated != tuple(size):
      raise ValueError('%s: the masks are for %dx%d (height x width), the image is %dx%d.'
                       % ((where,) + stated + tuple(size)))
    return targets[category], decode_runs(pixels, size, where)


def decode_runs(text, size, where):
  """Returns the [height, width] bool mask of 'start length start length ...'.

  Args:
    text: runs along the columns; the first pixel is 1.
    size: (height, width).
    where: begins the message of errors.

  Raises:
    ValueError: not pairs of positive numbers, or a run leaves the image.
  """
  height, width = size
  try:
    numbers = np.array(text.split(), np.int64)
  except (ValueError, OverflowError) as error:
    raise ValueError('%s: run lengths %.60r are not integers.' % (where, text)) from error
  if len(numbers) % 2 or not len(numbers):
    raise ValueError('%s: run lengths must be pairs of start and length, got %d numbers.'
                     % (where, len(numbers)))
  starts, lengths = numbers[0::2], numbers[1::2]
  ends = starts - 1 + lengths
  bad = (starts < 1) | (lengths < 1) | (ends > height * width)
  if bad.any():
    first = np.flatnonzero(bad)[0]
    raise ValueError('%s: the run of %d pixels from %d lies outside of the %d pixels of the '
                     'image (%dx%d).' % (where, lengths[first], starts[first], height * width,
                                         height, width))
  changes = np.zeros(height * width + 1, np.int32)
  np.add.at(changes, starts - 1, 1)
  np.add.at(changes, ends, -1)
  return (np.cumsum(changes[:-1]) > 0).reshape(width, height).T


def _parse_row(line):
  return next(csv.reader([line.decode('utf-8-sig').rstrip('\r\n')]), [])
