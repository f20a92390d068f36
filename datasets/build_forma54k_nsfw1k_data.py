"""Puts together the records of forma55k: imaterialist37k, humanparsing17k and nsfw1k.

    python3 ./datasets/build_forma54k_nsfw1k_data.py

The parts must have been built under the same --storage_dir.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

from deeplab.command_line import running
from deeplab.datasets.forma import builder_flags


def main(unused_argv):
  builder_flags.combine('forma55k')


if __name__ == '__main__':
  running.run(main)
