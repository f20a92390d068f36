"""The rendered pictures as raw folders: an ordinary one, and as the Forma sets' sources look.

    images/<name>.jpg  labels/<name>.png  landmarks/<name>.json  splits/<split>.txt  classes.csv

is what `write` makes. Labels are palette PNGs of class ids. Landmarks are JSON: `pose_landmarks`,
numbers [num_people][18][x, y, visibility] in pixels, in the order of `point_names`; the nearest
person comes first. `write_atr`, `write_fashion` and `write_folders` write some pictures in the
layouts of public sources; what their builders make of them is the same labels again.
"""
import csv
import io
import json
import os
import re
import typing

import numpy as np
from absl import logging
from PIL import Image

from deeplab.core import colormaps
from deeplab.core.jobs import parallel
from deeplab.core.storage import files, json_text
from deeplab.datasets import registry
from deeplab.datasets.building.spec import Example
from deeplab.datasets.labels import areas, forma_labels, pairs
from deeplab.datasets.sample_people import body, scene
from deeplab.datasets.sample_people.canvas import IGNORE

COLORMAP = 'forma'
# Raise when pictures of the same seed come out differently.
_RENDER_VERSION = 1
_STAMP = 'sample_people.json'
_KINDS = (('images', '.jpg'), ('labels', '.png'), ('landmarks', '.json'))
_OWN_NAME = re.compile(r'^\.?(train|val)_\d{5,}\.')
_JPEG_QUALITY = 92
_IGNORE_COLOR = (224, 224, 192)
_ATR_NAMES = ('background', 'hat', 'hair', 'sunglass', 'upper-clothes', 'skirt', 'pants', 'dress',
              'belt', 'left-shoe', 'right-shoe', 'face', 'left-leg', 'right-leg', 'left-arm',
              'right-arm', 'bag', 'scarf')
# Class of the Forma sets -> the class of a source that stands for it.
_TO_ATR = {'background': 'background', 'other': 'hat', 'garment': 'upper-clothes',
           'skin': 'face', 'hair': 'hair', 'arms': 'left-arm', 'shoe': 'left-shoe',
           'sleeves': 'upper-clothes', 'pants': 'pants'}
_TO_FASHION = {'other': 'hat', 'garment': 'shirt, blouse', 'shoe': 'shoe', 'sleeves': 'sleeve',
               'pants': 'pants'}


class Settings(typing.NamedTuple):
  """What the content of the folder follows from."""
  seed: int
  num_train: int
  num_val: int


def write(folder, settings, num_processes=None):
  """Makes `folder` hold exactly the pictures of `settings`; returns how many were rendered.

  Every file is whole or absent, so that an interrupted run continues where it stopped. Pictures of
  another seed are replaced; changed numbers add or remove pictures. `num_processes` None means one
  per processor. Raises ValueError if the folder holds other things, or cannot be written.
  """
  with files.telling_of_disk(folder):
    _prepare(folder, settings)
    missing = [(settings.seed, split, index, example)
               for split, examples in find_examples(folder, settings).items()
               for index, example in enumerate(examples)
               if not all(map(os.path.exists, _paths(example)))]
    if missing:
      parallel.run(_write_picture, missing, [1] * len(missing), num_processes, 'Rendering people')
    _write_lists(folder, settings)
  return len(missing)


def find_examples(folder, settings):
  """Returns the splits of a written folder: {'train': [Example, ...], 'val': [...]}."""
  return {split: [_example(folder, '%s_%05d' % (split, index)) for index in range(count)]
          for split, count in (('train', settings.num_train), ('val', settings.num_val))}


def palette():
  """Returns the [256, 3] uint8 colours of label values."""
  colors = np.zeros((256, 3), np.uint8)
  names = colormaps.colormap(COLORMAP)
  colors[:len(names)] = names
  colors[IGNORE] = _IGNORE_COLOR
  return colors


def _prepare(folder, settings):
  """Leaves in `folder` only files that `settings` can keep, and a stamp of the settings."""
  stamp_path = os.path.join(folder, _STAMP)
  stamp = {'render_version': _RENDER_VERSION, 'seed': settings.seed}
  old = _read_stamp(stamp_path)
  os.makedirs(folder, exist_ok=True)
  if old is None and any(not name.startswith('.') for name in os.listdir(folder)):
    raise ValueError('%s holds files that are not of this dataset (there is no %s). Choose '
                     'another folder, or empty this one.' % (folder, _STAMP))
  if old is None:
    files.write_text(stamp_path, json.dumps(stamp) + '\n')
  wanted = {path for examples in find_examples(folder, settings).values()
            for example in examples for path in _paths(example)} if old == stamp else set()
  if old not in (None, stamp):
    logging.info('%s was rendered with %s, now with %s: rendering it again.', folder, old, stamp)
  for kind, _ in _KINDS:
    os.makedirs(os.path.join(folder, kind), exist_ok=True)
    for name in os.listdir(os.path.join(folder, kind)):
      path = os.path.join(folder, kind, name)
      if _OWN_NAME.match(name) and path not in wanted:
        files.remove_if_present(path)
  os.makedirs(os.path.join(folder, 'splits'), exist_ok=True)
  if old not in (None, stamp):
    files.write_text(stamp_path, json.dumps(stamp) + '\n')


def _read_stamp(path):
  try:
    return json_text.read(path)
  except json_text.Absent:
    return None
  except ValueError:
    return {}  # Ours, but unreadable: like one of another version.


def _example(folder, name):
  return Example(name, *[os.path.join(folder, kind, name + suffix) for kind, suffix in _KINDS])


def _paths(example):
  return example.image_path, example.label, example.landmarks


def _write_picture(piece, on_picture):
  """Renders and writes the picture of (seed, split, index, Example); for worker processes."""
  *place, example = piece
  for path, data in zip(_paths(example), _encode(scene.render(*place))):
    files.write_bytes(path, data)
  on_picture()


def _encode(picture):
  """Returns the bytes of the JPEG, the PNG and the JSON of a scene.Picture."""
  labels = Image.fromarray(picture.labels)
  labels.putpalette(palette().tobytes())
  landmarks = [[[round(float(value), 2) for value in point] for point in points]
               for points in picture.landmarks]
  text = json.dumps({'point_names': body.LANDMARKS, 'pose_landmarks': landmarks})
  return _jpeg(picture.image), pairs.encode(labels), (text + '\n').encode('utf-8')


def _write_lists(folder, settings):
  for split, examples in find_examples(folder, settings).items():
    files.write_text(os.path.join(folder, 'splits', split + '.txt'),
                     '\n'.join(each.name for each in examples) + '\n')
  colors = colormaps.colormap(COLORMAP).tolist()
  rows = ['name,r,g,b'] + ['%s,%d,%d,%d' % ((name,) + tuple(color))
                           for name, color in zip(registry.FORMA_CLASSES, colors)]
  files.write_text(os.path.join(folder, 'classes.csv'), '\n'.join(rows) + '\n')


# --- layouts of the public sources of the Forma sets ---


class Sample(typing.NamedTuple):
  """One picture."""
  name: str  # Name of its files, without extension.
  image: np.ndarray  # [height, width, 3] uint8.
  labels: np.ndarray  # [height, width] uint8, ids of registry.FORMA_CLASSES.
  landmarks: typing.Any = None  # [num_people, 18, 3] numbers, or None.


def write_atr(folder, samples):
  """Writes the layout of humanparsing17k, and `parts` with what its labels cannot tell.

  HumanParsing has no class for sleeves: they are upper-clothes there, and the parts know.
  """
  ids = np.array([_ATR_NAMES.index(_TO_ATR[name]) for name in registry.FORMA_CLASSES], np.uint8)
  text = ''.join('%s %d\n' % (name, i) for i, name in enumerate(_ATR_NAMES))
  _write(text.encode('utf-8'), folder, 'atr_label.txt')
  for sample in samples:
    # Three equal channels, as in the release.
    labels = np.repeat(ids[sample.labels][..., np.newaxis], 3, axis=2)
    _write_sample(folder, 'humanparsing/JPEGImages', 'humanparsing/SegmentationClassAug', sample,
                  labels)
    _write_labels(folder, 'parts', sample, sample.labels)


def write_fashion(folder, samples):
  """Writes the layout of imaterialist37k, and `parts` with background, skin, hair and arms."""
  names = [name for _, sources in forma_labels.FASHION for name in sources]
  text = json.dumps({'categories': [{'id': i, 'name': name} for i, name in enumerate(names)]})
  _write(text.encode('utf-8'), folder, 'label_descriptions.json')
  table = io.StringIO()
  writer = csv.writer(table, lineterminator='\n')
  writer.writerow(['ImageId', 'EncodedPixels', 'Height', 'Width', 'ClassId'])
  for sample in samples:
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
    _write_sample(folder, 'train', 'parts', sample, parts)
  _write(table.getvalue().encode('utf-8'), folder, 'train.csv')


def write_folders(folder, samples):
  """Writes `images` and `labels`, the layout of nsfw1k, tryon1k and tryon10k."""
  for sample in samples:
    _write_sample(folder, 'images', 'labels', sample, sample.labels)


def encode_runs(mask):
  """Returns 'start length ...' of a [height, width] bool mask, counted down the columns from 1."""
  runs = areas.mask_runs(mask)
  return ' '.join('%d %d' % (start + 1, length)
                  for start, length in zip(np.cumsum(runs)[0::2], runs[1::2]))


def _mask(labels, class_name):
  return labels == registry.FORMA_CLASSES.index(class_name)


def _write_sample(folder, image_folder, labels_folder, sample, labels):
  """Writes the image, labels and landmarks of a Sample."""
  _write(_jpeg(sample.image), folder, image_folder, sample.name + '.jpg')
  _write_labels(folder, labels_folder, sample, labels)
  if sample.landmarks is not None:
    text = json.dumps({'pose_landmarks': np.asarray(sample.landmarks, np.float64).tolist()})
    _write(text.encode('utf-8'), folder, 'landmarks', sample.name + '.json')


def _write_labels(folder, labels_folder, sample, labels):
  _write(pairs.encode(Image.fromarray(labels)), folder, labels_folder, sample.name + '.png')


def _write(data, *path):
  path = os.path.join(*path)
  os.makedirs(os.path.dirname(path), exist_ok=True)
  files.write_bytes(path, data)


def _jpeg(image):
  return pairs.encode(Image.fromarray(image), 'JPEG', quality=_JPEG_QUALITY)
