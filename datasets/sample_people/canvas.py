"""A picture with labels, and the painter that puts lit shapes on both at once."""
import typing

import numpy as np

from deeplab.datasets.sample_people import raster

BACKGROUND, OTHER, GARMENT, SKIN, HAIR, ARMS, SHOE, SLEEVES, PANTS = range(9)
NUM_CLASSES = 9
IGNORE = 255


class Light(typing.NamedTuple):
  """Where light comes from: [3] unit vector (right, down, to the viewer) and its share."""
  direction: np.ndarray
  ambient: float

  def shade(self, normal_x, normal_y):
    """Returns the brightness of a surface; 1 where it faces the viewer."""
    x, y, z = self.direction
    normal_z = np.sqrt(np.maximum(1 - normal_x ** 2 - normal_y ** 2, 0))
    facing = np.maximum(x * normal_x + y * normal_y + z * normal_z, 0) / z
    return self.ambient + (1 - self.ambient) * np.minimum(facing, 1.35)


class Canvas(object):
  """An image and its label map, painted back to front."""

  def __init__(self, rgb, light):
    self.rgb = rgb  # [height, width, 3] float64 in about 0..1.
    self.labels = np.zeros(rgb.shape[:2], np.uint8)  # [height, width] class ids.
    self.light = light

  @property
  def size(self):
    """(height, width) in pixels."""
    return self.labels.shape

  def paint(self, mask, color, label, opacity=1.0):
    """Paints a raster.Mask in `color`, [3] or [h, w, 3] RGB in 0..1, before lighting.

    Pixels at least half covered get the class id `label`, unless it is None; opacity: 0..1.
    """
    height, width = mask.coverage.shape
    area = (slice(mask.top, mask.top + height), slice(mask.left, mask.left + width))
    lit = color * self.light.shade(mask.normal_x, mask.normal_y)[..., np.newaxis]
    below = self.rgb[area]
    below += (opacity * mask.coverage)[..., np.newaxis] * (lit - below)
    if label is not None:
      self.labels[area][mask.coverage >= 0.5] = label

  def cast_shadow(self, mask, offset, softness, strength, on_figure=True):
    """Darkens what lies below a raster.Mask, or None, that is about to be painted.

    Args:
      offset, softness: (x, y) of the shadow and its blur, in pixels.
      strength: 0..1.
      on_figure: darkens pixels of figures; otherwise of the background.
    """
    if mask is None:
      return
    margin = int(2 * softness + 2)
    dark = raster.blur(np.pad(mask.coverage, margin, 'constant'), softness)
    top = mask.top - margin + int(round(offset[1]))
    left = mask.left - margin + int(round(offset[0]))
    rows = slice(max(top, 0), min(top + dark.shape[0], self.size[0]))
    columns = slice(max(left, 0), min(left + dark.shape[1], self.size[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
      return
    dark = dark[rows.start - top:rows.stop - top, columns.start - left:columns.stop - left]
    dark = dark * ((self.labels[rows, columns] > 0) == on_figure)
    self.rgb[rows, columns] *= (1 - strength * dark)[..., np.newaxis]


class Painter(object):
  """Paints a figure on a canvas in its own unit, head heights, or a part in a frame of its own."""

  def __init__(self, canvas, unit, origin, center=(0, 0), scale=1.0, angle=0.0):
    """Places the figure, and the frame in it.

    Args:
      unit: pixels per unit.
      origin: (x, y) of the figure's zero point in pixels.
      center, scale: (x, y) of the frame's zero point and length of the frame, in units.
      angle: turn of the frame in radians.
    """
    self.canvas, self.unit, self.origin = canvas, unit, np.asarray(origin, np.float64)
    self._center, self._scale, self._angle = np.asarray(center, np.float64), scale, angle

  def within(self, center, scale, angle):
    """Returns the Painter of a frame in this figure."""
    return Painter(self.canvas, self.unit, self.origin, center, scale, angle)

  def place(self, points):
    """Returns points of the frame in units of the figure."""
    x, y = np.moveaxis(np.asarray(points, np.float64), -1, 0)
    cos, sin = np.cos(self._angle), np.sin(self._angle)
    turned = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
    return self._center + self._scale * turned

  def to_pixels(self, points):
    """Returns [n, 2] points of the frame as pixels."""
    return self.place(points) * self.unit + self.origin

  def fill(self, points, surface, label, roundness=0.2, curved=True, **options):
    """Paints an outline of [n, 2] corners; options: see `_put`.

    Args:
      surface: RGB or a function (x, y) -> RGB of coordinates in units.
      label: class id, or None to leave labels.
      roundness: width of the zone along the outline that bends away.
      curved: draws a curve through the points instead of straight sides.
    """
    self._fill_pixels(self.to_pixels(points), surface, label, roundness, curved, **options)

  def ellipse(self, center, radius_x, radius_y, surface, label, roundness=0.0, **options):
    """Paints an ellipse upright in its frame; the rest as in `fill`."""
    outline = raster.ellipse(self.place(center), self._scale * radius_x, self._scale * radius_y,
                             self._angle)
    self._fill_pixels(outline * self.unit + self.origin, surface, label, roundness, False,
                      **options)

  def tube(self, path, radii, surface, label, cut=(0.0, 1.0), **options):
    """Paints a limb; `path` [n, 2], `radii` [n] or one for all, the rest as in `fill`."""
    radii = np.asarray(radii) * self._scale * self.unit
    mask = raster.tube(self.to_pixels(path), radii, self.canvas.size, cut)
    self._put(mask, surface, label, **options)

  def _fill_pixels(self, points, surface, label, roundness, curved, is_upright=False, **options):
    """Paints an outline; is_upright: it bends away to the sides only, not above and below."""
    mask = raster.polygon(raster.smooth(points) if curved else points, self.canvas.size,
                          roundness * self._scale * self.unit)
    if mask is not None:
      mask = mask._replace(x=mask.x - self.origin[0], y=mask.y - self.origin[1])
      if is_upright:
        mask = mask._replace(normal_y=np.zeros_like(mask.normal_y))
    self._put(mask, surface, label, **options)

  def _put(self, mask, surface, label, shadow=0.0, opacity=1.0):
    """Paints a mask; shadow: strength of the shadow on the figure below; opacity: 0..1."""
    if mask is None:
      return
    if shadow:
      light = self.canvas.light.direction
      self.canvas.cast_shadow(mask, (-0.10 * light[0] * self.unit, 0.08 * self.unit),
                              0.06 * self.unit, shadow)
    color = (surface(mask.x / self.unit, mask.y / self.unit) if callable(surface)
             else np.asarray(surface))
    self.canvas.paint(mask, color, label, opacity)
