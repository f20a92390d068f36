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
  """What is known about the records of one split.

  Attributes:
    num_examples: number of records.
    num_shards: number of shard files.
    image_sizes: {'min': [height, width], 'median': ..., 'max': ...}, each side on its own.
    class_pixel_counts: number of label pixels per class id.
    num_ignored_pixels: number of label pixels of the ignore label.
    present_pixel_counts: per class id, number of labelled pixels of the label maps that hold the
      class; None in files of earlier versions.

  A hand-written description (`read_description`) may know the number of records only; the
  rest is None then.
  """
  num_examples: int
  num_shards: typing.Optional[int] = None
  image_sizes: typing.Optional[typing.Dict[str, typing.List[int]]] = None
  class_pixel_counts: typing.Optional[typing.List[int]] = None
  num_ignored_pixels: typing.Optional[int] = None
  present_pixel_counts: typing.Optional[typing.List[int]] = None


class DatasetInfo(typing.NamedTuple):
  """A dataset as its builder left it.

  Attributes:
    name: name of the dataset.
    num_classes: number of class ids.
    ignore_label: label value that takes no part in training and evaluation.
    class_names: one name per class id, or None.
    colormap: name in `colormaps.COLORMAPS`, list of [r, g, b] per class id, or None.
    splits: dict, split name -> SplitInfo.
    image_range: [lowest, highest] value of images of more than 8 bits, which became black and
      white in the records; None where there were no such images.
  """
  name: str
  num_classes: int
  ignore_label: int
  class_names: typing.Optional[typing.List[str]] = None
  colormap: typing.Union[None, str, typing.List[typing.List[int]]] = None
  splits: typing.Dict[str, SplitInfo] = {}
  image_range: typing.Optional[typing.List[float]] = None


def path_in(dataset_dir):
  """Returns the path of the info file in `dataset_dir`."""
  return os.path.join(dataset_dir, FILE_NAME)


def read(dataset_dir):
  """Returns the DatasetInfo in `dataset_dir`, or None where there is no such file.

  Raises:
    ValueError: the file is malformed; names file and field.
  """
  path = path_in(dataset_dir)
  try:
    content = json_text.read(path, advice='Build the dataset again.')
  except json_text.Absent:
    return None
  return _Reader(path).info(content)


def read_description(path, name):
  """Returns the DatasetInfo that a hand-written file gives of the dataset `name`.

  The fields are those of dataset_info.json. The file may leave out name and format_version,
  and say of a split only its number of records: `{"splits": {"train": 90}, ...}`.

  Raises:
    ValueError: the file is missing or malformed; names file and field.
  """
  content = json_text.read(path)
  if not isinstance(content, dict):
    raise ValueError('%s does not hold a JSON object.' % path)
  full = dict(format_version=_FORMAT_VERSION, name=name)
  full.update((key, value) for key, value in content.items() if key != 'dataset_dir')
  return _Reader(path, allows_counts=True).info(full)


def write(info, dataset_dir):
  """Writes `info` into `dataset_dir`, whole or not at all."""
  content = {'format_version': _FORMAT_VERSION}
  content.update(info._asdict())
  content['splits'] = {name: dict(split._asdict()) for name, split in info.splits.items()}
  text = json.dumps(content, indent=2, ensure_ascii=False)
  files.write_text(path_in(dataset_dir), _NUMBER_LIST.sub(_on_one_line, text) + '\n')


def _on_one_line(match):
  return ' '.join(match.group().split()).replace('[ ', '[').replace(' ]', ']')


class _Reader(object):
  """Checks the fields of one file; its errors name the file and the field."""

  def __init__(self, path, allows_counts=False):
    self._path = path
    self._allows_counts = allows_counts

  def info(self, content):
    self._require(isinstance(content, dict), 'the whole file', content, 'an object')
    version = content.get('format_version')
    self._require(version == _FORMAT_VERSION, 'format_version', version, _FORMAT_VERSION)
    name = content.get('name')
    self._require(isinstance(name, str) and name, 'name', name, 'a non-empty string')
    num_classes = self._integer(content, 'num_classes', 1, 256)
    ignore_label = self._integer(content, 'ignore_label', 0, 255)
    splits = content.get('splits')
    self._require(isinstance(splits, dict) and splits, 'splits', splits,
                  'an object with at least one split')
    return DatasetInfo(
        name, num_classes, ignore_label,
        self._class_names(content.get('class_names'), num_classes),
        self._colormap(content.get('colormap'), num_classes),
        {split: self._split('splits.%s' % split, fields, num_classes)
         for split, fields in splits.items()},
        self._image_range(content.get('image_range')))

  def _image_range(self, values):
    self._require(values is None or _is_range(values), 'image_range', values,
                  'null or [lowest, highest]')
    return values

  def _split(self, where, fields, num_classes):
    if self._allows_counts and _is_integer(fields) and fields >= 0:
      return SplitInfo(fields)
    self._require(isinstance(fields, dict), where, fields, 'an object')
    sizes = fields.get('image_sizes')
    self._require(
        isinstance(sizes, dict) and sorted(sizes) == ['max', 'median', 'min']
        and all(_is_integers(size, 2) for size in sizes.values()),
        where + '.image_sizes', sizes, '[height, width] for each of min, median, max')
    counts = fields.get('class_pixel_counts')
    self._require(_is_integers(counts, num_classes), where + '.class_pixel_counts', counts,
                  'a list of %d counts' % num_classes)
    present = fields.get('present_pixel_counts')
    self._require(present is None or _is_integers(present, num_classes),
                  where + '.present_pixel_counts', present,
                  'null or a list of %d counts' % num_classes)
    return SplitInfo(
        self._integer(fields, 'num_examples', 0, None, where + '.'),
        self._integer(fields, 'num_shards', 0, None, where + '.'),
        sizes, counts, self._integer(fields, 'num_ignored_pixels', 0, None, where + '.'),
        present)

  def _class_names(self, names, num_classes):
    self._require(
        names is None or (isinstance(names, list) and len(names) == num_classes
                          and all(isinstance(name, str) for name in names)),
        'class_names', names, 'null or a list of %d strings' % num_classes)
    return names

  def _colormap(self, colormap, num_classes):
    if isinstance(colormap, str):
      self._require(colormap in colormaps.COLORMAPS, 'colormap', colormap,
                    'one of ' + ', '.join(sorted(colormaps.COLORMAPS)))
    elif colormap is not None:
      self._require(
          isinstance(colormap, list) and len(colormap) >= num_classes
          and all(_is_integers(color, 3) and max(color) <= 255 for color in colormap),
          'colormap', colormap, 'null, a name, or %d rows of [r, g, b]' % num_classes)
    return colormap

  def _integer(self, fields, name, lowest, highest, prefix=''):
    value = fields.get(name)
    is_in_range = (_is_integer(value) and value >= lowest
                   and (highest is None or value <= highest))
    limits = '>= %d' % lowest if highest is None else 'in %d..%d' % (lowest, highest)
    self._require(is_in_range, prefix + name, value, 'an integer ' + limits)
    return value

  def _require(self, condition, field, value, expected):
    if not condition:
      raise ValueError('%s: field %r is %.200r, expected %s. Correct it or build the dataset '
                       'again.' % (self._path, field, value, expected))


def range_of(content, where):
  """Returns the image_range in the content of a JSON file as a pair, None where it has none.

  Raises:
    ValueError: it is something else; `where` names the file.
  """
  values = content.get('image_range')
  if values is not None and not _is_range(values):
    raise ValueError('%s: image_range is %.80r, expected null or [lowest, highest].'
                     % (where, values))
  return values and tuple(values)


def _is_range(values):
  """Whether a value of JSON is [lowest, highest], two numbers."""
  return (isinstance(values, list) and len(values) == 2
          and all(_is_integer(value) or isinstance(value, float) for value in values)
          and values[0] < values[1])


def _is_integer(value):
  return isinstance(value, int) and not isinstance(value, bool)


def _is_integers(values, length):
  return (isinstance(values, list) and len(values) == length
          and all(_is_integer(value) and value >= 0 for value in values))
