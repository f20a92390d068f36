"""Where the Forma sets are stored, and how one is split, built, or put together from others.

`storage_dir` is the root of the stored sets; None: the environment variable or the default.
"""
import os
import random

from absl import logging

from deeplab.core.storage import files, json_text
from deeplab.datasets import registry
from deeplab.datasets.building import builder
from deeplab.datasets.records import dataset_info, example, shards

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


def split_in_tenths(examples, seed):
  """Returns a dict, split -> examples by name: 80/10/10, after a shuffle if seed is not None."""
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

  Examples without a file stay without landmarks. Those whose file has the status 'failure' are left
  out. Raises ValueError if the folder does not exist or a file is not JSON.
  """
  if not files.is_dir(landmarks_dir):
    raise ValueError('Folder of landmarks %r does not exist.' % landmarks_dir)
  kept, num_absent, num_failed = {}, 0, 0
  for split, examples in splits.items():
    kept[split] = []
    for item in examples:
      path = os.path.join(landmarks_dir, item.image_stem + '.json')
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

  One of several tasks writes records alone, and returns None. `splits` is a dict, split -> list of
  Example, `label_map` as in `spec.DatasetSpec`; `build_options` are of `builder.build_dataset`.
  Splits empty by the registry are left out; ValueError on other empty ones and unusable files.
  """
  for split, examples in splits.items():
    if not examples and not _expects_empty(name, split):
      raise ValueError('Split %r of %r is empty: there are too few images to divide.'
                       % (split, name))
  info = builder.build_dataset(builder.DatasetSpec(
      name=name, splits={split: examples for split, examples in splits.items() if examples},
      num_classes=len(registry.FORMA_CLASSES), ignore_label=registry.FORMA_IGNORE_LABEL,
      class_names=registry.FORMA_CLASSES, colormap='forma', shard_size=_SHARD_SIZE,
      label_map=label_map), tfrecord_dir(storage_dir, name), **build_options)
  if info is None:
    return None
  _finish(storage_dir, name, info, {split: [item.name for item in examples]
                                    for split, examples in splits.items()})
  return info


def combine(storage_dir, name):
  """Links, or else copies, the shards of the parts of the set `name` into it; returns its info.

  Sizes are counted from the records. A part may lack a split that is empty by the registry.
  Raises ValueError if a part is not built, lacks a split, has other classes than the first part, or
  holds more or fewer records than it says.
  """
  parts = registry.FORMA_PARTS[name]
  folders = [tfrecord_dir(storage_dir, part) for part in parts]
  infos = [_read_part(part, folder) for part, folder in zip(parts, folders)]
  for part, info in zip(parts, infos):
    for field in ('num_classes', 'ignore_label', 'class_names'):
      values = getattr(infos[0], field), getattr(info, field)
      if values[0] != values[1]:
        raise ValueError('Parts %r and %r cannot be combined: %s is %r and %r.'
                         % (parts[0], part, field, *values))
  held = {split: [(folder, info.splits[split]) for folder, info in zip(folders, infos)
                  if split in info.splits] for split in SPLITS}
  held = {split: holders for split, holders in held.items() if holders}
  record_names = {split: [record for folder, info in held[split]
                          for record in _record_names(folder, split, info)] for split in held}
  output_dir = tfrecord_dir(storage_dir, name)
  files.make_dirs(output_dir)
  # From here on the folder does not hold what an older info file says.
  files.remove_if_present(dataset_info.path_in(output_dir))
  for split, holders in held.items():
    _place_split([path for folder, _ in holders for path in shards.split_files(folder, split)],
                 split, output_dir)
  info = infos[0]._replace(name=name, splits={
      split: _sum([info for _, info in holders]) for split, holders in held.items()})
  dataset_info.write(info, output_dir)
  _finish(storage_dir, name, info, record_names)
  return info


def _finish(storage_dir, name, info, record_names):
  """Writes `dataset_split/<split>.txt` of a dict, split -> record names; logs what it holds."""
  folder = os.path.join(dataset_dir(storage_dir, name), 'dataset_split')
  files.make_dirs(folder)
  for split in SPLITS:
    files.write_text(os.path.join(folder, split + '.txt'),
                     ''.join(line + '\n' for line in record_names.get(split, ())))
  sizes = ', '.join('%d %s' % (info.splits[split].num_examples, split)
                    for split in SPLITS if split in info.splits)
  logging.info('%s: %s. Described in %s.', name, sizes,
               dataset_info.path_in(tfrecord_dir(storage_dir, name)))


def _expects_empty(name, split):
  """Whether a set is known to have no records in a split, as tryon10k, all of train."""
  base = name.replace('_landmarks', '')
  row = registry.DATASETS.get(name) or registry.DATASETS.get(base)
  return row is not None and row.splits_to_sizes.get(split) == 0


def _read_part(part, folder):
  info = dataset_info.read(folder) if files.is_dir(folder) else None
  if info is None:
    raise ValueError('Part %r is not built: %s does not exist. Run its builder first.'
                     % (part, dataset_info.path_in(folder)))
  missing = [split for split in SPLITS
             if split not in info.splits and not _expects_empty(part, split)]
  if missing:
    raise ValueError('Part %r in %s has no split %s. Build all of %s first.'
                     % (part, folder, ', '.join(missing), ', '.join(SPLITS)))
  return info


def _record_names(folder, split, info):
  names = [example.record_name(record) for path in shards.split_files(folder, split)
           for record in example.read_records(path)]
  if len(names) != info.num_examples:
    raise ValueError('%s: split %r holds %d records, its dataset_info.json says %d. Build it '
                     'again.' % (folder, split, len(names), info.num_examples))
  return names


def _place_split(sources, split, output_dir):
  """Makes the shards of a split hard links of `sources`, or copies on another file system."""
  names = [shards.shard_name(split, i, len(sources)) for i in range(len(sources))]
  for name in shards.leftovers(output_dir, split, set(names)):
    files.remove_if_present(os.path.join(output_dir, name))
  for source, name in zip(sources, names):
    target = os.path.join(output_dir, name)
    with files.telling_of_disk(target):
      files.link_or_copy(source, target)


def _sum(splits):
  """Returns the SplitInfo of several together; the median size is of the largest part."""
  largest = max(splits, key=lambda split: split.num_examples)
  sizes = {'median': largest.image_sizes['median']}
  for name, reduce in (('min', min), ('max', max)):
    sizes[name] = [reduce(sides) for sides in zip(*[s.image_sizes[name] for s in splits])]
  present = [s.present_pixel_counts for s in splits]
  return dataset_info.SplitInfo(
      sum(s.num_examples for s in splits), sum(s.num_shards for s in splits), sizes,
      _sums([s.class_pixel_counts for s in splits]),
      sum(s.num_ignored_pixels for s in splits), None if None in present else _sums(present))


def _sums(rows):
  return [sum(column) for column in zip(*rows)]
