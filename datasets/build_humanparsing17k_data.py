"""Builds the records of humanparsing17k from the public ATR/Chictopia folders.

    python3 ./datasets/build_humanparsing17k_data.py --raw_dir=HumanParsing-Dataset

RAW_DIR holds `humanparsing/JPEGImages`, `humanparsing/SegmentationClassAug` and
`atr_label.txt`. The table of classes is `label_maps.ATR`; these labels know no sleeves.
"""
import os

from absl import flags, logging

from deeplab import common
from deeplab.datasets import (
    build_data,  # noqa: F401  (its flags)
    forma_storage,
    label_maps,
    listing,
)

FLAGS = flags.FLAGS

flags.DEFINE_string('raw_dir', None, 'Folder HumanParsing-Dataset. Required.')
flags.DEFINE_string('storage_dir', None,
                    'Root of the stored sets. Default: $%s, or %s.'
                    % (forma_storage.ROOT_VARIABLE, forma_storage.DEFAULT_ROOT))
flags.DEFINE_integer('num_processes', None,
                     'Number of worker processes. Default: one per processor.')

_NAME = 'humanparsing17k'


def main(unused_argv):
  classes_path = os.path.join(FLAGS.raw_dir, 'atr_label.txt')
  label_map = label_maps.make_label_map(
      label_maps.ATR, label_maps.read_atr_labels(classes_path), classes_path)
  examples = listing.find_pairs(
      os.path.join(FLAGS.raw_dir, 'humanparsing', 'JPEGImages'),
      os.path.join(FLAGS.raw_dir, 'humanparsing', 'SegmentationClassAug'))
  info = forma_storage.build(FLAGS.storage_dir, _NAME, forma_storage.split_in_tenths(examples),
                             label_map, FLAGS.num_processes)
  logging.info('%s: %s. Described in %s.', _NAME, ', '.join(
      '%d %s' % (info.splits[split].num_examples, split) for split in forma_storage.SPLITS),
               forma_storage.tfrecord_dir(FLAGS.storage_dir, _NAME))


if __name__ == '__main__':
  common.run(main, required_flags=('raw_dir',))
