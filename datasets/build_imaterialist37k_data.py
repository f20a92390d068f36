"""Builds the records of imaterialist37k from the public iMaterialist (Fashion) release.

    python3 ./datasets/build_imaterialist37k_data.py --raw_dir=imat-fashion --parts_dir=parts

RAW_DIR holds `train/*.jpg`, `train.csv` and `label_descriptions.json`. The table of classes is
`label_maps.FASHION`. The release labels clothes only: skin, hair, arms and the background come
from body parts; without them these pixels do not count (ignore).
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os

from absl import flags, logging

from deeplab.command_line import flag_groups, running
from deeplab.datasets import build_data  # noqa: F401
from deeplab.datasets.building import listing  # noqa: F401
from deeplab.datasets.building.spec import Example
from deeplab.datasets.forma import builder_flags, storage  # noqa: F401
from deeplab.datasets.labels import fashion_masks, label_maps  # noqa: F401

FLAGS = flags.FLAGS

_NAMES = builder_flags.Names('imaterialist37k', 'imaterialist37k_landmarks_seg_pants')

builder_flags.define_flags(_NAMES)
flag_groups.begin('files')
flags.DEFINE_string('raw_dir', None, 'Folder of the release. Required.')


def main(unused_argv):
  descriptions = os.path.join(FLAGS.raw_dir, 'label_descriptions.json')
  targets = label_maps.make_label_map(
      label_maps.FASHION, fashion_masks.read_categories(descriptions), descriptions)
  image_dir = os.path.join(FLAGS.raw_dir, 'train')
  images = listing.files_by_stem(image_dir, listing.IMAGE_SUFFIXES, 'images')
  index = fashion_masks.Index(os.path.join(FLAGS.raw_dir, 'train.csv'))
  if FLAGS.on_error == 'stop':
    listing.require_all(sorted(images), index.offsets, index.path, 'row', 'images')
    listing.require_all(sorted(index.offsets), images, image_dir, 'image', 'names in train.csv')
  examples = [Example(name, images.get(name) or listing.absent_path(image_dir, name))
              for name in sorted(set(images) | set(index.offsets))]
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
