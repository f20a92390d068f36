"""Builds the records of Cityscapes (the fine annotations).

    python3 ./datasets/build_cityscapes_data.py --cityscapes_root=cityscapes

CITYSCAPES_ROOT holds `leftImg8bit` and `gtFine` as the two zip files of that name have them.
The label maps of the release hold 34 ids, which are mapped to the 19 classes; where label maps
of the classes (`labelTrainIds`) were made before, these are taken.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import glob
import os
import typing

from absl import flags, logging

from deeplab.command_line import flag_groups, running
from deeplab.core import keys
from deeplab.datasets import build_data, registry  # noqa: F401
from deeplab.datasets.building import builder, listing, public_sets  # noqa: F401
from deeplab.datasets.flags import building

FLAGS = flags.FLAGS

_NAME = 'cityscapes'
_NUM_SHARDS = 10
_IMAGE_SUFFIX = '_leftImg8bit.png'
_TRAIN_IDS_SUFFIX = '_gtFine_labelTrainIds.png'
_IDS_SUFFIX = '_gtFine_labelIds.png'
_NUM_IDS = 34
_ARCHIVES = {'leftImg8bit': 'leftImg8bit_trainvaltest.zip', 'gtFine': 'gtFine_trainvaltest.zip'}

building.define_builder_flags()
flag_groups.begin('files')
flags.DEFINE_string('cityscapes_root', './cityscapes', 'Folder of leftImg8bit and gtFine.')
flags.DEFINE_string('output_dir', './tfrecord', 'Folder of the records, made if absent.')
flags.DEFINE_bool('with_test', False,
                  'Also builds the split test, without labels: the published ones are empty.')


class _Labels(typing.NamedTuple):
  """Which files are the labels: end of their names, and the map to class ids or None."""
  suffix: str
  label_map: typing.Optional[typing.Dict[int, int]]


def make_spec():
  """Returns the DatasetSpec of the command line.

  Raises:
    ValueError: a folder or file is missing.
  """
  images = {split: _find('leftImg8bit', split, _IMAGE_SUFFIX) for split in ('train', 'val')}
  labels = _choose_labels(images)
  splits = {split: _examples(split, images[split], labels.suffix) for split in images}
  if FLAGS.with_test:
    test_images = _find('leftImg8bit', keys.TEST_SET, _IMAGE_SUFFIX)
    splits[keys.TEST_SET] = [builder.Example(os.path.basename(key), path)
                             for key, path in test_images.items()]
  return public_sets.make_spec(_NAME, splits, _NUM_SHARDS, labels.label_map)


def _find(kind, split, suffix):
  """Returns a dict, CITY/NAME -> path, of CITY/NAME<suffix> in a split, sorted by path.

  Raises:
    ValueError: there are none.
  """
  folder = os.path.join(FLAGS.cityscapes_root, kind, split)
  pattern = os.path.join(glob.escape(folder), '*', '*' + suffix)
  paths = sorted(glob.glob(pattern))  # local: raw pictures
  if not paths:
    raise ValueError('There are no files %s: unpack %s of cityscapes-dataset.com in %r.'
                     % (os.path.join(folder, '*', '*' + suffix), _ARCHIVES[kind],
                        FLAGS.cityscapes_root))
  return {os.path.relpath(path, folder)[:-len(suffix)]: path for path in paths}


def _choose_labels(images):
  """Returns the _Labels: train ids if all images have them, else the kind there is more of."""
  num_images = sum(len(items) for items in images.values())
  num_train_ids, num_ids = (
      sum(os.path.exists(_label_path(split, key, suffix))  # local: raw pictures
          for split, items in images.items() for key in items)
      for suffix in (_TRAIN_IDS_SUFFIX, _IDS_SUFFIX))
  if num_train_ids == num_images or num_train_ids > num_ids:
    return _Labels(_TRAIN_IDS_SUFFIX, None)
  logging.info('%d of %d images have a *%s: the ids in *%s are mapped to the classes.',
               num_train_ids, num_images, _TRAIN_IDS_SUFFIX, _IDS_SUFFIX)
  return _Labels(_IDS_SUFFIX, _id_map())


def _id_map():
  """Returns a dict, id of the release -> class id or ignore label."""
  row = registry.DATASETS[_NAME]
  classes = {label_id: i for i, label_id in enumerate(row.train_id_to_eval_id)}
  return {label_id: classes.get(label_id, row.ignore_label) for label_id in range(_NUM_IDS)}


def _label_path(split, key, suffix):
  return os.path.join(FLAGS.cityscapes_root, 'gtFine', split, key + suffix)


def _examples(split, images, suffix):
  """Returns the Examples of a split; checks that images and labels belong together."""
  if FLAGS.on_error == 'stop':
    labels = _find('gtFine', split, suffix)
    for wanted, present, kind, what, source in (
        (images, labels, 'gtFine', 'label (*%s)' % suffix, 'images'),
        (labels, images, 'leftImg8bit', 'image', 'labels')):
      listing.require_all(list(wanted), present, os.path.join(FLAGS.cityscapes_root, kind, split),
                          what, source)
  return [builder.Example(os.path.basename(key), path, _label_path(split, key, suffix))
          for key, path in images.items()]


def main(unused_argv):
  options = building.build_options()
  public_sets.build(make_spec(), FLAGS.output_dir, options)


if __name__ == '__main__':
  running.run(main)
