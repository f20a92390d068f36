"""Counts over records, as `dataset_info.json` tells them, and weights that balance classes."""
import collections
import operator

import numpy as np

from deeplab.datasets.records import dataset_info

# Rarer classes weigh no more than this many times the median one, and commoner no less.
_LARGEST_FACTOR = 10.0
WEIGHT_FORMULA = (
    'weight(c) = median of the frequencies / freq(c), within 0.1 to 10, where freq(c) = pixels of '
    'class c / labelled pixels of the label maps that hold c (median frequency balancing; Eigen '
    'and Fergus, "Predicting Depth, Surface Normals and Semantic Labels with a Common '
    'Multi-Scale Convolutional Architecture", ICCV 2015).')


class RecordCounts(object):
  """Counts over records; those of shards add up, and so do more fields of subclasses."""

  def __init__(self):
    self.num_examples = 0
    self.sizes = collections.Counter()  # Of (height, width) of the images in pixels.
    self.pixel_counts = np.zeros(256, np.int64)  # Label pixels per value.
    # Per value, labelled pixels of the label maps it occurs in.
    self.present_pixels = np.zeros(256, np.int64)

  def count(self, size, pixel_counts, ignore_label):
    """Counts one more record; size: (height, width) in pixels, or None for what is no image.

    `pixel_counts` is a [256] array, pixels of the label map per value, or None without label.
    """
    self.num_examples += 1
    if size:
      self.sizes[size] += 1
    if pixel_counts is not None:
      self.pixel_counts += pixel_counts
      num_labelled = pixel_counts.sum() - pixel_counts[ignore_label]
      self.present_pixels += np.where(pixel_counts > 0, num_labelled, 0)

  @classmethod
  def total(cls, parts):
    """Returns the counts of all shards together; every field is the sum of theirs."""
    result = cls()
    for part in parts:
      for name, value in vars(part).items():
        setattr(result, name, operator.iadd(getattr(result, name), value))
    return result

  def split_info(self, num_shards, num_classes, ignore_label):
    """Returns the `dataset_info.SplitInfo` of these records; image_sizes None without an image."""
    pixel_counts, present_pixels = self.pixel_counts.copy(), self.present_pixels.copy()
    num_ignored = int(pixel_counts[ignore_label])
    pixel_counts[ignore_label] = present_pixels[ignore_label] = 0
    image_sizes = None
    if self.sizes:
      each = np.repeat(np.array(list(self.sizes)), list(self.sizes.values()), axis=0)
      image_sizes = {name: reduce(each, axis=0).astype(int).tolist() for name, reduce in (
          ('min', np.min), ('median', np.median), ('max', np.max))}
    return dataset_info.SplitInfo(
        self.num_examples, num_shards, image_sizes, pixel_counts[:num_classes].tolist(),
        num_ignored, present_pixels[:num_classes].tolist())


def balancing_weights(pixel_counts, present_pixel_counts=None):
  """Returns the weight of every class by WEIGHT_FORMULA, None for classes without pixels.

  Arrays are [num_classes]: pixels per class, 0 for an ignored one; and labelled pixels of the label
  maps that hold the class, None where not known: those of all label maps.
  """
  counts = np.asarray(pixel_counts, np.float64)
  is_present = counts > 0
  if not is_present.any():
    return [None] * len(counts)
  if present_pixel_counts is None:
    present_pixel_counts = np.full_like(counts, counts.sum())
  frequency = counts[is_present] / np.asarray(present_pixel_counts, np.float64)[is_present]
  weights = np.full(len(counts), np.nan)
  weights[is_present] = np.clip(np.median(frequency) / frequency, 1 / _LARGEST_FACTOR,
                                _LARGEST_FACTOR)
  return [None if np.isnan(weight) else float(weight) for weight in weights]
