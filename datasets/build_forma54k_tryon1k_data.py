"""Puts together the records of forma54k_tryon1k: forma54k and tryon1k.

    python3 ./datasets/build_forma54k_tryon1k_data.py

The parts must have been built under the same --storage_dir.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

from deeplab.command_line import running
from deeplab.datasets.forma import builder_flags


def main(unused_argv):
  builder_flags.combine('forma54k_tryon1k')


if __name__ == '__main__':
  running.run(main)
