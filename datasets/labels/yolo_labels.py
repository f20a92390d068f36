"""Label maps from the text files of YOLO: lines `class x1 y1 x2 y2 ...`, shares of the picture.

Reference: the format of segmentation datasets at docs.ultralytics.com/datasets/segment.
"""
import collections
import os
import typing

from deeplab.core.storage import errors, files
from deeplab.datasets.labels import areas
from deeplab.datasets.labels.label_sources import Unusable

# Where the names of class numbers stand, beside the labels or up to two folders above.
_NAME_FILES = ('data.yaml', 'data.yml', 'classes.txt', 'obj.names')
_FOLDERS_ABOVE = 2
NAME_STEMS = ('classes',)  # Files of names that are among the labels.
# Outlines may leave the picture somewhat; numbers of pixels are far beyond.
_LEAST_SHARE, _MOST_SHARE = -1, 2
_BOX_NUMBERS, _LEAST_NUMBERS = 4, 6


class YoloLabel(typing.NamedTuple):
  """The label source of one image; smaller areas lie on top of larger ones."""
  path: str  # Text file.
  # Tuple of (class number in the file, name, class id or None: not painted).
  classes: typing.Tuple[typing.Tuple[int, str, typing.Optional[int]], ...]
  unlabelled: int  # Id of pixels in no outline.
  boxes_as_areas: bool  # Whether lines of boxes are painted.

  def read(self, height, width):
    """Returns the label_sources.Drawing of [height, width] uint8 class ids.

    Raises ValueError if the file cannot be read, or pycocotools is not installed.
    """
    found, left_out = [], []
    known = {number: (name, class_id) for number, name, class_id in self.classes}
    for number, words in _rows(self.path):
      name = '%s line %d' % (os.path.basename(self.path), number)
      try:
        if _class_number(words[0]) not in known:
          raise Unusable('a class number that is none of %s' % ', '.join(map(str, known)))
        class_name, class_id = known[_class_number(words[0])]
        name += ' (%s)' % class_name
        if class_id is not None:
          found.append(areas.Area(name, class_id, self._segmentation(words[1:], height, width)))
      except Unusable as error:
        left_out.append((name, str(error)))
    return areas.draw(found, (height, width), self.unlabelled, left_out)

  def _segmentation(self, words, height, width):
    try:
      numbers = [float(word) for word in words]
    except ValueError as error:
      raise Unusable('words that are not numbers') from error
    # Written so that NaN is refused too.
    if not all(_LEAST_SHARE <= number <= _MOST_SHARE for number in numbers):
      raise Unusable('numbers that are no shares, 0 to 1, of width and height')
    scaled = [number * (height if i % 2 else width) for i, number in enumerate(numbers)]
    if len(numbers) == _BOX_NUMBERS:
      if not self.boxes_as_areas:
        raise Unusable(areas.BOX_ALONE)
      x, y, box_width, box_height = scaled
      return areas.box_segmentation([x - box_width / 2, y - box_height / 2, box_width, box_height])
    if len(numbers) < _LEAST_NUMBERS or len(numbers) % 2:
      raise Unusable('%d numbers behind the class, expected 4 (a box) or 6, 8, ... (an '
                           'outline)' % len(numbers))
    return [scaled]


def find_names(folder):
  """Returns (dict, class number -> name, its file) for a folder of labels, or (None, None).

  Raises ValueError if the file that is found cannot be used.
  """
  folder = files.absolute(folder)
  for _ in range(1 + _FOLDERS_ABOVE):
    for name in _NAME_FILES:
      path = os.path.join(folder, name)
      if files.is_file(path):
        names = _yaml_names(path) if name.startswith('data') else dict(enumerate(
            ' '.join(words) for _, words in _rows(path)))
        return {i: str(value) for i, value in names.items()}, path
    folder = os.path.dirname(folder)
  return None, None


def count_numbers(paths):
  """Returns a Counter, class number -> number of lines in text files of YOLO."""
  counts = collections.Counter(_class_number(words[0]) for path in paths
                               for _, words in _rows(path))
  counts.pop(None, None)
  return counts


def _rows(path):
  """Returns (number from 1, words) of the lines of a text file that are not empty."""
  with errors.told('%s cannot be read as text' % path):
    lines = files.read_lines(path)
  return [(i + 1, line.split()) for i, line in enumerate(lines) if line.strip()]


def _class_number(word):
  """Returns the class number that a word is, such as 3 or 3.0, or None."""
  try:
    return int(float(word)) if float(word).is_integer() else None
  except (ValueError, OverflowError):
    return None


def _yaml_names(path):
  try:
    import yaml
  except ImportError as error:
    raise ValueError('%s needs PyYAML to be read: pip install "deeplab[yolo]"; or name the '
                     'classes with --class_names and take the file away.' % path) from error
  with errors.told('%s cannot be read as YAML' % path, OSError, UnicodeDecodeError,
                   yaml.YAMLError):
    content = yaml.safe_load(files.read_text(path))
  names = content.get('names') if isinstance(content, dict) else None
  if isinstance(names, list):
    names = dict(enumerate(names))
  if not names or not isinstance(names, dict) or not all(type(key) is int for key in names):
    raise ValueError('%s: expected `names`, a list of class names or lines `number: name`; got '
                     '%.80r.' % (path, names))
  if content.get('kpt_shape'):
    raise ValueError('%s describes keypoints (kpt_shape); expected outlines of objects.' % path)
  return names
