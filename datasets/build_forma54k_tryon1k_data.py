"""Puts together the records of forma54k_tryon1k: forma54k and tryon1k.

    python3 ./datasets/build_forma54k_tryon1k_data.py

The parts must have been built under the same --storage_dir.
"""
from absl import flags

from deeplab import common
from deeplab.datasets import combined_sets

FLAGS = flags.FLAGS

common.define_storage_flag()


def main(unused_argv):
  combined_sets.combine(FLAGS.storage_dir, 'forma54k_tryon1k')


if __name__ == '__main__':
  common.run(main)
