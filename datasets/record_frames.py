"""Counts the records of a shard from their lengths, without reading their content.

A TFRecord file is a row of frames: length (8 bytes, little-endian), checksum of the length
(4), content, checksum of the content (4). Reference: TensorFlow, core/lib/io/record_writer.h.
"""
import struct
import time

from deeplab.core import files

_LENGTH = struct.Struct('<Q')
_HEAD_SIZE, _TAIL_SIZE = 12, 4


def count_records(path, deadline=None):
  """Returns the number of records of a shard, or None if the deadline passed before the end.

  Args:
    path: TFRecord file, not compressed.
    deadline: value of `time.monotonic()` at which to give up, or None.

  Raises:
    ValueError: the file ends within a record, or cannot be read.
  """
  try:
    # Unbuffered: a buffer would read the content that is jumped over.
    with files.open_binary(path, buffering=0) as stream:
      return _count(stream, files.size(path), path, deadline)
  except OSError as error:
    raise ValueError('Shard %s cannot be read: %s.' % (path, error.strerror)) from error


def _count(stream, size, path, deadline):
  offset = count = 0
  while offset < size:
    if deadline is not None and time.monotonic() > deadline:
      return None
    stream.seek(offset)
    head = stream.read(_HEAD_SIZE)
    end = offset + _HEAD_SIZE + _TAIL_SIZE
    if len(head) == _HEAD_SIZE:
      end += _LENGTH.unpack(head[:_LENGTH.size])[0]
    if len(head) < _HEAD_SIZE or end > size:
      raise ValueError('%s: record %d is cut off: it should end at byte %d of %d. Copy or '
                       'build this shard again.' % (path, count, end, size))
    offset, count = end, count + 1
  return count
