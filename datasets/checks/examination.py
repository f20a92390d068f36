"""The data doctor's examination: scans all records of a folder and judges the whole.

    examination = examine(dataset_dir, registry.resolve(None, dataset_dir))
"""
import collections
import typing

import numpy as np
from PIL import Image

from deeplab.core import colormaps, keys
from deeplab.core.jobs import parallel
from deeplab.core.storage import files
from deeplab.datasets.checks import rules
from deeplab.datasets.records import counts, dataset_info, example, shards

# Splits that measure; training must not have seen their images. 'trainval' is either, by
# dataset, so sharing images with it is only told.
_HELD_OUT = ('val', keys.TEST_SET)
_EITHER = ('trainval',)


class ShardScan(counts.RecordCounts):
  """What the records of one shard hold together; scans of shards add up."""

  def __init__(self):
    super().__init__()
    self.findings = rules.Findings()
    self.without_landmarks = []  # Titles of the records without landmarks.
    self.images = []  # (Hash of the pixels, title of the record) of images that could be decoded.

  def add_record(self, title, facts, ignore_label):
    """Adds the Facts of the next record."""
    self.count(facts.size, facts.pixel_counts, ignore_label)
    for name, sentence in facts.problems:
      self.findings.add(name, sentence)
    if not facts.has_landmarks:
      self.without_landmarks.append(title)
    if facts.image_hash is not None:
      self.images.append((facts.image_hash, title))

  @property
  def num_landmarks(self):
    """Number of records with landmarks."""
    return self.num_examples - len(self.without_landmarks)


class Examination(typing.NamedTuple):
  """What was found in a dataset."""
  dataset_dir: str  # Folder of the records.
  descriptor: typing.Any  # DatasetDescriptor the records were held against.
  info: typing.Optional[dataset_info.DatasetInfo]  # DatasetInfo of the folder, or None.
  scans: typing.Dict[str, ShardScan]  # Dict, split name -> ShardScan of all its shards together.
  # Dict, split name -> dataset_info.SplitInfo of what was read; image_sizes is None without an
  # image.
  splits: typing.Dict[str, dataset_info.SplitInfo]
  findings: rules.Findings  # Findings of everything.


def examine(dataset_dir, descriptor, only_split=None, num_processes=None):
  """Returns the Examination of the records in a folder.

  Memory grows by a few hundred bytes with every record, to find duplicates. `only_split` is the
  name of the one split to read, or None for all; `num_processes` the number of worker processes, or
  None for one per processor. Raises ValueError if the folder does not exist or holds no records of
  the split or at all.
  """
  info = dataset_info.read(dataset_dir)
  findings = rules.Findings()
  paths = _shards_by_split(dataset_dir, descriptor, info, only_split, findings)
  work = [(path, descriptor, descriptor.has_labels(split))
          for split in paths for path in paths[split]]
  found = parallel.run(_scan_shard, work, [_num_records(path) for path, _, _ in work],
                       num_processes, 'Examining %s' % descriptor.name,
                       may_fork=not files.is_remote(dataset_dir))
  scan_of = {path: scan for (path, _, _), scan in zip(work, found)}
  scans, splits = {}, {}
  for split in paths:
    scans[split] = ShardScan.total(scan_of[path] for path in paths[split])
    splits[split] = scans[split].split_info(
        len(paths[split]), descriptor.num_classes, descriptor.ignore_label)
    findings += scans[split].findings
    _judge_split(split, scans[split], splits[split], descriptor, info, findings)
  judge_classes(splits, descriptor, findings)
  _judge_landmarks(scans, findings)
  _judge_copies(scans, findings)
  return Examination(dataset_dir, descriptor, info, scans, splits, findings)


def check_size(split, num_records, descriptor, info, findings):
  """Adds a finding if a split has other than the number of records it should have.

  `info` is the DatasetInfo of the folder, or None.
  """
  expected = descriptor.splits_to_sizes.get(split)
  if not num_records:
    findings.add('empty_split', 'Split %r holds no records.' % split)
  elif expected is not None and num_records != expected:
    is_own = info is not None and split in info.splits
    findings.add(
        'split_size' if is_own else 'table_size', 'Split %r holds %d records, %s says %d.' % (
            split, num_records,
            dataset_info.FILE_NAME if is_own else 'the built-in dataset %s' % descriptor.name,
            expected))


def _shards_by_split(dataset_dir, descriptor, info, only_split, findings):
  """Returns dict, split name -> paths of its shards; splits without shards become findings."""
  if only_split:
    return {only_split: shards.split_files(dataset_dir, only_split)}
  shards.check_folder(dataset_dir)
  on_disk = set(shards.splits_in(dataset_dir))
  known = set(descriptor.splits_to_sizes)
  paths = {}
  for split in sorted(on_disk | known):
    if split not in known:
      findings.add('unknown_split', 'Split %r is on disk; dataset %s has the splits %s.'
                   % (split, descriptor.name, ', '.join(sorted(known))))
    try:
      paths[split] = shards.split_files(dataset_dir, split)
    except ValueError as error:
      if split in on_disk:
        findings.add('bad_shards', str(error))
      elif info is not None and split in info.splits:
        findings.add('missing_split', 'Split %r has no shards in %s.' % (split, dataset_dir))
      elif descriptor.splits_to_sizes[split] and split not in descriptor.optional_splits:
        findings.add('absent_split', 'Split %r of dataset %s has no shards in %s.'
                     % (split, descriptor.name, dataset_dir))
  if not paths and not on_disk:
    raise shards.no_records(dataset_dir, 'train')
  return paths


def _num_records(path):
  try:
    return shards.count_records(path)
  except ValueError:
    return 0  # Only for the progress bar; the scan says what is wrong.


def _scan_shard(piece, on_record):
  """Returns the ShardScan of (path, DatasetDescriptor, has_label); for `parallel.run`."""
  path, descriptor, has_label = piece
  scan = ShardScan()
  try:
    for index, record in enumerate(example.read_records(path)):
      title = rules.record_title(record, path, index)
      scan.add_record(title, rules.inspect_record(record, title, descriptor, has_label),
                      descriptor.ignore_label)
      on_record()
  except ValueError as error:
    scan.findings.add('corrupt_record', str(error))
  return scan


def _judge_split(split, scan, found, descriptor, info, findings):
  """Adds what the counts of one split tell, a ShardScan and the SplitInfo of it."""
  check_size(split, found.num_examples, descriptor, info, findings)
  values = np.flatnonzero(scan.pixel_counts)
  if _are_grey_colors(values, descriptor):
    findings.add('label_colors', 'Split %r has the label values %s.' % (
        split, ', '.join(map(str, values[:rules.MAX_NAMED]))))
  if info is None or split not in info.splits or not found.image_sizes:
    return
  told = info.splits[split]
  if told.image_sizes['max'] != found.image_sizes['max']:
    findings.add('stale_info', 'Split %r: the largest sides are %dx%d, %s says %dx%d (height x '
                               'width).' % (split, *found.image_sizes['max'],
                                            dataset_info.FILE_NAME, *told.image_sizes['max']))
  if told.class_pixel_counts != found.class_pixel_counts:
    findings.add('stale_info', 'Split %r: the pixel counts of the classes are not those of %s.'
                 % (split, dataset_info.FILE_NAME))


def _are_grey_colors(values, descriptor):
  """Whether the label values are the brightness of the dataset's or VOC's colours."""
  values = values[(values != 0) & (values != descriptor.ignore_label)]
  if len(values) < 2 or values.max() < descriptor.num_classes:
    return False
  for name in filter(None, (descriptor.colormap, 'pascal')):
    colors = colormaps.colormap(name, descriptor.num_classes)[np.newaxis]
    grey = np.asarray(Image.fromarray(colors).convert('L')).astype(int)
    # Programs round brightness differently.
    if np.isin(values, np.concatenate([grey - 1, grey, grey + 1])).all():
      return True
  return False


def judge_classes(splits, descriptor, findings, only_split=None):
  """Adds what pixel counts tell: splits and classes that cannot be learnt.

  `splits` is a dict, split name -> SplitInfo; those without counts are passed by. `descriptor` is a
  DatasetDescriptor or DatasetInfo. `only_split` names the one to judge on its own; None: all.
  """
  splits = {name: split for name, split in splits.items() if split.class_pixel_counts is not None}
  wanted = np.arange(descriptor.num_classes) != descriptor.ignore_label
  total = np.sum([split.class_pixel_counts for split in splits.values()], axis=0, dtype=np.int64)
  total = total * wanted
  present = np.flatnonzero(total)
  if len(present) == 1 and wanted.sum() > 1:
    num_ignored = sum(split.num_ignored_pixels for split in splits.values())
    findings.add('one_class', 'The only class with pixels is %d%s' % (
        present[0], _ignored_text(num_ignored, total.sum(), descriptor.ignore_label)))
  for name, split in splits.items():
    if only_split not in (None, name):
      continue
    classes = np.array(split.class_pixel_counts) * wanted
    if split.num_ignored_pixels and not classes.any():
      findings.add('no_labels', 'No label pixel of split %r is of a class, %d are ignored.'
                   % (name, split.num_ignored_pixels))
    absent = np.flatnonzero((classes == 0) & wanted)
    if name not in _HELD_OUT and classes.any() and len(absent):
      findings.add('absent_class', 'Split %r has no pixel of %s.' % (name, ', '.join(
          _class_title(i, descriptor) for i in absent)), count=len(absent))


def _ignored_text(num_ignored, num_labelled, ignore_label):
  """Returns how a sentence on the only class ends."""
  if not num_ignored:
    return '.'
  return (', %.1f %% of the pixels have the ignore label %d. If that marks objects in masks of two '
          'colours, build the records with --color_map, lines such as background,0,0,0 and '
          'NAME,255,255,255.'
          % (100.0 * num_ignored / (num_ignored + num_labelled), ignore_label))


def _class_title(index, descriptor):
  names = descriptor.class_names
  return 'class %d (%s)' % (index, names[index]) if names else 'class %d' % index


def _judge_landmarks(scans, findings):
  """Adds records without landmarks, in datasets that have them elsewhere."""
  has_some = any(scan.num_landmarks for scan in scans.values())
  for split, scan in scans.items():
    missing = scan.without_landmarks
    if has_some and missing:
      findings.add('missing_landmarks', 'Split %r: %d of %d records, the first: %s.' % (
          split, len(missing), scan.num_examples, ', '.join(missing[:rules.MAX_NAMED])),
                   count=len(missing))


def _judge_copies(scans, findings):
  """Adds images that occur more than once."""
  times = collections.Counter(
      image_hash for scan in scans.values() for image_hash, _ in scan.images)
  copies = collections.defaultdict(list)
  for split, scan in scans.items():
    for image_hash, title in scan.images:
      if times[image_hash] > 1:
        copies[image_hash].append((split, title))
  for places in copies.values():
    findings.add(_copies_name({split for split, _ in places}), 'One image: %s.' % ', '.join(
        '%s in %s' % (title, split) for split, title in places[:rules.MAX_NAMED]))


def _copies_name(splits):
  """Returns the name of the finding of one image in these splits."""
  if len(splits) == 1:
    return 'duplicate'
  held_out = splits.intersection(_HELD_OUT)
  trained = splits.difference(_HELD_OUT + _EITHER)
  return 'leak' if held_out and trained else 'overlap'
