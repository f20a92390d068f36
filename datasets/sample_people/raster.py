"""Shapes to pixels: outlines and limbs become coverage masks with a rounded surface.

numpy alone, and only operations that every version computes alike, so that labels never depend on
the installed libraries. Points are (x, y) in pixels, y downwards; pixel (row i, column j) covers
[j, j+1) x [i, i+1). `size` is the (height, width) of the image in pixels.
"""
import typing

import numpy as np

# Scan lines per pixel row; horizontally the coverage is exact.
_SCAN_LINES = 4
# Sine of the steepest tilt of a surface; at 1 the rim would be unlit.
_STEEPEST = 0.94
# Factor on that at the start of a limb.
_FLATTEST_START = 0.35
_CURVE_STEPS = 6


class Mask(typing.NamedTuple):
  """A shape on the pixel grid, cut to the image."""
  top: int  # Row of the first row of the arrays.
  left: int  # Column of the first column.
  coverage: np.ndarray  # [h, w] in 0..1.
  normal_x: np.ndarray  # [h, w], x part of the unit surface normal of the rounded shape.
  normal_y: np.ndarray  # [h, w], y part.
  x: np.ndarray  # [h, w], first pattern coordinate, pixels: along x, or across a limb.
  y: np.ndarray  # [h, w], second pattern coordinate, pixels: along y, or along a limb.


def smooth(points, closed=True, steps=_CURVE_STEPS):
  """Returns a Catmull-Rom curve through [n, 2] points as [m, 2] points."""
  points = np.asarray(points, np.float64)
  if closed:
    padded = np.concatenate([points[-1:], points, points[:2]])
  else:
    padded = np.concatenate([2 * points[:1] - points[1:2], points,
                             2 * points[-1:] - points[-2:-1]])
  p0, p1, p2, p3 = (padded[i:len(padded) - 3 + i, np.newaxis] for i in range(4))
  t = (np.arange(steps) / float(steps))[:, np.newaxis]
  curve = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3
                                         + t * (3 * (p1 - p2) + p3 - p0)))
  curve = curve.reshape(-1, 2)
  return curve if closed else np.concatenate([curve, points[-1:]])


def curve(*points):
  """Returns an open curve through points (x, y), as `smooth`."""
  return smooth(points, closed=False)


def ellipse(center, radius_x, radius_y, angle=0.0, num_points=20):
  """Returns the outline of an ellipse turned by `angle` radians, [num_points, 2]."""
  turn = np.arange(num_points) * (2 * np.pi / num_points)
  x, y = radius_x * np.cos(turn), radius_y * np.sin(turn)
  cos, sin = np.cos(angle), np.sin(angle)
  return np.stack([center[0] + cos * x - sin * y, center[1] + sin * x + cos * y], axis=1)


def round_corners(joints, reach):
  """Rounds a polyline of [n, 2] corners by `reach`, 0..0.5 of the shorter neighbouring side."""
  joints = np.asarray(joints, np.float64)
  path = [joints[0]]
  for before, corner, after in zip(joints[:-2], joints[1:-1], joints[2:]):
    lengths = [np.hypot(*(before - corner)), np.hypot(*(after - corner))]
    start, end = [corner + (other - corner) * (reach * min(lengths) / max(length, 1e-6))
                  for other, length in zip((before, after), lengths)]
    for t in np.arange(5) / 4.0:
      path.append((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t * t * end)
  path.append(joints[-1])
  return np.array(path)


def polygon(points, size, roundness):
  """Returns the Mask of a closed [n, 2] outline (non-zero winding), None outside of the image.

  `roundness` is the width in pixels of the zone along the outline that bends away; 0: flat.
  """
  box = _box(points, 0, size)
  if box is None:
    return None
  top, left, bottom, right = box
  coverage = _coverage(np.asarray(points, np.float64), top, left, bottom - top, right - left)
  normal_x, normal_y = _bulge(coverage, roundness)
  x = np.broadcast_to(np.arange(left, right) + 0.5, coverage.shape)
  y = np.broadcast_to((np.arange(top, bottom) + 0.5)[:, np.newaxis], coverage.shape)
  return Mask(top, left, coverage, normal_x, normal_y, x, y)


def tube(path, radii, size, cut=(0.0, 1.0)):
  """Returns the Mask of a limb: discs along a polyline, or None outside of the image.

  Its start, round, bends away less, so that it blends with the body it grows out of.

  Args:
    path, radii: [n, 2] centre line and [n] radii, or one for all, in pixels.
    cut: part of the length to keep, as fractions; an end at 0 or 1 stays round, others are square.
  """
  path = np.asarray(path, np.float64)
  radii = np.broadcast_to(np.asarray(radii, np.float64), len(path))
  box = _box(path, radii.max(), size)
  if box is None:
    return None
  top, left, bottom, right = box
  x, y = np.arange(left, right) + 0.5, (np.arange(top, bottom) + 0.5)[:, np.newaxis]
  starts, steps = path[:-1], path[1:] - path[:-1]
  lengths = np.maximum(np.sqrt((steps ** 2).sum(axis=1)), 1e-6)
  steps = steps / lengths[:, np.newaxis]
  tapers = np.diff(radii) / lengths
  distance, nearest = _distance(x, y, starts, steps, lengths, radii, tapers)

  # For every pixel: where it is about the piece of the path that is nearest to it.
  step_x, step_y = steps[nearest, 0], steps[nearest, 1]
  from_x, from_y = x - starts[nearest, 0], y - starts[nearest, 1]
  reach = from_x * step_x + from_y * step_y
  along = np.clip(reach, 0, lengths[nearest])
  radius = np.maximum(radii[nearest] + along * tapers[nearest], 0.5)
  travelled = np.concatenate([[0.0], np.cumsum(lengths)])
  position = travelled[nearest] + along
  if cut[0] > 0:
    distance = np.maximum(distance, cut[0] * travelled[-1] - position)
  if cut[1] < 1:
    distance = np.maximum(distance, position - cut[1] * travelled[-1])
  away_x, away_y = from_x - along * step_x, from_y - along * step_y
  scale = np.clip(position / (2.5 * radii[0] + 1e-6), _FLATTEST_START, 1) * (
      _STEEPEST / np.maximum(radius, np.sqrt(away_x ** 2 + away_y ** 2)))
  # Beyond the round ends the pattern goes on.
  is_end = (position == 0) | (position == travelled[-1])
  return Mask(top, left, np.clip(0.5 - distance, 0, 1), away_x * scale, away_y * scale,
              step_x * from_y - step_y * from_x, np.where(is_end, travelled[nearest] + reach,
                                                          position))


def _distance(x, y, starts, steps, lengths, radii, tapers):
  """Returns ([h, w] signed distance to a limb, [h, w] number of the nearest piece)."""
  distance = np.full((y.shape[0], x.shape[0]), np.inf)
  nearest = np.zeros(distance.shape, np.int64)
  for i in range(len(steps)):
    from_x, from_y = x - starts[i, 0], y - starts[i, 1]
    along = from_x * steps[i, 0] + from_y * steps[i, 1]
    np.clip(along, 0, lengths[i], out=along)
    off_x, off_y = from_x - along * steps[i, 0], from_y - along * steps[i, 1]
    off_x *= off_x
    off_y *= off_y
    off_x += off_y
    candidate = np.sqrt(off_x, out=off_x)
    candidate -= radii[i]
    along *= tapers[i]
    candidate -= along
    nearest[candidate < distance] = i
    np.minimum(distance, candidate, out=distance)
  return distance, nearest


def blur(values, radius):
  """Returns [h, w] values, 0 beyond, smoothed by a tent of half-width about 2 * radius pixels."""
  radius = int(round(radius))
  length = 2 * radius + 1
  for _ in range(4 if radius else 0):  # A box down, one across, and both again.
    height = len(values)
    sums = np.zeros((height + length, values.shape[1]))
    np.cumsum(values, axis=0, out=sums[radius + 1:radius + 1 + height])
    sums[radius + 1 + height:] = sums[radius + height]
    values = ((sums[length:] - sums[:-length]) / length).T
  return values


def _box(points, margin, size):
  """Returns (top, left, bottom, right) of the pixels touched, or None."""
  points = np.asarray(points)
  left, top = np.floor(points.min(axis=0) - margin - 1).astype(int)
  right, bottom = np.ceil(points.max(axis=0) + margin + 1).astype(int)
  top, left = max(top, 0), max(left, 0)
  bottom, right = min(bottom, size[0]), min(right, size[1])
  return (top, left, bottom, right) if bottom > top and right > left else None


def _coverage(points, top, left, height, width):
  """Returns the covered part of every pixel of a box, [height, width]."""
  x0, y0 = points[:, 0] - left, points[:, 1] - top
  x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
  lines = (np.arange(height * _SCAN_LINES) + 0.5)[:, np.newaxis] / _SCAN_LINES
  falls = (y0 <= lines) & (lines < y1)
  line, edge = np.nonzero(falls | ((y1 <= lines) & (lines < y0)))
  sign = np.where(falls[line, edge], 1.0, -1.0)
  slope = (x1 - x0)[edge] / (y1 - y0)[edge]
  x = np.clip(x0[edge] + (lines[line, 0] - y0[edge]) * slope, 0, width)
  column = np.floor(x).astype(np.int64)
  part = x - column
  # The winding number is the running sum of these steps from the left.
  cells = line * (width + 2) + column
  count = height * _SCAN_LINES * (width + 2)
  steps = (np.bincount(cells, sign * (1 - part), count)
           + np.bincount(cells + 1, sign * part, count))
  winding = np.cumsum(steps.reshape(-1, width + 2), axis=1)[:, :width]
  inside = np.minimum(np.abs(winding), 1)
  return inside.reshape(height, _SCAN_LINES, width).mean(axis=1)


def _bulge(coverage, roundness):
  radius = int(round(roundness / 2.0))
  if radius < 1 or min(coverage.shape) < 2:
    return np.zeros_like(coverage), np.zeros_like(coverage)
  margin = 2 * radius
  height = blur(np.pad(coverage, margin, 'constant'), radius)
  slope_y, slope_x = (slope[margin:-margin, margin:-margin] * (-2 * radius)
                      for slope in np.gradient(height))
  scale = _STEEPEST / np.maximum(np.sqrt(slope_x ** 2 + slope_y ** 2), 1)
  return slope_x * scale, slope_y * scale

