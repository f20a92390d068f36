"""Builds the records of nsfw1k: a folder of images, and of labels or a model that draws them.

    python3 ./datasets/build_nsfw1k_data.py --image_dir=photos --parts_model=frozen.pb

What is labelled garment counts as skin.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

from deeplab.command_line import running
from deeplab.datasets import build_data, registry  # noqa: F401
from deeplab.datasets.forma import builder_flags

_IDS = range(len(registry.FORMA_CLASSES))
_GARMENT = registry.FORMA_CLASSES.index('garment')
_SKIN = registry.FORMA_CLASSES.index('skin')
_SET = builder_flags.FolderSet(
    builder_flags.Names('nsfw1k', 'nsfw1k_landmarks'), num_train=1000, num_trainval=100,
    label_map={i: _SKIN if i == _GARMENT else i for i in _IDS})

builder_flags.define_folder_flags(_SET)


def main(unused_argv):
  builder_flags.build_folder_set(_SET)


if __name__ == '__main__':
  running.run(main, required_flags=('image_dir',))
