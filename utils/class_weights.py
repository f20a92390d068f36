"""Weights of classes in the loss, given or computed from how often each class occurs."""
import numpy as np

AUTO = 'auto'
# Rarer classes weigh no more than this many times the median one, and commoner no less.
_LARGEST_FACTOR = 10.0


def parse_label_weights(words, num_classes, pixel_counts):
  """Returns one weight per class as a list of floats, or None.

  Args:
    words: list of strings, the numbers or the one word 'auto'; or None.
    num_classes: number of classes.
    pixel_counts: pixels of each class in the training split, or None where not known.

  Raises:
    ValueError: not so many numbers, a negative one, none above 0, or `auto` without counts.
  """
  if not words:
    return None
  if list(words) == [AUTO]:
    if pixel_counts is None:
      raise ValueError('--label_weights=auto needs the number of pixels of each class from the '
                       'dataset_info.json in --dataset_dir; there is none. Give %d numbers.'
                       % num_classes)
    return balanced_weights(pixel_counts)
  try:
    weights = [float(word) for word in words]
  except ValueError:
    weights = []
  if len(weights) != num_classes or not np.all(np.isfinite(weights)) or min(weights) < 0 or (
      max(weights) == 0):
    raise ValueError('--label_weights must be %d numbers from 0 up, one per class, or auto; got '
                     '%s.' % (num_classes, ','.join(words)))
  return weights


def balanced_weights(pixel_counts):
  """Returns median frequency / frequency per class, within a factor of 10 from 1.

  Classes without pixels get 1. Reference: Eigen and Fergus, "Predicting Depth, Surface Normals
  and Semantic Labels with a Common Multi-Scale Convolutional Architecture", ICCV 2015.

  Args:
    pixel_counts: number of pixels of each class.
  """
  counts = np.asarray(pixel_counts, np.float64)
  present = counts > 0
  if not present.any():
    return [1.0] * len(counts)
  weights = np.ones_like(counts)
  weights[present] = np.median(counts[present]) / counts[present]
  return np.clip(weights, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR).tolist()
