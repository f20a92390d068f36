"""`dataset_info.json`: what the builders leave beside the records and the readers pick up."""
import json
import os
import re
import typing

from deeplab.core import colormaps
from deeplab.core.storage import files, json_text

FILE_NAME = 'dataset_info.json'
_FORMAT_VERSION = 1
_NUMBER_LIST = re.compile(r'\[[\d,\s]+\]')


class SplitInfo(typing.NamedTuple):
  """What is known about the records of one split; None where a `described` file does not tell."""
  num_examples: int  # Number of records.
  num_shards: typing.Optional[int] = None  # Number of shard files.
  # {'min': [height, width], 'median': ..., 'max': ...}, each side on its own.
  image_sizes: typing.Optional[typing.Dict[str, typing.List[int]]] = None
  # Number of label pixels per class id.
  class_pixel_counts: typing.Optional[typing.List[int]] = None
  num_ignored_pixels: typing.Optional[int] = None  # Number of label pixels of the ignore label.
  # Per class id, number of labelled pixels of the label maps that hold the class; None in files of
  # earlier versions.
  present_pixel_counts: typing.Optional[typing.List[int]] = None


class DatasetInfo(typing.NamedTuple):
  """A dataset as its builder left it."""
  name: str  # Name of the dataset.
  num_classes: int  # Number of class ids.
  ignore_label: int  # Label value that takes no part in training and evaluation.
  class_names: typing.Optional[typing.List[str]] = None  # One name per class id, or None.
  # Name in `colormaps.COLORMAPS`, list of [r, g, b] per class id, or None.
  colormap: typing.Union[None, str, typing.List[typing.List[int]]] = None
  splits: typing.Dict[str, SplitInfo] = {}  # Dict, split name -> SplitInfo.
  # [lowest, highest] value of images of more than 8 bits, which became black and white in the
  # records; None where there were no such images.
  image_range: typing.Optional[typing.List[float]] = None


def path_in(dataset_dir):
  """Returns the path of the info file in `dataset_dir`."""
  return os.path.join(dataset_dir, FILE_NAME)


def read(dataset_dir):
  """Returns the DatasetInfo in `dataset_dir`, or None where there is no such file.

  Raises ValueError if the file is malformed; names file and field.
  """
  path = path_in(dataset_dir)
  try:
    content = json_text.read(path, advice='Build the dataset again.')
  except json_text.Absent:
    return None
  return _parsed(content, path)


def described(fields, path, name):
  """Returns the DatasetInfo that a hand-written file gives of the dataset `name`.

  `fields` is the content of the file `path`, a dict of the fields of dataset_info.json. It may
  leave out name and format_version, and say of a split only its number of records, as in
  `{"splits": {"train": 90}, ...}`. Raises ValueError if it is malformed; names file and field.
  """
  return _parsed(dict({'format_version': _FORMAT_VERSION, 'name': name}, **fields), path,
                 allows_counts=True)


def write(info, dataset_dir):
  """Writes `info` into `dataset_dir`, whole or not at all."""
  content = {'format_version': _FORMAT_VERSION}
  content.update(info._asdict())
  content['splits'] = {name: dict(split._asdict()) for name, split in info.splits.items()}
  text = _NUMBER_LIST.sub(lambda match: json.dumps(json.loads(match.group())),  # On one line.
                          json.dumps(content, indent=2, ensure_ascii=False))
  files.write_text(path_in(dataset_dir), text + '\n')


def _parsed(content, path, allows_counts=False):
  """Returns the DatasetInfo in the content of a file; errors name the file and the field."""
  def require(condition, field, value, expected):
    if not condition:
      raise ValueError('%s: field %r is %.200r, expected %s. Correct it or build the dataset '
                       'again.' % (path, field, value, expected))

  def checked(fields, rules, where=''):
    for name, (is_right, expected) in rules.items():
      require(is_right(fields.get(name)), where + name, fields.get(name), expected)
    return {name: fields.get(name) for name in rules}

  def split_info(where, fields):
    if allows_counts and _is_count(fields):
      return SplitInfo(fields)
    require(isinstance(fields, dict), where, fields, 'an object')
    return SplitInfo(**checked(fields, _split_rules(num_classes), where + '.'))

  require(isinstance(content, dict), 'the whole file', content, 'an object')
  num_classes = checked(content, _HEAD_RULES)['num_classes']
  found = DatasetInfo(num_classes=num_classes, **checked(content, _rules(num_classes)))
  return found._replace(splits={
      split: split_info('splits.%s' % split, fields) for split, fields in found.splits.items()})


def range_of(content, where):
  """Returns the image_range in a JSON file's content, a pair or None; ValueError if malformed."""
  values = content.get('image_range')
  if not _is_range(values):
    raise ValueError('%s: image_range is %.80r, expected null or [lowest, highest].'
                     % (where, values))
  return values and tuple(values)


def _is_range(value):
  return value is None or (
      isinstance(value, list) and len(value) == 2
      and all(_is_integer(each) or isinstance(each, float) for each in value)
      and value[0] < value[1])


def _is_integer(value):
  return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value):
  return _is_integer(value) and value >= 0


def _are_counts(value, length):
  return isinstance(value, list) and len(value) == length and all(map(_is_count, value))


def _is_colormap(value, num_classes):
  if isinstance(value, list):
    return len(value) >= num_classes and all(
        _are_counts(color, 3) and max(color) <= 255 for color in value)
  return value is None or isinstance(value, str) and value in colormaps.COLORMAPS


# Field -> (whether a value is right, what is expected).
_HEAD_RULES = {
    'format_version': (lambda value: value == _FORMAT_VERSION, _FORMAT_VERSION),
    'num_classes': (lambda value: _is_count(value) and 1 <= value <= 256, 'an integer in 1..256'),
}


def _rules(num_classes):
  """Returns the rules of the fields of a DatasetInfo."""
  return {
      'name': (lambda value: isinstance(value, str) and value, 'a non-empty string'),
      'ignore_label': (lambda value: _is_count(value) and value <= 255, 'an integer in 0..255'),
      'class_names': (lambda value: value is None or (
          isinstance(value, list) and len(value) == num_classes
          and all(isinstance(name, str) for name in value)),
                      'null or a list of %d strings' % num_classes),
      'colormap': (lambda value: _is_colormap(value, num_classes),
                   'null, one of %s, or %d rows of [r, g, b]'
                   % (', '.join(sorted(colormaps.COLORMAPS)), num_classes)),
      'splits': (lambda value: isinstance(value, dict) and value,
                 'an object with at least one split'),
      'image_range': (_is_range, 'null or [lowest, highest]'),
  }


def _split_rules(num_classes):
  """Returns the rules of the fields of a SplitInfo."""
  count = (_is_count, 'an integer >= 0')
  return {
      'num_examples': count,
      'num_shards': count,
      'image_sizes': (lambda value: isinstance(value, dict)
                      and sorted(value) == ['max', 'median', 'min']
                      and all(_are_counts(size, 2) for size in value.values()),
                      '[height, width] for each of min, median, max'),
      'class_pixel_counts': (lambda value: _are_counts(value, num_classes),
                             'a list of %d counts' % num_classes),
      'num_ignored_pixels': count,
      'present_pixel_counts': (lambda value: value is None or _are_counts(value, num_classes),
                               'null or a list of %d counts' % num_classes),
  }
