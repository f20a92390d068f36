"""Writes one shard, encodes, checks and counts its examples, and tells whether it is finished.

Beside a finished shard is its manifest, `.build/<shard>.json`: the size of the shard, its counts,
and a fingerprint of what went into it, so that a build keeps shards that are right, and those of
several machines can be put together.
"""
import collections
import hashlib
import json
import os
import typing

import numpy as np

from deeplab.core.images import orientation
from deeplab.core.storage import errors, files, json_text
from deeplab.core.tf_compat import tf
from deeplab.datasets.building.spec import STOP
from deeplab.datasets.labels import label_sources, pairs
from deeplab.datasets.records import counts, example

# Part of every fingerprint: shards written or counted by other rules are written again.
_RULES_VERSION = 6
_MANIFEST_FOLDER = '.build'
_TURNED = ('by their size, labels were drawn on the pixels as the image files store them; they '
           'were turned with the images, as EXIF says:')
_TURNED_AS_TOLD = 'labels were turned with the images, as EXIF says:'
_UNSEEN = ('EXIF turns the images without a change of size. Labels are taken as drawn on the '
           'upright images; if they were drawn on the stored pixels, pass --labels_as_stored:')


class Shard(typing.NamedTuple):
  """One unit of work: the examples that go into one file.

  spec is the DatasetSpec, without its splits; on_error says what an example that cannot be used
  does: stop the build, or be skipped.
  """
  path: str
  examples: typing.Sequence
  spec: typing.Any
  on_error: str


class ShardStats(counts.RecordCounts):
  """Counts over the records of a shard, and what was noticed; stats of shards add up."""

  def __init__(self):
    super().__init__()
    self.num_drawn = 0  # Number of annotations that were drawn into label maps.
    # Lists of [name of the example, what is wrong with it]; of [name of the example,
    # annotation, reason] of annotations that were not drawn; and of [name of the example, what
    # was noticed].
    self.skipped, self.left_out, self.remarks = [], [], []

  def to_json(self):
    """Returns the counts as plain lists and numbers."""
    return dict(vars(self), sizes=[[h, w, n] for (h, w), n in sorted(self.sizes.items())],
                pixel_counts=self.pixel_counts.tolist(),
                present_pixels=self.present_pixels.tolist())

  @classmethod
  def from_json(cls, content):
    """Returns the ShardStats that `to_json` gave."""
    stats = cls()
    for name in vars(stats):
      setattr(stats, name, content[name])
    stats.sizes = collections.Counter({(h, w): n for h, w, n in stats.sizes})
    stats.pixel_counts = np.array(stats.pixel_counts, np.int64)
    stats.present_pixels = np.array(stats.present_pixels, np.int64)
    return stats


class Unfinished(ValueError):
  """A shard is not what its manifest says, or has none; the message continues its name."""


def manifest_path(shard_path):
  """Returns the path of the manifest of a shard."""
  folder, name = os.path.split(shard_path)
  return os.path.join(folder, _MANIFEST_FOLDER, name + '.json')


def remove(shard_path):
  """Removes a shard and its manifest; absent ones are fine."""
  files.remove_if_present(shard_path)
  files.remove_if_present(manifest_path(shard_path))


def fingerprint_of(shard):
  """Returns a digest of everything the content of a Shard depends on.

  Input files count by path, size and time of change: reading them would take as long as building.
  """
  digest, spec = hashlib.sha256(), shard.spec
  digest.update(repr((_RULES_VERSION, spec.num_classes, spec.ignore_label, shard.on_error,
                      spec.image_range, spec.labels_as_stored,
                      sorted((spec.label_map or {}).items()))).encode())
  for item in shard.examples:
    digest.update(repr((item.name, *map(_state, (item.image_path, item.label, item.landmarks)))
                       ).encode('utf-8', 'surrogateescape'))
  return digest.hexdigest()


def read_finished(shard_path, fingerprint):
  """Returns the ShardStats of a shard that is finished and of this fingerprint.

  Raises Unfinished if it is not; says why.
  """
  try:
    num_bytes = files.size(shard_path)
  except OSError as error:
    is_missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
    raise Unfinished('is missing' if is_missing else 'cannot be read') from error
  path = manifest_path(shard_path)
  try:
    manifest = json_text.read(path)
    expected, told = manifest['num_bytes'], manifest['fingerprint']
    stats = ShardStats.from_json(manifest['stats'])
  except (ValueError, KeyError, TypeError) as error:
    raise Unfinished('has no readable %s' % path) from error
  if told != fingerprint:
    raise Unfinished('was built from other files or settings')
  if num_bytes != expected:
    raise Unfinished('has %d bytes in place of %d' % (num_bytes, expected))
  return stats


def finish(piece, on_example=None):
  """Writes one shard, whole or not at all, and then its manifest, and returns its ShardStats.

  `piece` is (Shard, its `fingerprint_of`); `on_example` a function without arguments called after
  every record, or None. Raises ValueError if an image or label cannot be used (names record and
  file) and on_error is 'stop', or the shard cannot be written.
  """
  shard, fingerprint = piece
  path = manifest_path(shard.path)
  files.remove_if_present(path)
  stats = _write(shard, on_example)
  files.make_dirs(os.path.dirname(path))
  files.write_text(path, json.dumps({
      'fingerprint': fingerprint, 'num_bytes': files.size(shard.path),
      'stats': stats.to_json()}))
  return stats


def drawing_of(item, spec):
  """Returns the label_sources.Drawing of an Example, or None if its label is not drawn.

  Raises ValueError if the image or label cannot be used.
  """
  return _label_of(item, pairs.read_image(item.image_path, spec.image_range), spec)[1]


def _state(source):
  """Returns what tells a path, a label source or numbers from others; None for None."""
  if source is None:
    return None
  if hasattr(source, 'read'):
    return source, _state(source.path), _state(getattr(source, 'parts_path', None))
  if not isinstance(source, str):
    return np.asarray(source, np.float32).tolist()
  try:
    stat = os.stat(source)
  except OSError:
    return os.path.abspath(source), None  # The build itself reports it.
  return os.path.abspath(source), stat.st_size, stat.st_mtime_ns


def _write(shard, on_example):
  stats = ShardStats()
  with errors.told('%s cannot be written' % shard.path, OSError, tf.errors.OpError), \
       files.atomic_path(shard.path) as temporary, tf.io.TFRecordWriter(temporary) as writer:
    for item in shard.examples:
      try:
        record = _record(item, shard, stats)
      except ValueError as error:
        if shard.on_error == STOP:
          raise
        stats.skipped.append([item.name, str(error)])
      else:
        # Features are a map: without this flag their order differs from run to run.
        writer.write(record.SerializeToString(deterministic=True))
      if on_example:
        on_example()
    writer.flush()
  return stats


def _record(item, shard, stats):
  """Returns the tf.train.Example of one Example and adds it to `stats`."""
  try:
    image = pairs.read_image(item.image_path, shard.spec.image_range)
    label, drawing, remark = _label_of(item, image, shard.spec)
    landmarks = pairs.read_landmarks(item.landmarks)
  except ValueError as error:
    raise ValueError('Record %r: %s' % (item.name, error)) from error
  # Only from here on: what fails above leaves no trace in the counts.
  stats.count((image.height, image.width), label and label.pixel_counts,
              shard.spec.ignore_label)
  if remark:
    stats.remarks.append([item.name, remark])
  if drawing is not None:
    stats.num_drawn += drawing.num_drawn
    stats.left_out += [[item.name, name, reason] for name, reason in drawing.left_out]
  return example.make_example(image, item.name, label and label.data, landmarks)


def _label_of(item, image, spec):
  """Returns the EncodedLabel, None for an unlabelled example; its Drawing, a remark, or Nones."""
  if item.label is None:
    return None, None, None
  size = image.height, image.width
  stored_size = size[::-1] if orientation.swaps_sides(image.turn) else size
  label, drawing, path = _read_label(item.label, [stored_size] if spec.labels_as_stored else [
      size, stored_size], spec)
  found = label.height, label.width
  is_unseen = image.turn != orientation.UPRIGHT and stored_size == size
  if image.turn != orientation.UPRIGHT and found == stored_size and (
      spec.labels_as_stored or not is_unseen):
    return (pairs.turned(label, image.turn), drawing,
            _TURNED_AS_TOLD if spec.labels_as_stored else _TURNED)
  if found != size:
    raise ValueError(
        'sizes differ: image %s is %dx%d (height x width, upright), label %s is %dx%d.'
        % ((item.image_path,) + size + (path,) + found))
  return label, drawing, _UNSEEN if is_unseen else None


def _read_label(label, sizes, spec):
  """Returns the EncodedLabel, of the first of `sizes` there is, its Drawing or None, its path."""
  if isinstance(label, str):
    return (pairs.read_label(label, spec.num_classes, spec.ignore_label, spec.label_map), None,
            label)
  try:
    values = label.read(*sizes[0])
  except ValueError as first:
    if sizes[-1] == sizes[0]:
      raise
    try:
      values = label.read(*sizes[-1])
    except ValueError:
      raise first from None  # That of the upright size says what is wrong.
  drawing = values if isinstance(values, label_sources.Drawing) else None
  encoded = pairs.encode_label(drawing.labels if drawing else values, spec.num_classes,
                               spec.ignore_label, label.path)
  return encoded, drawing, label.path
