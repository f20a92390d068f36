"""Builds the records of humanparsing17k from the public ATR/Chictopia folders.

    python3 ./datasets/build_humanparsing17k_data.py --raw_dir=HumanParsing-Dataset

RAW_DIR holds `humanparsing/JPEGImages`, `humanparsing/SegmentationClassAug` and
`atr_label.txt`. The table of classes is `forma_labels.ATR`. These labels know no sleeves: body
parts, where given, replace sleeves and trousers and add to the shoes.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os

from absl import flags

from deeplab.command_line import flag_groups, running
from deeplab.datasets import build_data, registry  # noqa: F401
from deeplab.datasets.building import listing
from deeplab.datasets.forma import builder_flags, storage
from deeplab.datasets.labels import forma_labels

FLAGS = flags.FLAGS

_NAMES = builder_flags.Names('humanparsing17k', 'humanparsing17k_landmarks_seg_pants')
# Taken from the body parts, in the order of painting.
_PAINTED = tuple(registry.FORMA_CLASSES.index(name) for name in ('shoe', 'sleeves', 'pants'))

builder_flags.define_flags(_NAMES)
flag_groups.begin('files')
flags.DEFINE_string('raw_dir', None, 'Folder HumanParsing-Dataset. Required.')


def main(unused_argv):
  classes_path = os.path.join(FLAGS.raw_dir, 'atr_label.txt')
  source_ids = forma_labels.read_atr_classes(classes_path)
  label_map = forma_labels.make_label_map(forma_labels.ATR, source_ids, classes_path)
  examples = listing.find_pairs(
      os.path.join(FLAGS.raw_dir, 'humanparsing', 'JPEGImages'),
      os.path.join(FLAGS.raw_dir, 'humanparsing', 'SegmentationClassAug'),
      on_error=FLAGS.on_error)
  parts = builder_flags.find_parts(_NAMES, examples)
  if parts is not None:
    table = [row for row in forma_labels.ATR if row[0] != 'pants']
    below = forma_labels.make_label_map(table, source_ids, classes_path)
    examples = [item._replace(label=forma_labels.Painted(
        item.label, tuple(sorted(below.items())), parts[item.name], _PAINTED))
                for item in examples]
  builder_flags.build(_NAMES, storage.split_in_tenths(examples, seed=0), label_map)


if __name__ == '__main__':
  running.run(main, required_flags=('raw_dir',))
