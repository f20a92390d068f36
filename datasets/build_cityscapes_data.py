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

from absl import flags, logging

from deeplab.command_line import flag_groups, running
from deeplab.core import keys
from deeplab.datasets import build_data, registry  # noqa: F401
from deeplab.datasets.building import builder, listing, spec
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


def make_spec():
  """Returns the DatasetSpec of the flags; raises ValueError if a folder or file is missing."""
  images = {split: _find('leftImg8bit', split, _IMAGE_SUFFIX) for split in ('train', 'val')}
  suffix, label_map = _choose_labels(images)
  splits = {split: _examples(split, images[split], suffix) for split in images}
  if FLAGS.with_test:
    splits[keys.TEST_SET] = _examples(
        keys.TEST_SET, _find('leftImg8bit', keys.TEST_SET, _IMAGE_SUFFIX))
  return spec.of_published_set(_NAME, splits, _NUM_SHARDS, label_map)


def _find(kind, split, suffix):
  """Returns a dict, CITY/NAME -> path, of the files CITY/NAME<suffix> of a split, sorted."""
  folder = _folder(kind, split)
  pattern = os.path.join(glob.escape(folder), '*', '*' + suffix)
  paths = sorted(glob.glob(pattern))  # local: raw pictures
  if not paths:
    raise ValueError('There are no files %s: unpack %s of cityscapes-dataset.com in %r.'
                     % (os.path.join(folder, '*', '*' + suffix), _ARCHIVES[kind],
                        FLAGS.cityscapes_root))
  return {os.path.relpath(path, folder)[:-len(suffix)]: path for path in paths}


def _choose_labels(images):
  """Returns the end of the names of labels, and the map of their ids to class ids or None."""
  num_images = sum(len(items) for items in images.values())
  num_train_ids, num_ids = (
      sum(os.path.exists(os.path.join(_folder('gtFine', split), key + suffix))  # local: labels
          for split, items in images.items() for key in items)
      for suffix in (_TRAIN_IDS_SUFFIX, _IDS_SUFFIX))
  # Train ids if all images have them, else the kind there is more of.
  if num_train_ids == num_images or num_train_ids > num_ids:
    return _TRAIN_IDS_SUFFIX, None
  logging.info('%d of %d images have a *%s: the ids in *%s are mapped to the classes.',
               num_train_ids, num_images, _TRAIN_IDS_SUFFIX, _IDS_SUFFIX)
  return _IDS_SUFFIX, _id_map()


def _id_map():
  """Returns a dict, id of the release -> class id or ignore label."""
  row = registry.DATASETS[_NAME]
  classes = {label_id: i for i, label_id in enumerate(row.train_id_to_eval_id)}
  return {label_id: classes.get(label_id, row.ignore_label) for label_id in range(_NUM_IDS)}


def _folder(kind, split):
  return os.path.join(FLAGS.cityscapes_root, kind, split)


def _examples(split, images, label_suffix=None):
  """Returns the Examples of a split; label_suffix None: without labels."""
  labels = label_suffix and listing.Files(
      'label (*%s)' % label_suffix, _folder('gtFine', split), _find('gtFine', split, label_suffix))
  examples = listing.join(
      None, listing.Files('image', _folder('leftImg8bit', split), images), labels, FLAGS.on_error)
  return [item._replace(name=os.path.basename(item.name)) for item in examples]


def main(unused_argv):
  options = building.build_options()
  builder.build_published_set(make_spec(), FLAGS.output_dir, **options)


if __name__ == '__main__':
  running.run(main)
