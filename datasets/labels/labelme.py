"""Label maps from the JSON files of labelme (github.com/wkentaro/labelme)."""
import base64
import binascii
import collections
import contextlib
import io
import typing

import numpy as np
from PIL import Image, ImageDraw

from deeplab.core.images import limits
from deeplab.core.storage import json_text
from deeplab.datasets.labels.class_names import IGNORE_NAMES
from deeplab.datasets.labels.label_sources import Drawing, Unusable

_FARTHEST_PX = 10 ** 6  # Pillow counts pixels in 32 bits.


class Pens(typing.NamedTuple):
  """What the shapes of all files are drawn with."""
  # Dict or tuple of pairs, label -> class id; labels called `ignore` need none.
  class_ids: typing.Tuple[typing.Tuple[str, int], ...]
  ignore_label: int  # Value of these.
  line_width: int  # Width of lines and diameter of points, in pixels.
  # Whether shapes of other labels are left out; else they are errors.
  leaves_out_others: bool

  def id_of(self, label):
    """Returns the value of a label, or None."""
    known = dict(self.class_ids)
    return known.get(label, self.ignore_label if label in IGNORE_NAMES else None)


class LabelmeLabel(typing.NamedTuple):
  """The label source of one image; later shapes lie on top of earlier ones."""
  path: str  # JSON file.
  pens: Pens
  unlabelled: int  # Id of pixels in no shape.

  def read(self, height, width):
    """Returns the label_sources.Drawing of [height, width] uint8 class ids.

    Raises ValueError if the file cannot be read, is of another size, or has a shape of an unknown
    label that is not left out.
    """
    content = _content(self.path)
    stated = [_whole(content.get(name)) for name in ('imageHeight', 'imageWidth')]
    if None not in stated and stated != [height, width]:
      raise ValueError('%s is of an image of %sx%s (height x width), this one is %dx%d.'
                       % (self.path, stated[0], stated[1], height, width))
    labels, left_out = Image.new('L', (width, height), self.unlabelled), []
    for i, shape in enumerate(content['shapes']):
      label = _label_of(shape)
      name = 'shape %d' % (i + 1) + (' (%s)' % label if label else '')
      class_id = self.pens.id_of(label)
      if label and class_id is None and not self.pens.leaves_out_others:
        raise ValueError('%s: %s is not of the classes %s. Add it to --class_names, correct '
                         'the file, or leave such shapes out with --on_error=skip.' % (
                             self.path, name, ', '.join(n for n, _ in self.pens.class_ids)))
      try:
        if class_id is None:
          raise Unusable('a label that is no class' if label else 'no label')
        _draw(shape, labels, class_id, self.pens.line_width)
      except Unusable as error:
        left_out.append((name, str(error)))
    return Drawing(np.array(labels), len(content['shapes']) - len(left_out), left_out)


def count_labels(paths):
  """Returns a Counter, label -> number of shapes in labelme files; unreadable files count not."""
  counts = collections.Counter()
  for path in paths:
    with contextlib.suppress(ValueError):  # Named when it is drawn.
      counts.update(filter(None, map(_label_of, _content(path)['shapes'])))
  return counts


def _content(path):
  content = json_text.read(path)
  if not isinstance(content, dict) or not isinstance(content.get('shapes'), list):
    raise ValueError('%s: expected the list `shapes` of labelme.' % path)
  return content


def _label_of(shape):
  """Returns the label of a shape as text, numbers too, or None."""
  label = shape.get('label') if isinstance(shape, dict) else None
  return str(label).strip() or None if isinstance(label, (str, int)) else None


def _whole(value):
  """Returns a size that may be text or a float as int, None where it says nothing."""
  try:
    return int(value) or None
  except (TypeError, ValueError, OverflowError):
    return None


def _draw(shape, labels, value, line_width):
  """Paints one shape onto a Pillow image; raises Unusable."""
  kind = shape.get('shape_type') or 'polygon'
  if not isinstance(kind, str) or kind not in _KINDS:
    raise Unusable('the unknown shape type %.30r (known: %s)' % (kind, ', '.join(sorted(_KINDS))))
  try:
    points = [(float(x), float(y)) for x, y in shape['points']]
  except (KeyError, TypeError, ValueError):
    points = []
  if not points:
    raise Unusable('no points [[x, y], ...]')
  if np.abs(points).max() > _FARTHEST_PX or not np.isfinite(points).all():
    raise Unusable('points that are not finite numbers near the picture')
  num_points, paint = _KINDS[kind]
  if len(points) < num_points:
    raise Unusable('fewer than the %d points of a %s' % (num_points, kind))
  stroke = _Stroke(points, line_width, shape)
  if all(0 <= x < labels.width and 0 <= y < labels.height for x, y in points):
    paint(labels, stroke, value)
    return
  seen = Image.new('L', labels.size)
  paint(seen, stroke, 255)
  if not seen.getbbox():
    raise Unusable('no pixel in the picture')
  labels.paste(value, (0, 0), seen)


class _Stroke(typing.NamedTuple):
  """What is painted: points (x, y) in pixels, width of the pen, and the shape of the file."""
  points: typing.List[typing.Tuple[float, float]]
  width: int
  shape: typing.Dict


def _mask(labels, stroke, value):
  try:
    data = base64.b64decode(stroke.shape['mask'])
    mask = limits.open_image(io.BytesIO(data)).convert('L')
  except (KeyError, TypeError, OSError, SyntaxError, binascii.Error) as error:
    raise Unusable('a mask that cannot be decoded') from error
  except ValueError as error:
    raise Unusable('a mask that cannot be used: %s' % error) from error
  if not mask.getbbox():
    raise Unusable('an empty mask')
  labels.paste(value, (int(stroke.points[0][0]), int(stroke.points[0][1])),
               mask.point(lambda covered: 255 if covered else 0))


def _polygon(labels, stroke, value):
  ImageDraw.Draw(labels).polygon(stroke.points, fill=value, outline=value)


def _rectangle(labels, stroke, value):
  xs, ys = zip(*stroke.points)
  ImageDraw.Draw(labels).rectangle([min(xs), min(ys), max(xs), max(ys)], fill=value,
                                   outline=value)


def _circle(labels, stroke, value):
  (x, y), edge = stroke.points[:2]
  _disc(labels, x, y, np.hypot(edge[0] - x, edge[1] - y), value)


def _discs(labels, stroke, value):
  for x, y in stroke.points:
    _disc(labels, x, y, (stroke.width - 1) / 2, value)


def _line(labels, stroke, value):
  ImageDraw.Draw(labels).line(stroke.points, fill=value, width=stroke.width)
  _discs(labels, stroke, value)  # Round ends and corners.


def _disc(labels, x, y, radius, value):
  draw = ImageDraw.Draw(labels)
  draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=value, outline=value)
  draw.point((x, y), fill=value)  # Of the smallest ellipses Pillow paints nothing.


# Type of a shape -> (least number of points, function of labels, _Stroke and value).
_KINDS = {
    'polygon': (3, _polygon),
    'rectangle': (2, _rectangle),
    'oriented_rectangle': (3, _polygon),
    'rotation': (3, _polygon),  # The oriented rectangle of X-AnyLabeling.
    'circle': (2, _circle),
    'line': (2, _line),
    'linestrip': (2, _line),
    'point': (1, _discs),
    'points': (1, _discs),
    'mask': (1, _mask),
}
