"""Label maps of the Forma sets from the public datasets ATR and iMaterialist (Fashion).

A table lists (class of the Forma sets, classes of the public dataset); where one of these stands
in two rows, the later row wins. Body parts, class-id PNGs of the Forma classes, add to the labels.
"""
import csv
import os
import typing

import numpy as np

from deeplab.core.storage import errors, files, json_text
from deeplab.datasets import registry
from deeplab.datasets.labels import pairs
from deeplab.datasets.registry import FORMA_IGNORE_LABEL

ATR = (
    ('background', ('background',)),
    ('other', ('hat', 'sunglass', 'bag')),
    ('garment', ('upper-clothes', 'dress', 'skirt', 'pants', 'belt', 'scarf')),
    ('skin', ('face', 'left-leg', 'right-leg')),
    ('hair', ('hair',)),
    ('arms', ('left-arm', 'right-arm')),
    ('shoe', ('left-shoe', 'right-shoe')),
    ('pants', ('pants',)),
)

# The categories of iMaterialist (Fashion) 2019 and 2020.
FASHION = (
    ('other', ('glasses', 'hat', 'headband, head covering, hair accessory', 'glove', 'watch',
               'bag, wallet', 'umbrella')),
    ('garment', ('shirt, blouse', 'top, t-shirt, sweatshirt', 'sweater', 'cardigan', 'jacket',
                 'vest', 'coat', 'dress', 'jumpsuit', 'cape', 'tie', 'scarf', 'hood', 'collar',
                 'lapel', 'epaulette', 'pocket', 'neckline', 'buckle', 'zipper', 'applique',
                 'bead', 'bow', 'flower', 'fringe', 'ribbon', 'rivet', 'ruffle', 'sequin',
                 'tassel')),
    ('shoe', ('shoe', 'sock')),
    ('sleeves', ('sleeve',)),
    ('pants', ('pants', 'shorts', 'skirt', 'belt', 'tights, stockings', 'leg warmer')),
)

_COLUMNS = ('ImageId', 'EncodedPixels', 'Height', 'Width', 'ClassId')
csv.field_size_limit(1 << 30)  # Masks of large images are lines of megabytes.


def make_label_map(table, source_ids, where):
  """Returns a dict, id in the source -> class id of the Forma sets.

  `table` has rows (target class, source classes), e.g. `ATR`; `source_ids` is a dict, name of a
  source class -> its id, of the file `where`. Raises ValueError if the source lacks a class of the
  table, or has one that is not in it.
  """
  targets = {name: registry.FORMA_CLASSES.index(target)
             for target, names in table for name in names}
  missing = sorted(set(targets) - set(source_ids))
  unknown = sorted(set(source_ids) - set(targets))
  if missing or unknown:
    raise ValueError('%s does not have the classes expected: missing %s; not known %s.'
                     % (where, ', '.join(missing) or 'none', ', '.join(unknown) or 'none'))
  return {source_ids[name]: target for name, target in targets.items()}


def read_atr_classes(path):
  """Returns a dict, class name -> id, of `atr_label.txt`: name first, id last on each line.

  Raises ValueError if the file cannot be read, or a line is something else or repeats an id.
  """
  with errors.told('List of classes %r cannot be read' % path):
    rows = [line.split() for line in files.read_lines(path) if line]
  ids = {}
  for row in rows:
    if len(row) < 2 or not row[-1].isdigit():
      raise ValueError('%s: expected a class name and its id, got %r.' % (path, ' '.join(row)))
    if row[0] in ids or int(row[-1]) in ids.values():
      raise ValueError('%s: %r repeats a name or an id.' % (path, ' '.join(row)))
    ids[row[0]] = int(row[-1])
  return ids


def read_fashion_classes(path):
  """Returns a dict, category name -> id, of `label_descriptions.json`.

  Raises ValueError if the file cannot be read or holds something else.
  """
  content = json_text.read(path, 'Descriptions of classes')
  try:
    return {category['name']: int(category['id']) for category in content['categories']}
  except (KeyError, TypeError, ValueError) as error:
    raise ValueError('%s: expected a list `categories` of objects with name and id.'
                     % path) from error


class Painted(typing.NamedTuple):
  """The label source of a PNG of ids over whose class ids some of the parts are painted."""
  path: str  # PNG of ids.
  label_map: typing.Tuple[typing.Tuple[int, int], ...]  # Tuple of (id in the file, class id).
  parts_path: str  # PNG of class ids of the same size.
  classes: typing.Tuple[int, ...]  # Class ids taken from parts_path, in the order of painting.

  def read(self, unused_height, unused_width):
    """Returns the [height, width] uint8 class ids; sizes as in the files.

    Raises ValueError if a file cannot be used, a value has no mapping, or sizes differ.
    """
    labels, _ = pairs.map_ids(pairs.read_ids(self.path), dict(self.label_map),
                              len(registry.FORMA_CLASSES), FORMA_IGNORE_LABEL, self.path)
    parts = _read_parts(self.parts_path, labels.shape)
    for class_id in self.classes:
      labels[parts == class_id] = class_id
    return labels


class FashionIndex(object):
  """Where the rows of each image are in the CSV of iMaterialist (Fashion).

  Each row is one mask of one image: pixels as pairs of start and length, column by column, counted
  from 1. The file is too large to keep.
  """

  def __init__(self, path):
    """Reads the file line by line; raises ValueError if it cannot be read or lacks a column."""
    self.path = path
    self.offsets = {}  # Name of an image without extension -> tuple of byte offsets of its rows.
    with errors.told('Table of masks %r cannot be read' % path), open(path, 'rb') as f:
      first = f.readline()
      self._header = tuple(_parse_row(first))
      missing = [name for name in _COLUMNS if name not in self._header]
      if missing:
        raise ValueError('%s: the first line lacks the columns %s; it has %s.' % (
            path, ', '.join(missing), ', '.join(self._header)[:200]))
      offset = len(first)
      for line in f:
        if line.strip():
          name = self._image_of(line, offset)
          self.offsets[name] = self.offsets.get(name, ()) + (offset,)
        offset += len(line)
    if not self.offsets:
      raise ValueError('Table of masks %r has no rows.' % path)

  def label(self, name, targets, parts_path=None):
    """Returns the label source of an image, given by its name without extension.

    `targets` is a dict, category id -> class id; `parts_path` a PNG of body parts, class ids, or
    None.
    """
    return FashionLabel(self.path, self._header, name, self.offsets.get(name, ()),
                        tuple(sorted(targets.items())), parts_path)

  def _image_of(self, line, offset):
    column = self._header.index(_COLUMNS[0])
    # Ids of images have no commas: the long field need not be parsed here.
    cells = line.split(b',', column + 1)
    if len(cells) <= column:
      raise ValueError('%s: the row at byte %d is cut off: %r.' % (self.path, offset, line[:80]))
    return os.path.splitext(cells[column].strip(b'" \r\n').decode('utf-8'))[0]


class FashionLabel(typing.NamedTuple):
  """The label source of one image: masks by category, over body parts where they are given.

  A pixel belongs to the highest class id of all its masks and parts; one in no mask is what
  the parts say, or else ignored.
  """
  path: str  # The table of masks.
  header: typing.Tuple[str, ...]  # Names of the columns of the table.
  name: str  # Name of the image without extension.
  offsets: typing.Tuple[int, ...]  # Where in the table the rows of the image begin, in bytes.
  targets: typing.Tuple[typing.Tuple[int, int], ...]  # Tuple of (category id, class id).
  parts_path: typing.Optional[str] = None  # PNG of class ids, or None.

  def read(self, height, width):
    """Returns the [height, width] uint8 class ids.

    Raises ValueError if there are no rows, or a row or the parts do not fit the image.
    """
    if not self.offsets:
      raise ValueError('%s has no row of image %r.' % (self.path, self.name))
    # Signed, so that ignored is below every class and a maximum paints in class order.
    labels = np.full((height, width), -1, np.int16)
    if self.parts_path:
      parts = _read_parts(self.parts_path, (height, width)).astype(np.int16)
      labels = np.where(parts == FORMA_IGNORE_LABEL, labels, parts)
    with open(self.path, 'rb') as f:
      for offset in self.offsets:
        f.seek(offset)
        class_id, mask = self._mask(_parse_row(f.readline()), (height, width))
        np.maximum(labels, class_id, out=labels, where=mask)
    return np.where(labels < 0, FORMA_IGNORE_LABEL, labels).astype(np.uint8)

  def _mask(self, row, size):
    """Returns (class id, [height, width] bool) of a row."""
    where = '%s, image %r' % (self.path, self.name)
    try:
      _, pixels, height, width, category = [row[self.header.index(name)] for name in _COLUMNS]
      stated = int(float(height)), int(float(width))
      # Attributes may follow the category: 6_12_35.
      category = int(category.split('_')[0])
    except (ValueError, IndexError) as error:
      raise ValueError('%s: the row %.80r is not readable.' % (where, ','.join(row))) from error
    targets = dict(self.targets)
    if category not in targets:
      raise ValueError('%s: unknown category %d.' % (where, category))
    if stated != size:
      raise ValueError('%s: the masks are for %dx%d (height x width), the image is %dx%d.'
                       % ((where,) + stated + size))
    return targets[category], decode_runs(pixels, size, where)


def decode_runs(text, size, where):
  """Returns the [height, width] bool mask of 'start length start length ...'.

  Runs go along the columns, and the first pixel is 1; `size` is (height, width). Raises ValueError,
  begun by `where`, if these are not pairs of positive numbers, or a run leaves the image.
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
  bad = np.flatnonzero((starts < 1) | (lengths < 1) | (ends > height * width))
  if len(bad):
    raise ValueError('%s: the run of %d pixels from %d lies outside of the %d pixels of the '
                     'image (%dx%d).' % (where, lengths[bad[0]], starts[bad[0]], height * width,
                                         height, width))
  changes = np.zeros(height * width + 1, np.int32)
  np.add.at(changes, starts - 1, 1)
  np.add.at(changes, ends, -1)
  return (np.cumsum(changes[:-1]) > 0).reshape(width, height).T


def _parse_row(line):
  return next(csv.reader([line.decode('utf-8-sig').rstrip('\r\n')]), [])


def _read_parts(path, size):
  """Returns the values of a PNG of body parts; raises ValueError unless it has this size."""
  parts = pairs.read_ids(path)
  if parts.shape != tuple(size):
    raise ValueError('%s is %dx%d (height x width), expected %dx%d as its image.'
                     % ((path,) + parts.shape + tuple(size)))
  return parts
