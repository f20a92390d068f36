"""Which datasets exist, and where the shards of a split are.

A dataset is a row of `DATASETS`, any folder with the `dataset_info.json` that the builders
leave beside their records, or a name of the user's own. Of such a name,
`~/.config/deeplab/datasets/NAME.json` (below $XDG_CONFIG_HOME, if set) holds either

    {"dataset_dir": "/data/mine"}

for a folder that describes itself, or the fields of `dataset_info.json` for records that came
without a description; see `dataset_info.described`.
"""
import difflib
import json
import os
import re
import typing

from absl import logging

from deeplab.core import keys
from deeplab.core.storage import files, json_text
from deeplab.datasets.records import dataset_info, shards
from deeplab.datasets.records.shards import split_files

__all__ = ['DATASETS', 'DatasetDescriptor', 'FORMA_CLASSES', 'UserEntry', 'check_split',
           'register', 'resolve', 'split_files', 'user_entry', 'user_folder', 'user_names']

_USER_SUFFIX = '.json'
_USER_NAME = re.compile(r'[\w.-]+', re.UNICODE)


class DatasetDescriptor(typing.NamedTuple):
  """What training and evaluation need to know of a dataset."""
  splits_to_sizes: typing.Dict[str, int]  # Dict, split name -> number of records.
  num_classes: int  # Number of class ids, the background included.
  ignore_label: int  # Label value that takes no part in loss and metrics.
  class_names: typing.Optional[typing.Sequence[str]] = None  # One name per class id, or None.
  # Name in `core.colormaps.COLORMAPS`, or list of [r, g, b] per class id, or None.
  colormap: typing.Any = None
  # Evaluation id per class id, or None where they are the same.
  train_id_to_eval_id: typing.Optional[typing.Sequence[int]] = None
  name: str = ''  # Name of the dataset.
  # Names of the splits whose records have no labels.
  unlabelled_splits: typing.Sequence[str] = (keys.TEST_SET,)
  # Names of the splits that a folder of records may well be without.
  optional_splits: typing.Collection[str] = ()

  def has_labels(self, split):
    """Returns whether the records of a split have labels."""
    return split not in self.unlabelled_splits


class UserEntry(typing.NamedTuple):
  """What is known under a name of the user's own."""
  dataset_dir: typing.Optional[str]  # Folder of the records, or None.
  # dataset_info.DatasetInfo, or None for what the folder says.
  info: typing.Optional[dataset_info.DatasetInfo]


_VOC_CLASSES = (
    'background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat',
    'chair', 'cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant',
    'sheep', 'sofa', 'train', 'tvmonitor')
_CITYSCAPES_CLASSES = (
    'road', 'sidewalk', 'building', 'wall', 'fence', 'pole', 'traffic light', 'traffic sign',
    'vegetation', 'terrain', 'sky', 'person', 'rider', 'car', 'truck', 'bus', 'train',
    'motorcycle', 'bicycle')
_CITYSCAPES_EVAL_IDS = (
    7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
# As the records of other versions of DeepLab have them.
_FINE_AND_COARSE = {
    'train_fine': 2975, 'val_fine': 500, 'test_fine': 1525, 'trainval_fine': 3475,
    'train_coarse': 22973, 'trainval_coarse': 23473}
FORMA_IGNORE_LABEL = 255
FORMA_CLASSES = (
    'background', 'other', 'garment', 'skin', 'hair', 'arms', 'shoe', 'sleeves', 'pants')


# Number of records in train, trainval and val of the Forma sets that are built from raw files.
_FORMA_SIZES = {
    'imaterialist37k': (29606, 3701, 3701),
    'humanparsing17k': (14164, 1771, 1771),
    'nsfw1k': (1000, 100, 1),
    'tryon1k': (1000, 100, 72),
    'tryon10k': (10000, 0, 0),
}
# Forma set -> the sets it is put together from.
FORMA_PARTS = {
    'forma54k': ('imaterialist37k', 'humanparsing17k'),
    'forma55k': ('imaterialist37k', 'humanparsing17k', 'nsfw1k'),
    'forma54k_tryon1k': ('forma54k', 'tryon1k'),
    'forma54k_nsfw1k_tryon1k': ('forma54k', 'nsfw1k', 'tryon1k'),
    'forma54k_tryon10k': ('forma54k', 'tryon10k'),
    'forma54k_tryon10k_landmarks': (
        'humanparsing17k_landmarks',
        'imaterialist37k_landmarks',
        'tryon10k_landmarks'),
    'humanparsing17k_imaterialist37k_tryon10k_landmarks_seg_pants': (
        'humanparsing17k_landmarks_seg_pants',
        'imaterialist37k_landmarks_seg_pants',
        'tryon10k_landmarks'),
}


def _forma_sizes(name):
  """Returns the numbers of records of a Forma set; landmarks and trousers change none."""
  if name in FORMA_PARTS:
    return [sum(sizes) for sizes in zip(*map(_forma_sizes, FORMA_PARTS[name]))]
  return _FORMA_SIZES[name.partition('_landmarks')[0]]


def _forma(name):
  return DatasetDescriptor(
      dict(zip(('train', 'trainval', 'val'), _forma_sizes(name))), len(FORMA_CLASSES),
      FORMA_IGNORE_LABEL, FORMA_CLASSES, 'forma')


_ROWS = {
    'cityscapes': DatasetDescriptor(
        dict({'train': 2975, 'val': 500}, **_FINE_AND_COARSE), 19, 255, _CITYSCAPES_CLASSES,
        'cityscapes', _CITYSCAPES_EVAL_IDS, optional_splits=tuple(_FINE_AND_COARSE)),
    'pascal_voc_seg': DatasetDescriptor(
        {'train': 1464, 'train_aug': 10582, 'trainval': 2913, 'val': 1449}, 21, 255,
        _VOC_CLASSES, 'pascal'),
    'ade20k': DatasetDescriptor(
        {'train': 20210, 'val': 2000}, 151, 0, colormap='ade20k'),
}
_ROWS.update((name, _forma(name)) for name in (
    'imaterialist37k', 'humanparsing17k', 'nsfw1k', 'tryon1k', 'forma54k', 'forma55k',
    'forma54k_tryon1k', 'forma54k_nsfw1k_tryon1k', 'tryon10k', 'forma54k_tryon10k',
    'forma54k_tryon10k_landmarks', 'imaterialist37k_landmarks_seg_pants',
    'humanparsing17k_landmarks_seg_pants',
    'humanparsing17k_imaterialist37k_tryon10k_landmarks_seg_pants'))
DATASETS = {name: row._replace(name=name) for name, row in _ROWS.items()}


def resolve(dataset_name, dataset_dir=None):
  """Returns the DatasetDescriptor of a name, a folder, or both.

  Args:
    dataset_name: row of `DATASETS`, a name of the user's own, any name for a folder with a
      dataset_info.json, or None or '' for what that file says.
    dataset_dir: folder of the records, or None. Sizes in its dataset_info.json replace the table's.

  Raises:
    ValueError: the name is not built in and the folder is absent or has no dataset_info.json,
      or the folder holds a dataset with other classes than the built-in one of this name.
  """
  row = DATASETS.get(dataset_name) or _user_row(dataset_name)
  info = dataset_info.read(dataset_dir) if dataset_dir else None
  if info is None:
    if row is None:
      if dataset_dir:
        shards.check_folder(dataset_dir)
      raise ValueError(_unknown_dataset_message(dataset_name, dataset_dir))
    return row
  found = _from_info(info)
  if row is None or dataset_name == info.name:
    if dataset_name and dataset_name != info.name:
      logging.info('Dataset %r: %s calls it %r.', dataset_name,
                   dataset_info.path_in(dataset_dir), info.name)
    return found
  if (row.num_classes, row.ignore_label) != (found.num_classes, found.ignore_label):
    raise ValueError(
        'Dataset %r has num_classes=%d and ignore_label=%d, but %s is of dataset %r with '
        'num_classes=%d and ignore_label=%d. Pass --dataset=%s or another --dataset_dir.'
        % (dataset_name, row.num_classes, row.ignore_label, dataset_info.path_in(dataset_dir),
           info.name, found.num_classes, found.ignore_label, info.name))
  return row._replace(splits_to_sizes=found.splits_to_sizes,
                      unlabelled_splits=found.unlabelled_splits)


def check_split(descriptor, split, dataset_dir):
  """Raises ValueError unless the dataset has the split; lists those it has."""
  if split not in descriptor.splits_to_sizes:
    raise ValueError('Dataset %r in %s has no split %r.%s Its splits: %s.' % (
        descriptor.name, dataset_dir, split, _hint(split, descriptor.splits_to_sizes),
        ', '.join(sorted(descriptor.splits_to_sizes))))


def register(name, dataset_dir):
  """Makes `name` stand for a folder that describes itself; returns the file.

  Raises ValueError if the name cannot be that of a file.
  """
  if not _USER_NAME.fullmatch(name) or name.startswith('.'):
    raise ValueError('A dataset cannot be registered as %r: use letters, digits, - and _ only.'
                     % name)
  path = _user_path(name)
  files.make_dirs(user_folder())
  files.write_text(path, json.dumps({'dataset_dir': files.absolute(dataset_dir)}) + '\n')
  return path


def user_entry(name):
  """Returns the UserEntry of a user's own name, or None; ValueError if its file is malformed."""
  if not name or name not in user_names():
    return None
  path = _user_path(name)
  content = json_text.read(path)
  if not isinstance(content, dict):
    raise ValueError('%s does not hold a JSON object.' % path)
  dataset_dir = content.pop('dataset_dir', None)
  if dataset_dir is not None and not isinstance(dataset_dir, str):
    raise ValueError("%s: 'dataset_dir' is %.80r, expected the path of a folder."
                     % (path, dataset_dir))
  dataset_dir = dataset_dir and os.path.expanduser(dataset_dir)
  if dataset_dir is not None and not content:
    return UserEntry(dataset_dir, None)
  return UserEntry(dataset_dir, dataset_info.described(content, path, name))


def user_names():
  """Returns the names that a user gave to datasets, sorted."""
  try:
    found = files.list_dir(user_folder())
  except OSError:
    return []
  return sorted(name[:-len(_USER_SUFFIX)] for name in found
                if name.endswith(_USER_SUFFIX) and not name.startswith('.'))


def user_folder():
  """Returns the folder of the names that a user gave to datasets."""
  root = os.environ.get('XDG_CONFIG_HOME') or os.path.join(os.path.expanduser('~'), '.config')
  return os.path.join(root, 'deeplab', 'datasets')


def _user_row(dataset_name):
  """Returns the DatasetDescriptor of a name of the user's own, or None."""
  entry = user_entry(dataset_name)
  if entry is None:
    return None
  info = entry.info or dataset_info.read(entry.dataset_dir)
  if info is None:
    raise ValueError('Dataset %r is registered for %s, which does not exist.'
                     % (dataset_name, dataset_info.path_in(entry.dataset_dir)))
  return _from_info(info)._replace(name=dataset_name)


def _user_path(name):
  return os.path.join(user_folder(), name + _USER_SUFFIX)


def _from_info(info):
  # A folder built from a built-in dataset still has that dataset's names, colours and ids.
  row = DATASETS.get(info.name, DatasetDescriptor({}, 0, 0))
  is_same = (row.num_classes, row.ignore_label) == (info.num_classes, info.ignore_label)
  test = info.splits.get(keys.TEST_SET)
  has_test_labels = test and (test.num_ignored_pixels or any(test.class_pixel_counts or ()))
  return DatasetDescriptor(
      splits_to_sizes={name: split.num_examples for name, split in info.splits.items()},
      num_classes=info.num_classes,
      ignore_label=info.ignore_label,
      class_names=info.class_names or (row.class_names if is_same else None),
      colormap=info.colormap or (row.colormap if is_same else None),
      train_id_to_eval_id=row.train_id_to_eval_id if is_same else None,
      name=info.name,
      unlabelled_splits=() if has_test_labels else (keys.TEST_SET,))


def _unknown_dataset_message(dataset_name, dataset_dir):
  where = dataset_info.path_in(dataset_dir) if dataset_dir else 'the dataset_dir'
  own = user_names()
  known = list(DATASETS) + own
  if not dataset_name:
    return ('No dataset name was given and there is no %s. Pass --dataset (%s), or a folder '
            'made by one of the dataset builders.' % (where, ', '.join(known)))
  return ('Unknown dataset %r.%s Built in: %s. In %s: %s. Any other name needs the %s that the '
          'dataset builders leave beside the records; %s does not exist.' % (
              dataset_name, _hint(dataset_name, known), ', '.join(DATASETS),
              user_folder(), ', '.join(own) or 'none', dataset_info.FILE_NAME, where))


def _hint(name, known):
  near = difflib.get_close_matches(str(name), list(known), n=1)
  return ' Did you mean %r?' % near[0] if near else ''
