"""Puts together the records of forma55k: imaterialist37k, humanparsing17k and nsfw1k.

    python3 ./datasets/build_forma54k_nsfw1k_data.py

The parts must have been built under the same --storage_dir.
"""
from absl import flags

from deeplab import common
from deeplab.datasets import combined_sets

FLAGS = flags.FLAGS

common.define_storage_flag()


def main(unused_argv):
  combined_sets.combine(FLAGS.storage_dir, 'forma55k')


if __name__ == '__main__':
  common.run(main)
