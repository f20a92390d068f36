"""Counts the pixels that every ground-truth segment shares with every predicted one.

    pairs = count_pairs(groundtruth_ids, predicted_ids)
    pairs.areas      # pixels per pair that shares any
"""
import typing

import numpy as np

# Two ids share a 64-bit code.
ID_BITS = 32


class SegmentPairs(typing.NamedTuple):
  """Segments of two id images of the same scene, and what they share.

  Attributes:
    groundtruth_ids: [G] int64, the distinct ids, ascending.
    groundtruth_areas: [G] int64, their areas in pixels.
    predicted_ids: [P] int64.
    predicted_areas: [P] int64.
    groundtruth_index: [N] index into `groundtruth_ids`, per pair with common pixels.
    predicted_index: [N] index into `predicted_ids`.
    areas: [N] int64, number of common pixels, > 0.
  """
  groundtruth_ids: np.ndarray
  groundtruth_areas: np.ndarray
  predicted_ids: np.ndarray
  predicted_areas: np.ndarray
  groundtruth_index: np.ndarray
  predicted_index: np.ndarray
  areas: np.ndarray


def count_pairs(groundtruth, predicted):
  """Returns the SegmentPairs of two id images.

  Segments are compact, so rows of pixels fall into few runs of one pair each: the pairs of
  the runs are sorted instead of those of the pixels.

  Args:
    groundtruth: integer array of ids in 0..2^32-1, any shape.
    predicted: the same for the prediction, same number of elements.
  """
  codes = np.left_shift(groundtruth.ravel().astype(np.uint64), np.uint64(ID_BITS))
  np.bitwise_or(codes, predicted.ravel().astype(np.uint32), out=codes)
  values, lengths = runs(codes)
  pairs, inverse = np.unique(values, return_inverse=True)
  areas = _sums(inverse, lengths, len(pairs))
  groundtruth_ids, groundtruth_index = np.unique(pairs >> np.uint64(ID_BITS),
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


def runs(values):
  """Returns the runs of equal neighbours in a 1-D array: ([R] values, [R] lengths)."""
  if not values.size:
    return values, np.zeros([0], np.int64)
  starts = np.flatnonzero(values[1:] != values[:-1]) + 1
  bounds = np.concatenate([[0], starts, [values.size]])
  return values[bounds[:-1]], np.diff(bounds)


def _sums(index, values, length):
  """Returns [length] int64 sums of the values per index."""
  # Sums of pixels stay far below 2^53, so float64 weights are exact.
  return np.bincount(index, weights=values, minlength=length).astype(np.int64)
