"""Pictures of more than 8 bits per channel: their values, and scaling these to 8 bits.

Pillow opens such files, but of colours it keeps the upper bytes alone, which are 0 where the values
do not fill 16 bits, as those of satellites, microscopes and many cameras.
"""
import io
import re
import sys

import numpy as np
from PIL import Image

from deeplab.core.images import limits, orientation

_GREY_MODES = ('I', 'I;16', 'I;16B', 'I;16L', 'F')
_UNSIGNED_32 = ('I;32', 'I;32B', 'I;32N')
# How Pillow calls 16 bits per channel in a file: with the lower byte first, last, or as here.
_WIDE_LAYOUT = re.compile(r';16([LBN])$')
_NATIVE = 'L' if sys.byteorder == 'little' else 'B'
_OTHER_ORDER = {'L': 'B', 'B': 'L'}
# Four bytes per pixel are read as if they were colours.
_GREY_AND_ALPHA, _FOUR_BYTES = 'LA;16B', 'RGBA'
# Tags of TIFF 6.0, and values.
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_PLANAR = 258, 262, 284
_WHITE_IS_ZERO, _IN_PLANES = 0, 2

# Number of channels -> how many are colours; the rest is alpha.
_NUM_COLORS = {1: 1, 2: 1, 3: 3, 4: 3}
_MOST = 65535
FULL_RANGE = (0, _MOST)
# Below it the highest bit is not used: so dark are pictures of 16 bits only by mistake.
_FILLS_FROM = 32768
# What 8 bits are multiplied by to become 16.
_STRETCH = 257


def is_wide(image):
  """Whether a Pillow image has over 8 bits per channel; to be asked before it is loaded."""
  bits = getattr(image, 'tag_v2', {}).get(_TIFF_BITS, (0,))
  # Pillow's conversion of CMYK has 8 bits.
  return image.mode != 'CMYK' and (image.mode in _GREY_MODES or max(bits) > 8
                                   or bool(_WIDE_LAYOUT.search(_layout(image))))


def read_values(image, source):
  """Returns the values of a wide image as the file holds them, alpha included.

  The Pillow image is not loaded yet; `source` is the path or bytes that it was opened from.

  Returns a [height, width] or [height, width, channels] array of integers, or of floats. Raises
  ValueError if it is a TIFF file whose channels are planes, of which Pillow drops lower bytes.
  """
  layout = _layout(image)
  if image.mode in _GREY_MODES:
    image.load()
    values = np.asarray(image)
    if layout in _UNSIGNED_32:
      values = values.view(np.uint32)
    tags = getattr(image, 'tag_v2', {})
    if tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO and values.dtype.kind in 'iu':
      values = (1 << tags[_TIFF_BITS][0]) - 1 - values.astype(np.int64)
    return values
  if layout == _GREY_AND_ALPHA:
    pairs = _read_as(image, _FOUR_BYTES).reshape(image.height, image.width, 2, 2)
    return pairs[..., 0] << 8 | pairs[..., 1]
  order = _WIDE_LAYOUT.search(layout)
  if order is None or getattr(image, 'tag_v2', {}).get(_TIFF_PLANAR) == _IN_PLANES:
    raise ValueError('its colours of over 8 bits are stored as planes; save it as PNG')
  order = order.group(1).replace('N', _NATIVE)
  # Read as if its bytes lay the other way round, the upper byte is the lower one.
  source = io.BytesIO(source) if isinstance(source, bytes) else source
  with limits.open_image(source) as again:
    lower = _read_as(again, _WIDE_LAYOUT.sub(';16' + _OTHER_ORDER[order], layout))
  return _read_as(image, layout) << 8 | lower


def read_colors(image, source):
  """Returns the values of a wide image, upright and without alpha.

  Arguments and ValueError as with `read_values`.

  Returns a [height, width] or [height, width, 1 or 3] array.
  """
  values = read_values(image, source)
  values = orientation.upright(values, orientation.after_loading(image))
  return values if values.ndim == 2 else values[..., :_NUM_COLORS[values.shape[2]]]


def to_rgb(values, image_range=None):
  """Returns values of more than 8 bits as an 8-bit RGB Pillow image.

  Args:
    values: of `read_colors`.
    image_range: (lowest, highest) value, which become black and white; what is beyond them does
      too, and what is no number becomes black. None: 0 and 65535, which the values must fill.

  Raises ValueError if, without image_range, the values are not of 16 bits that are filled.
  """
  if image_range is None:
    lowest, highest = value_range(values)
    if not is_full(values.dtype.kind in 'iu', lowest, highest):
      raise ValueError(unfilled_message('its values are', lowest, highest))
    image_range = FULL_RANGE
  scaled = scale(values, *image_range)
  return Image.fromarray(scaled[..., 0] if scaled.shape[2:] == (1,) else scaled).convert('RGB')


def narrowed(values):
  """Returns integers of 8 bits that are stored in more as uint8: as they are, or stretched.

  Raises ValueError if they need more bits.
  """
  if values.dtype.kind in 'iu' and values.min() >= 0:
    if values.max() <= 255:
      return values.astype(np.uint8)
    if values.max() <= _MOST and not (values % _STRETCH).any():
      return (values // _STRETCH).astype(np.uint8)
  raise ValueError('the values %.6g..%.6g need more than 8 bits; save it with 8 bits per channel'
                   % value_range(values))


def scale(values, low, high):
  """Returns values as uint8 of 256 equal steps from low to high; of 0..65535 the upper byte."""
  with np.errstate(invalid='ignore'):
    steps = np.floor((np.asarray(values, np.float64) - low) * 256 / (high - low))
  return np.clip(np.nan_to_num(steps, nan=0), 0, 255).astype(np.uint8)


def value_range(values):
  """Returns the lowest and highest number among values, (0, 0) where there is none."""
  finite = values[np.isfinite(values)] if values.dtype.kind == 'f' else values
  return (finite.min().item(), finite.max().item()) if finite.size else (0, 0)


def is_full(are_integers, lowest, highest):
  """Whether values from lowest to highest are of 16 bits that are used; all black is no mistake."""
  return (are_integers and lowest >= 0
          and (_FILLS_FROM <= highest <= _MOST or highest == 0))


def unfilled_message(subject, lowest, highest):
  """Returns the message on values that need a range; `subject` begins it."""
  return ('%s %.6g..%.6g, which do not fill the 0..65535 of 16 bits: taken so they would be wrong, '
          'as a rule black. Say which values are black and white: --image_range=%.6g,%.6g'
          % (subject, lowest, highest, lowest, highest if highest > lowest else lowest + 1))


def _read_as(image, layout):
  """Returns the loaded values of an image of another layout, uint16."""
  def replaced(args):
    return layout if isinstance(args, str) else (layout,) + tuple(args[1:])

  image.tile = [type(tile)._make(tile[:3] + (replaced(tile[3]),)) if hasattr(tile, '_make')
                else tile[:3] + (replaced(tile[3]),) for tile in image.tile]
  image.load()
  return np.asarray(image).astype(np.uint16)


def _layout(image):
  """Returns what Pillow calls the layout of values in the file, '' where it does not say."""
  args = image.tile[0][3] if image.tile else ''
  args = args if isinstance(args, (str, tuple, list)) else ''
  first = args if isinstance(args, str) else (args[0] if args else '')
  return first if isinstance(first, str) else ''
