"""Renders the sample dataset, dressed people with exact labels, and builds its TFRecords.

    python datasets/build_sample_data.py --output_dir=experiments/sample_people

Nothing is downloaded: pictures, labels of nine classes and body landmarks follow from --seed.
OUTPUT_DIR/raw becomes an ordinary raw dataset folder, OUTPUT_DIR/tfrecord its records.
Running again keeps what is there and right.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os

from absl import flags, logging

from deeplab.command_line import declaring, flag_groups, running
from deeplab.datasets import registry
from deeplab.datasets.building import builder
from deeplab.datasets.building import spec as specs
from deeplab.datasets.flags import building
from deeplab.datasets.records import dataset_info
from deeplab.datasets.sample_people import contact_sheet, raw_folders
from deeplab.datasets.sample_people.canvas import IGNORE, NUM_CLASSES

FLAGS = flags.FLAGS

flag_groups.begin('files and sizes')
flags.DEFINE_string('output_dir', None, 'Folder for raw/ and tfrecord/, made if absent. Required.')
flags.DEFINE_integer('num_train', 400, 'Number of pictures of the split train.', lower_bound=1)
flags.DEFINE_integer('num_val', 100, 'Number of pictures of the split val.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Equal seeds give equal pictures.')
declaring.declare_one('num_processes', specs.NUM_PROCESSES._replace(group='files and sizes'))
flags.DEFINE_string('contact_sheet', None,
                    'PNG file to write with some pictures of val and their labels. Default: none.')
building.define_task_flags()


def build(output_dir, settings, num_processes=None):
  """Renders the raw folder and builds its records, as far as they are not there.

  Returns (dataset_info.DatasetInfo, dict of lists of the Examples per split). Raises ValueError if
  a folder cannot be used.
  """
  raw_dir = os.path.join(output_dir, 'raw')
  num_rendered = raw_folders.write(raw_dir, settings, num_processes)
  logging.info('%s: %d pictures, %d of them rendered now.', raw_dir,
               settings.num_train + settings.num_val, num_rendered)
  splits = raw_folders.find_examples(raw_dir, settings)
  spec = builder.DatasetSpec(
      name='sample_people', splits=splits, num_classes=NUM_CLASSES, ignore_label=IGNORE,
      class_names=registry.FORMA_CLASSES, colormap=raw_folders.COLORMAP)
  return builder.build_dataset(spec, os.path.join(output_dir, 'tfrecord'), num_processes), splits


def main(unused_argv):
  building.refuse_tasks('the pictures are rendered first, and all of it takes seconds: there is '
                      'nothing to share. Run it once without.')
  settings = raw_folders.Settings(FLAGS.seed, FLAGS.num_train, FLAGS.num_val)
  info, splits = build(FLAGS.output_dir, settings, FLAGS.num_processes)
  if FLAGS.contact_sheet:
    contact_sheet.write(FLAGS.contact_sheet, splits['val'])
    logging.info('Contact sheet: %s', FLAGS.contact_sheet)
  for split in info.splits:
    builder.log_shares(info, split)
  logging.info('Described in %s.',
               dataset_info.path_in(os.path.join(FLAGS.output_dir, 'tfrecord')))


if __name__ == '__main__':
  running.run(main, required_flags=('output_dir',))
