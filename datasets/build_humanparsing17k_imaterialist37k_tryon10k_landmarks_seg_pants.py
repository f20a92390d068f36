"""Puts together all sets that have landmarks, sleeves and trousers.

The parts are humanparsing17k_landmarks_seg_pants, imaterialist37k_landmarks_seg_pants and
tryon10k_landmarks.

    python3 ./datasets/build_humanparsing17k_imaterialist37k_tryon10k_landmarks_seg_pants.py

The parts must have been built under the same --storage_dir.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

from deeplab.command_line import running
from deeplab.datasets.forma import builder_flags


def main(unused_argv):
  builder_flags.combine('humanparsing17k_imaterialist37k_tryon10k_landmarks_seg_pants')


if __name__ == '__main__':
  running.run(main)
