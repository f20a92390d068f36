"""Writes one shard: encodes, checks and counts its examples."""
import collections
import os
import typing

import numpy as np

from deeplab.core import error_text, files
from deeplab.core.tf_compat import tf
from deeplab.datasets import class_frequency, example, label_sources, pairs

STOP = 'stop'
SKIP = 'skip'
ON_ERROR = (STOP, SKIP)


class Shard(typing.NamedTuple):
  """One unit of work: the examples that go into one file.

  on_error says what an example that cannot be used does: STOP the build, or be SKIPped.
  """
  path: str
  examples: typing.Sequence
  num_classes: int
  ignore_label: int
  label_map: typing.Optional[dict] = None
  on_error: str = STOP


class ShardStats(object):
  """Counts over the records of a shard; stats of shards add up.

  Attributes:
    num_examples: number of records.
    sizes: Counter of (height, width).
    pixel_counts: [256] int64, label pixels per value.
    present_pixels: [256] int64, per value, labelled pixels of the label maps it occurs in.
    skipped: list of [name of the example, what is wrong with it].
    num_drawn: number of annotations that were drawn into label maps.
    left_out: list of [name of the example, annotation, reason] of those that were not.
  """

  def __init__(self, num_examples=0, sizes=(), pixel_counts=None, present_pixels=None,
               skipped=(), num_drawn=0, left_out=()):
    self.num_examples = num_examples
    self.sizes = collections.Counter(sizes)
    self.pixel_counts = np.zeros(256, np.int64) if pixel_counts is None else pixel_counts
    self.present_pixels = np.zeros(256, np.int64) if present_pixels is None else present_pixels
    self.skipped = list(skipped)
    self.num_drawn = num_drawn
    self.left_out = list(left_out)

  def add(self, other):
    """Adds the counts of `other` to these."""
    self.num_examples += other.num_examples
    self.sizes.update(other.sizes)
    self.pixel_counts = self.pixel_counts + other.pixel_counts
    self.present_pixels = self.present_pixels + other.present_pixels
    self.skipped += other.skipped
    self.num_drawn += other.num_drawn
    self.left_out += other.left_out

  def to_json(self):
    """Returns the counts as plain lists and numbers."""
    return {'num_examples': self.num_examples,
            'sizes': [[h, w, n] for (h, w), n in sorted(self.sizes.items())],
            'pixel_counts': self.pixel_counts.tolist(),
            'present_pixels': self.present_pixels.tolist(), 'skipped': self.skipped,
            'num_drawn': self.num_drawn, 'left_out': self.left_out}

  @classmethod
  def from_json(cls, content):
    """Returns the ShardStats that `to_json` gave."""
    return cls(content['num_examples'], {(h, w): n for h, w, n in content['sizes']},
               np.array(content['pixel_counts'], np.int64),
               np.array(content['present_pixels'], np.int64), content['skipped'],
               content['num_drawn'], content['left_out'])


def write_shard(shard, on_example=None):
  """Writes the file of one Shard, whole or not at all, and returns its ShardStats.

  Args:
    shard: Shard.
    on_example: function without arguments called after every record, or None.

  Raises:
    ValueError: an image or label cannot be used (names record and file) and on_error is
      'stop', or the shard cannot be written.
  """
  stats = ShardStats()
  try:
    with files.atomic_path(shard.path) as temporary, \
         tf.io.TFRecordWriter(temporary) as writer:
      for item in shard.examples:
        record = _record_or_skip(item, shard, stats)
        if record is not None:
          # Features are a map: without this flag their order differs from run to run.
          writer.write(record.SerializeToString(deterministic=True))
        if on_example:
          on_example()
      writer.flush()
  except (OSError, tf.errors.OpError) as error:
    raise ValueError('%s cannot be written: %s.' % (shard.path, _reason(error))) from error
  return stats


def _record_or_skip(item, shard, stats):
  try:
    return _record(item, shard, stats)
  except ValueError as error:
    if shard.on_error == STOP:
      raise
    stats.skipped.append([item.name, str(error)])
    return None


def _record(item, shard, stats):
  """Returns the tf.train.Example of one Example and adds it to `stats`."""
  try:
    image = pairs.read_image(item.image_path)
    label, drawing = _label_of(item, image, shard)
    landmarks = pairs.read_landmarks(item.landmarks)
  except ValueError as error:
    raise ValueError('Record %r: %s' % (item.name, error)) from error
  # Only from here on: what fails above leaves no trace in the counts.
  stats.num_examples += 1
  stats.sizes[image.height, image.width] += 1
  if label is not None:
    stats.pixel_counts += label.pixel_counts
    stats.present_pixels += class_frequency.present_pixels(label.pixel_counts,
                                                           shard.ignore_label)
  if drawing is not None:
    stats.num_drawn += drawing.num_drawn
    stats.left_out += [[item.name, name, reason] for name, reason in drawing.left_out]
  return example.make_example(image, item.name, label and label.data, landmarks)


def _label_of(item, image, shard):
  """Returns (EncodedLabel or None for an unlabelled example, its Drawing if it is one)."""
  drawing = None
  if item.label is None:
    return None, None
  if isinstance(item.label, str):
    path = item.label
    label = pairs.read_label(path, shard.num_classes, shard.ignore_label, shard.label_map)
  else:
    path = item.label.paths()[0]
    values = item.label.read(image.height, image.width)
    if isinstance(values, label_sources.Drawing):
      values, drawing = values.labels, values
    label = pairs.encode_label(values, shard.num_classes, shard.ignore_label, path)
  if (label.height, label.width) != (image.height, image.width):
    raise ValueError(
        'sizes differ: image %s is %dx%d (height x width, upright), label %s is %dx%d.'
        % (item.image_path, image.height, image.width, path, label.height, label.width))
  return label, drawing


def _reason(error):
  if isinstance(error, OSError) and error.errno:
    return os.strerror(error.errno)
  return error_text.reason_of(error)
