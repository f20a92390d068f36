"""Builds the records of imaterialist37k from the public iMaterialist (Fashion) release.

    python3 ./datasets/build_imaterialist37k_data.py --raw_dir=imat-fashion --parts_dir=parts

RAW_DIR holds `train/*.jpg`, `train.csv` and `label_descriptions.json`. The table of classes is
`forma_labels.FASHION`. The release labels clothes only: skin, hair, arms and the background come
from body parts; without them these pixels do not count (ignore).
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os

from absl import flags, logging

from deeplab.command_line import flag_groups, running
from deeplab.datasets import build_data  # noqa: F401
from deeplab.datasets.building import listing
from deeplab.datasets.forma import builder_flags, storage
from deeplab.datasets.labels import forma_labels

FLAGS = flags.FLAGS

_NAMES = builder_flags.Names('imaterialist37k', 'imaterialist37k_landmarks_seg_pants')

builder_flags.define_flags(_NAMES)
flag_groups.begin('files')
flags.DEFINE_string('raw_dir', None, 'Folder of the release. Required.')


def main(unused_argv):
  descriptions = os.path.join(FLAGS.raw_dir, 'label_descriptions.json')
  targets = forma_labels.make_label_map(
      forma_labels.FASHION, forma_labels.read_fashion_classes(descriptions), descriptions)
  image_dir = os.path.join(FLAGS.raw_dir, 'train')
  images = listing.files_by_stem(image_dir, listing.IMAGE_SUFFIXES, 'images')
  index = forma_labels.FashionIndex(os.path.join(FLAGS.raw_dir, 'train.csv'))
  examples = listing.join(
      None, listing.Files('image', image_dir, images),
      listing.Files('row', index.path, index.offsets), FLAGS.on_error)
  parts = builder_flags.find_parts(_NAMES, [item for item in examples if item.name in images])
  if parts is None:
    logging.warning('No body parts were given (--parts_dir, --parts_model): all pixels without '
                    'clothes become ignore, and the records have no background, skin, hair and '
                    'arms.')
  examples = [item._replace(label=index.label(
      item.name, targets, parts.get(item.name) if parts is not None else None))
              for item in examples]
  builder_flags.build(_NAMES, storage.split_in_tenths(examples, seed=None))


if __name__ == '__main__':
  running.run(main, required_flags=('raw_dir',))
