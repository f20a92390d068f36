"""Reads PNG files of ids into segments; what is wrong with a file is said with its name."""
import struct
import typing

import numpy as np

from deeplab.core.images import limits as image_limits
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
    path: of its file, for messages.
    id_image: [height, width] uint32 ids, as in the file.
    ids: [S] int64, the ids there may be, ascending.
    segment_ids: [S] int64, category * max_instances_per_category + instance of each.
    is_void: [S] booleans, ids that need not be in the image.
    crowds: dict from an instance of the ignored category to the category of its objects.
  """
  path: str
  id_image: np.ndarray
  ids: np.ndarray
  segment_ids: np.ndarray
  is_void: np.ndarray
  crowds: dict

  def segments_of(self, values):
    """Returns the segment ids of ids of the image, [R] int64.

    Args:
      values: [R] ids of all runs of the image.

    Raises:
      ValueError: an id is not known, or a known one is not among them.
    """
    index = np.minimum(np.searchsorted(self.ids, values), len(self.ids) - 1)
    is_unknown = self.ids[index] != values
    if is_unknown.any():
      raise ValueError('%s: segment id %d is in the image, but not among the %d segments '
                       'listed for it.' % (self.path, values[is_unknown][0],
                                           (~self.is_void).sum()))
    is_absent = (np.bincount(index, minlength=len(self.ids)) == 0) & ~self.is_void
    if is_absent.any():
      raise ValueError('%s: segment id %d is listed in the JSON file, but not in the image.'
                       % (self.path, self.ids[is_absent][0]))
    return self.segment_ids[index]


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


def to_segmentation(id_image, segments, limits, path):
  """Returns the Segmentation of an id image.

  Instances are numbered per category in the order of `segments`. Crowds go to the ignored
  category, where instance 0 is void.

  Args:
    id_image: [height, width] uint32 ids.
    segments: Segments with every id of the image.
    limits: Limits.
    path: of the file, for messages.

  Raises:
    ValueError: a category is out of range or has too many segments.
  """
  _check_categories(segments, limits, path)
  is_ignored = segments.is_crowd | segments.is_void
  categories = np.where(is_ignored, limits.ignored_label, segments.categories)
  instances = _number_instances(categories, segments.is_void, limits, path)
  order = np.argsort(segments.ids)
  segment_ids = categories.astype(np.int64) * limits.max_instances_per_category + instances
  return Segmentation(
      path, id_image, segments.ids[order], segment_ids[order], segments.is_void[order],
      crowds={int(instances[i]): int(segments.categories[i])
              for i in np.flatnonzero(segments.is_crowd)})


def compare(truth, predicted):
  """Returns the segment_pairs.SegmentPairs of two Segmentations of an image.

  Raises:
    ValueError: their sizes differ, or the ids of an image are not those listed for it.
  """
  shapes = truth.id_image.shape, predicted.id_image.shape
  if shapes[0] != shapes[1]:
    raise ValueError('%s is %dx%d (height x width), but its ground truth %s is %dx%d.' % (
        (predicted.path,) + shapes[1] + (truth.path,) + shapes[0]))
  (values, predicted_values), lengths = segment_pairs.joint_runs(truth.id_image,
                                                                 predicted.id_image)
  return segment_pairs.count_pairs(truth.segments_of(values),
                                   predicted.segments_of(predicted_values), lengths)


def void(shape, limits):
  """Returns the Segmentation of an image of a (height, width) without any segment."""
  return Segmentation(
      'no file', np.zeros(shape, np.uint32), np.zeros([1], np.int64),
      np.array([limits.ignored_label * limits.max_instances_per_category]), np.ones([1], bool),
      {})


def distinct_ids(id_image):
  """Returns the ids of an image, ascending int64."""
  (values,), _ = segment_pairs.joint_runs(id_image)
  return np.unique(values).astype(np.int64)


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
    image = image_limits.open_image(path, path)
    image.load()
    return image
  except FileNotFoundError as error:
    raise ValueError('There is no file %s.' % path) from error
  except (OSError, SyntaxError) as error:
    raise ValueError('%s cannot be read: %s' % (path, error)) from error


def _check_categories(segments, limits, path):
  is_wrong = (segments.categories < 0) | (segments.categories >= limits.num_categories)
  is_wrong &= ~segments.is_void & (segments.categories != limits.ignored_label)
  if is_wrong.any():
    raise ValueError('%s: category %d is not in 0..%d: is num_categories (%d) right?' % (
        path, segments.categories[is_wrong][0], limits.num_categories - 1,
        limits.num_categories))


def _number_instances(categories, is_void, limits, path):
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
              path, category,
              ' (ignored, with crowds)' if category == limits.ignored_label else '',
              limits.max_instances_per_category))
  return instances
