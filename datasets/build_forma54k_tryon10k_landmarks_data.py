"""Puts together the records of forma54k_tryon10k_landmarks.

The parts are humanparsing17k_landmarks, imaterialist37k_landmarks and tryon10k_landmarks.

    python3 ./datasets/build_forma54k_tryon10k_landmarks_data.py

The parts must have been built under the same --storage_dir.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

from deeplab.command_line import running
from deeplab.datasets.forma import builder_flags


def main(unused_argv):
  builder_flags.combine('forma54k_tryon10k_landmarks')


if __name__ == '__main__':
  running.run(main)
