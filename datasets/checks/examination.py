"""The data doctor's examination: scans all records of a folder and judges the whole.

    examination = examine(dataset_dir, registry.resolve(None, dataset_dir))
"""
import collections
import typing

import numpy as np

from deeplab.core import keys
from deeplab.core.jobs import parallel
from deeplab.core.storage import files
from deeplab.datasets.checks import findings as data_findings
from deeplab.datasets.checks import scan as record_scan
from deeplab.datasets.records import dataset_info, example, shards

# Splits that measure; training must not have seen their images. 'trainval' is either, by
# dataset, so sharing images with it is only told.
_HELD_OUT = ('val', keys.TEST_SET)
_EITHER = ('trainval',)


class SplitResult(typing.NamedTuple):
  """What was found in one split.

  Attributes:
    scan: ShardScan of all its shards together.
    num_shards: number of shards read.
    expected_records: number of records it should have, or None where nothing tells.
  """
  scan: record_scan.ShardScan
  num_shards: int
  expected_records: typing.Optional[int]


class Examination(typing.NamedTuple):
  """What was found in a dataset.

  Attributes:
    dataset_dir: folder of the records.
    descriptor: DatasetDescriptor the records were held against.
    info: DatasetInfo of the folder, or None.
    splits: dict, split name -> SplitResult.
    findings: Findings of everything.
  """
  dataset_dir: str
  descriptor: typing.Any
  info: typing.Optional[dataset_info.DatasetInfo]
  splits: typing.Dict[str, SplitResult]
  findings: data_findings.Findings

  @property
  def harms_training(self):
    """Whether there is a finding that harms training or evaluation."""
    return bool(self.findings.of_severity(data_findings.ERROR))


def examine(dataset_dir, descriptor, only_split=None, num_processes=None):
  """Returns the Examination of the records in a folder.

  Memory does not grow with the number of records, but for 30 bytes each to find duplicates.

  Args:
    dataset_dir: folder of the records.
    descriptor: DatasetDescriptor.
    only_split: name of the one split to read, or None for all.
    num_processes: number of worker processes; None: one per processor.

  Raises:
    ValueError: the folder does not exist or holds no records of the split or at all.
  """
  info = dataset_info.read(dataset_dir)
  findings = data_findings.Findings()
  paths = _shards_by_split(dataset_dir, descriptor, info, only_split, findings)
  work = [(path, descriptor, descriptor.has_labels(split))
          for split in paths for path in paths[split]]
  scans = parallel.run(record_scan.scan_shard, work, [_num_records(path) for path, _, _ in work],
                       num_processes, 'Examining %s' % descriptor.name,
                       may_fork=not files.is_remote(dataset_dir))
  scan_of = {path: scan for (path, _, _), scan in zip(work, scans)}
  splits = {split: _split_result(split, [scan_of[path] for path in paths[split]], descriptor)
            for split in paths}
  for split, result in splits.items():
    findings.merge(result.scan.findings)
    _judge_split(split, result, descriptor, info, findings)
  judge_classes({split: result.scan.pixel_counts for split, result in splits.items()},
                descriptor, findings)
  _judge_landmarks(splits, findings)
  _judge_copies(paths, scan_of, findings)
  return Examination(dataset_dir, descriptor, info, splits, findings)


def check_size(split, num_records, descriptor, info, findings):
  """Adds a finding if a split has other than the number of records it should have.

  Args:
    split: name of the split.
    num_records: number of records counted.
    descriptor: DatasetDescriptor.
    info: DatasetInfo of the folder, or None.
    findings: Findings that are added to.
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
      elif descriptor.splits_to_sizes[split]:
        findings.add('absent_split', 'Split %r of dataset %s has no shards in %s.'
                     % (split, descriptor.name, dataset_dir))
  if not paths and not on_disk:
    raise ValueError('dataset_dir %r holds no records (files like %s). Build the dataset first '
                     'or pass the folder of its .tfrecord files.'
                     % (dataset_dir, shards.shard_name('train', 0, 1)))
  return paths


def _num_records(path):
  try:
    return shards.count_records(path)
  except ValueError:
    return 0  # Only for the progress bar; the scan says what is wrong.


def _split_result(split, scans, descriptor):
  total = record_scan.ShardScan()
  for scan in scans:
    total.merge(scan)
  return SplitResult(total, len(scans), descriptor.splits_to_sizes.get(split))


def _judge_split(split, result, descriptor, info, findings):
  """Adds what the counts of one split tell."""
  scan = result.scan
  check_size(split, scan.num_records, descriptor, info, findings)
  counts = scan.pixel_counts.copy()
  if record_scan.labels_are_grey_colors(counts, descriptor):
    values = np.flatnonzero(counts)
    findings.add('label_colors', 'Split %r has the label values %s.' % (
        split, ', '.join(str(v) for v in values[:data_findings.MAX_NAMED])))
  counts[descriptor.ignore_label] = 0
  if info is None or split not in info.splits or not scan.heights:
    return
  told = info.splits[split]
  largest = [max(scan.heights), max(scan.widths)]
  if list(told.image_sizes['max']) != largest:
    findings.add('stale_info', 'Split %r: the largest sides are %dx%d, %s says %dx%d (height x '
                               'width).' % ((split,) + tuple(largest) + (
                                   dataset_info.FILE_NAME,) + tuple(told.image_sizes['max'])))
  if list(told.class_pixel_counts) != counts[:descriptor.num_classes].tolist():
    findings.add('stale_info', 'Split %r: the pixel counts of the classes are not those of %s.'
                 % (split, dataset_info.FILE_NAME))


def judge_classes(counts_of, descriptor, findings, only_split=None):
  """Adds what pixel counts tell: splits and classes that cannot be learnt.

  Args:
    counts_of: dict, split name -> [256] array, label pixels per value.
    descriptor: DatasetDescriptor or DatasetInfo.
    findings: Findings that are added to.
    only_split: name of the one split to judge on its own; None: all.
  """
  wanted = np.arange(descriptor.num_classes) != descriptor.ignore_label
  total = sum(counts_of.values(), np.zeros(256, np.int64))
  present = np.flatnonzero((total[:descriptor.num_classes] > 0) & wanted)
  if len(present) == 1 and wanted.sum() > 1:
    findings.add('one_class', 'The only class with pixels is %d%s' % (
        present[0], _ignored_text(total, descriptor.ignore_label)))
  for split in [only_split] if only_split else counts_of:
    counts = counts_of[split]
    classes = np.where(wanted, counts[:descriptor.num_classes], 0)
    num_ignored = int(counts[descriptor.ignore_label])
    if num_ignored and num_ignored == counts.sum():
      findings.add('no_labels', 'All %d label pixels of split %r are ignored.'
                   % (num_ignored, split))
    absent = np.flatnonzero((classes == 0) & wanted)
    if split in _HELD_OUT or not classes.any() or not len(absent):
      continue
    findings.add('absent_class', 'Split %r has no pixel of %s.' % (split, ', '.join(
        _class_title(i, descriptor) for i in absent)), count=len(absent))


def counts_in(info):
  """Returns `counts_of` for `judge_classes` of the splits of a DatasetInfo that have counts."""
  counts_of = {}
  for name, split in info.splits.items():
    if split.class_pixel_counts is not None:
      counts_of[name] = np.zeros(256, np.int64)
      counts_of[name][:len(split.class_pixel_counts)] = split.class_pixel_counts
      counts_of[name][info.ignore_label] = split.num_ignored_pixels
  return counts_of


def _ignored_text(counts, ignore_label):
  """Returns how a sentence on the only class ends."""
  share = counts[ignore_label] / counts.sum()
  if not share:
    return '.'
  return (', %.1f %% of the pixels have the ignore label %d. If that marks objects in masks of two '
          'colours, build the records with --color_map, lines such as background,0,0,0 and '
          'NAME,255,255,255.' % (100 * share, ignore_label))


def _class_title(index, descriptor):
  names = descriptor.class_names
  return 'class %d (%s)' % (index, names[index]) if names else 'class %d' % index


def _judge_landmarks(splits, findings):
  """Adds records without landmarks, in datasets that have them elsewhere."""
  if not any(result.scan.num_landmarks for result in splits.values()):
    return
  for split, result in splits.items():
    missing = result.scan.num_records - result.scan.num_landmarks
    if missing:
      findings.add('missing_landmarks', 'Split %r: %d of %d records, the first: %s.' % (
          split, missing, result.scan.num_records, ', '.join(result.scan.without_landmarks)),
                   count=missing)


def _judge_copies(paths, scan_of, findings):
  """Adds images that occur more than once, named by their records."""
  places = [(split, path) for split in paths for path in paths[split]]
  tables = [scan_of[path].hashes for _, path in places]
  rows = np.concatenate([np.zeros(0, record_scan.HASH_DTYPE)] + tables)
  shard_of_row = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
  # Stable, so that copies stay in the order of their records.
  order = np.argsort(rows['hash'], kind='stable')
  ordered = rows['hash'][order]
  starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]]))
  named = []
  for start, end in zip(starts[:-1], starts[1:]):
    if end - start > 1:
      group = [(places[shard_of_row[row]], int(rows['record'][row]))
               for row in order[start:end]]
      name = _copies_name({split for (split, _), _ in group})
      if findings.counts[name] < data_findings.MAX_NAMED:
        named.append((name, group[:data_findings.MAX_NAMED]))
      findings.counts[name] += 1
  _name_copies(named, findings)


def _copies_name(splits):
  """Returns the name of the finding of one image in these splits."""
  if len(splits) == 1:
    return 'duplicate'
  held_out = splits.intersection(_HELD_OUT)
  trained = splits.difference(_HELD_OUT + _EITHER)
  return 'leak' if held_out and trained else 'overlap'


def _name_copies(named, findings):
  """Adds the sentences of (finding, places of one image) that are counted already."""
  wanted = collections.defaultdict(set)
  for _, group in named:
    for (_, path), index in group:
      wanted[path].add(index)
  titles = {(path, index): record_scan.record_title(record, path, index)
            for path, indices in wanted.items()
            for index, record in zip(range(max(indices) + 1), example.read_records(path))
            if index in indices}
  for name, group in named:
    places = ['%s in %s' % (titles[path, index], split) for (split, path), index in group]
    findings.add(name, 'One image: %s.' % ', '.join(places), count=0)
