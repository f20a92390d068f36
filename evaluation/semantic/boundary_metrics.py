"""How well labels follow the boundaries of the classes; count first, divide last.

    counts = image_counts(labels, predictions, num_classes, ignore_label)
    total = total + counts ...
    summarize(total)['trimap_miou'], boundary_iou_per_class(total)

Distances are those of a square neighbourhood: the larger of rows and columns apart. An edge
towards ignored pixels is a boundary, as the ignored rims of objects in PASCAL VOC are.

References: Chen et al., "DeepLab", TPAMI 2018, section 4.1 (mean IoU against the width of a
trimap); Cheng et al., "Boundary IoU", CVPR 2021 (boundaries 2 % of the diagonal thick).
"""
import typing

import numpy as np

from deeplab.core import keys
from deeplab.evaluation.semantic import segmentation_metrics

# Half the width of the bands around label boundaries, in pixels, ascending.
TRIMAP_WIDTHS_PX = (1, 2, 4, 8, 16, 32)
# Thickness of the inner boundary of a segment over the diagonal of the image.
BOUNDARY_OVER_DIAGONAL = 0.02
# Rows of an image that are counted at once; bounds the memory.
_STRIP_ROWS = 512


class BoundaryCounts(typing.NamedTuple):
  """Pixel counts, int64; those of images add up."""
  all: np.ndarray  # [num_classes, num_classes] of all pixels, rows are labels.
  trimaps: np.ndarray  # [widths, num_classes, num_classes] of the pixels within each width.
  # [num_classes + 1, num_classes + 1] of pixels in the inner boundary of their class; the last row
  # and column are pixels of no boundary.
  boundary: np.ndarray

  def plus(self, other):
    """Returns the counts of both."""
    return BoundaryCounts(*[a + b for a, b in zip(self, other)])


def image_counts(labels, predictions, num_classes, ignore_label=keys.IGNORE_LABEL):
  """Returns the BoundaryCounts of one image.

  Labels, and predictions in 0..num_classes-1, are [height, width] integer arrays of class ids.
  Pixels with the label `ignore_label` are not counted. Raises ValueError if shapes differ.
  """
  labels, predictions = np.asarray(labels), np.asarray(predictions)
  if labels.shape != predictions.shape or labels.ndim != 2:
    raise ValueError('labels have shape %s, predictions %s; expected the same '
                     '[height, width].' % (labels.shape, predictions.shape))
  total = None
  for start in range(0, labels.shape[0], _STRIP_ROWS):
    counts = _strip_counts(labels, predictions, (start, start + _STRIP_ROWS), num_classes,
                           ignore_label)
    total = counts if total is None else total.plus(counts)
  return total


def _strip_counts(labels, predictions, rows, num_classes, ignore_label):
  """Returns the BoundaryCounts of the rows from rows[0] to before rows[1] of an image."""
  thickness = boundary_thickness(labels.shape)
  # Rows around the strip that boundaries of its pixels may lie in.
  halo = max(thickness, max(TRIMAP_WIDTHS_PX))
  first, end = max(0, rows[0] - halo), min(labels.shape[0], rows[1] + halo)
  own = slice(rows[0] - first, min(rows[1], labels.shape[0]) - first)
  labels, predictions = labels[first:end], predictions[first:end]
  is_ignored = labels == ignore_label
  # Ids as small as they can be: the filters below are bound by memory.
  kind = np.uint8 if num_classes < 256 else np.int32
  labels = np.where(is_ignored, num_classes, labels).astype(kind)
  predictions = np.where(is_ignored, num_classes, predictions).astype(kind)

  is_counted = ~is_ignored[own]
  num_widths = len(TRIMAP_WIDTHS_PX)
  bands = np.full(is_counted.shape, num_widths, np.int32)
  for index in reversed(range(num_widths)):
    bands[near_boundary(labels, TRIMAP_WIDTHS_PX[index])[own]] = index
  bins = (bands[is_counted] * num_classes + labels[own][is_counted]) * num_classes
  counts = np.bincount(bins + predictions[own][is_counted],
                       minlength=(num_widths + 1) * num_classes ** 2)
  counts = counts.astype(np.int64).reshape(-1, num_classes, num_classes).cumsum(axis=0)

  # Where the strip ends inside of the image, edges lie in the rows around it.
  inner = [np.where(near_boundary(ids, thickness, is_edge_boundary=True)[own], ids[own],
                    num_classes)
           for ids in (labels, predictions)]
  side = num_classes + 1
  boundary = np.bincount(
      inner[0][is_counted].astype(np.int32) * side + inner[1][is_counted],
      minlength=side ** 2).astype(np.int64).reshape(side, side)
  return BoundaryCounts(counts[-1], counts[:-1], boundary)


def boundary_thickness(size):
  """Returns the thickness in pixels of inner boundaries in an image of (height, width)."""
  return max(1, int(round(BOUNDARY_OVER_DIAGONAL * np.hypot(*size))))


def near_boundary(ids, distance_px, is_edge_boundary=False):
  """Returns where another id is within a distance, [height, width] bool.

  The ids are a [height, width] integer array, the distance is positive. `is_edge_boundary` tells
  whether what lies outside the image counts as another id.
  """
  result = _window_maximum(ids, distance_px) != ~_window_maximum(~ids, distance_px)
  if is_edge_boundary:
    result[:distance_px] = result[-distance_px:] = True
    result[:, :distance_px] = result[:, -distance_px:] = True
  return result


def boundary_iou_per_class(counts):
  """Returns the IoU of inner boundaries, [num_classes] float64; nan where there are none."""
  hits = np.diagonal(counts.boundary)[:-1]
  union = (counts.boundary.sum(axis=1) + counts.boundary.sum(axis=0))[:-1] - hits
  return segmentation_metrics.divide(hits, union)


def summarize(counts):
  """Returns the metrics as a dict that JSON can hold; absent values are None.

  'boundary_iou' is the mean over classes, a float; 'boundary_iou_per_class' a list; 'trimap_miou'
  a list of dicts of 'width_px' and 'miou', the mean IoU inside each band.
  """
  ious = boundary_iou_per_class(counts)
  or_none = segmentation_metrics.or_none
  return {
      'boundary_iou': or_none(segmentation_metrics.mean(ious)),
      'boundary_iou_per_class': [or_none(iou) for iou in ious],
      'trimap_miou': [{'width_px': width, 'miou': or_none(segmentation_metrics.mean_iou(band))}
                      for width, band in zip(TRIMAP_WIDTHS_PX, counts.trimaps)],
  }


def _window_maximum(values, radius):
  """Returns the maximum of the square of 2 * radius + 1 pixels around each, cut at edges.

  Windows grow by doubling, so that the work grows with the logarithm of the radius.
  """
  for axis in (0, 1):
    padding = [(0, 0), (0, 0)]
    padding[axis] = (radius, radius)
    # A view whose first axis is the one to look along.
    lines = np.moveaxis(np.pad(values, padding, mode='edge'), axis, 0)
    reached = 1
    while reached < 2 * radius + 1:
      step = min(reached, 2 * radius + 1 - reached)
      lines = np.maximum(lines[:-step], lines[step:])
      reached += step
    values = np.moveaxis(lines, 0, axis)
  return values
