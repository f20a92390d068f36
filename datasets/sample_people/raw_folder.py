"""The rendered pictures as an ordinary raw dataset folder.

    images/<name>.jpg  labels/<name>.png  landmarks/<name>.json  splits/<split>.txt  classes.csv

Labels are palette PNGs of class ids. Landmarks are JSON: `pose_landmarks`, numbers
[num_people][18][x, y, visibility] in pixels, in the order of `point_names`; the nearest
person comes first.
"""
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
# Pictures that a worker process takes at a time.
_CHUNK = 10


class Settings(typing.NamedTuple):
  """What the content of the folder follows from."""
  seed: int
  num_train: int
  num_val: int

  def indices(self):
    """Returns [(split, index)] of all pictures."""
    return ([('train', i) for i in range(self.num_train)]
            + [('val', i) for i in range(self.num_val)])


def write(folder, settings, num_processes=None):
  """Makes `folder` hold exactly the pictures of `settings`; what is there already stays.

  Every file is whole or absent, so that an interrupted run continues where it stopped.
  Pictures of another seed are replaced; changed numbers add or remove pictures.

  Args:
    folder: made if absent.
    settings: Settings.
    num_processes: number of worker processes; None: one per processor.

  Returns:
    Number of pictures rendered.

  Raises:
    ValueError: the folder holds other things, or cannot be written.
  """
  try:
    _prepare(folder, settings)
    missing = [item for item in settings.indices() if not _is_complete(folder, *item)]
    chunks = [(folder, settings.seed, missing[i:i + _CHUNK])
              for i in range(0, len(missing), _CHUNK)]
    if chunks:
      parallel.run(_write_pictures, chunks, [len(chunk) for _, _, chunk in chunks],
                   num_processes, 'Rendering people')
    _write_lists(folder, settings)
  except OSError as error:
    raise ValueError('%s cannot be written: %s.' % (folder, error.strerror or error)) from error
  return len(missing)


def find_examples(folder, settings):
  """Returns the splits of a written folder: {'train': [Example, ...], 'val': [...]}."""
  splits = {'train': [], 'val': []}
  for split, index in settings.indices():
    name = picture_name(split, index)
    splits[split].append(Example(name, *[_path(folder, kind, name + suffix)
                                         for kind, suffix in _KINDS]))
  return splits


def picture_name(split, index):
  """Returns the name of a picture without folder and extension."""
  return '%s_%05d' % (split, index)


def palette_image(labels):
  """Returns [h, w] labels as a Pillow image in the colours of the classes."""
  image = Image.fromarray(labels)
  image.putpalette(palette().tobytes())
  return image


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
  wanted = {picture_name(*item) for item in settings.indices()} if old == stamp else set()
  if old not in (None, stamp):
    logging.info('%s was rendered with %s, now with %s: rendering it again.', folder, old, stamp)
  for kind, suffix in _KINDS:
    os.makedirs(os.path.join(folder, kind), exist_ok=True)
    for name in os.listdir(os.path.join(folder, kind)):
      if _OWN_NAME.match(name) and (not name.endswith(suffix)
                                    or name[:-len(suffix)] not in wanted):
        files.remove_if_present(_path(folder, kind, name))
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


def _is_complete(folder, split, index):
  name = picture_name(split, index)
  return all(os.path.exists(_path(folder, kind, name + suffix)) for kind, suffix in _KINDS)


def _write_pictures(chunk, on_picture):
  """Renders and writes some pictures; for worker processes."""
  folder, seed, indices = chunk
  for split, index in indices:
    picture = scene.render(seed, split, index)
    for (kind, suffix), data in zip(_KINDS, _encode(picture)):
      files.write_bytes(_path(folder, kind, picture_name(split, index) + suffix), data)
    on_picture()


def _encode(picture):
  """Returns the bytes of the JPEG, the PNG and the JSON of a scene.Picture."""
  image, labels = io.BytesIO(), io.BytesIO()
  Image.fromarray(picture.image).save(image, 'JPEG', quality=_JPEG_QUALITY)
  palette_image(picture.labels).save(labels, 'PNG')
  landmarks = [[[round(float(value), 2) for value in point] for point in points]
               for points in picture.landmarks]
  text = json.dumps({'point_names': body.LANDMARKS, 'pose_landmarks': landmarks})
  return image.getvalue(), labels.getvalue(), (text + '\n').encode('utf-8')


def _write_lists(folder, settings):
  names = {'train': [], 'val': []}
  for split, index in settings.indices():
    names[split].append(picture_name(split, index))
  for split in names:
    files.write_text(_path(folder, 'splits', split + '.txt'), '\n'.join(names[split]) + '\n')
  colors = colormaps.colormap(COLORMAP).tolist()
  rows = ['name,r,g,b'] + ['%s,%d,%d,%d' % ((name,) + tuple(color))
                           for name, color in zip(registry.FORMA_CLASSES, colors)]
  files.write_text(os.path.join(folder, 'classes.csv'), '\n'.join(rows) + '\n')


def _path(folder, kind, name):
  return os.path.join(folder, kind, name)
