"""Label maps from the JSON files of labelme (github.com/wkentaro/labelme)."""
import base64
import binascii
import collections
import functools
import io
import typing

import numpy as np
from PIL import Image, ImageDraw

from deeplab.core.images import limits
from deeplab.core.storage import json_text
from deeplab.datasets.labels.class_names import IGNORE_NAMES
from deeplab.datasets.labels.label_sources import Drawing

# Pillow counts pixels in 32 bits.
_FARTHEST_PX = 10 ** 6


class Pens(typing.NamedTuple):
  """What the shapes of all files are drawn with.

  Attributes:
    class_ids: dict or tuple of pairs, label -> class id; labels called `ignore` need none.
    ignore_label: value of these.
    line_width: width of lines and diameter of points, in pixels.
    leaves_out_others: whether shapes of other labels are left out; else they are errors.
  """
  class_ids: typing.Tuple[typing.Tuple[str, int], ...]
  ignore_label: int = 255
  line_width: int = 10
  leaves_out_others: bool = False

  def id_of(self, label):
    """Returns the value of a label, or None."""
    known = dict(self.class_ids)
    return known.get(label, self.ignore_label if label in IGNORE_NAMES else None)


class LabelmeLabel(typing.NamedTuple):
  """The label source of one image; later shapes lie on top of earlier ones.

  Attributes:
    path: JSON file.
    pens: Pens.
    unlabelled: id of pixels in no shape.
  """
  path: str
  pens: Pens
  unlabelled: int

  def paths(self):
    """Returns the one file."""
    return [self.path]

  def read(self, height, width):
    """Returns the label_sources.Drawing of [height, width] uint8 class ids.

    Raises:
      ValueError: the file cannot be read, is of another size, or has a shape of an unknown
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
      try:
        if class_id is None:
          if label is not None and not self.pens.leaves_out_others:
            raise ValueError('%s: %s is not of the classes %s. Add it to --class_names, correct '
                             'the file, or leave such shapes out with --on_error=skip.' % (
                                 self.path, name, ', '.join(n for n, _ in self.pens.class_ids)))
          raise _Unusable('a label that is no class' if label else 'no label')
        _draw(shape, labels, class_id, self.pens.line_width)
      except _Unusable as error:
        left_out.append((name, str(error)))
    return Drawing(np.array(labels), len(content['shapes']) - len(left_out), left_out)


def count_labels(paths):
  """Returns a Counter, label -> number of shapes in labelme files; unreadable files count not."""
  counts = collections.Counter()
  for path in paths:
    try:
      counts.update(filter(None, map(_label_of, _content(path)['shapes'])))
    except ValueError:
      continue  # Named when it is drawn.
  return counts


class _Unusable(Exception):
  """A shape cannot be drawn; the message continues '1 with'."""


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
  """Paints one shape onto a Pillow image; raises _Unusable."""
  kind = shape.get('shape_type') or 'polygon'
  row = _KINDS.get(kind if isinstance(kind, str) else None)
  if row is None:
    raise _Unusable('the unknown shape type %.30r (known: %s)' % (kind, ', '.join(sorted(_KINDS))))
  try:
    points = [(float(x), float(y)) for x, y in shape['points']]
  except (KeyError, TypeError, ValueError) as error:
    raise _Unusable('no points [[x, y], ...]') from error
  if not points or np.abs(points).max() > _FARTHEST_PX or not np.isfinite(points).all():
    raise _Unusable('points that are not finite numbers near the picture' if points
                    else 'no points [[x, y], ...]')
  if len(points) < row.num_points:
    raise _Unusable('fewer than the %d points of a %s' % (row.num_points, kind))
  paint = functools.partial(_paste_mask, shape) if kind == 'mask' else row.paint
  if all(0 <= x < labels.width and 0 <= y < labels.height for x, y in points):
    paint(labels, points, value, line_width)
    return
  seen = Image.new('L', labels.size)
  paint(seen, points, 255, line_width)
  if not seen.getbbox():
    raise _Unusable('no pixel in the picture')
  labels.paste(value, (0, 0), seen)


def _paste_mask(shape, labels, points, value, unused_width):
  try:
    mask = limits.open_image(io.BytesIO(base64.b64decode(shape['mask']))).convert('L')
  except (KeyError, TypeError, OSError, SyntaxError, binascii.Error) as error:
    raise _Unusable('a mask that cannot be decoded') from error
  except ValueError as error:
    raise _Unusable('a mask that cannot be used: %s' % error) from error
  if not mask.getbbox():
    raise _Unusable('an empty mask')
  labels.paste(value, (int(points[0][0]), int(points[0][1])),
               mask.point(lambda covered: 255 if covered else 0))


def _polygon(labels, points, value, unused_width):
  ImageDraw.Draw(labels).polygon(points, fill=value, outline=value)


def _rectangle(labels, points, value, unused_width):
  xs, ys = zip(*points)
  ImageDraw.Draw(labels).rectangle([min(xs), min(ys), max(xs), max(ys)], fill=value,
                                   outline=value)


def _circle(labels, points, value, unused_width):
  (x, y), edge = points[:2]
  _disc(labels, x, y, np.hypot(edge[0] - x, edge[1] - y), value)


def _discs(labels, points, value, line_width):
  for x, y in points:
    _disc(labels, x, y, (line_width - 1) / 2, value)


def _line(labels, points, value, line_width):
  ImageDraw.Draw(labels).line(points, fill=value, width=line_width)
  _discs(labels, points, value, line_width)  # Round ends and corners.


def _disc(labels, x, y, radius, value):
  draw = ImageDraw.Draw(labels)
  draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=value, outline=value)
  draw.point((x, y), fill=value)  # Of the smallest ellipses Pillow paints nothing.


class _Kind(typing.NamedTuple):
  """How shapes of a type are painted: function of labels, points, value, line width."""
  num_points: int
  paint: typing.Optional[typing.Callable]


_KINDS = {
    'polygon': _Kind(3, _polygon),
    'rectangle': _Kind(2, _rectangle),
    'oriented_rectangle': _Kind(3, _polygon),
    'rotation': _Kind(3, _polygon),  # The oriented rectangle of X-AnyLabeling.
    'circle': _Kind(2, _circle),
    'line': _Kind(2, _line),
    'linestrip': _Kind(2, _line),
    'point': _Kind(1, _discs),
    'points': _Kind(1, _discs),
    'mask': _Kind(1, None),
}
