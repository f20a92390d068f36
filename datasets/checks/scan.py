"""Looks at one record, or all of one shard, for what `data_findings` lists.

Images are decoded with Pillow, and labels to the values that the input pipeline reads.
"""
import collections
import hashlib
import io
import os
import typing

import numpy as np
from PIL import Image

from deeplab.core import colormaps
from deeplab.core.images import limits
from deeplab.datasets.checks import findings
from deeplab.datasets.records import class_frequency, example

_MAX_VALUES = 5
_PNG_BIT_DEPTH_OFFSET = 24
_PNG_END = b'IEND\xaeB`\x82'
_WIDE_MODES = ('I', 'I;16', 'I;16B', 'F')
_HASH_BYTES = 8
HASH_DTYPE = np.dtype([('hash', np.uint64), ('record', np.uint32)])
# People, points, coordinates, as the augmentation of people needs them.
_LEAST_LANDMARKS = (1, 13, 2)


class Facts(typing.NamedTuple):
  """What one record holds.

  Attributes:
    problems: list of (name of the finding, sentence).
    size: (height, width) of the image in pixels, or None.
    pixel_counts: [256] int64, label pixels per value; None without a label that can be read.
    image_hash: int of 64 bits over the decoded pixels; None if they were not decoded.
    has_landmarks: whether there are landmarks.
  """
  problems: typing.List[typing.Tuple[str, str]]
  size: typing.Optional[typing.Tuple[int, int]] = None
  pixel_counts: typing.Optional[np.ndarray] = None
  image_hash: typing.Optional[int] = None
  has_landmarks: bool = False


def inspect_record(record, where, descriptor, has_label=True, with_pixels=True):
  """Returns the Facts of a `tf.train.Example`.

  Args:
    record: the example.
    where: begins every sentence, e.g. 'Record 2008_000003'.
    descriptor: DatasetDescriptor.
    has_label: whether the record must have a label.
    with_pixels: False looks at the heads of image and label alone, a hundred times faster.
  """
  inspection = _Inspection(where, descriptor, with_pixels)
  return inspection.facts(record, has_label)


class ShardScan(object):
  """What the records of one shard hold together; scans of shards add up.

  Attributes:
    num_records: number of records read.
    heights: Counter of image heights in pixels; so do `widths`.
    pixel_counts: [256] int64, label pixels per value.
    present_pixels: [256] int64, per value, labelled pixels of the label maps it occurs in.
    num_landmarks: number of records with landmarks.
    hashes: array of HASH_DTYPE, of the records whose image could be decoded.
    without_landmarks: names of the first records without landmarks.
    findings: Findings.
  """

  def __init__(self):
    self.num_records = self.num_landmarks = 0
    self.heights, self.widths = collections.Counter(), collections.Counter()
    self.pixel_counts = np.zeros(256, np.int64)
    self.present_pixels = np.zeros(256, np.int64)
    self.hashes = np.zeros(0, HASH_DTYPE)
    self.without_landmarks = []
    self.findings = findings.Findings()

  def add(self, facts, ignore_label):
    """Adds the Facts of the next record."""
    for name, sentence in facts.problems:
      self.findings.add(name, sentence)
    if facts.size:
      self.heights[facts.size[0]] += 1
      self.widths[facts.size[1]] += 1
    if facts.pixel_counts is not None:
      self.pixel_counts += facts.pixel_counts
      self.present_pixels += class_frequency.present_pixels(facts.pixel_counts, ignore_label)
    self.num_landmarks += facts.has_landmarks
    self.num_records += 1

  def merge(self, other):
    """Adds the counts and findings of another scan; its hashes stay with it."""
    self.num_records += other.num_records
    self.num_landmarks += other.num_landmarks
    self.heights.update(other.heights)
    self.widths.update(other.widths)
    self.pixel_counts += other.pixel_counts
    self.present_pixels += other.present_pixels
    room = findings.MAX_NAMED - len(self.without_landmarks)
    self.without_landmarks += other.without_landmarks[:room]
    self.findings.merge(other.findings)


def scan_shard(piece, on_record):
  """Returns the ShardScan of (path, DatasetDescriptor, has_label); for `parallel.run`."""
  path, descriptor, has_label = piece
  scan, hashes = ShardScan(), []
  try:
    for record in example.read_records(path):
      where = record_title(record, path, scan.num_records)
      facts = inspect_record(record, where, descriptor, has_label)
      if not facts.has_landmarks and len(scan.without_landmarks) < findings.MAX_NAMED:
        scan.without_landmarks.append(where)
      if facts.image_hash is not None:
        hashes.append((facts.image_hash, scan.num_records))
      scan.add(facts, descriptor.ignore_label)
      on_record()
  except ValueError as error:
    scan.findings.add('corrupt_record', str(error))
  scan.hashes = np.array(hashes, HASH_DTYPE)
  return scan


def record_title(record, path, index):
  """Returns 'Record NAME', or where the record is if it has no name."""
  name = example.record_name(record)
  return 'Record %s' % name if name else 'Record %d of %s' % (index, os.path.basename(path))


def labels_are_grey_colors(pixel_counts, descriptor):
  """Returns whether label values are the brightness of the dataset's or VOC's colours.

  Args:
    pixel_counts: [256] array, label pixels per value.
    descriptor: DatasetDescriptor.
  """
  values = np.flatnonzero(pixel_counts)
  values = values[(values != 0) & (values != descriptor.ignore_label)]
  if len(values) < 2 or values.max() < descriptor.num_classes:
    return False
  for name in (descriptor.colormap, 'pascal'):
    if name is None:
      continue
    colors = colormaps.colormap(name, descriptor.num_classes)[np.newaxis]
    grey = np.asarray(Image.fromarray(colors).convert('L')).astype(int)
    # Programs round brightness differently.
    if np.isin(values, np.concatenate([grey - 1, grey, grey + 1])).all():
      return True
  return False


class _Inspection(object):
  """Looks at one record; collects its problems."""

  def __init__(self, where, descriptor, with_pixels):
    self._where = where
    self._descriptor = descriptor
    self._with_pixels = with_pixels
    self._problems = []

  def facts(self, record, has_label):
    data = example.image_bytes(record)
    image = self._open(data, 'image', ('JPEG', 'PNG'))
    if image and image.format == 'PNG' and data[_PNG_BIT_DEPTH_OFFSET] > 8:
      self._add('wide_image', 'the image has %d bits per channel.' % data[_PNG_BIT_DEPTH_OFFSET])
    size = image and (image.height, image.width)
    image_hash = self._hash(image) if image and self._with_pixels else None
    recorded = example.recorded_size(record)
    if size and size != recorded:
      self._add('recorded_size', 'it says %dx%d, the image is %dx%d (height x width).'
                % (recorded + size))
    return Facts(self._problems, size, self._label(record, size) if has_label else None,
                 image_hash, self._landmarks(example.landmarks_bytes(record)))

  def _add(self, name, sentence):
    self._problems.append((name, '%s: %s' % (self._where, sentence)))

  def _open(self, data, what, formats):
    """Returns the Pillow image of the bytes, decoded if pixels are wanted; None if it fails."""
    try:
      if not data:
        raise ValueError('it is empty')
      image = limits.open_image(io.BytesIO(data))
      if image.format not in formats:
        raise ValueError('it is a %s file instead of %s'
                         % (image.format, ' or '.join(formats)))
      # Pillow tolerates files that lack the closing chunk, libpng does not.
      if image.format == 'PNG' and not data.endswith(_PNG_END):
        raise ValueError('the PNG file is cut off')
      if self._with_pixels:
        image.load()
      return image
    except Exception as error:  # Pillow raises what the format's decoder happens to raise.
      reason = 'no picture' if 'cannot identify' in str(error) else str(error).rstrip('.')
      self._add('bad_' + what, 'the %s cannot be decoded (%s).' % (what, reason))
      return None

  def _hash(self, image):
    pixels = np.asarray(image.convert('RGB'))
    low, high = pixels.min(axis=(0, 1)), pixels.max(axis=(0, 1))
    if (low == high).all():
      self._add('blank_image', 'every pixel of the image is %s.' % (tuple(low.tolist()),))
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=_HASH_BYTES)
    digest.update(np.ascontiguousarray(pixels))
    return int.from_bytes(digest.digest(), 'little')

  def _label(self, record, size):
    """Returns the [256] pixel counts of the label, or None."""
    data = example.label_bytes(record)
    if not data:
      self._add('missing_label', 'there is no label map.')
      return None
    label = self._open(data, 'label', ('PNG',))
    if label is None:
      return None
    if size and size != (label.height, label.width):
      self._add('sizes_differ', 'the image is %dx%d, its label %dx%d (height x width).'
                % (size + (label.height, label.width)))
    values = self._ids(label, data[_PNG_BIT_DEPTH_OFFSET])
    if values is None:
      return None
    counts = np.bincount(values.ravel(), minlength=256)
    self._check_values(counts)
    return counts

  def _ids(self, label, bit_depth):
    """Returns the label's pixels if they are class ids that the input pipeline reads as such."""
    if label.mode in _WIDE_MODES or bit_depth > 8:
      self._add('label_encoding', 'the label has 16 bits per value, of which the upper 8 are '
                                  'read.')
      return None
    if not self._with_pixels:
      if label.mode == 'P':
        self._check_palette(label)
      return None
    if label.mode in ('L', '1', 'LA'):
      values = np.asarray(label.convert('L'))
      if bit_depth < 8 and values.any():
        self._add('label_encoding', 'the label is grey of %d bits, whose values are stretched '
                                    'to 0..255.' % bit_depth)
        return None
      return values
    colors = np.asarray(label.convert('RGB'))
    if (colors == colors[:, :, :1]).all():
      return colors[:, :, 0]
    num_colors = len(np.unique(colors.reshape(-1, 3), axis=0))
    self._add('label_encoding', 'the label is a %s picture with %d colours.' % (
        'palette' if label.mode == 'P' else label.mode, num_colors))
    return None

  def _check_palette(self, label):
    palette = np.array(label.getpalette()).reshape(-1, 3)
    if (palette != palette[:, :1]).any():
      self._add('label_encoding', 'the label is a palette picture.')

  def _check_values(self, counts):
    descriptor = self._descriptor
    values = np.flatnonzero(counts)
    bad = values[(values >= descriptor.num_classes) & (values != descriptor.ignore_label)]
    if len(bad):
      self._add('label_range', (
          'the label has the values %s%s, which are neither classes 0..%d nor the ignore '
          'label %d of dataset %s.') % (
              ', '.join(str(v) for v in bad[:_MAX_VALUES]),
              ', ...' if len(bad) > _MAX_VALUES else '', descriptor.num_classes - 1,
              descriptor.ignore_label, descriptor.name))
    if values.tolist() == [descriptor.ignore_label]:
      self._add('all_ignored', 'every pixel has the ignore label %d.' % descriptor.ignore_label)

  def _landmarks(self, data):
    """Returns whether there are landmarks."""
    if not data:
      return False
    try:
      shape = example.parse_landmarks(data).shape
    except ValueError as error:
      self._add('bad_landmarks', 'the landmarks are %s.' % error)
      return True
    if len(shape) != len(_LEAST_LANDMARKS) or any(
        side < least for side, least in zip(shape, _LEAST_LANDMARKS)):
      self._add('bad_landmarks', 'the landmarks have the shape %s, expected [people, %d or '
                                 'more, 2 or more].' % (list(shape), _LEAST_LANDMARKS[1]))
    return True
