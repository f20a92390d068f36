"""Builds the records of ADE20K (SceneParse150): 150 classes, and 0 for what does not count.

    python3 ./datasets/build_ade20k_data.py --output_dir=ADE20K/tfrecord

Records are called by the path of their image; those of train are shuffled, with a seed.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os
import random

from absl import flags

from deeplab.command_line import flag_groups, running
from deeplab.datasets import build_data  # noqa: F401
from deeplab.datasets.building import builder, listing, spec
from deeplab.datasets.flags import building

FLAGS = flags.FLAGS

_NAME = 'ade20k'
_NUM_SHARDS = 4
_ROOT = './ADE20K/ADEChallengeData2016'

building.define_builder_flags()
flag_groups.begin('files')
flags.DEFINE_string('train_image_folder', _ROOT + '/images/training',
                    'Folder of the training images.')
flags.DEFINE_string('train_image_label_folder', _ROOT + '/annotations/training',
                    'Folder of the labels of the training images, PNGs of class ids.')
flags.DEFINE_string('val_image_folder', _ROOT + '/images/validation',
                    'Folder of the validation images.')
flags.DEFINE_string('val_image_label_folder', _ROOT + '/annotations/validation',
                    'Folder of the labels of the validation images, PNGs of class ids.')
flags.DEFINE_string('output_dir', './ADE20K/tfrecord', 'Folder of the records, made if absent.')
flags.DEFINE_integer('seed', 0, 'Seed of the shuffle of the training images.')


def make_spec():
  """Returns the DatasetSpec of the flags; raises ValueError if a folder or file is missing."""
  train = _examples(FLAGS.train_image_folder, FLAGS.train_image_label_folder)
  random.Random(FLAGS.seed).shuffle(train)
  return spec.of_published_set(_NAME, {
      'train': train,
      'val': _examples(FLAGS.val_image_folder, FLAGS.val_image_label_folder)}, _NUM_SHARDS)


def _examples(image_folder, label_folder):
  """Returns the Examples of two folders, sorted by path."""
  images = {}
  for path in sorted(listing.files_by_stem(image_folder, ('.jpg', '.jpeg'), 'images').values()):
    # Labels are called like images up to the first dot, not the last, in this layout.
    stem = os.path.basename(path).split('.', 1)[0]
    if stem in images:
      raise ValueError('%s and %s would share the label %s.png. Keep one of them.'
                       % (images[stem], path, stem))
    images[stem] = path
  examples = listing.join(
      None, listing.Files('image', image_folder, images),
      listing.Files('label', label_folder, listing.files_by_stem(
          label_folder, ('.png',), 'labels')), FLAGS.on_error)
  return [item._replace(name=item.image_path) for item in examples]


def main(unused_argv):
  options = building.build_options()
  builder.build_published_set(make_spec(), FLAGS.output_dir, **options)


if __name__ == '__main__':
  running.run(main)
