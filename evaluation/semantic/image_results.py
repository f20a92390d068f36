"""What an evaluation finds image by image: counts per class, and the pictures to look at.

    results = ImageResults(num_classes, ignore_label, colors)
    results.add(name, image, label, prediction)
    write_per_image(results.rows, class_names, folder)
"""
import base64
import csv
import heapq
import io
import os
import typing

import numpy as np
from absl import logging
from PIL import Image

from deeplab.command_line import flag_reading
from deeplab.core.images import painting
from deeplab.core.storage import errors, files
from deeplab.evaluation.semantic import boundary_metrics, segmentation_metrics

FILE_NAME = 'per_image.csv'
NUM_WORST = 20
NUM_BEST = 5

# Longer side of the pictures of a report; 25 images of four pictures stay below 10 MB.
_PICTURE_SIDE_PX = 400
_JPEG_QUALITY = 85
# Names in a warning.
_MAX_NAMED = 5
_COUNT_COLUMNS = ('hits', 'labels', 'predictions')


class Row(typing.NamedTuple):
  """The result of an image."""
  name: str  # Name of the image in its record.
  counts: np.ndarray  # [3, num_classes] int64: pixels predicted right, with the label, predicted.

  @property
  def ious(self):
    """IoU per class, [num_classes] float64; nan where the class is absent."""
    return segmentation_metrics.ious_of(self.counts)

  @property
  def miou(self):
    """Mean IoU over the classes of the image; nan where all of it is ignored."""
    return segmentation_metrics.mean(self.ious)

  @property
  def pixel_accuracy(self):
    """Share of the pixels predicted right; nan where all of them are ignored."""
    return float(segmentation_metrics.divide(self.counts[0].sum(), self.counts[1].sum()))


class Pictures(typing.NamedTuple):
  """Pictures of an image as data URIs, and what they show."""
  name: str
  miou: float
  image: str
  label: str
  prediction: str
  errors: str


class ImageResults(object):
  """Results of the images seen so far; the pictures of a few of them are kept.

  Attributes:
    rows: list of Row, in the order of `add`.
    boundary_counts: BoundaryCounts of all images; None before the first.
  """

  def __init__(self, num_classes, ignore_label, colors):
    """Starts without images; colours are a [num_classes, 3] uint8 array."""
    self.rows = []
    self.boundary_counts = None
    self._num_classes = num_classes
    self._ignore_label = ignore_label
    self._colors = colors
    # Heaps of (key, index, Pictures); the first entry is the one to give up next.
    self._worst = []
    self._best = []

  def add(self, name, image, label, prediction):
    """Counts an image, [height, width, 3] uint8; its name in the record is bytes or str.

    Label, and prediction in 0..num_classes-1, are [height, width] integer arrays of class ids.
    """
    counts = boundary_metrics.image_counts(label, prediction, self._num_classes,
                                           self._ignore_label)
    self.boundary_counts = (counts if self.boundary_counts is None
                            else self.boundary_counts.plus(counts))
    name = name.decode('utf-8', 'replace') if isinstance(name, bytes) else name
    row = Row(_without_nul(name),
              np.stack([np.diagonal(counts.all), counts.all.sum(1), counts.all.sum(0)]))
    self.rows.append(row)
    if not np.isnan(row.miou):
      self._keep_pictures(row, image, label, prediction)

  def warn_of_single_classes(self):
    """Logs a warning of images that are one class throughout where their labels are not."""
    names = [row.name for row in self.rows if np.count_nonzero(row.counts[2]) == 1
             and np.count_nonzero(row.counts[1]) > 1]
    if names:
      logging.warning(
          'A single class throughout is predicted in %d of %d images whose labels have more: '
          '%s%s.', len(names), len(self.rows), ', '.join(names[:_MAX_NAMED]),
          ', ...' if len(names) > _MAX_NAMED else '')

  @property
  def worst(self):
    """Pictures of the images of the lowest mean IoU, the worst first."""
    return [pictures for _, _, pictures in sorted(self._worst, reverse=True)]

  @property
  def best(self):
    """Pictures of the images of the highest mean IoU, the best first."""
    return [pictures for _, _, pictures in sorted(self._best, reverse=True)]

  def _keep_pictures(self, row, image, label, prediction):
    pictures = None
    index = len(self.rows)
    for heap, size, key in ((self._worst, NUM_WORST, -row.miou),
                            (self._best, NUM_BEST, row.miou)):
      # Of equal ones the first is kept.
      if len(heap) < size or (key, -index) > heap[0][:2]:
        pictures = pictures or self._pictures(row, image, label, prediction)
        heapq.heappush(heap, (key, -index, pictures))
        if len(heap) > size:
          heapq.heappop(heap)

  def _pictures(self, row, image, label, prediction):
    step = max(1, -(-max(label.shape) // _PICTURE_SIDE_PX))
    image, label, prediction = [a[::step, ::step] for a in (image, label, prediction)]
    is_ignored = label == self._ignore_label
    label_colors = self._colors[np.where(is_ignored, 0, label)]
    label_colors[is_ignored] = painting.IGNORED_COLOR
    errors = painting.errors(image, label, prediction, self._ignore_label)
    return Pictures(row.name, row.miou, _data_uri(image, 'jpeg'),
                    _data_uri(label_colors, 'png'),
                    _data_uri(self._colors[prediction], 'png'), _data_uri(errors, 'jpeg'))


def write_per_image(rows, class_names, folder):
  """Writes `per_image.csv` of a list of Row into an existing folder; returns its path.

  Class names are one per class, or None.
  """
  num_classes = rows[0].counts.shape[1]
  names = segmentation_metrics.names_of(class_names, num_classes)
  header = ['name', 'miou', 'pixel_accuracy']
  header += ['%s_%d %s' % (kind, i, _without_nul(names[i]))
             for i in range(num_classes) for kind in _COUNT_COLUMNS]
  path = os.path.join(folder, FILE_NAME)
  text = io.StringIO()
  writer = csv.writer(text)
  writer.writerow(header)
  for row in rows:
    writer.writerow([row.name, _text(row.miou), _text(row.pixel_accuracy)]
                    + row.counts.T.ravel().tolist())
  files.write_text(path, text.getvalue())
  return path


def read_per_image(folder):
  """Returns (list of Row, class names) of the `per_image.csv` of a folder, or of the file itself.

  Raises ValueError if there is no such file, or it is something else.
  """
  path = os.path.join(folder, FILE_NAME) if files.is_dir(folder) else folder
  with errors.told('%s cannot be read' % path, OSError, UnicodeDecodeError, csv.Error,
                   advice='Give the --eval_logdir of an evaluation.'):
    lines = list(csv.reader(io.StringIO(files.read_text(path), newline='')))
  header = lines[0] if lines else []
  if header[:3] != ['name', 'miou', 'pixel_accuracy'] or len(header) < 6 or len(header) % 3:
    raise ValueError('%s is not a %s as eval.py writes it.' % (path, FILE_NAME))
  names = [column.split(' ', 1)[1] for column in header[3::3]]
  rows = []
  for number, line in enumerate(lines[1:], 2):
    counts = flag_reading.numbers_of(line[3:], int)
    if len(counts) != 3 * len(names):
      raise ValueError('%s, line %d: expected a name and %d numbers.'
                       % (path, number, len(header) - 1))
    rows.append(Row(line[0], np.array(counts, np.int64).reshape(-1, 3).T))
  if not rows:
    raise ValueError('%s has no images.' % path)
  return rows, names


def _without_nul(name):
  # A NUL is no text, and no reader of CSV of Python before 3.11 takes it.
  return name.replace('\0', '\ufffd')


def _text(value):
  return '' if np.isnan(value) else '%.6f' % value


def _data_uri(pixels, kind):
  stream = io.BytesIO()
  Image.fromarray(np.ascontiguousarray(pixels, np.uint8)).save(
      stream, kind.upper(), **({'quality': _JPEG_QUALITY} if kind == 'jpeg' else {}))
  return 'data:image/%s;base64,%s' % (kind, base64.b64encode(stream.getvalue()).decode())
