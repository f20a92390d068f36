"""Reads one image and its label map from disk and checks them against each other."""
import io
import re
import struct
import typing

import numpy as np
from PIL import Image

from deeplab.core.images import limits, orientation, wide_pictures
from deeplab.core.storage import errors, json_text
from deeplab.datasets.labels import raw_files

_JPEG_OPTIONS = {'quality': 95, 'subsampling': 0}
# libjpeg can decode at 1/8 of the size: all data are read, most of the arithmetic is not done.
_DRAFT_DIVISOR = 8
# What is in PNG files that state an orientation.
_PNG_EXIF_MARKS = (b'eXIf', b'Raw profile type', b'Orientation')
_JPEG_START, _JPEG_START_OF_SCAN, _JPEG_END = b'\xff\xd8', 0xda, b'\xff\xd9'
# Starts of frames: sequential coding has all data in one scan, as a rule.
_JPEG_SEQUENTIAL = (0xc0, 0xc1)
_JPEG_OTHER_FRAMES = set(range(0xc2, 0xd0)) - {0xc4, 0xc8, 0xcc}
# A marker other than a stuffed byte, a restart or a fill byte.
_JPEG_MARKER = re.compile(b'\xff[^\x00\xd0-\xd7\xff]')
_NUM_PROBED_BYTES = 512  # Decoded for the sake of the headers.
_SHOWN_VALUES = 10
_ZERO_HINT = (' If 0 stands for pixels without label and 1..%d for the %d classes, pass '
              '--reduce_zero_label to build_custom_data.py.')


class EncodedImage(typing.NamedTuple):
  """An image as the record wants it, upright."""
  data: bytes
  format: str  # 'jpeg' or 'png'.
  height: int
  width: int
  turn: int = orientation.UPRIGHT  # EXIF orientation that its file states, 1..8.


class EncodedLabel(typing.NamedTuple):
  """A label map as the record wants it: 8-bit grey PNG; pixel_counts: [256] per value."""
  data: bytes
  height: int
  width: int
  pixel_counts: np.ndarray


def read_image(path, image_range=None):
  """Returns the EncodedImage of an image file.

  RGB JPEG and 8-bit RGB PNG files are kept byte for byte. Everything else (grey, palette, CMYK,
  alpha, more bits, other formats, EXIF rotation) is converted to RGB, JPEG to JPEG and the rest to
  PNG.

  `image_range` is the (lowest, highest) value of images of more than 8 bits, see
  `wide_pictures.to_rgb`. Raises ValueError if the file cannot be read or decoded, or without
  image_range its values do not fill the 16 bits that they have.
  """
  data = raw_files.read_bytes(path)
  with raw_files.decoding(path, 'an image'):
    image = limits.open_image(io.BytesIO(data))
    raw_files.require_one_page(image)
    width, height = image.size
    is_wide = wide_pictures.is_wide(image)
    is_kept = not is_wide and _is_plain_rgb(image, data)
    turn = orientation.UPRIGHT if is_kept else _stated_turn(image, data)
    if is_kept:
      image.draft('RGB', (max(1, width // _DRAFT_DIVISOR), max(1, height // _DRAFT_DIVISOR)))
    if is_wide:
      values = wide_pictures.read_colors(image, data)
    elif not (is_kept and is_whole_jpeg(data)):
      image.load()
  if is_kept:
    return EncodedImage(data, image.format.lower(), height, width)
  encoding, options = ('JPEG', _JPEG_OPTIONS) if image.format == 'JPEG' else ('PNG', {})
  if is_wide:
    with errors.told(path, ValueError):
      image = wide_pictures.to_rgb(values, image_range)
  else:
    image = orientation.upright_image(image).convert('RGB')
  return EncodedImage(encode(image, encoding, **options), encoding.lower(), image.height,
                      image.width, turn)


def is_whole_jpeg(data):
  """Whether bytes are for sure a JPEG picture that decodes to its end, without decoding it.

  What makes decoders stop lies in the headers and in markers between the data. The first bytes of
  data are decoded, which takes the headers, and the rest is searched for markers; damage within the
  data only changes pixels, which no decoder reports. False also stands for pictures that only
  decoding can tell, such as progressive ones. Reference: ITU-T T.81, annex B.
  """
  begin = _find_jpeg_scan(data)
  marker = begin and _JPEG_MARKER.search(data, begin)
  if not marker or marker.group() != _JPEG_END:
    return False
  # Decoders take an early end for damaged data and go on, in next to no time.
  try:
    with Image.open(io.BytesIO(data[:begin + _NUM_PROBED_BYTES] + _JPEG_END)) as image:
      image.draft(image.mode, (1, 1))
      image.load()
  except Exception:
    # Pillow raises whatever the damaged bytes lead to.
    return False
  return True


def read_label(path, num_classes, ignore_label, label_map=None):
  """Returns the EncodedLabel of a PNG of class ids.

  Grey and palette PNG files hold ids (for a palette: its indices), as do colour files whose
  channels are all alike. Only 8-bit grey PNG files are kept byte for byte. Other arguments are as
  of `map_ids`. Raises ValueError if the file cannot be decoded, is a colour picture, or has other
  values.
  """
  image, data = raw_files.read_lossless(path)
  values, is_plain = raw_files.ids(image, data, path), _is_plain_grey(image, data)
  labels, pixel_counts = map_ids(values, label_map, num_classes, ignore_label, path)
  if label_map is not None or not is_plain:
    data = encode(Image.fromarray(labels))
  return EncodedLabel(data, *labels.shape, pixel_counts)


def map_ids(values, label_map, num_classes, ignore_label, where):
  """Returns [height, width] integers as uint8 class ids, and how many pixels each of 256 has.

  Args:
    values: [height, width] integers.
    label_map: dict, value -> class id, or None: the values are class ids.
    num_classes: class ids are 0..num_classes-1.
    ignore_label: the one other value allowed, which no map changes.
    where: begins the message of the ValueError if there are other values.
  """
  if values.min() < 0 or values.max() > 65535:
    raise ValueError('%s: values %d..%d are no class ids.' % (where, values.min(), values.max()))
  counts = _histogram(values)
  present = np.flatnonzero(counts).tolist()
  known = range(num_classes) if label_map is None else label_map
  bad = [v for v in present if v not in known and v != ignore_label]
  if bad:
    is_shifted = label_map is None and bad == [num_classes] and ignore_label
    raise ValueError('%s: label values %s; expected %s. Check num_classes (%d) and ignore_label, '
                     'or correct the label.%s'
                     % (where, raw_files.pixels_text(bad, counts[bad], _SHOWN_VALUES),
                        _expected(label_map, num_classes, ignore_label), num_classes,
                        _ZERO_HINT % (num_classes, num_classes) if is_shifted else ''))
  if label_map is None:
    return values.astype(np.uint8), counts[:256]
  targets = np.zeros(len(counts), np.uint8)
  targets[present] = [label_map.get(v, v) for v in present]
  labels = targets[values]
  return labels, _histogram(labels)


def encode_label(values, num_classes, ignore_label, where):
  """Returns the EncodedLabel of [height, width] integer class ids.

  Raises ValueError, begun by `where`, on values other than 0..num_classes-1 and ignore_label.
  """
  labels, pixel_counts = map_ids(values, None, num_classes, ignore_label, where)
  return EncodedLabel(encode(Image.fromarray(labels)), *labels.shape, pixel_counts)


def encode(image, encoding='PNG', **options):
  """Returns the bytes of a Pillow image as a file; `options` are those of Pillow for the format."""
  buffer = io.BytesIO()
  image.save(buffer, format=encoding, **options)
  return buffer.getvalue()


def turned(label, turn):
  """Returns an EncodedLabel turned by an EXIF orientation."""
  with Image.open(io.BytesIO(label.data)) as image:
    values = orientation.upright(np.asarray(image), turn)
  return label._replace(data=encode(Image.fromarray(values)), height=values.shape[0],
                        width=values.shape[1])


def read_ids(path):
  """Returns the values of a lossless label file as stored, [height, width] integers.

  Raises ValueError as `read_label`, the values apart.
  """
  image, data = raw_files.read_lossless(path)
  return raw_files.ids(image, data, path)


def read_landmarks(landmarks):
  """Returns landmarks as a float32 array, or None.

  `landmarks` are numbers; or the path of a JSON file with them, as it is or under the key
  'pose_landmarks'; or None. Raises ValueError if the file cannot be read, or the values are not an
  array of numbers.
  """
  if landmarks is None:
    return None
  where = 'landmarks'
  if isinstance(landmarks, str):
    where = landmarks
    landmarks = json_text.parse(raw_files.read_bytes(where), where)
    if isinstance(landmarks, dict):
      landmarks = landmarks.get('pose_landmarks', 'no pose_landmarks')
  try:
    # float(None) would be NaN in numpy's eyes.
    points = np.array('null' if landmarks is None else landmarks, np.float32)
    return points if points.size else None
  except (TypeError, ValueError) as error:
    raise ValueError('%s: expected points of numbers like [[[x, y], ...]], got %.80r.'
                     % (where, landmarks)) from error


def _find_jpeg_scan(data):
  """Returns where the data of the only scan begin, or None."""
  offset, is_sequential = len(_JPEG_START), False
  while data.startswith(_JPEG_START) and offset + 4 <= len(data) and data[offset] == 0xff:
    marker = data[offset + 1]
    offset += 2 + struct.unpack_from('>H', data, offset + 2)[0]
    is_sequential |= marker in _JPEG_SEQUENTIAL
    if marker in _JPEG_OTHER_FRAMES or marker == _JPEG_START_OF_SCAN:
      return offset if is_sequential and marker == _JPEG_START_OF_SCAN else None
  return None


def _is_plain_rgb(image, data):
  """Whether TensorFlow decodes the bytes to what Pillow shows."""
  if image.mode != 'RGB' or orientation.stated(image) != orientation.UPRIGHT:
    return False
  return image.format == 'JPEG' or image.format == 'PNG' and limits.is_whole_png(data)


def _is_plain_grey(image, data):
  # What was turned has no format.
  return (image.mode == 'L' and image.format == 'PNG' and limits.is_whole_png(data)
          and limits.png_bit_depth(data) == 8 and 'transparency' not in image.info)


def _stated_turn(image, data):
  # Pillow decodes whole PNG files to look behind the pixels as well.
  if image.format == 'PNG' and not any(mark in data for mark in _PNG_EXIF_MARKS):
    return orientation.UPRIGHT
  return orientation.stated(image)


def _expected(label_map, num_classes, ignore_label):
  """Returns the words for the values that a label file may have."""
  values = ('0..%d' % (num_classes - 1) if label_map is None
            else 'the %d values of the label map' % len(label_map))
  if label_map is None and ignore_label < num_classes:
    return '%s, of which %d is ignored' % (values, ignore_label)
  return '%s, or %d for ignored pixels' % (values, ignore_label)


def _histogram(values):
  """Returns how many pixels have each value, of 256 values at least."""
  if values.dtype == np.uint8:
    return np.array(Image.fromarray(values).histogram())  # Faster than bincount.
  return np.bincount(values.ravel(), minlength=256)
