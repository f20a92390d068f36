"""Pictures for people: classes painted over images, errors in red, words below.

    picture = sheet([image, blended], ['image', 'prediction'], class_entries(ids, colors, names))
"""
import functools
import os
import re
import typing

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deeplab.core.settings import Setting

PAINT_BACKGROUND = Setting(
    False, 'Overlays paint the background too: the classes called background, unlabelled and the '
    'like, or class 0 where names are not known and its colour is black. Off leaves the picture '
    'clear there.')
# Of pixels that were predicted wrongly, and of those that do not count.
WRONG_COLOR = (230, 0, 60)
IGNORED_COLOR = (255, 255, 255)
# What errors are drawn on: the image in grey, paler than it is.
GREY_SHARE, GREY_OFFSET = 0.6, 60

_BACKGROUND = 'background'
_BACKGROUND_NAMES = frozenset([
    'bg', 'bgd', 'bkg', 'ignore', 'nodata', 'none', 'nothing', 'unlabeled', 'unlabelled', 'void'])
_BLENDED_ROWS = 256

PAPER = (255, 255, 255)

_INK = (30, 30, 30)
_OUTLINE = (130, 130, 130)
_GAP_PX = 6
# Letters are readable where a sheet is scaled down to a screen of some 1200 pixels.
_LEAST_TEXT_PX = 13
_SIDE_PER_TEXT_PX = 90
_MAX_LETTERS = 32
_LINE_HEIGHT = 1.6


def background_ids(class_names, colors, ignore_label=None):
  """Returns the ids, a tuple of ints, of the classes that overlays leave clear: they are no object.

  Where names are known these are the classes called background, unlabelled and the like. Where
  they are not, it is class 0 if its colour is black: road, the first class of Cityscapes, has a
  colour. A class whose id is the ignore label is one of them.

  Args:
    class_names: one name per class, or None.
    colors: [n, 3] table of RGB values.
    ignore_label: label that is no class, or None.
  """
  if class_names:
    ids = {i for i, name in enumerate(class_names) if _is_background(name)}
  else:
    ids = set() if np.any(colors[0]) else {0}
  if ignore_label is not None and ignore_label < len(class_names or colors):
    ids.add(ignore_label)
  return tuple(sorted(ids))


def _is_background(name):
  words = re.findall(r'[^\W_]+', name.lower())
  return _BACKGROUND in words or ''.join(words) in _BACKGROUND_NAMES


def blend(image, labels, colors, opacity=0.5, clear_ids=()):
  """Returns the image with the colours of its classes over it, [height, width, 3] uint8.

  Args:
    image: [height, width, 3] uint8 array.
    labels: [height, width] integer array of class ids.
    colors: [n, 3] table of RGB values with a row per id.
    opacity: share of the colours, 0..1.
    clear_ids: ids over which the image stays as it is; they need no row.
  """
  num_ids = max([len(colors)] + [i + 1 for i in clear_ids])
  painted = np.zeros((num_ids, 3), np.float32)
  painted[:len(colors)] = opacity * np.asarray(colors, np.float32)
  is_clear = np.isin(np.arange(num_ids), clear_ids)
  blended = np.empty(image.shape, np.uint8)
  # Some rows at once: floats take four times the memory of the image.
  for start in range(0, len(image), _BLENDED_ROWS):
    rows = slice(start, start + _BLENDED_ROWS)
    mixed = painted.take(labels[rows], axis=0)
    mixed += np.float32(1 - opacity) * image[rows].astype(np.float32)
    blended[rows] = np.rint(mixed, out=mixed)
    np.copyto(blended[rows], image[rows], where=is_clear.take(labels[rows])[..., np.newaxis])
  return blended


def errors(image, label, prediction, ignore_label=None):
  """Returns the uint8 image in pale grey, wrong pixels red and ignored ones white.

  Args:
    image: [height, width, 3] uint8 array.
    label, prediction: [height, width] integer arrays of class ids.
    ignore_label: id in `label` that is no class, or None.
  """
  is_ignored = label == ignore_label
  grey = image.mean(axis=2, keepdims=True) * GREY_SHARE + GREY_OFFSET
  drawn = np.repeat(grey.astype(np.uint8), 3, axis=2)
  drawn[(label != prediction) & ~is_ignored] = WRONG_COLOR
  drawn[is_ignored] = IGNORED_COLOR
  return drawn


class Entry(typing.NamedTuple):
  """A row of a legend."""
  text: str  # What the colour means.
  color: typing.Optional[typing.Sequence[int]] = None  # (r, g, b), or None for what is not painted.


def class_entries(ids, colors, class_names=None, clear_ids=()):
  """Returns a list of Entry, one per class id of `ids`, in their order.

  Args:
    colors: [n, 3] table of RGB values.
    class_names: one name per class, or None.
    clear_ids: ids that are not painted.
  """
  entries = []
  for i in ids:
    text = '%d %s' % (i, class_names[i]) if class_names and i < len(class_names) else (
        'class %d' % i)
    entries.append(Entry(text + ' (clear)') if i in clear_ids
                   else Entry(text, tuple(int(value) for value in colors[i])))
  return entries


def sheet(panels, captions=(), entries=()):
  """Returns panels side by side, each above its caption, and a legend below all.

  Args:
    panels: list of [height, width, 3] uint8 arrays of one size; they stay as they are, the first
      at the upper left.
    captions: one str per panel, or empty.
    entries: list of Entry.

  Returns a PIL.Image of RGB, wider than the panels where the words are.
  """
  height, width = panels[0].shape[:2]
  below, step = footer((height, width), len(panels), captions, entries)
  picture = Image.new('RGB', (below.width, height + below.height), PAPER)
  for index, panel in enumerate(panels):
    picture.paste(Image.fromarray(panel), (index * step, 0))
  picture.paste(below, (0, height))
  return picture


def footer(panel_size, num_panels, captions=(), entries=()):
  """Returns what `sheet` has below its panels, and where these go.

  Args:
    panel_size, num_panels: (height, width) in pixels, and how many stand side by side.
    captions: one str per panel, or empty.
    entries: list of Entry.

  Returns a PIL.Image of RGB, as wide as the sheet, and the pixels from the left side of a panel to
  that of the next one.
  """
  size = max(_LEAST_TEXT_PX, max(panel_size[0], num_panels * panel_size[1]) // _SIDE_PER_TEXT_PX)
  font, line = _font(size), int(_LINE_HEIGHT * size)
  entries = [entry._replace(text=_printable(entry.text)) for entry in entries]
  step = max([panel_size[1]] + [_width(font, text) for text in captions]) + _GAP_PX
  cell = max([0] + [_width(font, entry.text) for entry in entries]) + 2 * line
  width = max(num_panels * step - _GAP_PX, cell if entries else 0)
  num_columns = max(1, width // cell)
  num_lines = bool(captions) + -(-len(entries) // num_columns)
  picture = Image.new('RGB', (width, num_lines * line), PAPER)
  draw = ImageDraw.Draw(picture)
  for index, text in enumerate(captions):
    draw.text((index * step, line // 2), text, _INK, font, anchor='lm')
  for index, entry in enumerate(entries):
    row, column = divmod(index, num_columns)
    _draw_entry(draw, entry, (column * cell, (bool(captions) + row) * line), font)
  return picture, step


def _draw_entry(draw, entry, corner, font):
  """Draws a swatch and its text with their upper left corner at (x, y)."""
  x, y = corner
  margin = (int(_LINE_HEIGHT * font.size) - font.size) // 2
  box = [x, y + margin, x + font.size, y + margin + font.size]
  draw.rectangle(box, fill=entry.color or PAPER, outline=_OUTLINE)
  if entry.color is None:
    draw.line(box, fill=_OUTLINE)
  draw.text((x + 3 * font.size // 2, y + margin + font.size // 2), entry.text, _INK, font,
            anchor='lm')


def _printable(text):
  """Returns a text on one line, cut where it is too long."""
  text = ' '.join(text.split())
  return text if len(text) <= _MAX_LETTERS else text[:_MAX_LETTERS - 1] + '\u2026'


def _width(font, text):
  return int(font.getlength(text)) + 1


@functools.lru_cache(None)
def _font(size_px):
  """Returns the font of this size; also Greek and Cyrillic, which Pillow's own one lacks."""
  # Not above: what draws nothing need not load it.
  import matplotlib

  return ImageFont.truetype(
      os.path.join(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf'), size_px)
