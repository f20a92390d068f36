"""Reads label files without loss: nothing that tells pixels apart is dropped unseen.

Pillow drops alpha channels, lower bytes of colours, and pages behind the first one.
"""
import io

import numpy as np
from PIL import Image

from deeplab.core.images import limits, orientation, wide_pictures
from deeplab.datasets.labels import raw_files

# Bits per pixel of grey PNG files of few values; Pillow stretches these values to 0..255.
_STRETCHED_GREY = {2: 85, 4: 17}
_PNG_START, _PNG_BIT_DEPTH_OFFSET = b'\x89PNG', 24
_ALPHA_MODES = ('RGBA', 'LA', 'PA')
_COLOR_MODES = ('RGB',) + _ALPHA_MODES
_WIDE_MODES = ('I', 'I;16', 'I;16B', 'I;16L')
_ID_MODES = ('1', 'L', 'P') + _WIDE_MODES
_LOSSLESS_FORMATS = ('PNG', 'TIFF', 'BMP')
_OPAQUE_FROM = 128
_SHOWN_VALUES = 5


def read_lossless(path):
  """Returns the loaded upright Pillow image of a label file, and its bytes.

  Colours of 16 bits become 8 bits.

  Raises:
    ValueError: the file cannot be decoded, its format loses information, it has several pages,
      or colours that need 16 bits.
  """
  data = raw_files.read_bytes(path)
  with raw_files.decoding(path, 'a label map'):
    image = limits.open_image(io.BytesIO(data))
    raw_files.require_one_page(image)
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

  Args:
    image, data: of `read_lossless`.
    path: the file, for messages.

  Raises:
    ValueError: it is a colour picture, or what it says is in its alpha channel.
  """
  if image.mode in _ID_MODES:
    values = np.array(image)
    bit_depth = data[_PNG_BIT_DEPTH_OFFSET] if data.startswith(_PNG_START) else 8
    if image.mode == 'L' and bit_depth in _STRETCHED_GREY:
      values //= _STRETCHED_GREY[bit_depth]
    return values
  if image.mode not in _COLOR_MODES:
    raise ValueError('%s: a label map must hold one class id per pixel, got image mode %s.'
                     % (path, image.mode))
  colors = np.asarray(image.convert('RGB'))
  _require_same_alpha(image, colors, path)
  if is_mask_in_alpha(image, colors):
    raise ValueError(
        '%s is of the colour %s everywhere: its mask is in the alpha channel, with the values %s. '
        'It is read with --color_map, a file of lines such as background,0,0,0 and '
        'NAME,255,255,255.' % (path, _text(colors[0, 0]), _histogram_text(image)))
  if not np.array_equal(colors.min(axis=2), colors.max(axis=2)):
    num_colors = len(np.unique(colors.reshape(-1, 3), axis=0))
    raise ValueError(
        '%s is a colour picture (%s, %d colours), not a map of class ids. Save one id per '
        'pixel as a grey or palette PNG, or tell build_custom_data.py what the colours mean '
        'with --color_map.' % (path, image.mode, num_colors))
  return colors[:, :, 0]


def colors(path):
  """Returns the colours of a label file, [height, width, 3] uint8.

  Those of a picture of one colour whose mask is the alpha channel are the grey of this channel.

  Raises:
    ValueError: as `read_lossless`; or the colours do not tell what alpha channel or palette do.
  """
  image, _ = read_lossless(path)
  if image.mode in _WIDE_MODES + ('F',):
    with raw_files.decoding(path, 'a label map'):
      image = Image.fromarray(wide_pictures.narrowed(np.asarray(image)))
  indices = np.asarray(image) if image.mode == 'P' else None
  if 'transparency' in image.info:
    image = image.convert('RGBA')
  found = np.asarray(image.convert('RGB'))
  _require_same_alpha(image, found, path)
  if is_mask_in_alpha(image, found):
    return np.repeat(np.asarray(image.getchannel('A'))[..., np.newaxis], 3, axis=2)
  if indices is not None and _is_constant(found) and not _is_constant(indices):
    raise ValueError('%s has pixels of the %d palette entries %s, all of the colour %s: leave '
                     'out --color_map to read the entries as class ids.'
                     % (path, len(np.unique(indices)), _text(np.unique(indices)[:_SHOWN_VALUES]),
                        _text(found[0, 0])))
  return found


def is_mask_in_alpha(image, found):
  """Whether an image of these [height, width, 3] colours differs in its alpha channel alone."""
  return (image.mode in _ALPHA_MODES and _is_constant(found)
          and not _is_constant(np.asarray(image.getchannel('A'))))


def _require_same_alpha(image, found, path):
  """Raises ValueError if pixels of one colour of several are both transparent and not."""
  if image.mode not in _ALPHA_MODES or _is_constant(found):
    return
  is_opaque = np.asarray(image.getchannel('A')) >= _OPAQUE_FROM
  codes = found.astype(np.int32) @ (65536, 256, 1)
  both = np.intersect1d(codes[is_opaque], codes[~is_opaque])
  if len(both):
    code = both[0]
    raise ValueError(
        '%s: the colour %d,%d,%d is there %d times opaque and %d times transparent, so that its '
        'alpha channel means something. Save it without one, transparent pixels in a colour of '
        'their own.' % (path, code >> 16, code >> 8 & 255, code & 255,
                        (codes[is_opaque] == code).sum(), (codes[~is_opaque] == code).sum()))


def _is_constant(values):
  """Whether all pixels are alike."""
  return bool((values == values[:1, :1]).all())


def _histogram_text(image):
  counts = image.getchannel('A').histogram()
  present = [value for value in range(256) if counts[value]]
  return ', '.join('%d (%d pixels)' % (v, counts[v]) for v in present[:_SHOWN_VALUES]) + (
      ' and %d more' % (len(present) - _SHOWN_VALUES) if len(present) > _SHOWN_VALUES else '')


def _text(color):
  return ','.join(str(value) for value in color)
