"""Draws a contact sheet of training crops as the network sees them, each with its labels.

    python -m deeplab.tools.records.preview --dataset_dir=RECORDS --output=sheet.png

Takes the flags of augmentation that train.py takes, so that they can be looked at before a
long run. --same_record shows one record again and again.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import functools

import numpy as np
from absl import flags, logging
from PIL import Image

from deeplab import common
from deeplab.core import colormaps, keys
from deeplab.core.images import painting
from deeplab.core.storage import files
from deeplab.core.tf_compat import tf
from deeplab.core.usage import UsageError
from deeplab.datasets.checks.in_runs import readable_input_errors
from deeplab.utils.training.options import TRAIN_CROP_SIZE

FLAGS = flags.FLAGS

_GAP = 4
# Share of the colour of the class in the overlay.
_OVERLAY_SHARE = 0.6

common.begin_flag_group('picture')
flags.DEFINE_string('output', 'preview.png', 'Picture to write, .png or .jpg.')
flags.DEFINE_integer('num_images', 12, 'Number of crops.', lower_bound=1)
flags.DEFINE_integer('num_columns', 6, 'Number of crops side by side.', lower_bound=1)
flags.DEFINE_bool('same_record', False, 'Shows only the first record, varied each time anew.')
common.define_background_flag('picture')
common.declare_one('train_crop_size', TRAIN_CROP_SIZE._replace(group='picture'))
common.define_augmentation_flags()
common.define_dataset_flags('train_split', 'train')
common.show_flag_groups(common.RESIZING, common.BACKBONE)


def main(unused_argv):
  dataset = common.dataset_for_training(
      1, common.size_list('train_crop_size'), should_shuffle=not FLAGS.same_record,
      num_records=1 if FLAGS.same_record else None)
  descriptor = dataset.descriptor
  palette = colormaps.colormap(descriptor.colormap or 'pascal', num_entries=256)
  clear_ids = () if FLAGS.paint_background else painting.background_ids(
      descriptor.class_names, palette[:descriptor.num_classes], descriptor.ignore_label)
  crops = read_crops(dataset, FLAGS.num_images)
  sheet = draw_sheet(crops, FLAGS.num_columns, palette, clear_ids,
                     legend_of(crops, descriptor, palette, clear_ids))
  write_picture(sheet, FLAGS.output)
  logging.info('%d crops of %s, split %s: %s', FLAGS.num_images, FLAGS.dataset_dir,
               FLAGS.train_split, FLAGS.output)


def read_crops(dataset, count):
  """Returns `count` pairs ([h, w, 3] uint8 image, [h, w] label) of a training Dataset."""
  with tf.Graph().as_default():
    sample = dataset.get_one_shot_iterator().get_next()
    with readable_input_errors(dataset.files, dataset.descriptor), tf.Session() as session:
      batches = [session.run([sample[keys.IMAGE], sample[keys.LABEL]]) for _ in range(count)]
  return [(image[0].round().astype(np.uint8), label[0, ..., 0]) for image, label in batches]


def legend_of(crops, descriptor, palette, clear_ids):
  """Returns a list of painting.Entry of what the labels of crops have."""
  ids = functools.reduce(np.union1d, [np.clip(label, 0, 255) for _, label in crops])
  entries = painting.class_entries(
      ids[ids != descriptor.ignore_label], palette, descriptor.class_names, clear_ids)
  if descriptor.ignore_label in ids:
    is_clear = descriptor.ignore_label in clear_ids
    entries.append(painting.Entry(
        'ignored', None if is_clear else tuple(palette[descriptor.ignore_label].tolist())))
  return entries


def draw_sheet(crops, num_columns, palette, clear_ids=(), legend=()):
  """Returns a Pillow image: rows of crops, each above the row with their labels over them.

  `crops` are pairs as `read_crops` returns them; `palette` is [256, 3] uint8; of `clear_ids`
  no class is painted; `legend` is a list of painting.Entry, drawn below.
  """
  height, width = crops[0][1].shape
  num_columns = min(num_columns, len(crops))
  num_rows = 2 * -(-len(crops) // num_columns)
  grid = np.full((num_rows * (height + _GAP) - _GAP, num_columns * (width + _GAP) - _GAP, 3),
                 painting.PAPER, np.uint8)
  for index, (image, label) in enumerate(crops):
    row, column = divmod(index, num_columns)
    blended = painting.blend(image, np.clip(label, 0, 255), palette, _OVERLAY_SHARE, clear_ids)
    for below, pixels in enumerate((image, blended)):
      top, left = (2 * row + below) * (height + _GAP), column * (width + _GAP)
      grid[top:top + height, left:left + width] = pixels
  return painting.sheet([grid], ['rows, from above: image, label'], legend)


def write_picture(picture, path):
  """Writes a Pillow image, whole or not; ValueError if the folder is absent or format unknown."""
  kind = Image.registered_extensions().get(path[path.rfind('.'):].lower())
  if kind not in ('PNG', 'JPEG'):
    raise UsageError('--output=%s: expected a file name that ends in .png or .jpg.' % path)
  with files.telling_of_disk(path), files.atomic_open(path) as f:
    picture.save(f, kind, **({'quality': 88} if kind == 'JPEG' else {}))


if __name__ == '__main__':
  common.run(main, required_flags=['dataset_dir'])
