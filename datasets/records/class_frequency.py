"""How often classes occur, and weights that balance them.

Reference: Eigen and Fergus, "Predicting Depth, Surface Normals and Semantic Labels with a Common
Multi-Scale Convolutional Architecture", ICCV 2015: median frequency balancing.
"""
import numpy as np

# Rarer classes weigh no more than this many times the median one, and commoner no less.
_LARGEST_FACTOR = 10.0
WEIGHT_FORMULA = (
    'weight(c) = median of the frequencies / freq(c), within 0.1 to 10, where freq(c) = pixels of '
    'class c / labelled pixels of the label maps that hold c (median frequency balancing; Eigen '
    'and Fergus, "Predicting Depth, Surface Normals and Semantic Labels with a Common '
    'Multi-Scale Convolutional Architecture", ICCV 2015).')


def present_pixels(pixel_counts, ignore_label):
  """Returns a [256] array, per value the labelled pixels of a label map that holds it, else 0.

  Args:
    pixel_counts: [256] array, pixels of the label map per value.
    ignore_label: value of pixels without label.
  """
  num_labelled = pixel_counts.sum() - pixel_counts[ignore_label]
  return np.where(pixel_counts > 0, num_labelled, 0)


def balancing_weights(pixel_counts, present_pixel_counts=None):
  """Returns the weight of every class by WEIGHT_FORMULA, None for classes without pixels.

  Args:
    pixel_counts: [num_classes] array, pixels per class; 0 for an ignored one.
    present_pixel_counts: [num_classes] array, labelled pixels of the label maps that hold the
      class; None where not known: those of all label maps.
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
