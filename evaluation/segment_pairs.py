"""Counts the pixels that every ground-truth segment shares with every predicted one.

    (truth, predicted), lengths = joint_runs(groundtruth_ids, predicted_ids)
    pairs = count_pairs(truth, predicted, lengths)
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


def joint_runs(*arrays):
  """Returns the runs of pixels, in reading order, over which no array changes.

  Segments are compact, so an image has few runs: what is done per run costs little.

  Args:
    *arrays: arrays of the same shape.

  Returns:
    (list of [R] values per array, [R] int64 lengths in pixels).
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
  """Returns the SegmentPairs of runs of two id images.

  Args:
    groundtruth: [R] integer array of ids in 0..2^32-1.
    predicted: the same for the prediction.
    lengths: [R] number of pixels.
  """
  codes = np.left_shift(groundtruth.astype(np.uint64), np.uint64(ID_BITS))
  codes |= predicted.astype(np.uint32)
  pairs, inverse = np.unique(codes, return_inverse=True)
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


def _sums(index, values, length):
  """Returns [length] int64 sums of the values per index."""
  # Sums of pixels stay far below 2^53, so float64 weights are exact.
  return np.bincount(index, weights=values, minlength=length).astype(np.int64)
