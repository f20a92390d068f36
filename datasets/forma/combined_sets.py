"""Puts the shards of several built sets together as one set, without copying where possible."""
import os

from absl import logging

from deeplab.core.storage import files
from deeplab.datasets.forma import storage
from deeplab.datasets.records import dataset_info, example, shards

# Set -> the sets it is put together from.
PARTS = {
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


def combine(storage_dir, name):
  """Links, or else copies, the shards of the PARTS of the set `name` into it; returns its info.

  Sizes are counted from the records. Splits are those of `storage.SPLITS`; a part may
  lack one that is empty by the registry.

  Args:
    storage_dir: root of the stored sets, or None for the default.
    name: row of `PARTS`.

  Raises:
    ValueError: a part is not built, lacks a split, has other classes than the first part,
      or holds more or fewer records than it says.
  """
  parts = PARTS[name]
  folders = [storage.tfrecord_dir(storage_dir, part) for part in parts]
  infos = [_read_part(part, folder) for part, folder in zip(parts, folders)]
  for part, info in zip(parts, infos):
    _check_alike(part, info, parts[0], infos[0])
  splits = [split for split in storage.SPLITS if any(split in i.splits for i in infos)]
  holders = {split: [(folder, info) for folder, info in zip(folders, infos)
                     if split in info.splits] for split in splits}
  sources = {split: [path for folder, _ in holders[split]
                     for path in shards.split_files(folder, split)] for split in splits}
  names = {split: [record for folder, info in holders[split]
                   for record in _record_names(folder, split, info)] for split in splits}
  output_dir = storage.tfrecord_dir(storage_dir, name)
  files.make_dirs(output_dir)
  # From here on the folder does not hold what an older info file says.
  files.remove_if_present(dataset_info.path_in(output_dir))
  for split in splits:
    _place_split(sources[split], split, output_dir)
  info = infos[0]._replace(name=name, splits={
      split: _sum([part.splits[split] for _, part in holders[split]]) for split in splits})
  storage.write_split_lists(storage_dir, name, names)
  dataset_info.write(info, output_dir)
  logging.info('%s: %s. Described in %s.', name, storage.describe_sizes(info),
               dataset_info.path_in(output_dir))
  return info


def _read_part(part, folder):
  info = dataset_info.read(folder) if files.is_dir(folder) else None
  if info is None:
    raise ValueError('Part %r is not built: %s does not exist. Run its builder first.'
                     % (part, dataset_info.path_in(folder)))
  missing = [split for split in storage.SPLITS
             if split not in info.splits and not storage.expects_empty(part, split)]
  if missing:
    raise ValueError('Part %r in %s has no split %s. Build all of %s first.'
                     % (part, folder, ', '.join(missing), ', '.join(storage.SPLITS)))
  return info


def _check_alike(part, info, first_part, first):
  for field in ('num_classes', 'ignore_label', 'class_names'):
    if getattr(info, field) != getattr(first, field):
      raise ValueError('Parts %r and %r cannot be combined: %s is %r and %r.'
                       % (first_part, part, field, getattr(first, field), getattr(info, field)))


def _record_names(folder, split, info):
  names = [example.record_name(record) for path in shards.split_files(folder, split)
           for record in example.read_records(path)]
  if len(names) != info.splits[split].num_examples:
    raise ValueError('%s: split %r holds %d records, its dataset_info.json says %d. Build it '
                     'again.' % (folder, split, len(names), info.splits[split].num_examples))
  return names


def _place_split(sources, split, output_dir):
  names = [shards.shard_name(split, i, len(sources)) for i in range(len(sources))]
  for name in shards.leftovers(output_dir, split, set(names)):
    files.remove_if_present(os.path.join(output_dir, name))
  for source, name in zip(sources, names):
    _place(source, os.path.join(output_dir, name))


def _place(source, target):
  """Makes `target` a hard link of `source`, or a copy on another file system."""
  try:
    files.link_or_copy(source, target)
  except OSError as error:
    raise ValueError('%s cannot be written: %s.' % (target, os.strerror(error.errno)
                     if error.errno else error)) from error


def _sum(splits):
  """Returns the SplitInfo of several together; the median size is of the largest part."""
  largest = max(splits, key=lambda split: split.num_examples)
  sizes = {'median': largest.image_sizes['median']}
  for name, reduce in (('min', min), ('max', max)):
    sizes[name] = [reduce(side) for side in zip(*[s.image_sizes[name] for s in splits])]
  present = [s.present_pixel_counts for s in splits]
  return dataset_info.SplitInfo(
      sum(s.num_examples for s in splits), sum(s.num_shards for s in splits), sizes,
      _sums([s.class_pixel_counts for s in splits]),
      sum(s.num_ignored_pixels for s in splits), None if None in present else _sums(present))


def _sums(rows):
  return [sum(column) for column in zip(*rows)]
