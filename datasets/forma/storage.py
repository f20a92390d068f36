"""Where the Forma sets are stored, and how one is split, listed and built there."""
import os
import random

from absl import logging

from deeplab.core.storage import files, json_text
from deeplab.datasets import registry
from deeplab.datasets.building import builder

DEFAULT_ROOT = '~/storage/shared/deeplab'
ROOT_VARIABLE = 'DEEPLAB_STORAGE_DIR'
SPLITS = ('train', 'trainval', 'val')
_SHARD_SIZE = 500


def dataset_dir(storage_dir, name):
  """Returns the folder of a set; storage_dir None: the environment variable or the default."""
  root = storage_dir or os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT
  return os.path.join(os.path.expanduser(root), 'datasets', name)


def tfrecord_dir(storage_dir, name):
  """Returns the folder of the records of a set."""
  return os.path.join(dataset_dir(storage_dir, name), 'tfrecord')


def split_in_tenths(examples, seed=0):
  """Returns a dict, split -> examples sorted by name: 80/10/10.

  Args:
    examples: list.
    seed: int, of the shuffle before; None: not shuffled.
  """
  ordered = sorted(examples, key=lambda item: item.name)
  if seed is not None:
    random.Random(seed).shuffle(ordered)
  return split_at(ordered, int(0.8 * len(ordered)), int(0.9 * len(ordered)))


def split_at(examples, train_end, trainval_end):
  """Returns a dict, split -> examples sorted by name, of a list cut at two places."""
  bounds = [0, train_end, trainval_end, len(examples)]
  return {split: sorted(examples[begin:end], key=lambda item: item.name)
          for split, begin, end in zip(SPLITS, bounds, bounds[1:])}


def with_landmarks(splits, landmarks_dir):
  """Returns splits whose examples have the body landmarks of `<stem of the image>.json`.

  Examples without a file stay without landmarks. Those whose file has the status 'failure'
  are left out.

  Args:
    splits: dict, split -> list of Example.
    landmarks_dir: folder of the files.

  Raises:
    ValueError: the folder does not exist or a file is not JSON.
  """
  if not files.is_dir(landmarks_dir):
    raise ValueError('Folder of landmarks %r does not exist.' % landmarks_dir)
  kept, num_absent, num_failed = {}, 0, 0
  for split, examples in splits.items():
    kept[split] = []
    for item in examples:
      stem = os.path.splitext(os.path.basename(item.image_path))[0]
      path = os.path.join(landmarks_dir, stem + '.json')
      if not files.exists(path):
        num_absent += 1
        kept[split].append(item)
      elif _has_failed(path):
        num_failed += 1
      else:
        kept[split].append(item._replace(landmarks=path))
  logging.info('Landmarks in %s: %d examples without a file, %d left out because their '
               'landmarks failed.', landmarks_dir, num_absent, num_failed)
  return kept


def _has_failed(path):
  content = json_text.read(path, 'Landmarks')
  return isinstance(content, dict) and content.get('status') == 'failure'


def build(storage_dir, name, splits, label_map=None, **build_options):
  """Writes the records of a set, and its split lists; returns its dataset_info.DatasetInfo.

  One of several tasks writes records alone, and returns None.

  Args:
    storage_dir: root of the stored sets, or None for the default.
    name: name of the set.
    splits: dict, split -> list of Example; splits that are empty by `expects_empty` are left
      out of the records.
    label_map: see `spec.DatasetSpec`.
    **build_options: of `builder.build_dataset`.

  Raises:
    ValueError: a split is empty, or a file cannot be used.
  """
  for split, examples in splits.items():
    if not examples and not expects_empty(name, split):
      raise ValueError('Split %r of %r is empty: there are too few images to divide.'
                       % (split, name))
  output_dir = tfrecord_dir(storage_dir, name)
  info = builder.build_dataset(builder.DatasetSpec(
      name=name, splits={split: examples for split, examples in splits.items() if examples},
      num_classes=len(registry.FORMA_CLASSES), ignore_label=registry.FORMA_IGNORE_LABEL,
      class_names=registry.FORMA_CLASSES, colormap='forma', shard_size=_SHARD_SIZE,
      label_map=label_map), output_dir, **build_options)
  if info is None:
    return None
  write_split_lists(storage_dir, name, {split: [item.name for item in examples]
                                        for split, examples in splits.items()})
  logging.info('%s: %s. Described in %s.', name, describe_sizes(info), output_dir)
  return info


def write_split_lists(storage_dir, name, record_names):
  """Writes `dataset_split/{train,trainval,val}.txt` of a set.

  Args:
    storage_dir: root of the stored sets, or None for the default.
    name: name of the set.
    record_names: dict, split -> names of its records; a split that is not in it has none.
  """
  folder = os.path.join(dataset_dir(storage_dir, name), 'dataset_split')
  files.make_dirs(folder)
  for split in SPLITS:
    files.write_text(os.path.join(folder, split + '.txt'),
                     ''.join(line + '\n' for line in record_names.get(split, ())))


def expects_empty(name, split):
  """Whether a set is known to have no records in a split, as tryon10k, all of train."""
  base = name.replace('_landmarks', '')
  row = registry.DATASETS.get(name) or registry.DATASETS.get(base)
  return row is not None and row.splits_to_sizes.get(split) == 0


def describe_sizes(info):
  """Returns e.g. '8 train, 1 trainval, 1 val' of a DatasetInfo."""
  return ', '.join('%d %s' % (info.splits[split].num_examples, split)
                   for split in SPLITS if split in info.splits)
