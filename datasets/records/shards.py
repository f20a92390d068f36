"""The shards of a split: their file names, lengths, and which of them a worker reads."""
import os
import re
import struct
import time
import typing

from deeplab.core.storage import errors, files

_SHARD = '%s-%05d-of-%05d.tfrecord'
_NUMBERED = re.compile(r'^(?P<split>.+)-(?P<shard>\d+)-of-(?P<count>\d+)(\.[a-z]+)?$')
_UNNUMBERED_SUFFIXES = ('.tfrecord', '.tfrecords', '.record')
_TEMPORARY_SUFFIXES = ('.tmp', '.part', '.lock')
# A TFRecord file is a row of frames: length (8 bytes, little-endian), checksum of the length (4),
# content, checksum of the content (4). Reference: TensorFlow, core/lib/io/record_writer.h.
_LENGTH = struct.Struct('<Q')
_HEAD_SIZE, _TAIL_SIZE = 12, 4
# Shards per worker from which on one more or less makes no difference.
_MANY_SHARDS = 8


class Share(typing.NamedTuple):
  """The part of a split that process number `index` reads; together they read all of it."""
  index: int = 0
  count: int = 1  # Number of processes.

  def of(self, elements):
    """Returns this process's share of a tf.data.Dataset that is the same for all."""
    return elements if self.count == 1 else elements.shard(self.count, self.index)

  def divides_well(self, num_shards):
    """Whether workers that read whole shards all read about as much.

    Else each reads all shards, which is cheap beside decoding, and takes every nth record.
    """
    return num_shards % self.count == 0 or num_shards >= _MANY_SHARDS * self.count


def shard_name(split, shard, num_shards):
  """Returns the file name of shard number `shard` (from 0) of a split."""
  return _SHARD % (split, shard, num_shards)


def check_folder(dataset_dir):
  """Raises ValueError unless the folder of records exists."""
  if not files.is_dir(dataset_dir):
    raise ValueError('dataset_dir %r does not exist or is not a folder.' % dataset_dir)


def split_files(dataset_dir, split):
  """Returns the sorted paths of the shards of one split.

  Files called `<split>-<i>-of-<n>` with any extension count, and `<split>-*` with an extension of
  TFRecords. Hidden and temporary files do not, nor does `train-aug-00000-of-1` count for `train`.

  Raises:
    ValueError: dataset_dir does not exist, has no records at all or none of the split (lists
      the splits found), or shards are missing by their own numbering.
  """
  check_folder(dataset_dir)
  names = files.list_dir(dataset_dir)
  found = [name for name in names if _is_of_split(name, split)]
  if not found:
    others = splits_in(dataset_dir)
    if not others:
      raise no_records(dataset_dir, split)
    raise ValueError('dataset_dir %r holds no records of split %r (files like %s). Splits '
                     'found: %s.' % (dataset_dir, split, shard_name(split, 0, 1),
                                     ', '.join(others)))
  _check_complete(dataset_dir, found)
  return [os.path.join(dataset_dir, name) for name in found]


def no_records(dataset_dir, split):
  """Returns the ValueError for a folder without any records."""
  return ValueError('dataset_dir %r holds no records (files like %s). Build the dataset first or '
                    'pass the folder of its .tfrecord files.'
                    % (dataset_dir, shard_name(split, 0, 1)))


def split_of(path, splits):
  """Returns which of the names of splits a shard is of, the longest that fits; None: of none."""
  name = os.path.basename(path)
  return max((split for split in splits if _is_of_split(name, split)), key=len, default=None)


def splits_in(dataset_dir):
  """Returns the sorted names of the splits that have numbered shards in `dataset_dir`."""
  matches = [_match(name) for name in files.list_dir(dataset_dir)]
  return sorted({match.group('split') for match in matches if match})


def leftovers(dataset_dir, split, planned):
  """Returns the names of temporary files of a split and of its shards not in `planned`."""
  names = files.list_dir(dataset_dir)
  temporary = [name for name in names
               if name.startswith('.%s-' % split) and name.endswith(_TEMPORARY_SUFFIXES)]
  numbered = [name for name in names if _match(name) and _is_of_split(name, split)]
  return sorted(temporary + [name for name in numbered if name not in planned])


def count_records(path, deadline=None):
  """Returns the number of records of a shard, or None if the deadline passed before the end.

  Their lengths are read, not their content. The file is not compressed; `deadline` is a value of
  `time.monotonic()`. Raises ValueError if the file ends within a record, or cannot be read.
  """
  with errors.told('Shard %s cannot be read' % path, OSError):
    size, offset, count = files.size(path), 0, 0
    # Unbuffered: a buffer would read the content that is jumped over.
    with files.open_binary(path, buffering=0) as stream:
      while offset < size:
        if deadline is not None and time.monotonic() > deadline:
          return None
        stream.seek(offset)
        head = stream.read(_HEAD_SIZE)
        offset += _HEAD_SIZE + _TAIL_SIZE
        if len(head) == _HEAD_SIZE:
          offset += _LENGTH.unpack(head[:_LENGTH.size])[0]
        if len(head) < _HEAD_SIZE or offset > size:
          raise ValueError('%s: record %d is cut off: it should end at byte %d of %d. Copy or '
                           'build this shard again.' % (path, count, offset, size))
        count += 1
      return count


def _is_of_split(name, split):
  match = _match(name)
  if match:
    return match.group('split') == split
  return name.startswith(split + '-') and name.endswith(_UNNUMBERED_SUFFIXES)


def _match(name):
  if name.startswith('.') or name.endswith(_TEMPORARY_SUFFIXES):
    return None
  return _NUMBERED.match(name)


def _check_complete(dataset_dir, names):
  matches = [match for match in map(_match, names) if match]
  counts = sorted({int(match.group('count')) for match in matches})
  if len(counts) > 1:
    raise ValueError('dataset_dir %r mixes shards of two builds: %s and %s. Remove those of '
                     'the older one.' % (dataset_dir, *[
                         next(m.group(0) for m in matches if int(m.group('count')) == count)
                         for count in counts[:2]]))
  if not counts:
    return
  present = {int(match.group('shard')) for match in matches}
  missing = sorted(set(range(counts[0])) - present)
  if missing:
    example = shard_name(matches[0].group('split'), missing[0], counts[0])
    raise ValueError('dataset_dir %r lacks %d of %d shards, the first is %s. Build or copy the '
                     'dataset again.' % (dataset_dir, len(missing), counts[0], example))
