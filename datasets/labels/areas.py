"""Draws annotated areas, polygons or run lengths as COCO has them, into label maps."""
import typing

import numpy as np

from deeplab.datasets.labels.label_sources import Drawing, Unusable

BOX_ALONE = 'a box and no segmentation (--boxes_as_areas paints boxes)'
_LEAST_COORDINATES = 6
# pycocotools needs memory for every pixel that an edge passes, inside of the picture or not.
_FARTHEST_PX = 100000
_RUNS_FORM = '{"counts": [...], "size": [height, width]}'
# Run lengths as text: digits of 5 bits, least first, from this letter on; one bit says that
# more follow, the highest bit of the last digit is the sign.
_ZERO, _MORE, _SIGN, _DIGIT_BITS, _MOST_DIGITS = ord('0'), 32, 16, 5, 12


class Area(typing.NamedTuple):
  """An annotated area of a picture."""
  name: str  # Words that tell it from others in messages.
  class_id: int  # Value to paint.
  segmentation: typing.Any  # [[x1, y1, x2, y2, ...], ...] in pixels, or {'counts', 'size'}.
  layer: int = 0  # Areas of higher layers lie on top; within a layer the smaller ones do.


def box_segmentation(box):
  """Returns the segmentation of a box (x, y, width, height) in pixels.

  Raises Unusable if these are not four numbers, or the box is empty.
  """
  if not isinstance(box, (list, tuple)) or len(box) != 4 or not _are_finite(box):
    raise Unusable('neither a segmentation nor a bbox [x, y, width, height]')
  x, y, width, height = box
  if width <= 0 or height <= 0:
    raise Unusable('a bbox without width or height')
  return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def line_segmentation(points, width):
  """Returns the segmentation of a line, or of a point, drawn with a square pen.

  `points` is a list of (x, y), one or more; these and the width of the line are in pixels.
  """
  radius, outlines = width / 2, []
  for begin, end in zip(points, points[1:] or points):
    begin, end = np.array(begin, float), np.array(end, float)
    length = np.hypot(*(end - begin))
    ahead = (end - begin) * (radius / length) if length else np.array([radius, 0])
    aside = np.array([-ahead[1], ahead[0]])
    corners = [begin - ahead - aside, end + ahead - aside, end + ahead + aside,
               begin - ahead + aside]
    outlines.append(np.concatenate(corners).tolist())
  return outlines


def draw(areas, size, unlabelled, left_out=()):
  """Returns the Drawing of a list of Area on a picture of size (height, width).

  `unlabelled` is the value of pixels in no area; `left_out` holds (name, reason) of what the caller
  has left out before. Raises ValueError if pycocotools is not installed.
  """
  masks, left_out = [], list(left_out)
  for area in areas:
    try:
      masks.append((area, _mask(area, size, left_out)))
    except Unusable as error:
      left_out.append((area.name, str(error)))
  labels = np.full(size, unlabelled, np.uint8)
  for area, mask in sorted(masks, key=lambda item: (item[0].layer, -int(item[1].sum()))):
    labels[mask] = area.class_id
  return Drawing(labels, len(masks), left_out)


def mask_runs(mask):
  """Returns the run lengths, down the columns and beginning with zeros, of a 2-D mask."""
  flat = np.concatenate([[False], np.asarray(mask, bool).T.ravel()])
  changes = np.flatnonzero(flat[1:] != flat[:-1])
  return np.diff(np.concatenate([[0], changes, [flat.size - 1]])).tolist()


def _mask(area, size, left_out):
  """Returns the [height, width] bool mask of an area; adds polygons to `left_out`."""
  segmentation = area.segmentation
  if isinstance(segmentation, dict):
    mask = _mask_of_runs(segmentation.get('counts'), segmentation.get('size'), size)
  elif isinstance(segmentation, list) and all(isinstance(p, list) for p in segmentation):
    problems = [_problem_of_polygon(polygon, size) for polygon in segmentation]
    if all(problems):
      raise Unusable(problems[0] if problems else 'no segmentation')
    left_out += [('polygon %d of %d of %s' % (i + 1, len(problems), area.name), problem)
                 for i, problem in enumerate(problems) if problem]
    mask = _mask_of_polygons(
        [polygon for polygon, problem in zip(segmentation, problems) if not problem], size)
  else:
    raise Unusable('a segmentation that is neither polygons [[x1, y1, x2, y2, ...], ...] nor '
                   'run lengths ' + _RUNS_FORM)
  if not mask.any():
    raise Unusable('no pixel in the picture')
  return mask


def _mask_of_polygons(polygons, size):
  try:
    from pycocotools import mask
  except ImportError as error:
    raise ValueError('Polygons need pycocotools to be drawn: pip install "deeplab[coco]".'
                     ) from error
  return mask.decode(mask.merge(mask.frPyObjects(polygons, *size))).astype(bool)


def _problem_of_polygon(polygon, size):
  """Returns why a list is no polygon, or None."""
  if not _are_finite(polygon):
    return 'coordinates that are not all finite numbers'
  if len(polygon) > 1 and sum(polygon) == size[0] * size[1] and max(polygon) > sum(size):
    return 'run lengths in place of a polygon; they are written ' + _RUNS_FORM
  if len(polygon) < _LEAST_COORDINATES:
    return 'a polygon of fewer than three points'
  if len(polygon) % 2:
    return 'a polygon of an odd number of coordinates'
  if max(map(abs, polygon)) > _FARTHEST_PX:
    return 'a polygon that reaches far out of the picture'
  return None


def _mask_of_runs(counts, stated, size):
  if not counts or not isinstance(stated, (list, tuple)) or len(stated) != 2 or (
      not _are_finite(stated)):
    raise Unusable('run lengths that are not written ' + _RUNS_FORM)
  if tuple(stated) != size:
    raise Unusable('run lengths of size %r in a picture of %r (height, width)'
                   % (tuple(stated), size))
  runs, num_pixels = _run_lengths(counts), size[0] * size[1]
  if runs.min() < 0 or runs.max() > num_pixels or runs.sum() != num_pixels:
    raise Unusable('run lengths that do not add up to the %d pixels' % num_pixels)
  return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size[::-1]).T


def _run_lengths(counts):
  """Returns run lengths, a list or COCO's compressed text, as an int64 array."""
  try:
    if not isinstance(counts, (str, bytes)):
      runs = np.array(counts)
      if runs.ndim != 1 or runs.dtype.kind != 'i':
        raise ValueError
      return runs.astype(np.int64)
    text = counts if isinstance(counts, bytes) else counts.encode('ascii')
    digits = np.frombuffer(text, np.uint8).astype(np.int64) - _ZERO
    ends = np.flatnonzero(digits & _MORE == 0)
    lengths = np.diff(np.concatenate([[-1], ends]))
    if not 0 <= digits.min() <= digits.max() < 2 * _MORE or (
        ends[-1] != len(digits) - 1 or lengths.max() > _MOST_DIGITS):
      raise ValueError
  except (ValueError, IndexError) as error:
    raise Unusable('run lengths that cannot be read') from error
  starts = ends + 1 - lengths
  places = np.arange(len(digits)) - np.repeat(starts, lengths)
  runs = np.add.reduceat((digits & (_MORE - 1)) << (_DIGIT_BITS * places), starts)
  runs -= np.where(digits[ends] & _SIGN, np.int64(1) << (_DIGIT_BITS * lengths), 0)
  # From the fourth on, they are differences to the second last.
  runs[1::2] = np.cumsum(runs[1::2])
  runs[2::2] = np.cumsum(runs[2::2])
  return runs


def _are_finite(values):
  # Whole numbers of any length are finite, but numpy would not take them.
  return all(type(value) in (int, float) and abs(value) < 1e300 for value in values)
