"""Draws a contact sheet of training crops as the network sees them, each with its labels.

    python -m deeplab.datasets.preview --dataset_dir=RECORDS --output=sheet.png

Takes the flags of augmentation that train.py takes, so that they can be looked at before a
long run. --same_record shows one record again and again.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import numpy as np
from absl import flags, logging
from PIL import Image

from deeplab import common
from deeplab.core import colormaps, files, keys
from deeplab.core.tf_compat import tf
from deeplab.datasets.record_check import readable_input_errors

FLAGS = flags.FLAGS

_GAP = 4
_PAPER = (255, 255, 255)
# Share of the colour of the class in the overlay.
_OVERLAY_SHARE = 0.6

common.begin_flag_group('picture')
flags.DEFINE_string('output', 'preview.png', 'Picture to write, .png or .jpg.')
flags.DEFINE_integer('num_images', 12, 'Number of crops.', lower_bound=1)
flags.DEFINE_integer('num_columns', 6, 'Number of crops side by side.', lower_bound=1)
flags.DEFINE_bool('same_record', False, 'Shows only the first record, varied each time anew.')
flags.DEFINE_list('train_crop_size', '513,513',
                  'Crop height,width in pixels, 1 or more, as for training.')
common.define_augmentation_flags()
common.define_dataset_flags('train_split', 'train')
common.show_flag_groups(common.RESIZING, common.BACKBONE)


def main(unused_argv):
  dataset = common.dataset_for_training(
      1, common.size_list('train_crop_size'), should_shuffle=not FLAGS.same_record,
      num_records=1 if FLAGS.same_record else None)
  sheet = draw_sheet(read_crops(dataset, FLAGS.num_images), FLAGS.num_columns,
                     palette_of(dataset.descriptor))
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


def palette_of(descriptor):
  """Returns the [256, 3] uint8 colours of the labels of a DatasetDescriptor."""
  return colormaps.colormap(descriptor.colormap or 'pascal', num_entries=256)


def draw_sheet(crops, num_columns, palette):
  """Returns a Pillow image: rows of crops, each above the row with their labels over them.

  Args:
    crops: pairs as `read_crops` returns them.
    num_columns: crops per row.
    palette: [256, 3] uint8 colours.
  """
  height, width = crops[0][1].shape
  num_columns = min(num_columns, len(crops))
  num_rows = 2 * -(-len(crops) // num_columns)
  sheet = Image.new('RGB', (num_columns * (width + _GAP) - _GAP,
                            num_rows * (height + _GAP) - _GAP), _PAPER)
  for index, (image, label) in enumerate(crops):
    row, column = divmod(index, num_columns)
    colors = palette[np.clip(label, 0, 255)]
    overlay = (1 - _OVERLAY_SHARE) * image + _OVERLAY_SHARE * colors
    for below, pixels in enumerate((image, overlay.round().astype(np.uint8))):
      sheet.paste(Image.fromarray(pixels), (column * (width + _GAP),
                                            (2 * row + below) * (height + _GAP)))
  return sheet


def write_picture(picture, path):
  """Writes a Pillow image, whole or not at all.

  Raises:
    ValueError: the folder is absent, or the format unknown.
  """
  kind = Image.registered_extensions().get(path[path.rfind('.'):].lower())
  if kind not in ('PNG', 'JPEG'):
    raise ValueError('--output=%s: expected a file name that ends in .png or .jpg.' % path)
  try:
    with files.atomic_open(path) as f:
      picture.save(f, kind, **({'quality': 88} if kind == 'JPEG' else {}))
  except OSError as error:
    raise ValueError('%s cannot be written: %s.' % (path, error.strerror or error)) from error


if __name__ == '__main__':
  common.run(main, required_flags=['dataset_dir'])
