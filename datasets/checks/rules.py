"""The rule book: what can be wrong with a dataset, and what one record must satisfy.

Images are decoded with Pillow, and labels to the values that the input pipeline reads.
"""
import collections
import hashlib
import io
import os
import typing

import numpy as np

from deeplab.core import usage
from deeplab.core.images import limits
from deeplab.datasets.records import example

_MAX_VALUES = 5
_WIDE_MODES = ('I', 'I;16', 'I;16B', 'F')
_HASH_BYTES = 8
# People, points, coordinates, as the augmentation of people needs them.
_LEAST_LANDMARKS = (1, 13, 2)

# Severities: errors harm training or evaluation, warnings are worth a look.
ERROR, WARNING = 'error', 'warning'


class Kind(typing.NamedTuple):
  """A kind of finding: its severity, and what it means and asks for."""
  severity: str
  text: str


FINDINGS = {
    'bad_shards': Kind(ERROR, 'Shards of a split are missing or of two builds.'),
    'missing_split': Kind(ERROR, 'A split of dataset_info.json has no records.'),
    'empty_split': Kind(ERROR, 'A split holds no records at all.'),
    'split_size': Kind(ERROR, 'A split holds other than the number of records of its '
                              'dataset_info.json: shards were lost or mixed up.'),
    'corrupt_record': Kind(ERROR, 'Records are corrupt or cut off; what follows them in the '
                                  'shard was not read.'),
    'bad_image': Kind(ERROR, 'Images cannot be decoded.'),
    'bad_label': Kind(ERROR, 'Label maps cannot be decoded.'),
    'missing_label': Kind(ERROR, 'Records have no label map.'),
    'sizes_differ': Kind(ERROR, 'Image and label map differ in size.'),
    'label_encoding': Kind(ERROR, 'Label maps are colours, a palette or stretched grey: read '
                                  'as brightness, not as class ids.'),
    'label_range': Kind(ERROR, 'Label maps have values that are neither class nor ignore '
                               'label.'),
    'label_colors': Kind(ERROR, 'Label values are the brightness of the colours of the '
                                'classes: colour masks were turned to grey. Build the records '
                                'from masks of class ids.'),
    'no_labels': Kind(ERROR, 'All pixels of a split are ignored.'),
    'one_class': Kind(ERROR, 'All labelled pixels of the dataset are of one class. Masks of 0 '
                             'and 255 must become ids 0 and 1.'),
    'bad_landmarks': Kind(ERROR, 'Landmarks are not points in a float32 tensor.'),
    'leak': Kind(ERROR, 'The same image is in training and held-out splits: the metrics will '
                        'be too good.'),
    'all_ignored': Kind(WARNING, 'Label maps are of the ignore label alone.'),
    'blank_image': Kind(WARNING, 'Images are of one colour.'),
    'wide_image': Kind(WARNING, 'Images have over 8 bits, of which the upper byte alone is read: '
                                'values that do not fill 16 bits become black. Scale them.'),
    'recorded_size': Kind(WARNING, 'The stated height and width are not those of the image.'),
    'missing_landmarks': Kind(WARNING, 'Records lack landmarks: their legs are never cut off '
                                       'in training.'),
    'duplicate': Kind(WARNING, 'The same image is in a split more than once.'),
    'overlap': Kind(WARNING, 'Splits share images.'),
    'absent_class': Kind(WARNING, 'Classes have no pixel in a split for training.'),
    'stale_info': Kind(WARNING, 'dataset_info.json tells other sizes or pixel counts than the '
                                'records have.'),
    'table_size': Kind(WARNING, 'A split has other than the number of records of the built-in '
                                'dataset.'),
    'absent_split': Kind(WARNING, 'A split of the built-in dataset has no records here.'),
    'unknown_split': Kind(WARNING, 'A split on disk is not among the splits of the dataset.'),
}

MAX_NAMED = 10  # Named per finding; the rest is counted.


class Findings(object):
  """Counted findings, the first of each kind with their sentences."""

  def __init__(self):
    self.counts = collections.Counter()  # Name of the finding -> how often.
    self.named = {}  # Name of the finding -> list of at most MAX_NAMED sentences.

  def add(self, name, sentence, count=1):
    """Adds a finding of the table with what, where and the value seen."""
    usage.lookup(FINDINGS, name, what='finding')
    self.counts[name] += count
    named = self.named.setdefault(name, [])
    if len(named) < MAX_NAMED:
      named.append(sentence)

  def __iadd__(self, other):
    """Adds the findings of another Findings."""
    self.counts += other.counts
    for name, sentences in other.named.items():
      named = self.named.setdefault(name, [])
      named.extend(sentences[:MAX_NAMED - len(named)])
    return self

  def of_severity(self, severity):
    """Returns the names found of one severity, in the order of the table."""
    return [name for name, kind in FINDINGS.items()
            if kind.severity == severity and self.counts[name]]

  def sentences(self, severity):
    """Returns what was found of one severity, in the order of the table."""
    return [sentence for name in self.of_severity(severity) for sentence in self.named[name]]


class Facts(typing.NamedTuple):
  """What one record holds."""
  problems: typing.List[typing.Tuple[str, str]]  # List of (name of the finding, sentence).
  # (height, width) of the image in pixels, or None.
  size: typing.Optional[typing.Tuple[int, int]] = None
  # [256] int64, label pixels per value; None without a label that can be read.
  pixel_counts: typing.Optional[np.ndarray] = None
  # Int of 64 bits over the decoded pixels; None if they were not decoded.
  image_hash: typing.Optional[int] = None
  has_landmarks: bool = False  # Whether there are landmarks.

  @property
  def error(self):
    """The first sentence on what harms training, or None."""
    return next((sentence for name, sentence in self.problems
                 if FINDINGS[name].severity == ERROR), None)


def inspect_record(record, where, descriptor, has_label=True, with_pixels=True):
  """Returns the Facts of a `tf.train.Example`, which must have a label if `has_label`.

  `where` begins every sentence, e.g. 'Record 2008_000003'. Without `with_pixels` only the heads of
  image and label are looked at, a hundred times faster.
  """
  return _Inspection(where, descriptor, with_pixels).facts(record, has_label)


def record_title(record, path, index):
  """Returns 'Record NAME', or where the record is if it has no name."""
  name = example.record_name(record)
  return 'Record %s' % name if name else 'Record %d of %s' % (index, os.path.basename(path))


def place(path, index):
  """Returns a sentence, after a space, on where a record is."""
  return ' It is record %d of shard %s.' % (index, path)


class _Inspection(object):
  """Looks at one record; collects its problems."""

  def __init__(self, where, descriptor, with_pixels):
    self._where = where
    self._descriptor = descriptor
    self._with_pixels = with_pixels
    self._problems = []

  def facts(self, record, has_label):
    misread = example.misread_feature(record)
    if misread:
      self._add('bad_image', 'values of the feature %s are of another kind, text or numbers, than '
                             'they must be.', misread)
      return Facts(self._problems)
    data = example.image_bytes(record)
    image = self._open(data, 'image', ('JPEG', 'PNG'))
    size = image and (image.height, image.width)
    image_hash = None
    if image:
      bit_depth = limits.png_bit_depth(data) or 8
      if bit_depth > 8:
        self._add('wide_image', 'the image has %d bits per channel.', bit_depth)
      if self._with_pixels:
        image_hash = self._hash(image)
      recorded = example.recorded_size(record)
      if size != recorded:
        self._add('recorded_size', 'it says %dx%d, the image is %dx%d (height x width).',
                  *recorded + size)
    pixel_counts = self._label(example.label_bytes(record), size) if has_label else None
    landmarks = example.landmarks_bytes(record)
    if landmarks:
      self._check_landmarks(landmarks)
    return Facts(self._problems, size, pixel_counts, image_hash, bool(landmarks))

  def _add(self, name, sentence, *values):
    self._problems.append((name, '%s: %s' % (self._where, sentence % values)))

  def _open(self, data, what, formats):
    """Returns the Pillow image of the bytes, decoded if pixels are wanted; None if it fails."""
    try:
      if not data:
        raise ValueError('it is empty')
      image = limits.open_image(io.BytesIO(data))
      if image.format not in formats:
        raise ValueError('it is a %s file instead of %s' % (image.format, ' or '.join(formats)))
      if image.format == 'PNG' and not limits.is_whole_png(data):
        raise ValueError('the PNG file is cut off or damaged')
      if self._with_pixels:
        image.load()
      return image
    except Exception as error:  # Pillow raises what the format's decoder happens to raise.
      reason = 'no picture' if 'cannot identify' in str(error) else str(error).rstrip('.')
      self._add('bad_' + what, 'the %s cannot be decoded (%s).', what, reason)
      return None

  def _hash(self, image):
    pixels = np.asarray(image.convert('RGB'))
    low, high = pixels.min(axis=(0, 1)), pixels.max(axis=(0, 1))
    if (low == high).all():
      self._add('blank_image', 'every pixel of the image is %s.', tuple(low.tolist()))
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=_HASH_BYTES)
    digest.update(np.ascontiguousarray(pixels))
    return int.from_bytes(digest.digest(), 'little')

  def _label(self, data, size):
    """Returns the [256] pixel counts of the label, or None."""
    if not data:
      self._add('missing_label', 'there is no label map.')
      return None
    label = self._open(data, 'label', ('PNG',))
    if label is None:
      return None
    if size and size != (label.height, label.width):
      self._add('sizes_differ', 'the image is %dx%d, its label %dx%d (height x width).',
                *size + (label.height, label.width))
    values = self._ids(label, limits.png_bit_depth(data))
    if values is None:
      return None
    counts = np.bincount(values.ravel(), minlength=256)
    self._check_values(np.flatnonzero(counts))
    return counts

  def _ids(self, label, bit_depth):
    """Returns the label's pixels if they are class ids that the input pipeline reads as such."""
    if label.mode in _WIDE_MODES or bit_depth > 8:
      self._add('label_encoding',
                'the label has 16 bits per value, of which the upper 8 are read.')
      return None
    if not self._with_pixels:
      if label.mode == 'P' and not _is_grey(np.array(label.getpalette()).reshape(-1, 3)):
        self._add('label_encoding', 'the label is a palette picture.')
      return None
    if label.mode in ('L', '1', 'LA'):
      values = np.asarray(label.convert('L'))
      if bit_depth < 8 and values.any():
        self._add('label_encoding', 'the label is grey of %d bits, whose values are stretched '
                                    'to 0..255.', bit_depth)
        return None
      return values
    colors = np.asarray(label.convert('RGB'))
    if _is_grey(colors):
      return colors[..., 0]
    self._add('label_encoding', 'the label is a %s picture with %d colours.',
              'palette' if label.mode == 'P' else label.mode,
              len(np.unique(colors.reshape(-1, 3), axis=0)))
    return None

  def _check_values(self, values):
    descriptor = self._descriptor
    bad = values[(values >= descriptor.num_classes) & (values != descriptor.ignore_label)]
    if len(bad):
      self._add('label_range',
                'the label has the values %s%s, which are neither classes 0..%d nor the ignore '
                'label %d of dataset %s.', ', '.join(map(str, bad[:_MAX_VALUES])),
                ', ...' if len(bad) > _MAX_VALUES else '', descriptor.num_classes - 1,
                descriptor.ignore_label, descriptor.name)
    if values.tolist() == [descriptor.ignore_label]:
      self._add('all_ignored', 'every pixel has the ignore label %d.', descriptor.ignore_label)

  def _check_landmarks(self, data):
    try:
      shape = example.parse_landmarks(data).shape
    except ValueError as error:
      self._add('bad_landmarks', 'the landmarks are %s.', error)
      return
    if len(shape) != len(_LEAST_LANDMARKS) or any(
        side < least for side, least in zip(shape, _LEAST_LANDMARKS)):
      self._add('bad_landmarks', 'the landmarks have the shape %s, expected [people, %d or more, '
                                 '2 or more].', list(shape), _LEAST_LANDMARKS[1])


def _is_grey(colors):
  """Whether the three channels of [..., 3] colours are alike."""
  return bool((colors == colors[..., :1]).all())
