"""Builds TFRecords from a folder of images and a folder of same-named class-id PNGs.

    python datasets/build_custom_data.py --image_dir=photos/train --label_dir=masks/train \
        --output_dir=records/mydata --num_classes=11 --ignore_label=255 --split=train

Run once per split with the same --output_dir. The dataset_info.json left there lets
train.py, eval.py and vis.py use the folder with --dataset_dir alone.
"""
import os

from absl import flags, logging

from deeplab import common
from deeplab.core import keys
from deeplab.datasets import builder, dataset_info, listing
from deeplab.datasets.class_names import read_class_names

FLAGS = flags.FLAGS

flags.DEFINE_string('image_dir', None, 'Folder of the images. Required.')
flags.DEFINE_string('label_dir', None,
                    'Folder of the label maps: PNG files of class ids called like the images. '
                    'Required, but for the split test, whose records have no labels.')
flags.DEFINE_string('output_dir', None, 'Folder of the records, made if absent. Required.')
flags.DEFINE_integer('num_classes', None, 'Number of class ids, 0..num_classes-1. Required.')
flags.DEFINE_integer('ignore_label', 255, 'Label value of pixels that do not count.')
flags.DEFINE_string('split', 'train', 'Name of the split to build.')
flags.DEFINE_string('dataset_name', None,
                    'Name of the dataset. Default: name of the output folder.')
flags.DEFINE_string('class_names', None,
                    'Names separated by commas, or a text or CSV file with one class per line: '
                    'name or name,r,g,b.')
flags.DEFINE_integer('num_shards', 4, 'Number of files to spread the records over.')
flags.DEFINE_integer('num_processes', None,
                     'Number of worker processes. Default: one per processor.')
flags.DEFINE_string('split_list', None,
                    'Text file with the names of the images to take, one per line. Default: '
                    'all images of the folder.')


def make_spec():
  """Returns the DatasetSpec of the command line.

  Raises:
    ValueError: a flag or a listed file is not as it must be.
  """
  if FLAGS.label_dir is None and FLAGS.split != keys.TEST_SET:
    raise ValueError('--label_dir is required for --split=%s; only the split %s goes without.'
                     % (FLAGS.split, keys.TEST_SET))
  class_names, colors = read_class_names(FLAGS.class_names)
  names = listing.read_split_list(FLAGS.split_list) if FLAGS.split_list else None
  return builder.DatasetSpec(
      name=FLAGS.dataset_name or os.path.basename(os.path.abspath(FLAGS.output_dir)),
      splits={FLAGS.split: listing.find_pairs(FLAGS.image_dir, FLAGS.label_dir, names)},
      num_classes=FLAGS.num_classes,
      ignore_label=FLAGS.ignore_label,
      class_names=class_names,
      colormap=colors,
      num_shards=FLAGS.num_shards)


def main(unused_argv):
  info = builder.build_dataset(make_spec(), FLAGS.output_dir, FLAGS.num_processes)
  split = info.splits[FLAGS.split]
  total = sum(split.class_pixel_counts) + split.num_ignored_pixels
  for i, count in enumerate(split.class_pixel_counts if total else ()):
    name = info.class_names[i] if info.class_names else ''
    logging.info('class %3d %-16s %6.2f %% of the pixels', i, name, 100.0 * count / total)
  logging.info('Split %r of dataset %r: %d records in %d shards. Described in %s.',
               FLAGS.split, info.name, split.num_examples, split.num_shards,
               dataset_info.path_in(FLAGS.output_dir))


if __name__ == '__main__':
  common.run(main, required_flags=('image_dir', 'output_dir', 'num_classes'))
