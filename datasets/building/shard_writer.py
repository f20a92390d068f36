"""Writes one shard: encodes, checks and counts its examples."""
import collections
import os
import typing

import numpy as np

from deeplab.core.images import orientation
from deeplab.core.storage import errors, files
from deeplab.core.tf_compat import tf
from deeplab.datasets.labels import label_sources, pairs
from deeplab.datasets.records import class_frequency, example

STOP = 'stop'
SKIP = 'skip'
ON_ERROR = (STOP, SKIP)

_TURNED = ('by their size, labels were drawn on the pixels as the image files store them; they '
           'were turned with the images, as EXIF says:')
_TURNED_AS_TOLD = 'labels were turned with the images, as EXIF says:'
_UNSEEN = ('EXIF turns the images without a change of size. Labels are taken as drawn on the '
           'upright images; if they were drawn on the stored pixels, pass --labels_as_stored:')


class Shard(typing.NamedTuple):
  """One unit of work: the examples that go into one file.

  on_error says what an example that cannot be used does: STOP the build, or be SKIPped;
  image_range and labels_as_stored are those of the DatasetSpec.
  """
  path: str
  examples: typing.Sequence
  num_classes: int
  ignore_label: int
  label_map: typing.Optional[dict] = None
  on_error: str = STOP
  image_range: typing.Optional[typing.Sequence[float]] = None
  labels_as_stored: bool = False


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
    remarks: dict, what was noticed -> list of the names of examples.
  """

  def __init__(self, num_examples=0, sizes=(), pixel_counts=None, present_pixels=None,
               skipped=(), num_drawn=0, left_out=(), remarks=None):
    self.num_examples = num_examples
    self.sizes = collections.Counter(sizes)
    self.pixel_counts = np.zeros(256, np.int64) if pixel_counts is None else pixel_counts
    self.present_pixels = np.zeros(256, np.int64) if present_pixels is None else present_pixels
    self.skipped = list(skipped)
    self.num_drawn = num_drawn
    self.left_out = list(left_out)
    self.remarks = dict(remarks or {})

  def add(self, other):
    """Adds the counts of `other` to these."""
    self.num_examples += other.num_examples
    self.sizes.update(other.sizes)
    self.pixel_counts = self.pixel_counts + other.pixel_counts
    self.present_pixels = self.present_pixels + other.present_pixels
    self.skipped += other.skipped
    self.num_drawn += other.num_drawn
    self.left_out += other.left_out
    for text, names in other.remarks.items():
      self.remarks[text] = self.remarks.get(text, []) + names

  def to_json(self):
    """Returns the counts as plain lists and numbers."""
    return {'num_examples': self.num_examples,
            'sizes': [[h, w, n] for (h, w), n in sorted(self.sizes.items())],
            'pixel_counts': self.pixel_counts.tolist(),
            'present_pixels': self.present_pixels.tolist(), 'skipped': self.skipped,
            'num_drawn': self.num_drawn, 'left_out': self.left_out,
            'remarks': self.remarks}

  @classmethod
  def from_json(cls, content):
    """Returns the ShardStats that `to_json` gave."""
    return cls(content['num_examples'], {(h, w): n for h, w, n in content['sizes']},
               np.array(content['pixel_counts'], np.int64),
               np.array(content['present_pixels'], np.int64), content['skipped'],
               content['num_drawn'], content['left_out'], content['remarks'])


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
    image = pairs.read_image(item.image_path, shard.image_range)
    label, drawing, remark = _label_of(item, image, shard)
    landmarks = pairs.read_landmarks(item.landmarks)
  except ValueError as error:
    raise ValueError('Record %r: %s' % (item.name, error)) from error
  # Only from here on: what fails above leaves no trace in the counts.
  stats.num_examples += 1
  if remark:
    stats.remarks.setdefault(remark, []).append(item.name)
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
  """Returns the EncodedLabel, None for an unlabelled example; its Drawing, a remark, or Nones."""
  if item.label is None:
    return None, None, None
  size = image.height, image.width
  turn = pairs.read_orientation(item.image_path)
  stored_size = size[::-1] if orientation.swaps_sides(turn) else size
  label, drawing, path = _read_label(item.label, [stored_size] if shard.labels_as_stored else [
      size, stored_size], shard)
  found = label.height, label.width
  is_unseen = turn != orientation.UPRIGHT and stored_size == size
  if turn != orientation.UPRIGHT and found == stored_size and (
      shard.labels_as_stored or not is_unseen):
    return (pairs.turned(label, turn), drawing,
            _TURNED_AS_TOLD if shard.labels_as_stored else _TURNED)
  if found != size:
    raise ValueError(
        'sizes differ: image %s is %dx%d (height x width, upright), label %s is %dx%d.'
        % ((item.image_path,) + size + (path,) + found))
  return label, drawing, _UNSEEN if is_unseen else None


def _read_label(label, sizes, shard):
  """Returns the EncodedLabel, its Drawing or None, and its path.

  A label source is asked for the first of `sizes` that it has.
  """
  if isinstance(label, str):
    return (pairs.read_label(label, shard.num_classes, shard.ignore_label, shard.label_map), None,
            label)
  path = label.paths()[0]
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
  labels = drawing.labels if drawing else values
  return (pairs.encode_label(labels, shard.num_classes, shard.ignore_label, path), drawing, path)


def _reason(error):
  if isinstance(error, OSError) and error.errno:
    return os.strerror(error.errno)
  return errors.reason_of(error)
