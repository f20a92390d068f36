"""Tells whether a JPEG file is whole, without decoding the picture.

What makes decoders stop lies in the headers and in markers between the data. The first bytes
of data are decoded, which takes the headers, and the rest is searched for markers; damage
within the data only changes pixels, which no decoder reports.

Reference: ITU-T T.81, annex B.
"""
import io
import re
import struct

from PIL import Image

_START = b'\xff\xd8'
_START_OF_SCAN = 0xda
_END_OF_IMAGE = 0xd9
# Start of frame, sequential coding: all data in one scan, as a rule.
_SEQUENTIAL = (0xc0, 0xc1)
_OTHER_FRAMES = set(range(0xc2, 0xd0)) - {0xc4, 0xc8, 0xcc}
# A marker other than a stuffed byte, a restart or a fill byte.
_MARKER = re.compile(b'\xff[^\x00\xd0-\xd7\xff]')
_LENGTH = struct.Struct('>H')
# Decoded for the sake of the headers.
_NUM_PROBED_BYTES = 512


def is_whole(data):
  """Whether bytes are for sure a JPEG picture that decodes to its end.

  False also stands for pictures that only decoding can tell, such as progressive ones.
  """
  begin = _find_scan(data)
  if begin is None:
    return False
  marker = _MARKER.search(data, begin)
  if marker is None or data[marker.start() + 1] != _END_OF_IMAGE:
    return False
  # Decoders take an early end for damaged data and go on, in next to no time.
  probe = io.BytesIO(data[:begin + _NUM_PROBED_BYTES] + bytes((0xff, _END_OF_IMAGE)))
  try:
    with Image.open(probe) as image:
      image.draft(image.mode, (1, 1))
      image.load()
  except Exception:
    # Pillow raises whatever the damaged bytes lead to.
    return False
  return True


def _find_scan(data):
  """Returns where the data of the only scan begin, or None."""
  offset, is_sequential = len(_START), False
  if not data.startswith(_START):
    return None
  while offset + 4 <= len(data) and data[offset] == 0xff:
    marker = data[offset + 1]
    offset += 2 + _LENGTH.unpack_from(data, offset + 2)[0]
    if marker in _OTHER_FRAMES:
      return None
    is_sequential |= marker in _SEQUENTIAL
    if marker == _START_OF_SCAN:
      return offset if is_sequential else None
  return None
