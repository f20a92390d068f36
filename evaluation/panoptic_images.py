"""Reads PNG files of ids into segments; what is wrong with a file is said with its name."""
import struct
import typing

import numpy as np
from PIL import Image

from deeplab.evaluation import segment_pairs

_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_COLOR_TYPES = {0: 'grayscale', 2: 'RGB', 3: 'palette', 4: 'grayscale with alpha', 6: 'RGBA'}
# Color type -> bits per channel that hold ids unchanged.
_ID_COLOR = {2: (8,)}
_ID_GRAY = {0: (8, 16), 3: (1, 2, 4, 8)}
# An id of three channels is red + 256 green + 65536 blue.
_RGB_MASK = 0xFFFFFF


class Limits(typing.NamedTuple):
  """What category and instance ids may be; see `base_metric.SegmentationMetric`."""
  num_categories: int
  ignored_label: int
  max_instances_per_category: int


class Segmentation(typing.NamedTuple):
  """The segments of an image.

  Attributes:
    categories: [height, width] int32; the ignored label where nothing is evaluated.
    instances: [height, width] int32.
    crowds: dict from an instance of the ignored category to the category of its objects.
  """
  categories: np.ndarray
  instances: np.ndarray
  crowds: dict


class Segments(typing.NamedTuple):
  """What the ids of an id image stand for; all arrays have one entry per segment.

  Attributes:
    ids: int64 ids, each once.
    categories: int32 categories; void ones have the ignored label.
    is_crowd: booleans, regions where objects are not told apart.
    is_void: booleans, regions that belong to no segment.
  """
  ids: np.ndarray
  categories: np.ndarray
  is_crowd: np.ndarray
  is_void: np.ndarray


class ImagePair(typing.NamedTuple):
  """Ground truth and prediction of one image.

  Attributes:
    name: of the image, for messages.
    groundtruth: a source, with `path` and `read(limits)` that returns a Segmentation.
    prediction: the same, or None where it is missing.
  """
  name: str
  groundtruth: typing.Any
  prediction: typing.Any


def read_color_ids(path):
  """Returns the [height, width] uint32 ids, red + 256 green + 65536 blue, of an RGB PNG.

  Raises:
    ValueError: the file is missing, is no 8-bit RGB PNG or is damaged.
  """
  image = _open(path, _ID_COLOR, 'ids as 8-bit RGB')
  # Four bytes per pixel, the last one of padding.
  packed = np.frombuffer(image.tobytes('raw', 'RGBX'), '<u4') & np.uint32(_RGB_MASK)
  return packed.reshape(image.size[::-1])


def read_gray_ids(path):
  """Returns the [height, width] uint32 ids of a PNG of one channel: grayscale or palette.

  Raises:
    ValueError: the file is missing, has several channels or other depths, or is damaged.
  """
  image = _open(path, _ID_GRAY, 'ids as 8- or 16-bit grayscale, or palette indices')
  return np.asarray(image).astype(np.uint32)


def to_segmentation(id_image, segments, limits, where):
  """Returns the Segmentation of an id image.

  Instances are numbered per category in the order of `segments`. Crowds go to the ignored
  category, where instance 0 is void.

  Args:
    id_image: [height, width] uint32 ids.
    segments: Segments with every id of the image.
    limits: Limits.
    where: name of the file, for messages.

  Raises:
    ValueError: an id is not in `segments`, a category is out of range, or a category has too
      many segments.
  """
  _check_categories(segments, limits, where)
  is_ignored = segments.is_crowd | segments.is_void
  categories = np.where(is_ignored, limits.ignored_label, segments.categories)
  instances = _number_instances(categories, segments.is_void, limits, where)
  order = np.argsort(segments.ids)
  values, lengths = segment_pairs.runs(id_image.ravel())
  position = np.searchsorted(segments.ids[order], values)
  index = order[np.minimum(position, len(order) - 1)]
  is_unknown = segments.ids[index] != values
  if is_unknown.any():
    raise ValueError('%s: segment id %d is in the image, but not among the %d segments listed '
                     'for it.' % (where, values[is_unknown][0], (~segments.is_void).sum()))
  return Segmentation(
      *[np.repeat(table.astype(np.int32)[index], lengths).reshape(id_image.shape)
        for table in (categories, instances)],
      crowds={int(instances[i]): int(segments.categories[i])
              for i in np.flatnonzero(segments.is_crowd)})


def void(shape, limits):
  """Returns the Segmentation of an image without any segment."""
  return Segmentation(np.full(shape, limits.ignored_label, np.int32),
                      np.zeros(shape, np.int32), {})


def _open(path, allowed, wanted):
  """Returns the decoded PIL image of a PNG whose color type and depth are in `allowed`."""
  try:
    with open(path, 'rb') as f:
      header = f.read(26)
    if len(header) < 26 or not header.startswith(_PNG_SIGNATURE):
      raise ValueError('%s is not a PNG file.' % path)
    depth, color_type = struct.unpack('BB', header[24:26])
    if depth not in allowed.get(color_type, ()):
      raise ValueError('%s is a PNG of %d-bit %s, expected %s.' % (
          path, depth, _COLOR_TYPES.get(color_type, 'color type %d' % color_type), wanted))
    image = Image.open(path)
    image.load()
    return image
  except FileNotFoundError as error:
    raise ValueError('There is no file %s.' % path) from error
  except (OSError, SyntaxError) as error:
    raise ValueError('%s cannot be read: %s' % (path, error)) from error


def _check_categories(segments, limits, where):
  is_wrong = (segments.categories < 0) | (segments.categories >= limits.num_categories)
  is_wrong &= ~segments.is_void & (segments.categories != limits.ignored_label)
  if is_wrong.any():
    raise ValueError('%s: category %d is not in 0..%d: is num_categories (%d) right?' % (
        where, segments.categories[is_wrong][0], limits.num_categories - 1,
        limits.num_categories))


def _number_instances(categories, is_void, limits, where):
  """Returns the instance per segment; 0 for void, from 1 in the ignored category."""
  following = {limits.ignored_label: 1}
  instances = np.zeros(len(categories), np.int32)
  for i in np.flatnonzero(~is_void):
    category = int(categories[i])
    instances[i] = following.get(category, 0)
    following[category] = int(instances[i]) + 1
    if instances[i] >= limits.max_instances_per_category:
      raise ValueError(
          '%s: category %d%s has more segments than max_instances_per_category=%d allows; '
          'pass a larger number.' % (
              where, category,
              ' (ignored, with crowds)' if category == limits.ignored_label else '',
              limits.max_instances_per_category))
  return instances
