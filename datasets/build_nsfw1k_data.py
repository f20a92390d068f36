"""Builds the records of nsfw1k: a folder of images, and of labels or a model that draws them.

    python3 ./datasets/build_nsfw1k_data.py --image_dir=photos --parts_model=frozen.pb

What is labelled garment counts as skin.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

from deeplab.command_line import running
from deeplab.datasets import build_data, registry  # noqa: F401
from deeplab.datasets.forma import builder_flags

builder_flags.define_folder_flags('nsfw1k')


def main(unused_argv):
  index = registry.FORMA_CLASSES.index
  label_map = {index(name): index('skin' if name == 'garment' else name)
               for name in registry.FORMA_CLASSES}
  builder_flags.build_folder_set('nsfw1k', label_map)


if __name__ == '__main__':
  running.run(main, required_flags=('image_dir',))
