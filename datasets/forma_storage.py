"""Where the Forma sets are stored, and how one is split, listed and built there."""
import os
import random

from deeplab.core import files
from deeplab.datasets import builder, registry

DEFAULT_ROOT = '~/storage/shared/deeplab'
ROOT_VARIABLE = 'DEEPLAB_STORAGE_DIR'
SPLITS = ('train', 'trainval', 'val')
IGNORE_LABEL = 255
_SHARD_SIZE = 500


def dataset_dir(storage_dir, name):
  """Returns the folder of a set; storage_dir None: the environment variable or the default."""
  root = storage_dir or os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT
  return os.path.join(os.path.expanduser(root), 'datasets', name)


def tfrecord_dir(storage_dir, name):
  """Returns the folder of the records of a set."""
  return os.path.join(dataset_dir(storage_dir, name), 'tfrecord')


def split_in_tenths(examples, seed=0):
  """Returns a dict, split -> examples sorted by name: 80/10/10 after a seeded shuffle."""
  shuffled = sorted(examples, key=lambda item: item.name)
  random.Random(seed).shuffle(shuffled)
  bounds = [0, int(0.8 * len(shuffled)), int(0.9 * len(shuffled)), len(shuffled)]
  return {split: sorted(shuffled[begin:end], key=lambda item: item.name)
          for split, begin, end in zip(SPLITS, bounds, bounds[1:])}


def build(storage_dir, name, splits, label_map=None, num_processes=None):
  """Writes the split lists and records of a set; returns its dataset_info.DatasetInfo.

  Raises:
    ValueError: a split is empty, or a file cannot be used.
  """
  for split, examples in splits.items():
    if not examples:
      raise ValueError('Split %r of %r is empty: there are too few images to divide.'
                       % (split, name))
  output_dir = tfrecord_dir(storage_dir, name)
  for split in SPLITS:
    info = builder.build_dataset(builder.DatasetSpec(
        name=name, splits={split: splits[split]}, num_classes=len(registry.FORMA_CLASSES),
        ignore_label=IGNORE_LABEL, class_names=registry.FORMA_CLASSES, colormap='forma',
        num_shards=-(-len(splits[split]) // _SHARD_SIZE), label_map=label_map),
        output_dir, num_processes)
  list_dir = os.path.join(dataset_dir(storage_dir, name), 'dataset_split')
  os.makedirs(list_dir, exist_ok=True)
  for split in SPLITS:
    files.write_text(os.path.join(list_dir, split + '.txt'),
                     ''.join(item.name + '\n' for item in splits[split]))
  return info
