"""What metrics of whole-image parsing have in common.

A segment is all pixels of one image with the same category and instance. Metrics keep counts
per category, which add across images and merge across processes; ratios come last. Counted are
the pixels that every ground-truth segment shares with every predicted one: `count_pairs`.

    metric = PanopticQuality(num_categories=201, ignored_label=0,
                             max_instances_per_category=256, offset=202 * 256)
    for arrays in images:
      metric.compare_and_accumulate(*arrays)
    metric.result()

Needs no TensorFlow.
"""
import abc
import copy
import functools
import sys
import typing

import numpy as np
from absl import logging

_EPSILON = 1e-10  # Denominators closer to zero than this give a quotient of zero.
_ID_BITS = 32  # Two ids share a 64-bit code.

ALL, THINGS, STUFF = 'All', 'Things', 'Stuff'


def realdiv_maybe_zero(x, y):
  """Returns the float64 quotient x / y elementwise, 0 where |y| < 1e-10."""
  x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
  return np.divide(x, y, out=np.zeros(x.shape), where=np.abs(y) >= _EPSILON)


class SegmentationMetric(metaclass=abc.ABCMeta):
  """Base of metrics that compare segments of ground truth and prediction.

  Attributes:
    num_categories: categories are 0..num_categories-1.
    ignored_label: category of pixels that are not evaluated; it may lie outside of
      0..num_categories-1. Its instance 0 is void; its further instances are regions where objects
      are not told apart (crowds).
    max_instances_per_category: instances are 0..max_instances_per_category-1; see
      `compare_and_accumulate` for larger ones.
    offset: a pair of segments is named `groundtruth id * offset + predicted id`, so it must be
      larger than all predicted ids.
  """
  columns = ()  # Names of the ratios in `per_category()`, the main one first.
  counts = {}  # Name of an attribute of [num_categories] counts, which add up -> its dtype.

  def __init__(self, num_categories, ignored_label, max_instances_per_category, offset):
    """Starts with empty counts.

    Raises ValueError if a number is not positive, or segment ids do not fit 32 bits.
    """
    for name, value in (('num_categories', num_categories), ('offset', offset),
                        ('max_instances_per_category', max_instances_per_category)):
      if value < 1:
        raise ValueError('%s must be positive, got %s.' % (name, value))
    largest = (max(num_categories, ignored_label) + 1) * max_instances_per_category
    if largest > 1 << _ID_BITS:
      raise ValueError(
          'Segment ids up to %d do not fit %d bits: lower num_categories (%d), ignored_label '
          '(%d) or max_instances_per_category (%d).' % (
              largest - 1, _ID_BITS, num_categories, ignored_label,
              max_instances_per_category))
    self.num_categories = num_categories
    self.ignored_label = ignored_label
    self.max_instances_per_category = max_instances_per_category
    self.offset = offset
    self.reset()

  def compare_and_accumulate(self, groundtruth_category_array, groundtruth_instance_array,
                             predicted_category_array, predicted_instance_array,
                             crowd_categories=None):
    """Adds the counts of one image; returns `result()` so far.

    The arrays are integers of one shape, usually [height, width]: category and instance ids.
    An instance that is not below max_instances_per_category runs into the ids of the next
    categories and counts for them; a warning says so. `crowd_categories` is a dict from an instance
    of the ignored category in the ground truth to the category of the objects in that region; None
    or absent: objects of any. Raises ValueError if shapes or types do not fit, or ids are out of
    range.
    """
    arrays = [np.asarray(array) for array in (
        groundtruth_category_array, groundtruth_instance_array, predicted_category_array,
        predicted_instance_array)]
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1:
      raise ValueError('Arrays of one image differ in shape: ground truth has categories %s '
                       'and instances %s, the prediction %s and %s.' % tuple(shapes))
    values, lengths = joint_runs(*arrays)
    ids = []
    for what, (categories, instances) in (('ground truth', values[:2]),
                                          ('prediction', values[2:])):
      ids.append(self._segment_ids(what, categories, instances))
    self.accumulate_pairs(count_pairs(*ids, lengths), crowd_categories)
    return self.result()

  def accumulate_pairs(self, pairs, crowd_categories=None):
    """Adds the counts of one image; `crowd_categories` as in `compare_and_accumulate`.

    `pairs` are SegmentPairs whose ids are category * max_instances_per_category + instance. Raises
    ValueError if a predicted id is not below `offset`.
    """
    if pairs.predicted_ids.size and pairs.predicted_ids[-1] >= self.offset:
      raise ValueError(
          'offset is %d, but predicted segment ids (category * %d + instance) go up to %d: '
          'pass a larger offset, (number of categories + 1) * %d for example.' % (
              self.offset, self.max_instances_per_category, pairs.predicted_ids[-1],
              self.max_instances_per_category))
    self._add(pairs, crowd_categories or {})

  @abc.abstractmethod
  def _add(self, pairs, crowd_categories):
    """Adds the counts of SegmentPairs."""

  @abc.abstractmethod
  def per_category(self):
    """Returns a dict of [num_categories] arrays: `columns`, then the counts."""

  @abc.abstractmethod
  def valid_categories(self):
    """Returns [num_categories] booleans: which categories count in means."""

  def result_per_category(self):
    """Returns the metric per category, [num_categories] float64; 0 without segments.

    The entry of the ignored category means nothing.
    """
    return self.per_category()[self.columns[0]]

  def result(self):
    """Returns the mean of the metric over the valid categories; 0 if there are none."""
    return self.detailed_results()[ALL][self.columns[0]]

  def detailed_results(self, is_thing=None):
    """Returns means over categories: dict, 'All' and with `is_thing` 'Things' and 'Stuff' -> dict.

    Each dict has for `columns` the mean over the set's valid categories (0 if there are none), and
    'n', their number. `is_thing` is [num_categories] booleans, countable objects or not; None: not
    known. Raises ValueError if it has another shape.
    """
    is_valid = self.valid_categories()
    sets = {ALL: is_valid}
    if is_thing is not None:
      is_thing = np.asarray(is_thing, bool)
      if is_thing.shape != is_valid.shape:
        raise ValueError('is_thing has shape %s, expected one entry for each of the %d '
                         'categories.' % (is_thing.shape, self.num_categories))
      sets[THINGS] = is_valid & is_thing
      sets[STUFF] = is_valid & ~is_thing
    values = self.per_category()
    results = {}
    for name, in_set in sets.items():
      results[name] = {column: float(values[column][in_set].mean()) if in_set.any() else 0.
                       for column in self.columns}
      results[name]['n'] = int(in_set.sum())
    return results

  def print_detailed_results(self, is_thing=None, print_digits=3):
    """Writes the table of `detailed_results` to stdout, print_digits digits after the point."""
    width = print_digits + 4
    lines = [' ' * 6 + ''.join(' %*s' % (width, column.upper()) for column in self.columns)
             + '  categories']
    for name, values in self.detailed_results(is_thing).items():
      lines.append('%-6s' % name + ''.join(
          ' %*.*f' % (width, print_digits, values[column]) for column in self.columns)
                   + ' %11d' % values['n'])
    sys.stdout.write('\n'.join(lines) + '\n')

  def merge(self, other_instance):
    """Adds the counts of another metric, such as those of another process.

    Raises ValueError if the other one is of another class or was made with other numbers.
    """
    if self._settings() != other_instance._settings():
      raise ValueError('Only metrics of the same kind merge: this is %s, the other one %s.'
                       % (self._settings(), other_instance._settings()))
    for name in self.counts:
      setattr(self, name, getattr(self, name) + getattr(other_instance, name))

  def reset(self):
    """Empties the counts."""
    for name, dtype in self.counts.items():
      setattr(self, name, np.zeros([self.num_categories], dtype))

  def empty_copy(self):
    """Returns a metric of the same settings without counts."""
    other = copy.copy(self)
    other.reset()
    return other

  def _segment_ids(self, what, categories, instances):
    """Returns [R] int64 ids of [R] categories and instances of what `what` says, checked."""
    _check_range(what + ' category', categories, self.num_categories, self.ignored_label)
    _check_range(what + ' instance', instances, 1 << _ID_BITS)
    ids = (categories.astype(np.int64) * self.max_instances_per_category
           + instances.astype(np.int64))
    if (instances >= self.max_instances_per_category).any():
      advice = ('instances are not below max_instances_per_category=%d, and segment ids are '
                'category * %d + instance: pass a larger number'
                % ((self.max_instances_per_category,) * 2))
      _check_range('%s: %s; category' % (what, advice), self._category_of(ids),
                   self.num_categories, self.ignored_label)
      _warn_once('%s: %s. They count as segments of the categories after theirs.'
                 % (what, advice))
    return ids

  def _settings(self):
    return (type(self).__name__, self.num_categories, self.ignored_label,
            self.max_instances_per_category, self.offset)

  def _category_of(self, segment_ids):
    return segment_ids // self.max_instances_per_category

  def _sum_per_category(self, categories, weights=None):
    """Returns [num_categories] sums of weights (or counts), outside categories left out."""
    is_inside = categories < self.num_categories
    return np.bincount(categories[is_inside],
                       weights=None if weights is None else weights[is_inside],
                       minlength=self.num_categories)

  def _is_not_ignored(self):
    """Returns [num_categories] booleans, False for the ignored category."""
    return np.arange(self.num_categories) != self.ignored_label


class SegmentPairs(typing.NamedTuple):
  """Segments of two id images of the same scene, and what they share."""
  groundtruth_ids: np.ndarray  # [G] int64, the distinct ids, ascending.
  groundtruth_areas: np.ndarray  # [G] int64, their areas in pixels.
  predicted_ids: np.ndarray  # [P] int64.
  predicted_areas: np.ndarray  # [P] int64.
  groundtruth_index: np.ndarray  # [N] index into `groundtruth_ids`, per pair with common pixels.
  predicted_index: np.ndarray  # [N] index into `predicted_ids`.
  areas: np.ndarray  # [N] int64, number of common pixels, > 0.

  def predicted_areas_where(self, is_counted):
    """Returns the [P] areas of predicted segments over the pairs with true [N] `is_counted`."""
    return _sums(self.predicted_index, self.areas * is_counted, len(self.predicted_ids))


def joint_runs(*arrays):
  """Returns the runs of pixels, in reading order, over which no array changes.

  Segments are compact, so an image has few runs: what is done per run costs little. Arrays are of
  one shape; the result is (list of [R] values per array, [R] int64 lengths in pixels).
  """
  flat = [array.ravel() for array in arrays]
  if not flat[0].size:
    return flat, np.zeros([0], np.int64)
  changes = flat[0][1:] != flat[0][:-1]
  for values in flat[1:]:
    changes |= values[1:] != values[:-1]
  bounds = np.concatenate([[0], np.flatnonzero(changes) + 1, [flat[0].size]])
  return [values[bounds[:-1]] for values in flat], np.diff(bounds)


def count_pairs(groundtruth, predicted, lengths):
  """Returns the SegmentPairs of [R] runs of two id images.

  Ids are integers in 0..2^32-1, `lengths` are numbers of pixels.
  """
  codes = np.left_shift(groundtruth.astype(np.uint64), np.uint64(_ID_BITS))
  codes |= predicted.astype(np.uint32)
  pairs, inverse = np.unique(codes, return_inverse=True)
  areas = _sums(inverse, lengths, len(pairs))
  groundtruth_ids, groundtruth_index = np.unique(pairs >> np.uint64(_ID_BITS),
                                                 return_inverse=True)
  predicted_ids, predicted_index = np.unique(pairs.astype(np.uint32), return_inverse=True)
  return SegmentPairs(
      groundtruth_ids=groundtruth_ids.astype(np.int64),
      groundtruth_areas=_sums(groundtruth_index, areas, len(groundtruth_ids)),
      predicted_ids=predicted_ids.astype(np.int64),
      predicted_areas=_sums(predicted_index, areas, len(predicted_ids)),
      groundtruth_index=groundtruth_index,
      predicted_index=predicted_index,
      areas=areas)


@functools.lru_cache(maxsize=None)
def _warn_once(message):
  """Warns; a stream of images has the same to say again and again."""
  logging.warning('%s', message)


def _check_range(what, ids, number, allowed=-1):
  """Raises ValueError unless all ids are integers in 0..number-1 or equal `allowed`."""
  if ids.dtype.kind not in 'iub':
    raise ValueError('%s ids must be integers, got an array of %s.' % (what, ids.dtype))
  is_wrong = ((ids < 0) | (ids >= number)) & ((ids != allowed) | (ids < 0))
  if is_wrong.any():
    raise ValueError('%s id %d is not in 0..%d.' % (what, ids[is_wrong][0], number - 1))


def _sums(index, values, length):
  """Returns [length] int64 sums of the values per index."""
  # Sums of pixels stay far below 2^53, so float64 weights are exact.
  return np.bincount(index, weights=values, minlength=length).astype(np.int64)
