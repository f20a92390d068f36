"""Label maps from the JSON files of labelme (github.com/wkentaro/labelme)."""
import base64
import io
import typing

import numpy as np
from PIL import Image, ImageDraw

from deeplab.core import image_limits, json_text

# Shape -> its least number of points.
_AREAS = {'polygon': 3, 'rectangle': 2, 'circle': 2, 'mask': 1}


class LabelmeLabel(typing.NamedTuple):
  """The label source of one image; later shapes lie on top of earlier ones.

  Attributes:
    path: JSON file.
    class_ids: tuple of (label, class id or ignore label).
    unlabelled: id of pixels in no shape.
  """
  path: str
  class_ids: typing.Tuple[typing.Tuple[str, int], ...]
  unlabelled: int

  def paths(self):
    """Returns the one file."""
    return [self.path]

  def read(self, height, width):
    """Returns the [height, width] uint8 class ids.

    Raises:
      ValueError: the file cannot be read, is of another size, or has a shape of an unknown
        class or without an area.
    """
    content = self._content()
    stated = content.get('imageHeight'), content.get('imageWidth')
    if None not in stated and stated != (height, width):
      raise ValueError('%s is of an image of %sx%s (height x width), this one is %dx%d.'
                       % ((self.path,) + stated + (height, width)))
    labels = Image.new('L', (width, height), self.unlabelled)
    class_ids = dict(self.class_ids)
    for shape in content['shapes']:
      self._draw(shape, labels, class_ids)
    return np.array(labels)

  def _content(self):
    try:
      content = json_text.read(self.path)
    except (OSError, ValueError) as error:
      raise ValueError('%s cannot be read as JSON: %s.' % (self.path, error)) from error
    if not isinstance(content, dict) or not isinstance(content.get('shapes'), list):
      raise ValueError('%s: expected the list `shapes` of labelme.' % self.path)
    return content

  def _draw(self, shape, labels, class_ids):
    """Paints one shape onto a Pillow image."""
    try:
      name = shape['label']
      kind = shape.get('shape_type') or 'polygon'
      points = [(float(x), float(y)) for x, y in shape['points']]
      is_finite = np.isfinite(points).all()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
      raise ValueError('%s: expected a shape with label and points, got %.80r.'
                       % (self.path, shape)) from error
    if name not in class_ids:
      raise ValueError('%s: the label %r is not one of the classes %s.'
                       % (self.path, name, ', '.join(repr(n) for n, _ in self.class_ids)))
    if kind not in _AREAS or len(points) < _AREAS[kind] or not is_finite:
      raise ValueError('%s: a %s of %d points (label %r) has no area; expected one of %s.'
                       % (self.path, kind, len(points), name, ', '.join(sorted(_AREAS))))
    if kind == 'mask':
      mask = self._mask(shape)
      labels.paste(class_ids[name], (int(points[0][0]), int(points[0][1])), mask)
    else:
      _DRAW[kind](ImageDraw.Draw(labels), points, class_ids[name])

  def _mask(self, shape):
    try:
      mask = image_limits.open_image(io.BytesIO(base64.b64decode(shape['mask'])))
      return mask.convert('L').point(lambda value: 255 if value else 0)
    except (KeyError, TypeError, OSError, SyntaxError, ValueError) as error:
      raise ValueError('%s: the mask of label %r cannot be decoded: %s.'
                       % (self.path, shape['label'], error)) from error


def _polygon(draw, points, value):
  draw.polygon(points, fill=value, outline=value)


def _rectangle(draw, points, value):
  xs, ys = zip(*points)
  draw.rectangle([min(xs), min(ys), max(xs), max(ys)], fill=value, outline=value)


def _circle(draw, points, value):
  (x, y), edge = points[:2]
  radius = np.hypot(edge[0] - x, edge[1] - y)
  draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=value, outline=value)


_DRAW = {'polygon': _polygon, 'rectangle': _rectangle, 'circle': _circle}
