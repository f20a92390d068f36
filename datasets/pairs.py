"""Reads one image and its label map from disk and checks them against each other."""
import contextlib
import io
import re
import typing

import numpy as np
from PIL import Image, ImageOps

from deeplab.core import files, image_limits, json_text
from deeplab.datasets import jpeg_check

_JPEG_QUALITY = 95
_EXIF_ORIENTATION = 0x0112
# libjpeg can decode at 1/8 of the size: all data are read, most of the arithmetic is not done.
_DRAFT_DIVISOR = 8
# Bits per pixel of grey PNG files of few values; Pillow stretches these values to 0..255.
_STRETCHED_GREY = {2: 85, 4: 17}
_PNG_BIT_DEPTH_OFFSET = 24
_PNG_END = b'\0\0\0\0IEND\xaeB`\x82'
_COLOR_MODES = ('RGB', 'RGBA', 'LA')
_WIDE_MODES = ('I', 'I;16', 'I;16B')
_ID_MODES = ('1', 'L', 'P') + _WIDE_MODES
_LOSSLESS_FORMATS = ('PNG', 'TIFF', 'BMP')
_SHOWN_VALUES = 10
_ADDRESS = re.compile(r' <\S+ object at 0x[0-9a-f]+>')


class EncodedImage(typing.NamedTuple):
  """An image as the record wants it: bytes, 'jpeg' or 'png', height, width."""
  data: bytes
  format: str
  height: int
  width: int


class EncodedLabel(typing.NamedTuple):
  """A label map as the record wants it: 8-bit grey PNG; pixel_counts: [256] per value."""
  data: bytes
  height: int
  width: int
  pixel_counts: np.ndarray


def read_image(path):
  """Returns the EncodedImage of an image file.

  RGB JPEG and RGB PNG files are kept byte for byte. Everything else (grey, palette, CMYK,
  alpha, other formats, EXIF rotation) is converted to RGB, JPEG to JPEG and the rest to PNG.

  Raises:
    ValueError: the file cannot be read or decoded.
  """
  data = _read_bytes(path)
  with _decoding(path, 'an image'):
    image = image_limits.open_image(io.BytesIO(data))
    width, height = image.size
    is_kept = _is_plain_rgb(image, data)
    if is_kept:
      image.draft('RGB', (max(1, width // _DRAFT_DIVISOR), max(1, height // _DRAFT_DIVISOR)))
    if not (is_kept and jpeg_check.is_whole(data)):
      image.load()
  if is_kept:
    return EncodedImage(data, image.format.lower(), height, width)
  return _converted(image, path)


def read_pixels(path):
  """Returns an image file as an upright [height, width, 3] uint8 RGB array.

  Raises:
    ValueError: the file cannot be read or decoded.
  """
  with image_limits.open_image(io.BytesIO(read_image(path).data)) as image:
    return np.array(image)


def read_label(path, num_classes, ignore_label, label_map=None):
  """Returns the EncodedLabel of a PNG of class ids.

  Grey and palette PNG files hold ids (for a palette: its indices), as do colour files whose
  channels are all alike. Only 8-bit grey PNG files are kept byte for byte.

  Args:
    path: path of the PNG file.
    num_classes: class ids are 0..num_classes-1.
    ignore_label: the one other value allowed.
    label_map: dict, value in the file -> value in the record, or None.

  Raises:
    ValueError: the file cannot be decoded, is a colour picture, or has other values.
  """
  values, data, is_plain = _read_ids(path)
  labels, pixel_counts = _checked(values, label_map, num_classes, ignore_label, path)
  if label_map is not None or not is_plain:
    data = _encode(Image.fromarray(labels), 'PNG')
  height, width = labels.shape
  return EncodedLabel(data, height, width, pixel_counts)


def encode_label(values, num_classes, ignore_label, where):
  """Returns the EncodedLabel of [height, width] integer class ids.

  Raises:
    ValueError: there are values other than 0..num_classes-1 and ignore_label; begins with
      `where`.
  """
  labels, pixel_counts = _checked(values, None, num_classes, ignore_label, where)
  height, width = labels.shape
  return EncodedLabel(_encode(Image.fromarray(labels), 'PNG'), height, width, pixel_counts)


def read_ids(path):
  """Returns the values of a lossless label file as stored, [height, width] integers.

  Raises:
    ValueError: as `read_label`, the values apart.
  """
  return _read_ids(path)[0]


def read_landmarks(landmarks):
  """Returns landmarks as a float32 array, or None.

  Args:
    landmarks: numbers, or the path of a JSON file with them, as it is or under the key
      'pose_landmarks'; or None.

  Raises:
    ValueError: the file cannot be read, or the values are not an array of numbers.
  """
  if landmarks is None:
    return None
  where = 'landmarks'
  if isinstance(landmarks, str):
    where = landmarks
    try:
      landmarks = json_text.parse(files.decode_text(_read_bytes(where)))
    except ValueError as error:
      raise ValueError('%s cannot be read as JSON: %s.' % (where, error)) from error
    if isinstance(landmarks, dict):
      landmarks = landmarks.get('pose_landmarks', 'no pose_landmarks')
  try:
    # float(None) would be NaN in numpy's eyes.
    points = np.array('null' if landmarks is None else landmarks, np.float32)
    return points if points.size else None
  except (TypeError, ValueError) as error:
    raise ValueError('%s: expected points of numbers like [[[x, y], ...]], got %.80r.'
                     % (where, landmarks)) from error


@contextlib.contextmanager
def _decoding(path, what):
  """Turns whatever Pillow raises for broken files, which depends on the format, into one."""
  try:
    yield
  except Exception as error:
    # The place of an object in memory would make every message another one.
    reason = _ADDRESS.sub('', str(error)).rstrip('.')
    raise ValueError('%s cannot be decoded as %s: %s.' % (path, what, reason)) from error


def _read_bytes(path):
  try:
    with open(path, 'rb') as f:
      data = f.read()
  except OSError as error:
    raise ValueError('%s cannot be read: %s.' % (path, error.strerror)) from error
  if not data:
    raise ValueError('%s is empty (0 bytes).' % path)
  return data


def _is_plain_rgb(image, data):
  """Whether TensorFlow decodes the bytes to what Pillow shows."""
  if image.mode != 'RGB' or image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
    return False
  return image.format == 'JPEG' or _is_whole_png(image, data)


def _is_plain_grey(image, data):
  return (image.mode == 'L' and _is_whole_png(image, data) and data[_PNG_BIT_DEPTH_OFFSET] == 8
          and 'transparency' not in image.info)


def _is_whole_png(image, data):
  # Pillow tolerates files that lack the closing chunk, libpng does not.
  return image.format == 'PNG' and data.endswith(_PNG_END)


def _converted(image, path):
  """Returns the EncodedImage of any Pillow image as upright RGB."""
  encoding = 'JPEG' if image.format == 'JPEG' else 'PNG'
  image = ImageOps.exif_transpose(image)
  if image.mode in _WIDE_MODES:
    # Pillow would clip 16-bit grey at 255 where the upper byte is meant.
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
      raise ValueError('%s: grey values %d..%d exceed 16 bits; save it as 8-bit RGB.'
                       % (path, values.min(), values.max()))
    image = Image.fromarray((values >> 8).astype(np.uint8))
  elif image.mode == 'F':
    raise ValueError('%s holds floating point values; save it as 8-bit RGB.' % path)
  image = image.convert('RGB')
  return EncodedImage(_encode(image, encoding), encoding.lower(), image.height, image.width)


def _encode(image, encoding):
  buffer = io.BytesIO()
  options = {'quality': _JPEG_QUALITY, 'subsampling': 0} if encoding == 'JPEG' else {}
  image.save(buffer, format=encoding, **options)
  return buffer.getvalue()


def read_lossless(path):
  """Returns the loaded Pillow image of a label file, and its bytes.

  Raises:
    ValueError: the file cannot be decoded, or its format loses information.
  """
  data = _read_bytes(path)
  with _decoding(path, 'a label map'):
    image = image_limits.open_image(io.BytesIO(data))
    image.load()
  if image.format not in _LOSSLESS_FORMATS:
    raise ValueError('%s is a %s file: label maps must be lossless, save class ids as PNG.'
                     % (path, image.format))
  return image, data


def _read_ids(path):
  """Returns the values as stored, the bytes, and whether these are an 8-bit grey PNG."""
  image, data = read_lossless(path)
  return _ids(image, data, path), data, _is_plain_grey(image, data)


def _ids(image, data, path):
  """Returns the values of a label file as stored, [height, width] integers."""
  if image.mode in _ID_MODES:
    values = np.array(image)
    bit_depth = data[_PNG_BIT_DEPTH_OFFSET] if image.format == 'PNG' else 8
    if image.mode == 'L' and bit_depth in _STRETCHED_GREY:
      values //= _STRETCHED_GREY[bit_depth]
    return values
  if image.mode not in _COLOR_MODES:
    raise ValueError('%s: a label map must hold one class id per pixel, got image mode %s.'
                     % (path, image.mode))
  channels = np.asarray(image)[:, :, :1 if image.mode == 'LA' else 3]
  if not np.array_equal(channels.min(axis=2), channels.max(axis=2)):
    num_colors = len(np.unique(channels.reshape(-1, 3), axis=0))
    raise ValueError(
        '%s is a colour picture (%s, %d colours), not a map of class ids. Save one id per '
        'pixel as a grey or palette PNG, or tell build_custom_data.py what the colours mean '
        'with --color_map.' % (path, image.mode, num_colors))
  return channels[:, :, 0]


def _checked(values, label_map, num_classes, ignore_label, path):
  """Returns the mapped values as uint8 class ids, and how many pixels each of 256 has."""
  if values.min() < 0 or values.max() > 65535:
    raise ValueError('%s: values %d..%d are no class ids.' % (path, values.min(), values.max()))
  counts = _histogram(values)
  present = np.flatnonzero(counts).tolist()
  known = range(num_classes) if label_map is None else label_map
  bad = [v for v in present if v not in known and v != ignore_label]
  if bad:
    shown = ', '.join('%d (%d pixels)' % (v, counts[v]) for v in bad[:_SHOWN_VALUES])
    more = ' and %d more' % (len(bad) - _SHOWN_VALUES) if len(bad) > _SHOWN_VALUES else ''
    expected = ('0..%d' % (num_classes - 1) if label_map is None
                else 'the %d values of the label map' % len(label_map))
    raise ValueError('%s: label values %s%s; expected %s, or %d for ignored pixels. Check '
                     'num_classes and ignore_label, or correct the label.'
                     % (path, shown, more, expected, ignore_label))
  if label_map is None:
    return values.astype(np.uint8), counts[:256]
  targets = np.zeros(len(counts), np.uint8)
  targets[present] = [label_map.get(v, v) for v in present]
  labels = targets[values]
  return labels, _histogram(labels)


def _histogram(values):
  """Returns how many pixels have each value, of 256 values at least."""
  if values.dtype == np.uint8:
    return np.array(Image.fromarray(values).histogram())  # Faster than bincount.
  return np.bincount(values.ravel(), minlength=256)
