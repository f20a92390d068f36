"""Puts together the records of forma54k: imaterialist37k and humanparsing17k.

    python3 ./datasets/build_forma54k_data.py

The parts must have been built under the same --storage_dir.
"""
from absl import flags

from deeplab import common
from deeplab.datasets import combined_sets

FLAGS = flags.FLAGS

common.define_storage_flag()


def main(unused_argv):
  combined_sets.combine(FLAGS.storage_dir, 'forma54k')


if __name__ == '__main__':
  common.run(main)
