"""Writes a small panoptic ground truth and a prediction with mistakes, to try the metrics on.

    python -m deeplab.evaluation.panoptic.make_sample --output_dir=sample

Scenes have sky and ground, with shapes on top: balls, boxes and towers are things. A strip of
every picture is void and some have a crowd. In the prediction shapes are moved, missed, taken
for others or cut in two, and the horizon is elsewhere.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import json
import os
import shlex
import typing

import numpy as np
from absl import flags, logging
from PIL import Image

from deeplab.command_line import declaring, flag_groups, running
from deeplab.core import settings
from deeplab.core.settings import Setting
from deeplab.core.storage import files

FLAGS = flags.FLAGS

CATEGORIES = (
    {'id': 1, 'name': 'ball', 'isthing': 1},
    {'id': 2, 'name': 'box', 'isthing': 1},
    {'id': 3, 'name': 'tower', 'isthing': 1},
    {'id': 4, 'name': 'sky', 'isthing': 0},
    {'id': 5, 'name': 'ground', 'isthing': 0},
)
GROUNDTRUTH, PREDICTION = 'groundtruth', 'prediction'
_GROUP = 'files and sizes'

_BALL, _BOX, _TOWER, _SKY, _GROUND = (category['id'] for category in CATEGORIES)
_SHAPES = (_BALL, _BOX, _TOWER)
_MISTAKES = ('missed', 'wrong category', 'cut in two')
_MISTAKE_RATE = 0.3
_CROWD_RATE = 0.5
_VOID_SHARE = 0.04
_MAX_SHIFT_SHARE = 0.01
_MAX_ID = 256 ** 3  # Ids have all three bytes, as those of real annotations.
_VOID_ID = 0


@settings.record
class SampleSize(object):
  """Number of pictures, their size, and segments at most in each."""
  num_images = Setting(8, 'Number of pictures.', at_least=1, group=_GROUP)
  image_height = Setting(120, 'Height of the pictures in pixels.', at_least=32)
  image_width = Setting(160, 'Width of the pictures in pixels.', at_least=32)
  num_segments = Setting(
      12, 'Segments painted per picture; later ones may cover earlier ones.', at_least=4)

  @property
  def shape(self):
    """(height, width) of the pictures in pixels."""
    return self.image_height, self.image_width


class _Segment(typing.NamedTuple):
  """A segment while it is painted; later ones cover earlier ones. Mask: slices or booleans."""
  mask: typing.Any
  category: int
  is_crowd: bool = False


def write_sample(folder, size=None, seed=None):
  """Writes `groundtruth.json`, `prediction.json` and the folders of their id images.

  `folder` is made if absent; `size` is a SampleSize, or None for a small one; equal seeds give
  equal files. Returns ([groundtruth JSON file, its folder], [prediction JSON file, its folder]).
  Raises ValueError if a size is too small for shapes.
  """
  size = size or SampleSize()
  if min(size.shape) < 32 or size.num_segments < 4 or size.num_images < 1:
    raise ValueError('A sample needs at least 1 image of 32x32 pixels and 4 segments, got %s.'
                     % (size,))
  annotations = {GROUNDTRUTH: [], PREDICTION: []}
  for kind in annotations:
    os.makedirs(os.path.join(folder, kind), exist_ok=True)
  for index in range(size.num_images):
    random = np.random.RandomState([seed or 0, index])
    truth = _make_scene(random, size)
    for kind, segments in ((GROUNDTRUTH, truth), (PREDICTION, _predict(random, truth, size))):
      name = '%06d.png' % index
      ids, infos = _paint(random, segments, size)
      if kind == GROUNDTRUTH:
        ids[:, -max(1, int(size.image_width * _VOID_SHARE)):] = _VOID_ID
      _write_ids(os.path.join(folder, kind, name), ids)
      annotations[kind].append({'image_id': index, 'file_name': name,
                                'segments_info': _with_areas(ids, infos)})
  paths = []
  for kind, items in annotations.items():
    path = os.path.join(folder, kind + '.json')
    files.write_text(path, json.dumps({'annotations': items, 'categories': CATEGORIES}) + '\n')
    paths.append([path, os.path.join(folder, kind)])
  return tuple(paths)


def _make_scene(random, size):
  horizon = int(size.image_height * random.uniform(0.3, 0.6))
  segments = [_Segment((slice(0, horizon), slice(None)), _SKY),
              _Segment((slice(horizon, None), slice(None)), _GROUND)]
  if random.rand() < _CROWD_RATE:
    segments.append(_Segment(_box(random, size, 0.2, 0.4), int(random.choice(_SHAPES)), True))
  while len(segments) < size.num_segments:
    category = int(random.choice(_SHAPES))
    segments.append(_Segment(_SHAPE_MASKS[category](random, size), category))
  return segments


def _predict(random, truth, size):
  """Returns the list of _Segment of a prediction of `truth`."""
  segments = []
  for segment in truth:
    mask = np.zeros(size.shape, bool)
    mask[segment.mask] = True
    mistake = random.choice(_MISTAKES) if random.rand() < _MISTAKE_RATE else None
    is_shape = segment.category in _SHAPES
    # A crowd is not predicted as one: the shapes around it and the background are.
    if segment.is_crowd or (is_shape and mistake == 'missed'):
      continue
    shift = [int(random.randint(-1, 2) * max(1, side * _MAX_SHIFT_SHARE))
             for side in size.shape]
    mask = np.roll(mask, shift, axis=(0, 1))
    category = segment.category
    if is_shape and mistake == 'wrong category':
      category = category % len(_SHAPES) + 1
    segments.append(_Segment(mask, category))
    if is_shape and mistake == 'cut in two':
      half = mask.copy()
      half[:, :int(np.mean(np.nonzero(mask)[1]))] = False
      segments.append(_Segment(half, category))
  return segments


def _paint(random, segments, size):
  """Returns ([height, width] uint32 ids, dict from the id to the _Segment)."""
  ids = np.zeros(size.shape, np.uint32)
  infos = {}
  for segment in segments:
    number = _VOID_ID
    while number == _VOID_ID or number in infos:
      number = int(random.randint(_MAX_ID))
    ids[segment.mask] = number
    infos[number] = segment
  return ids, infos


def _with_areas(ids, infos):
  """Returns the 'segments_info' of the segments that are still seen."""
  seen, areas = np.unique(ids, return_counts=True)
  return [{'id': number, 'category_id': infos[number].category,
           'iscrowd': int(infos[number].is_crowd), 'area': area}
          for number, area in zip(seen.tolist(), areas.tolist()) if number != _VOID_ID]


def _write_ids(path, ids):
  """Writes ids as red + 256 green + 65536 blue."""
  channels = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8)
  with files.atomic_open(path) as f:
    Image.fromarray(channels).save(f, 'PNG')


def _box(random, size, smallest, largest):
  """Returns two slices, a box of between these shares of the picture's sides."""
  parts = []
  for side in size.shape:
    length = max(4, int(side * random.uniform(smallest, largest)))
    start = random.randint(0, side - length + 1)
    parts.append(slice(start, start + length))
  return tuple(parts)


def _tower(random, size):
  rows, columns = _box(random, size, 0.15, 0.3)
  top = max(0, rows.start - (rows.stop - rows.start))
  return slice(top, rows.stop), slice(columns.start, (columns.start + columns.stop + 1) // 2)


def _ball(random, size):
  radius = max(3, int(min(size.shape) * random.uniform(0.06, 0.15)))
  y, x = (random.randint(radius, side - radius) for side in size.shape)
  rows, columns = np.ogrid[:size.image_height, :size.image_width]
  return (rows - y) ** 2 + (columns - x) ** 2 <= radius ** 2


_SHAPE_MASKS = {
    _BALL: _ball,
    _BOX: lambda random, size: _box(random, size, 0.1, 0.25),
    _TOWER: _tower,
}


def define_flags():
  """Declares the flags of the program."""
  flag_groups.begin(_GROUP)
  flags.DEFINE_string('output_dir', None, 'Folder for the files, made if absent. Required.')
  declaring.declare(SampleSize)
  flags.DEFINE_integer('seed', 0, 'Equal seeds give equal files.')


def main(unused_argv):
  """Writes the sample and tells the command that evaluates it."""
  truth, prediction = write_sample(
      FLAGS.output_dir, SampleSize(**declaring.values_of(SampleSize)), FLAGS.seed)
  logging.info('%d pictures: %s', FLAGS.num_images, FLAGS.output_dir)
  print('python -m deeplab.evaluation.eval_coco_format '
        + ' '.join('--%s=%s' % (name, shlex.quote(path)) for name, path in zip(
            ('gt_json_file', 'gt_folder', 'pred_json_file', 'pred_folder'), truth + prediction)))


if __name__ == '__main__':
  define_flags()
  running.run(main, required_flags=('output_dir',))
