"""What metrics of whole-image parsing have in common.

A segment is all pixels of one image with the same category and instance. Metrics keep counts
per category, which add across images and merge across processes; ratios come last.

    metric = PanopticQuality(num_categories=201, ignored_label=0,
                             max_instances_per_category=256, offset=202 * 256)
    for arrays in images:
      metric.compare_and_accumulate(*arrays)
    metric.result()

Needs NumPy alone, no TensorFlow.
"""
import abc
import collections
import sys

import numpy as np

from deeplab.evaluation import segment_pairs

# Denominators closer to zero than this give a quotient of zero.
_EPSILON = 1e-10

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
      0..num_categories-1. Its instance 0 is void; its further instances are regions where
      objects are not told apart (crowds).
    max_instances_per_category: instances are 0..max_instances_per_category-1.
    offset: a pair of segments is named `groundtruth id * offset + predicted id`, so it must
      be larger than all predicted ids.
    columns: names of the ratios in `per_category()`, the main one first.
  """
  columns = ()

  def __init__(self, num_categories, ignored_label, max_instances_per_category, offset):
    """Starts with empty counts.

    Raises:
      ValueError: a number is not positive, or segment ids do not fit 32 bits.
    """
    for name, value in (('num_categories', num_categories), ('offset', offset),
                        ('max_instances_per_category', max_instances_per_category)):
      if value < 1:
        raise ValueError('%s must be positive, got %s.' % (name, value))
    largest = (max(num_categories, ignored_label) + 1) * max_instances_per_category
    if largest > 1 << segment_pairs.ID_BITS:
      raise ValueError(
          'Segment ids up to %d do not fit %d bits: lower num_categories (%d), ignored_label '
          '(%d) or max_instances_per_category (%d).' % (
              largest - 1, segment_pairs.ID_BITS, num_categories, ignored_label,
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

    Args:
      groundtruth_category_array: integer array of category ids, usually [height, width].
      groundtruth_instance_array: instance ids, same shape.
      predicted_category_array: the same for the prediction, same shape.
      predicted_instance_array: the same for the prediction, same shape.
      crowd_categories: dict from an instance of the ignored category in the ground truth to
        the category of the objects in that region; None or absent: objects of any.

    Raises:
      ValueError: shapes or types do not fit, or ids are out of range.
    """
    arrays = [np.asarray(array) for array in (
        groundtruth_category_array, groundtruth_instance_array, predicted_category_array,
        predicted_instance_array)]
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1:
      raise ValueError('Arrays of one image differ in shape: ground truth has categories %s '
                       'and instances %s, the prediction %s and %s.' % tuple(shapes))
    values, lengths = segment_pairs.joint_runs(*arrays)
    for what, (categories, instances) in (('ground truth', values[:2]),
                                          ('prediction', values[2:])):
      self._check_range(what + ' category', categories, self.num_categories,
                        self.ignored_label)
      self._check_range(what + ' instance', instances, self.max_instances_per_category)
    self.accumulate_pairs(
        segment_pairs.count_pairs(self._naively_combine_labels(*values[:2]),
                                  self._naively_combine_labels(*values[2:]), lengths),
        crowd_categories)
    return self.result()

  def accumulate_pairs(self, pairs, crowd_categories=None):
    """Adds the counts of one image, given as segment_pairs.SegmentPairs.

    Args:
      pairs: SegmentPairs whose ids are category * max_instances_per_category + instance.
      crowd_categories: as in `compare_and_accumulate`.

    Raises:
      ValueError: a predicted id is not below `offset`.
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
    """Returns an OrderedDict of [num_categories] arrays: `columns`, then the counts."""

  @abc.abstractmethod
  def valid_categories(self):
    """Returns [num_categories] booleans: which categories count in means."""

  @abc.abstractmethod
  def _counts(self):
    """Returns the names of the attributes that add up, [num_categories] arrays."""

  def result_per_category(self):
    """Returns the metric per category, [num_categories] float64; 0 without segments.

    The entry of the ignored category means nothing.
    """
    return self.per_category()[self.columns[0]]

  def result(self):
    """Returns the mean of the metric over the valid categories; 0 if there are none."""
    return self.detailed_results()[ALL][self.columns[0]]

  def detailed_results(self, is_thing=None):
    """Returns means over categories.

    Args:
      is_thing: [num_categories] booleans, countable objects or not; None: not known.

    Returns:
      OrderedDict, 'All' and with `is_thing` 'Things' and 'Stuff' -> dict of `columns` to
      the mean over the set's valid categories (0 if there are none), and 'n', their number.

    Raises:
      ValueError: is_thing has another shape.
    """
    is_valid = self.valid_categories()
    sets = collections.OrderedDict([(ALL, is_valid)])
    if is_thing is not None:
      is_thing = np.asarray(is_thing, bool)
      if is_thing.shape != is_valid.shape:
        raise ValueError('is_thing has shape %s, expected one entry for each of the %d '
                         'categories.' % (is_thing.shape, self.num_categories))
      sets[THINGS] = is_valid & is_thing
      sets[STUFF] = is_valid & ~is_thing
    values = self.per_category()
    results = collections.OrderedDict()
    for name, in_set in sets.items():
      results[name] = {column: float(values[column][in_set].mean()) if in_set.any() else 0.
                       for column in self.columns}
      results[name]['n'] = int(in_set.sum())
    return results

  def print_detailed_results(self, is_thing=None, print_digits=3):
    """Writes the table of `detailed_results` to stdout.

    Args:
      is_thing: as in `detailed_results`.
      print_digits: digits after the point.
    """
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

    Raises:
      ValueError: the other one is of another class or was made with other numbers.
    """
    if self._settings() != other_instance._settings():
      raise ValueError('Only metrics of the same kind merge: this is %s, the other one %s.'
                       % (self._settings(), other_instance._settings()))
    for name in self._counts():
      setattr(self, name, getattr(self, name) + getattr(other_instance, name))

  @abc.abstractmethod
  def reset(self):
    """Empties the counts."""

  def _settings(self):
    return (type(self).__name__, self.num_categories, self.ignored_label,
            self.max_instances_per_category, self.offset)

  def _naively_combine_labels(self, category_array, instance_array):
    """Returns the segment ids, category * max_instances_per_category + instance, uint32."""
    return (category_array.astype(np.uint32) * np.uint32(self.max_instances_per_category)
            + instance_array.astype(np.uint32))

  def _check_range(self, what, ids, number, allowed=None):
    """Raises ValueError unless all ids are integers in 0..number-1 or equal `allowed`."""
    if ids.dtype.kind not in 'iub':
      raise ValueError('%s ids must be integers, got an array of %s.' % (what, ids.dtype))
    if not ids.size or (ids.min() >= 0 and ids.max() < number):
      return
    is_wrong = (ids < 0) | (ids >= number)
    if allowed is not None and allowed >= 0:
      is_wrong &= ids != allowed
    if is_wrong.any():
      raise ValueError('%s id %d is not in 0..%d.' % (what, ids[is_wrong][0], number - 1))

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
