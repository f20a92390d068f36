"""Reads files that users bring: whatever is wrong with one is a ValueError that names it.

Label files are read without loss: nothing that tells pixels apart is dropped unseen. Pillow drops
alpha channels, lower bytes of colours, and pages behind the first one.
"""
import contextlib
import io
import re

import numpy as np
from PIL import Image

from deeplab.core.images import limits, orientation, wide_pictures
from deeplab.core.storage import errors

_ADDRESS = re.compile(r' <\S+ object at 0x[0-9a-f]+>')
# Bits per pixel of grey PNG files of few values; Pillow stretches these values to 0..255.
_STRETCHED_GREY = {2: 85, 4: 17}
_ALPHA_MODES = ('RGBA', 'LA', 'PA')
_COLOR_MODES = ('RGB',) + _ALPHA_MODES
_WIDE_MODES = ('I', 'I;16', 'I;16B', 'I;16L')
_ID_MODES = ('1', 'L', 'P') + _WIDE_MODES
_LOSSLESS_FORMATS = ('PNG', 'TIFF', 'BMP')
_OPAQUE_FROM = 128
_SHOWN_VALUES = 5


def read_bytes(path):
  """Returns the content of a file; raises ValueError if it cannot be read or is empty."""
  with errors.told('%s cannot be read' % path), open(path, 'rb') as f:
    data = f.read()
  if not data:
    raise ValueError('%s is empty (0 bytes).' % path)
  return data


@contextlib.contextmanager
def decoding(path, what):
  """Turns whatever Pillow raises for broken files, which depends on the format, into one."""
  try:
    yield
  except Exception as error:
    # The place of an object in memory would make every message another one.
    reason = _ADDRESS.sub('', str(error)).rstrip('.')
    raise ValueError('%s cannot be decoded as %s: %s.' % (path, what, reason)) from error


def require_one_page(image):
  """Raises ValueError if a Pillow image is a TIFF file of several pages of one size."""
  size, num_pages = image.size, getattr(image, 'n_frames', 1) if image.format == 'TIFF' else 1
  if num_pages > 1:
    image.seek(1)
    is_overview = image.size != size  # As the smaller copies in files of maps.
    image.seek(0)
    if not is_overview:
      raise ValueError('it has %d pages, of which only the first one would be read; save one '
                       'picture per file' % num_pages)


def read_lossless(path):
  """Returns the loaded upright Pillow image of a label file, and its bytes.

  Colours of 16 bits become 8 bits. Raises ValueError if the file cannot be decoded, its format
  loses information, it has several pages, or colours that need 16 bits.
  """
  data = read_bytes(path)
  with decoding(path, 'a label map'):
    image = limits.open_image(io.BytesIO(data))
    require_one_page(image)
    file_format = image.format
    if image.mode in _COLOR_MODES and wide_pictures.is_wide(image):
      values = wide_pictures.narrowed(wide_pictures.read_values(image, data))
      image = Image.fromarray(orientation.upright(values, orientation.after_loading(image)))
    image = orientation.upright_image(image)
  if file_format not in _LOSSLESS_FORMATS:
    raise ValueError('%s is a %s file: label maps must be lossless, save class ids as PNG.'
                     % (path, file_format))
  return image, data


def ids(image, data, path):
  """Returns the values of a label file as stored, [height, width] integers.

  `image` and `data` are of `read_lossless`, `path` is for messages. Raises ValueError if it is a
  colour picture, or what it says is in its alpha channel.
  """
  if image.mode in _ID_MODES:
    values = np.array(image)
    if image.mode == 'L':
      values //= _STRETCHED_GREY.get(limits.png_bit_depth(data), 1)
    return values
  if image.mode not in _COLOR_MODES:
    raise ValueError('%s: a label map must hold one class id per pixel, got image mode %s.'
                     % (path, image.mode))
  found = np.asarray(image.convert('RGB'))
  _require_same_alpha(image, found, path)
  if _is_mask_in_alpha(image, found):
    values, counts = np.unique(np.asarray(image.getchannel('A')), return_counts=True)
    raise ValueError(
        '%s is of the colour %s everywhere: its mask is in the alpha channel, with the values %s. '
        'It is read with --color_map, a file of lines such as background,0,0,0 and '
        'NAME,255,255,255.' % (path, _text(found[0, 0]),
                               pixels_text(values, counts, _SHOWN_VALUES)))
  if not np.array_equal(found.min(axis=2), found.max(axis=2)):
    raise ValueError(
        '%s is a colour picture (%s, %d colours), not a map of class ids. Save one id per '
        'pixel as a grey or palette PNG, or tell build_custom_data.py what the colours mean '
        'with --color_map.' % (path, image.mode, len(np.unique(codes_of(found)))))
  return found[:, :, 0]


def colors(path):
  """Returns the colours of a label file, [height, width, 3] uint8.

  Those of a picture of one colour whose mask is the alpha channel are the grey of this channel.
  Raises ValueError as `read_lossless`; or if the colours do not tell what alpha channel or palette
  do.
  """
  image, _ = read_lossless(path)
  if image.mode in _WIDE_MODES + ('F',):
    with decoding(path, 'a label map'):
      image = Image.fromarray(wide_pictures.narrowed(np.asarray(image)))
  indices = np.asarray(image) if image.mode == 'P' else None
  if 'transparency' in image.info:
    image = image.convert('RGBA')
  found = np.asarray(image.convert('RGB'))
  _require_same_alpha(image, found, path)
  if _is_mask_in_alpha(image, found):
    return np.repeat(np.asarray(image.getchannel('A'))[..., np.newaxis], 3, axis=2)
  if indices is not None and _is_constant(found) and not _is_constant(indices):
    raise ValueError('%s has pixels of the %d palette entries %s, all of the colour %s: leave '
                     'out --color_map to read the entries as class ids.'
                     % (path, len(np.unique(indices)), _text(np.unique(indices)[:_SHOWN_VALUES]),
                        _text(found[0, 0])))
  return found


def codes_of(found):
  """Returns r * 65536 + g * 256 + b of [..., 3] uint8 colours, int32."""
  red, green, blue = np.moveaxis(found.astype(np.int32), -1, 0)
  return red << 16 | green << 8 | blue


def pixels_text(names, counts, num_shown):
  """Returns '0 (3 pixels), 255 (7 pixels) and 2 more' of values or colours and their numbers."""
  return ', '.join('%s (%d pixels)' % pair for pair in list(zip(names, counts))[:num_shown]) + (
      ' and %d more' % (len(names) - num_shown) if len(names) > num_shown else '')


def _is_mask_in_alpha(image, found):
  """Whether an image of these [height, width, 3] colours differs in its alpha channel alone."""
  return (image.mode in _ALPHA_MODES and _is_constant(found)
          and not _is_constant(np.asarray(image.getchannel('A'))))


def _require_same_alpha(image, found, path):
  """Raises ValueError if pixels of one colour of several are both transparent and not."""
  if image.mode not in _ALPHA_MODES or _is_constant(found):
    return
  is_opaque, codes = np.asarray(image.getchannel('A')) >= _OPAQUE_FROM, codes_of(found)
  both = np.intersect1d(codes[is_opaque], codes[~is_opaque])
  if len(both):
    is_first = codes == both[0]
    raise ValueError(
        '%s: the colour %s is there %d times opaque and %d times transparent, so that its '
        'alpha channel means something. Save it without one, transparent pixels in a colour of '
        'their own.' % (path, _text(found[is_first][0]), (is_first & is_opaque).sum(),
                        (is_first & ~is_opaque).sum()))


def _is_constant(values):
  """Whether all pixels are alike."""
  return bool((values == values[:1, :1]).all())


def _text(color):
  return ','.join(map(str, color))
