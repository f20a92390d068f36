"""PNG files of 16 bits per channel, which Pillow writes of grey alone."""
import struct
import zlib

# Number of channels -> colour type of PNG.
_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def data_of(values):
  """Returns the bytes of a PNG file of [height, width, channels] integers in 0..65535."""
  height, width, channels = values.shape
  header = struct.pack('>IIBBBBB', width, height, 16, _COLOR_TYPES[channels], 0, 0, 0)
  rows = b''.join(b'\0' + row.astype('>u2').tobytes() for row in values)
  return (b'\x89PNG\r\n\x1a\n' + _chunk(b'IHDR', header) + _chunk(b'IDAT', zlib.compress(rows))
          + _chunk(b'IEND', b''))


def _chunk(kind, data):
  return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
