"""What is known of finished shards: `.build/<shard>.json` beside the records.

A manifest holds the size of its shard, its counts, and a fingerprint of what went into it, so
that a build keeps shards that are right, and those of several machines can be put together.
"""
import hashlib
import json
import os

import numpy as np

from deeplab.core.storage import files, json_text
from deeplab.datasets.building import shard_writer

# Part of every fingerprint: shards written or counted by other rules are written again.
_RULES_VERSION = 5
_FOLDER = '.build'


class Unfinished(ValueError):
  """A shard is not what a manifest says, or has none; the message continues its name."""


def path_of(shard_path):
  """Returns the path of the manifest of a shard."""
  folder, name = os.path.split(shard_path)
  return os.path.join(folder, _FOLDER, name + '.json')


def write(shard_path, fingerprint, stats):
  """Writes the manifest of a shard that is finished.

  Args:
    shard_path: the shard.
    fingerprint: `fingerprint_of` it.
    stats: shard_writer.ShardStats of it.
  """
  path = path_of(shard_path)
  files.make_dirs(os.path.dirname(path))
  files.write_text(path, json.dumps({
      'fingerprint': fingerprint, 'num_bytes': files.size(shard_path),
      'stats': stats.to_json()}))


def read(shard_path, fingerprint):
  """Returns the ShardStats of a shard that is finished and of this fingerprint.

  Raises:
    Unfinished: it is not; says why.
  """
  try:
    num_bytes = files.size(shard_path)
  except OSError as error:
    is_missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
    raise Unfinished('is missing' if is_missing else 'cannot be read') from error
  try:
    manifest = json_text.read(path_of(shard_path))
    expected, told = manifest['num_bytes'], manifest['fingerprint']
    stats = shard_writer.ShardStats.from_json(manifest['stats'])
  except (ValueError, KeyError, TypeError) as error:
    raise Unfinished('has no readable %s' % path_of(shard_path)) from error
  if told != fingerprint:
    raise Unfinished('was built from other files or settings')
  if num_bytes != expected:
    raise Unfinished('has %d bytes in place of %d' % (num_bytes, expected))
  return stats


def fingerprint_of(shard):
  """Returns a digest of everything the content of a shard_writer.Shard depends on.

  Input files count by path, size and time of change: reading them would take as long as
  building.
  """
  digest = hashlib.sha256()
  digest.update(repr((_RULES_VERSION, shard.num_classes, shard.ignore_label, shard.on_error,
                      shard.image_range, shard.labels_as_stored,
                      sorted((shard.label_map or {}).items()))).encode())
  for item in shard.examples:
    landmarks = item.landmarks
    if landmarks is not None and not isinstance(landmarks, str):
      landmarks = np.asarray(landmarks, np.float32).tolist()
    digest.update(repr((item.name, _file_state(item.image_path), _label_state(item.label),
                        _file_state(landmarks) if isinstance(landmarks, str) else landmarks)
                       ).encode('utf-8', 'surrogateescape'))
  return digest.hexdigest()


def _label_state(label):
  if label is None or isinstance(label, str):
    return _file_state(label)
  return label, [_file_state(path) for path in label.paths()]


def _file_state(path):
  if path is None:
    return None
  try:
    stat = os.stat(path)
  except OSError:
    return os.path.abspath(path), None  # The build itself reports it.
  return os.path.abspath(path), stat.st_size, stat.st_mtime_ns
