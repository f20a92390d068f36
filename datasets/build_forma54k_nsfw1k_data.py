"""Puts together the records of forma55k: imaterialist37k, humanparsing17k and nsfw1k.

    python3 ./datasets/build_forma54k_nsfw1k_data.py

The parts must have been built under the same --storage_dir.
"""
from absl import flags

from deeplab import common
from deeplab.datasets import combined_sets, forma_storage

FLAGS = flags.FLAGS

flags.DEFINE_string('storage_dir', None,
                    'Root of the stored sets. Default: $%s, or %s.'
                    % (forma_storage.ROOT_VARIABLE, forma_storage.DEFAULT_ROOT))


def main(unused_argv):
  combined_sets.combine(FLAGS.storage_dir, 'forma55k',
                        ('imaterialist37k', 'humanparsing17k', 'nsfw1k'))


if __name__ == '__main__':
  common.run(main)
