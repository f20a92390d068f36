"""Weights of classes in the loss, given or computed from how often each class occurs."""
import numpy as np
from absl import logging

from deeplab.datasets import class_frequency

AUTO = 'auto'


def parse_label_weights(words, num_classes, split):
  """Returns one weight per class as a list of floats, or None.

  Args:
    words: list of strings, the numbers or the one word 'auto'; or None.
    num_classes: number of classes.
    split: dataset_info.SplitInfo of the training split, or None where there is none.

  Raises:
    ValueError: not so many numbers, a negative one, none above 0, or `auto` without counts.
  """
  if not words:
    return None
  if list(words) == [AUTO]:
    if split is None:
      raise ValueError('--label_weights=auto needs the number of pixels of each class from the '
                       'dataset_info.json in --dataset_dir; there is none. Give %d numbers.'
                       % num_classes)
    return balanced_weights(split)
  try:
    weights = [float(word) for word in words]
  except ValueError:
    weights = []
  if len(weights) != num_classes or not np.all(np.isfinite(weights)) or min(weights) < 0 or (
      max(weights) == 0):
    raise ValueError('--label_weights must be %d numbers from 0 up, one per class, or auto; got '
                     '%s.' % (num_classes, ','.join(words)))
  return weights


def balanced_weights(split):
  """Returns the weights of `class_frequency.balancing_weights`; 1 for classes without pixels.

  Args:
    split: dataset_info.SplitInfo with counts.
  """
  if split.present_pixel_counts is None:
    logging.info('The dataset_info.json does not tell in which label maps the classes are: their '
                 'frequencies are over all of them. Records that are built again have it.')
  weights = class_frequency.balancing_weights(split.class_pixel_counts,
                                              split.present_pixel_counts)
  return [1.0 if weight is None else weight for weight in weights]
