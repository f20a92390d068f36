"""Builds the records of tryon1k: a folder of images, and of labels or a model that draws them.

    python3 ./datasets/build_tryon1k_data.py --image_dir=image --label_dir=label
"""
if __package__ is None:
  import packages_needed  # noqa: F401

from deeplab.command_line import running
from deeplab.datasets import build_data  # noqa: F401
from deeplab.datasets.forma import builder_flags

builder_flags.define_folder_flags('tryon1k')


def main(unused_argv):
  builder_flags.build_folder_set('tryon1k')


if __name__ == '__main__':
  running.run(main, required_flags=('image_dir',))
