"""Damages files as disks, networks and faulty programs do, at random but repeatable."""
import os
import pathlib
import random
import struct
import tempfile

from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.testing import tiny_run

# Field numbers and lengths of protocol buffers, and sizes in headers, are such bytes.
_HUGE = b'\xff\xff\xff\xff\x7f'
# Deeper than a parser that calls itself can follow.
NESTED_JSON = b'[' * 100000


def flip_middle_bit(path):
  """Changes a bit in the middle of a file; path: pathlib.Path."""
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)


def _flip_bits(data, draws):
  changed = bytearray(data)
  for _ in range(draws.choice((1, 1, 2, 16, 256))):
    changed[draws.randrange(len(changed))] ^= 1 << draws.randrange(8)
  return bytes(changed)


def _cut_off(data, draws):
  return data[:draws.randrange(len(data))]


def _swap(data, draws):
  start, end = _range(data, draws)
  middle = draws.randint(start, end)
  return data[:start] + data[middle:end] + data[start:middle] + data[end:]


def _claim_huge(data, draws):
  start = draws.randrange(max(1, len(data) - len(_HUGE)))
  return data[:start] + _HUGE + data[start + len(_HUGE):]


def _insert(data, draws):
  start = draws.randrange(len(data) + 1)
  return data[:start] + bytes(draws.randrange(256) for _ in range(draws.randint(1, 99))) + (
      data[start:])


def _on_a_range(change):
  """Returns the function that replaces some bytes by `change` of them."""
  def damage(data, draws):
    start, end = _range(data, draws)
    return data[:start] + change(data[start:end]) + data[end:]

  return damage


KINDS = {'bits flipped': _flip_bits, 'cut off': _cut_off,
         'cut out': _on_a_range(lambda part: b''),
         'zeros': _on_a_range(lambda part: b'\0' * len(part)),
         'repeated': _on_a_range(lambda part: part * 2),
         'swapped': _swap, 'huge size': _claim_huge, 'inserted': _insert}


def _range(data, draws):
  start = draws.randrange(len(data))
  return start, min(len(data), start + draws.choice((1, 4, 64, 4096)))


def png_that_claims(height, width):
  """Returns a PNG file that states a size and holds next to no pixels."""
  return tiny_run.png_file(height, width, 8, 3, b'\0' * 4000)


def damaged(data, number, seed=0):
  """Yields (kind, bytes) for that many ways of damaging bytes, all kinds in turn."""
  draws = random.Random(seed)
  names = sorted(KINDS)
  for index in range(number):
    name = names[index % len(names)]
    changed = data
    while changed == data:
      changed = KINDS[name](data, draws)
    yield name, changed


def damaged_records(path, number, seed=0):
  """Yields (kind, bytes) for that many ways of damaging a shard.

  Half of them damage the file. The others damage one record, or swap the values of its
  features, and have checksums that are right, so that the damage reaches what reads records.
  TensorFlow 1.15 only gets the swapped: it ends with a segmentation fault where the message on
  a record that it cannot parse, which has bytes of it, is not UTF-8.
  """
  data = pathlib.Path(path).read_bytes()
  records = list(_records(data))
  draws = random.Random(seed)
  whole, within = damaged(data, number, seed), damaged(records[0], number, seed + 1)
  for index in range(number):
    if index % 2 == 0:
      kind, changed = next(whole)
    else:
      kind, changed = next(within)
      kind = 'record: ' + kind
      if index % 8 == 7 or IS_TF1:
        kind, changed = 'record: features swapped', _with_features_swapped(records[0], draws)
      changed = _shard(records[1:2] + [changed] + records[2:])
    yield kind, changed


def _with_features_swapped(record, draws):
  """Returns a record with the values of two features exchanged, or numbers made absurd."""
  example = tf.train.Example.FromString(record)
  feature = example.features.feature
  one, two = draws.sample(sorted(feature), 2)
  values = feature[one].SerializeToString(), feature[two].SerializeToString()
  for name, value in zip((two, one), values):
    feature[name].ParseFromString(value)
  for name in ('image/height', 'image/width'):
    if draws.random() < 0.5:
      feature[name].int64_list.value[:] = [draws.choice((-1, 0, 1 << 40))]
  return example.SerializeToString()


def _records(data):
  """Yields the records of the bytes of a shard."""
  start = 0
  while start < len(data):
    length, = struct.unpack_from('<Q', data, start)
    yield data[start + 12:start + 12 + length]
    start += 16 + length


def _shard(records):
  """Returns the bytes of a shard of records, with the checksums of the format."""
  with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'shard')
    with tf.io.TFRecordWriter(path) as writer:
      for record in records:
        writer.write(record)
    return pathlib.Path(path).read_bytes()
