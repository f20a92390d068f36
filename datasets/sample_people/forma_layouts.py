"""Rendered people as raw folders in the layouts of the public sources of the Forma sets.

Each function writes some pictures; what its builder makes of them is the same labels again.
"""
import csv
import io
import json
import os
import typing

import numpy as np
from PIL import Image

from deeplab.core.storage import files
from deeplab.datasets import registry
from deeplab.datasets.labels import forma_labels

_JPEG_QUALITY = 92
_ATR_NAMES = ('background', 'hat', 'hair', 'sunglass', 'upper-clothes', 'skirt', 'pants', 'dress',
              'belt', 'left-shoe', 'right-shoe', 'face', 'left-leg', 'right-leg', 'left-arm',
              'right-arm', 'bag', 'scarf')
# Class of the Forma sets -> the class of a source that stands for it.
_TO_ATR = {'background': 'background', 'other': 'hat', 'garment': 'upper-clothes',
           'skin': 'face', 'hair': 'hair', 'arms': 'left-arm', 'shoe': 'left-shoe',
           'sleeves': 'upper-clothes', 'pants': 'pants'}
_TO_FASHION = {'other': 'hat', 'garment': 'shirt, blouse', 'shoe': 'shoe', 'sleeves': 'sleeve',
               'pants': 'pants'}


class Sample(typing.NamedTuple):
  """One picture.

  Attributes:
    name: name of its files, without extension.
    image: [height, width, 3] uint8.
    labels: [height, width] uint8, ids of registry.FORMA_CLASSES.
    landmarks: [num_people, 18, 3] numbers, or None.
  """
  name: str
  image: np.ndarray
  labels: np.ndarray
  landmarks: typing.Any = None


def write_atr(folder, samples):
  """Writes the layout of humanparsing17k, and `parts` with what its labels cannot tell.

  HumanParsing has no class for sleeves: they are upper-clothes there, and the parts know.
  """
  ids = np.array([_ATR_NAMES.index(_TO_ATR[name]) for name in registry.FORMA_CLASSES], np.uint8)
  _write_text(os.path.join(folder, 'atr_label.txt'),
              ''.join('%s %d\n' % (name, i) for i, name in enumerate(_ATR_NAMES)))
  root = os.path.join(folder, 'humanparsing')
  for sample in samples:
    _write_image(os.path.join(root, 'JPEGImages'), sample)
    # Three equal channels, as in the release.
    labels = np.repeat(ids[sample.labels][..., np.newaxis], 3, axis=2)
    _write_png(os.path.join(root, 'SegmentationClassAug', sample.name + '.png'), labels)
    _write_png(os.path.join(folder, 'parts', sample.name + '.png'), sample.labels)
    _write_landmarks(folder, sample)


def write_fashion(folder, samples):
  """Writes the layout of imaterialist37k, and `parts` with background, skin, hair and arms."""
  names = [name for _, sources in forma_labels.FASHION for name in sources]
  _write_text(os.path.join(folder, 'label_descriptions.json'), json.dumps(
      {'categories': [{'id': i, 'name': name} for i, name in enumerate(names)]}))
  table = io.StringIO()
  writer = csv.writer(table, lineterminator='\n')
  writer.writerow(['ImageId', 'EncodedPixels', 'Height', 'Width', 'ClassId'])
  for sample in samples:
    _write_image(os.path.join(folder, 'train'), sample)
    for class_name, source in sorted(_TO_FASHION.items()):
      mask = _mask(sample.labels, class_name)
      if class_name == 'garment':
        mask |= _mask(sample.labels, 'sleeves')  # In the release they lie on the garment.
      if mask.any():
        writer.writerow([sample.name + '.jpg', encode_runs(mask)] + list(mask.shape)
                        + [names.index(source)])
    parts = sample.labels.copy()
    for class_name in _TO_FASHION:
      parts[_mask(sample.labels, class_name)] = 0
    _write_png(os.path.join(folder, 'parts', sample.name + '.png'), parts)
    _write_landmarks(folder, sample)
  _write_text(os.path.join(folder, 'train.csv'), table.getvalue())


def write_folders(folder, samples):
  """Writes `images` and `labels`, the layout of nsfw1k, tryon1k and tryon10k."""
  for sample in samples:
    _write_image(os.path.join(folder, 'images'), sample)
    _write_png(os.path.join(folder, 'labels', sample.name + '.png'), sample.labels)
    _write_landmarks(folder, sample)


def encode_runs(mask):
  """Returns 'start length start length ...' of a [height, width] bool mask.

  Pixels are counted down the columns, from 1.
  """
  flat = np.concatenate([[False], mask.T.ravel(), [False]])
  edges = np.flatnonzero(flat[1:] != flat[:-1])
  starts, ends = edges[0::2], edges[1::2]
  return ' '.join('%d %d' % (start + 1, end - start) for start, end in zip(starts, ends))


def _mask(labels, class_name):
  return labels == registry.FORMA_CLASSES.index(class_name)


def _write_image(folder, sample):
  stream = io.BytesIO()
  Image.fromarray(sample.image).save(stream, 'JPEG', quality=_JPEG_QUALITY)
  _write_bytes(os.path.join(folder, sample.name + '.jpg'), stream.getvalue())


def _write_png(path, labels):
  stream = io.BytesIO()
  Image.fromarray(labels).save(stream, 'PNG')
  _write_bytes(path, stream.getvalue())


def _write_landmarks(folder, sample):
  if sample.landmarks is not None:
    _write_text(os.path.join(folder, 'landmarks', sample.name + '.json'), json.dumps(
        {'pose_landmarks': np.asarray(sample.landmarks, np.float64).tolist()}))


def _write_text(path, text):
  _write_bytes(path, text.encode('utf-8'))


def _write_bytes(path, data):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  files.write_bytes(path, data)
