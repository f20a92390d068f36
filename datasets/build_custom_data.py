"""Builds TFRecords from a folder of images and their labels, whatever form these have.

    python datasets/build_custom_data.py --image_dir=photos/train --label_dir=masks/train \
        --output_dir=records/mydata --num_classes=11 --ignore_label=255 --split=train

Labels are PNGs of class ids (--label_dir), colour pictures (and --color_map), JSON files of
labelme (--labelme_dir), a JSON file of COCO (--coco_json), text files of YOLO (--yolo_dir), or
what datumaro reads (--datumaro_path). Run once per split with the same --output_dir, or once
with --split_fractions. The dataset_info.json left there lets train.py, eval.py and vis.py use
the folder with --dataset_dir alone.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os

from absl import flags, logging

from deeplab.command_line import (
    declaring,
    flag_groups,
    flag_reading,
    image_flags,
    running,
)
from deeplab.core import keys
from deeplab.core.storage import files
from deeplab.core.usage import UsageError
from deeplab.datasets import registry
from deeplab.datasets.building import builder, label_kinds, listing
from deeplab.datasets.building import spec as specs
from deeplab.datasets.flags import building
from deeplab.datasets.labels import class_names
from deeplab.datasets.records import dataset_info

FLAGS = flags.FLAGS

flag_groups.begin(label_kinds.FLAGS_OF_KINDS)
flags.DEFINE_string('image_dir', None, 'Folder of the images. Required.')
flags.DEFINE_string('label_dir', None,
                    'Folder of the label maps, called like the images: PNG files of class ids, '
                    'or colour pictures with --color_map. Required without --labelme_dir, '
                    '--coco_json, --yolo_dir and --datumaro_path.')
declaring.declare_one('labels_as_stored', specs.LABELS_AS_STORED._replace(
    group=label_kinds.FLAGS_OF_KINDS))
flags.DEFINE_string('labelme_dir', None,
                    'Folder of the JSON files of labelme, called like the images. Needs '
                    '--class_names. Default: not used.')
flags.DEFINE_string('coco_json', None,
                    'JSON file of COCO instances or COCO-Stuff with the annotations of the '
                    'images. Classes: --class_names, or background and all its categories. '
                    'Default: not used.')
flags.DEFINE_string('yolo_dir', None,
                    'Folder of text files of YOLO, called like the images: lines `class x1 y1 x2 '
                    'y2 ...`, shares of width and height. Classes: --class_names, or background '
                    'and those of data.yaml or classes.txt beside the labels or above. Default: '
                    'not used.')
flags.DEFINE_string('datumaro_path', None,
                    'File or folder, in any format that datumaro reads, with the annotations of '
                    'the images. Classes: --class_names, or background and all of its own. '
                    'Default: not used.')
declaring.declare(label_kinds.Request)

image_flags.define_image_range_flag(
    label_kinds.FLAGS_OF_KINDS,
    '; or auto, percentiles 0.5 and 99.5 of all splits but val and test. Default: that of '
    'other splits, else 0,65535, which must be filled.', allows_auto=True)

flag_groups.begin('classes')
flags.DEFINE_string('class_names', None,
                    'Names separated by commas, or a text or CSV file with one class per line: '
                    'name or name,r,g,b. Default: those that the labels name, else none.')
flags.DEFINE_integer('num_classes', None,
                     'Number of class ids, 0..num_classes-1. Default: as many as there are '
                     'class names.', lower_bound=1, upper_bound=256)
flags.DEFINE_integer('ignore_label', keys.IGNORE_LABEL, 'Label value of pixels that do not count.',
                     lower_bound=0, upper_bound=255)

flag_groups.begin('splits')
flags.DEFINE_string('split', 'train', 'Name of the split to build.')
flags.DEFINE_string('split_list', None,
                    'Text file with the names of the images to take, one per line. Default: '
                    'all images of the folder.')
flags.DEFINE_list('split_fractions', None,
                  'Divides the images into several splits after a shuffle, e.g. '
                  'train=0.8,val=0.2, each over 0 up to 1. Default: all are --split.')
flags.DEFINE_integer('seed', 0, 'Seed of the shuffle of --split_fractions.')

flag_groups.begin(specs.NUM_SHARDS.group)
flags.DEFINE_string('output_dir', None, 'Folder of the records, made if absent. Required.')
flags.DEFINE_string('dataset_name', None,
                    'Name of the dataset. Default: name of the output folder.')
declaring.declare_one('num_shards', specs.NUM_SHARDS)
flags.DEFINE_bool('register', False,
                  'Makes the name known to --dataset from now on, without --dataset_dir.')

building.define_builder_flags()


def make_spec():
  """Returns the DatasetSpec of the command line.

  Raises ValueError if a flag or a listed file is not as it must be.
  """
  flag = _flag_of_labels()
  names, colors = class_names.read_class_names(FLAGS.class_names)
  listed = FLAGS.split_list and listing.read_split_list(
      FLAGS.split_list, set(listing.stems(FLAGS.image_dir)))
  labelled = label_kinds.KINDS[flag].read(label_kinds.Request(
      path=FLAGS[flag].value,
      image_dir=FLAGS.image_dir,
      names=listed or None,
      class_names=names,
      colors=colors,
      ignore_label=FLAGS.ignore_label,
      on_error=FLAGS.on_error,
      **declaring.values_of(label_kinds.Request)))
  num_classes = _num_classes(labelled.class_names)
  return builder.DatasetSpec(
      name=FLAGS.dataset_name or os.path.basename(
          files.absolute(FLAGS.output_dir.rstrip('/'))),
      splits=_splits(labelled.examples),
      num_classes=num_classes,
      ignore_label=FLAGS.ignore_label,
      class_names=labelled.class_names,
      colormap=labelled.colors,
      num_shards=FLAGS.num_shards,
      label_map=_label_map(num_classes),
      image_range=image_flags.image_range(),
      labels_as_stored=FLAGS.labels_as_stored)


def _label_map(num_classes):
  """Returns the dict, value in label files -> class id, of --reduce_zero_label; else None."""
  if not FLAGS.reduce_zero_label:
    return None
  if FLAGS.ignore_label < num_classes:
    raise UsageError('--reduce_zero_label turns 0 into --ignore_label=%d, which must not be one of '
                     'the class ids 0..%d: leave it at 255.'
                     % (FLAGS.ignore_label, num_classes - 1))
  return dict([(0, FLAGS.ignore_label)] + [(i + 1, i) for i in range(num_classes)])


def _flag_of_labels():
  """Returns the key of the row of label_kinds.KINDS that the command line asks for."""
  given = [name for name in label_kinds.KINDS if FLAGS[name].value]
  if len(given) > 1:
    raise UsageError('--%s and --%s exclude each other.' % tuple(given[:2]))
  if not given and FLAGS.split != keys.TEST_SET:
    raise UsageError('%s is required for --split=%s; only the split %s goes without.'
                     % (_either(label_kinds.KINDS), FLAGS.split, keys.TEST_SET))
  flag = (given or list(label_kinds.KINDS))[0]
  for name, kinds in label_kinds.FLAGS_OF_SOME.items():
    if flag_reading.as_given(name) and not set(given).intersection(kinds):
      raise UsageError('%s has no effect: it is for %s.'
                       % (flag_reading.as_given(name), _either(kinds)))
  return flag


def _either(names):
  """Returns flags as words: --a, --b or --c."""
  return ' or '.join(', '.join('--' + name for name in names).rsplit(', ', 1))


def _num_classes(names):
  if names and FLAGS.num_classes not in (None, len(names)):
    raise UsageError('--num_classes=%d, but there are %d class names: %s.'
                     % (FLAGS.num_classes, len(names), ', '.join(names)))
  if not names and FLAGS.num_classes is None:
    raise UsageError('--num_classes is required where nothing names the classes.')
  return len(names or ()) or FLAGS.num_classes


def _splits(examples):
  """Returns a dict, split -> examples."""
  if not FLAGS.split_fractions:
    return {FLAGS.split: examples}
  if FLAGS['split'].present or FLAGS.split_list:
    raise UsageError('--split_fractions excludes --split and --split_list.')
  pairs = [text.partition('=')[::2] for text in FLAGS.split_fractions]
  try:
    fractions = [(split.strip(), float(fraction)) for split, fraction in pairs]
  except ValueError as error:
    raise UsageError('--split_fractions must be like train=0.8,val=0.2; got %r.'
                     % ','.join(FLAGS.split_fractions)) from error
  splits = listing.split_by_fractions(examples, fractions, FLAGS.seed)
  return {split: sorted(items, key=lambda item: item.name) for split, items in splits.items()}


def main(unused_argv):
  options = building.build_options()
  spec = make_spec()
  info = builder.build_dataset(spec, FLAGS.output_dir, **options)
  if info is None:
    return
  for split in spec.splits:
    builder.log_shares(info, split)
  logging.info('Described in %s.', dataset_info.path_in(FLAGS.output_dir))
  if FLAGS.register:
    path = registry.register(info.name, FLAGS.output_dir)
    logging.info('--dataset=%s now finds it, by %s.', info.name, path)


if __name__ == '__main__':
  running.run(main, required_flags=('image_dir', 'output_dir'))
