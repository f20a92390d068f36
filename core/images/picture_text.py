"""Words below pictures for people: captions of panels, and a legend of colours.

    picture = sheet([image, blended], ['image', 'prediction'], class_entries(ids, colors, names))
"""
import functools
import os
import typing

from PIL import Image, ImageDraw, ImageFont

PAPER = (255, 255, 255)

_INK = (30, 30, 30)
_OUTLINE = (130, 130, 130)
_GAP_PX = 6
# Letters are readable where a sheet is scaled down to a screen of some 1200 pixels.
_LEAST_TEXT_PX = 13
_SIDE_PER_TEXT_PX = 90
_MAX_LETTERS = 32
_LINE_HEIGHT = 1.6


class Entry(typing.NamedTuple):
  """A row of a legend.

  Attributes:
    text: what the colour means.
    color: (r, g, b), or None for what is not painted.
  """
  text: str
  color: typing.Optional[typing.Sequence[int]] = None


def class_entries(ids, colors, class_names=None, clear_ids=()):
  """Returns a list of Entry, one per class id.

  Args:
    ids: class ids, in order.
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

  Returns:
    PIL.Image of RGB, wider than the panels where the words are.
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
    panel_size: (height, width) of a panel in pixels.
    num_panels: number of panels side by side.
    captions: one str per panel, or empty.
    entries: list of Entry.

  Returns:
    PIL.Image of RGB, as wide as the sheet.
    Pixels from the left side of a panel to that of the next one.
  """
  size = max(_LEAST_TEXT_PX, max(panel_size[0], num_panels * panel_size[1]) // _SIDE_PER_TEXT_PX)
  font, line = _font(size), int(_LINE_HEIGHT * size)
  captions = [_printable(text) for text in captions]
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
