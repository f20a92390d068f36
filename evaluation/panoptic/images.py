"""Reads PNG files of ids into segments and compares pairs of them, over processes.

Only file names and counts travel between processes. Errors name the file.
"""
import functools
import os
import struct
import typing

import numpy as np
from absl import logging

from deeplab.core.images import limits as image_limits
from deeplab.core.jobs import parallel
from deeplab.core.storage import errors
from deeplab.evaluation import base_metric

ON_MISSING = ('error', 'zero')
CROWD_EXCUSES = ('any', 'same_category')
# Enough images per piece that counts are few; sums do not depend on the number of workers.
_IMAGES_PER_PIECE = 32

_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_COLOR_TYPES = {0: 'grayscale', 2: 'RGB', 3: 'palette', 4: 'grayscale with alpha', 6: 'RGBA'}
_ID_COLOR = {2: (8,)}  # Color type -> bits per channel that hold ids unchanged.
_ID_GRAY = {0: (8, 16), 3: (1, 2, 4, 8)}
_RGB_MASK = 0xFFFFFF  # An id of three channels is red + 256 green + 65536 blue.


class Limits(typing.NamedTuple):
  """What category and instance ids may be; see `base_metric.SegmentationMetric`."""
  num_categories: int
  ignored_label: int
  max_instances_per_category: int

  @property
  def void_id(self):
    """The segment id of void, instance 0 of the ignored category."""
    return self.ignored_label * self.max_instances_per_category


class Segmentation(typing.NamedTuple):
  """The segments of an image."""
  path: str  # Of its file, for messages.
  id_image: np.ndarray  # [height, width] uint32 ids, as in the file.
  ids: np.ndarray  # [S] int64, the ids there may be, ascending.
  segment_ids: np.ndarray  # [S] int64, category * max_instances_per_category + instance of each.
  is_void: np.ndarray  # [S] booleans, ids that need not be in the image.
  crowds: dict  # Dict from an instance of the ignored category to the category of its objects.

  def segments_of(self, values, void_id=None):
    """Returns the segment ids, [R] int64, of the [R] ids of all runs of the image.

    An id that is not known, or a known one that is not among them, is a ValueError. With void_id
    it is a warning: the former becomes that segment id, the latter has no pixels.
    """
    index = np.minimum(np.searchsorted(self.ids, values), len(self.ids) - 1)
    is_unknown = self.ids[index] != values
    is_absent = (np.bincount(index, minlength=len(self.ids)) == 0) & ~self.is_void
    for ids, problem, effect in (
        (values[is_unknown], 'is in the image, but not among the %d segments listed for it'
         % (~self.is_void).sum(), 'void'),
        (self.ids[is_absent], 'is listed in the JSON file, but not in the image', 'left out')):
      if ids.size:
        message = '%s: segment id %d %s' % (self.path, ids[0], problem)
        if void_id is None:
          raise ValueError('%s.' % message)
        logging.warning('%s: it is taken as %s.', message, effect)
    return np.where(is_unknown, void_id or 0, self.segment_ids[index])


class Segments(typing.NamedTuple):
  """What the ids of an id image stand for; all arrays have one entry per segment."""
  ids: np.ndarray  # Int64 ids, each once.
  categories: np.ndarray  # Int32 categories; void ones have the ignored label.
  is_crowd: np.ndarray  # Booleans, regions where objects are not told apart.
  is_void: np.ndarray  # Booleans, regions that belong to no segment.


class ImagePair(typing.NamedTuple):
  """Ground truth and prediction of one image."""
  name: str  # Of the image, for messages.
  groundtruth: typing.Any  # A source, with `path` and `read(limits)` that returns a Segmentation.
  prediction: typing.Any  # The same, or None where it is missing.


def evaluate(metric, pairs, num_workers, on_missing, crowd_excuses):
  """Adds the counts of all pairs to `metric`; returns the number of missing predictions.

  Args:
    metric: SegmentationMetric.
    pairs: list of ImagePair.
    num_workers: number of worker processes; 0: this process.
    on_missing: 'error' stops at a missing prediction before anything is compared; 'zero' takes it
      as an image without segments, which finds nothing.
    crowd_excuses: predictions on a crowd that are not false: 'any', or of the 'same_category'.

  Raises ValueError on an argument out of range; or names the file and what is wrong with it.
  """
  for name, value, valid in (('on_missing', on_missing, ON_MISSING),
                             ('crowd_excuses', crowd_excuses, CROWD_EXCUSES)):
    if value not in valid:
      raise ValueError('%s must be one of %s, got %r.' % (name, ', '.join(valid), value))
  if num_workers < 0:
    raise ValueError('num_workers must not be negative, got %d.' % num_workers)
  pairs, num_missing = _settle_missing(pairs, on_missing)
  pieces = [pairs[i:i + _IMAGES_PER_PIECE] for i in range(0, len(pairs), _IMAGES_PER_PIECE)]
  compare_piece = functools.partial(_compare_piece, metric.empty_copy(),
                                    crowd_excuses == 'same_category')
  for part in parallel.run(compare_piece, pieces, [len(piece) for piece in pieces],
                           max(1, num_workers), 'evaluating'):
    metric.merge(part)
  return num_missing


def _settle_missing(pairs, on_missing):
  """Returns the pairs with None for each missing prediction, and the number of these."""
  missing = [index for index, pair in enumerate(pairs)
             if pair.prediction is None or not os.path.exists(pair.prediction.path)]
  if missing:
    first = pairs[missing[0]]
    what = '%d of %d predictions are missing, first that of image %s: %s.' % (
        len(missing), len(pairs), first.name,
        'it is not listed' if first.prediction is None
        else 'there is no file %s' % first.prediction.path)
    if on_missing == 'error':
      raise ValueError('%s With --on_missing=zero they count as empty.' % what)
    logging.warning('%s They count as empty.', what)
  settled = list(pairs)
  for index in missing:
    settled[index] = settled[index]._replace(prediction=None)
  return settled, len(missing)


def _compare_piece(empty, uses_crowd_categories, pairs, on_item):
  """Returns a metric with the counts of some pairs."""
  metric = empty.empty_copy()
  limits = Limits(metric.num_categories, metric.ignored_label, metric.max_instances_per_category)
  for pair in pairs:
    truth = pair.groundtruth.read(limits)
    predicted = (_void(truth.id_image.shape, limits) if pair.prediction is None
                 else pair.prediction.read(limits))
    metric.accumulate_pairs(_compare(truth, predicted, limits),
                            truth.crowds if uses_crowd_categories else None)
    on_item()
  return metric


def _compare(truth, predicted, limits):
  """Returns the base_metric.SegmentPairs of two Segmentations of an image.

  As in the tools of COCO, the ground truth's list need not be that of its image.
  """
  shapes = truth.id_image.shape, predicted.id_image.shape
  if shapes[0] != shapes[1]:
    raise ValueError('%s is %dx%d (height x width), but its ground truth %s is %dx%d.' % (
        (predicted.path,) + shapes[1] + (truth.path,) + shapes[0]))
  (values, predicted_values), lengths = base_metric.joint_runs(truth.id_image,
                                                               predicted.id_image)
  return base_metric.count_pairs(truth.segments_of(values, limits.void_id),
                                 predicted.segments_of(predicted_values), lengths)


def _void(shape, limits):
  """Returns the Segmentation of an image of a (height, width) without any segment."""
  return Segmentation(
      'no file', np.zeros(shape, np.uint32), np.zeros([1], np.int64), np.array([limits.void_id]),
      np.ones([1], bool), {})


def read_color_ids(path):
  """Returns the [height, width] uint32 ids, red + 256 green + 65536 blue, of an RGB PNG.

  Raises ValueError if the file is missing, is no 8-bit RGB PNG or is damaged.
  """
  image = _open(path, _ID_COLOR, 'ids as 8-bit RGB')
  # Four bytes per pixel, the last one of padding.
  packed = np.frombuffer(image.tobytes('raw', 'RGBX'), '<u4') & np.uint32(_RGB_MASK)
  return packed.reshape(image.size[::-1])


def read_gray_ids(path):
  """Returns the [height, width] uint32 ids of a PNG of one channel: grayscale or palette.

  Raises ValueError if the file is missing, has several channels or other depths, or is damaged.
  """
  image = _open(path, _ID_GRAY, 'ids as 8- or 16-bit grayscale, or palette indices')
  return np.asarray(image).astype(np.uint32)


def to_segmentation(id_image, segments, limits, path):
  """Returns the Segmentation of [height, width] uint32 ids; Segments has every one of them.

  Instances are numbered per category in the order of `segments`. Crowds go to the ignored category,
  where instance 0 is void. `path` is for messages. Raises ValueError if a category is out of range
  or has too many segments.
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


def check_folder(folder, expected=''):
  """Raises ValueError unless there is a folder; `expected` says what it was to be."""
  if not os.path.isdir(folder):
    raise ValueError('There is no folder %s%s.' % (folder, expected and ', expected ' + expected))


def distinct_ids(id_image):
  """Returns the ids of an image, ascending int64."""
  (values,), _ = base_metric.joint_runs(id_image)
  return np.unique(values).astype(np.int64)


def _open(path, allowed, wanted):
  """Returns the decoded PIL image of a PNG whose color type and depth are in `allowed`."""
  with errors.told('%s cannot be read' % path, OSError, SyntaxError):
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
