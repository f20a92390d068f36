"""Builds a raw dataset into TFRecord shards: in parallel, checked, resumable.

    build_dataset(DatasetSpec(name, {'train': [Example(...), ...]}, 21, 255), output_dir)

A shard is written under a temporary name and renamed; beside it `.build/<shard>.json` keeps
its counts and a fingerprint of what went into it, so that a second run keeps the shards that
are still right. `dataset_info.json` is written last.
"""
import hashlib
import json
import os

import numpy as np
from absl import logging

from deeplab.core import files, keys
from deeplab.datasets import dataset_info, parallel, shard_writer, shards
from deeplab.datasets.spec import DatasetSpec, Example

__all__ = ['DatasetSpec', 'Example', 'build_dataset']

# Part of every fingerprint: shards written by other rules are written again.
_RULES_VERSION = 2
_MANIFEST_FOLDER = '.build'


def build_dataset(spec, output_dir, num_processes=None, on_error=shard_writer.STOP):
  """Writes the shards of all splits of `spec` and the dataset_info.json; returns the info.

  Splits of an earlier build in `output_dir` that are not in `spec` stay.

  Args:
    spec: DatasetSpec.
    output_dir: folder of the records, made if absent.
    num_processes: number of worker processes; None: one per processor.
    on_error: 'stop' at an example that cannot be used, or 'skip' it; the skipped ones are
      counted in the log and listed in `skipped_<split>.txt`.

  Returns:
    dataset_info.DatasetInfo, as written.

  Raises:
    ValueError: the spec contradicts itself or the other splits in `output_dir`, or a file
      cannot be used. No dataset_info.json then names the splits of `spec`.
  """
  _check_spec(spec)
  if on_error not in shard_writer.ON_ERROR:
    raise ValueError('on_error must be one of %s, got %r.'
                     % (', '.join(shard_writer.ON_ERROR), on_error))
  _make_folder(output_dir)
  kept = _kept_info(spec, output_dir)
  plan = {split: _plan_split(spec, split, output_dir, on_error) for split in sorted(spec.splits)}
  planned = [shard for split in plan.values() for shard in split]
  fingerprints = {shard.path: _fingerprint(shard) for shard in planned}
  stats = {path: _read_stats(path, fingerprints[path]) for path in fingerprints}
  work = [(shard, fingerprints[shard.path]) for shard in planned if stats[shard.path] is None]
  if work:
    # From here on the folder does not hold what its info file says of these splits.
    _write_info(kept, output_dir)
    _remove_leftovers(output_dir, plan)
    built = parallel.run(_build_shard, work, [len(shard.examples) for shard, _ in work],
                         num_processes, 'Building %s' % spec.name)
    stats.update((shard.path, shard_stats) for (shard, _), shard_stats in zip(work, built))
  totals = {split: _total([stats[shard.path] for shard in split_plan])
            for split, split_plan in plan.items()}
  for split, total in totals.items():
    _report_skipped(total, split, output_dir)
  info = kept._replace(splits=dict(kept.splits, **{
      split: _split_info(totals[split], len(split_plan), spec)
      for split, split_plan in plan.items()}))
  _write_info(info, output_dir)
  return info


def _make_folder(path):
  try:
    os.makedirs(path, exist_ok=True)
  except OSError as error:
    raise ValueError('Folder %s cannot be made: %s.' % (path, error.strerror)) from error


def _check_spec(spec):
  """Raises ValueError for a spec that cannot be built whatever the files hold."""
  if not 0 < spec.num_classes <= 256:
    raise ValueError('num_classes must be in 1..256, got %r.' % (spec.num_classes,))
  if not 0 <= spec.ignore_label <= 255:
    raise ValueError('ignore_label must be in 0..255, got %r.' % (spec.ignore_label,))
  if spec.num_shards < 1:
    raise ValueError('num_shards must be at least 1, got %r.' % (spec.num_shards,))
  if spec.shard_size is not None and spec.shard_size < 1:
    raise ValueError('shard_size must be at least 1, got %r.' % (spec.shard_size,))
  if spec.class_names is not None and len(spec.class_names) != spec.num_classes:
    raise ValueError('class_names must hold %d names for num_classes=%d, got %d.'
                     % (spec.num_classes, spec.num_classes, len(spec.class_names)))
  targets = set((spec.label_map or {}).values())
  bad = sorted(t for t in targets if not 0 <= t < spec.num_classes and t != spec.ignore_label)
  if bad:
    raise ValueError('label_map maps to %s; expected 0..%d or the ignore label %d.'
                     % (bad, spec.num_classes - 1, spec.ignore_label))
  if not spec.splits:
    raise ValueError('Dataset %r has no splits to build.' % spec.name)
  for split, examples in spec.splits.items():
    _check_split(split, examples)


def _check_split(split, examples):
  if not split or '/' in split or split.startswith('.'):
    raise ValueError('%r cannot be the name of a split: it begins the file names.' % split)
  if not examples:
    raise ValueError('Split %r is empty: there are no examples to build.' % split)
  seen = set()
  for item in examples:
    if item.name in seen:
      raise ValueError('Split %r names the record %r twice.' % (split, item.name))
    seen.add(item.name)
    if item.label is None and split != keys.TEST_SET:
      raise ValueError('Record %r of split %r has no label; only split %r may have none.'
                       % (item.name, split, keys.TEST_SET))


def _kept_info(spec, output_dir):
  """Returns the info of `spec` with the splits of an earlier build that stay."""
  info = dataset_info.DatasetInfo(
      spec.name, spec.num_classes, spec.ignore_label, _plain(spec.class_names),
      _plain(spec.colormap), {})
  old = dataset_info.read(output_dir)
  others = {split: value for split, value in old.splits.items()
            if split not in spec.splits} if old else {}
  if not others:
    return info
  # Names and colours given once hold for the splits that follow.
  info = info._replace(class_names=info.class_names or old.class_names,
                       colormap=info.colormap or old.colormap, splits=others)
  for field in ('name', 'num_classes', 'ignore_label', 'class_names', 'colormap'):
    if getattr(info, field) != getattr(old, field) and getattr(old, field) is not None:
      raise ValueError(
          '%s holds splits %s with %s=%r, now %r was given. Use the same, or another folder.'
          % (dataset_info.path_in(output_dir), sorted(others), field, getattr(old, field),
             getattr(info, field)))
  return info


def _write_info(info, output_dir):
  if info.splits:
    dataset_info.write(info, output_dir)
  else:
    files.remove_if_present(dataset_info.path_in(output_dir))


def _plan_split(spec, split, output_dir, on_error):
  """Returns the Shards of one split, equally long but for the last."""
  examples = spec.splits[split]
  per_shard = spec.shard_size or -(-len(examples) // spec.num_shards)
  num_shards = -(-len(examples) // per_shard)
  return [
      shard_writer.Shard(
          os.path.join(output_dir, shards.shard_name(split, i, num_shards)),
          examples[i * per_shard:(i + 1) * per_shard], spec.num_classes, spec.ignore_label,
          spec.label_map, on_error)
      for i in range(num_shards)]


def _remove_leftovers(output_dir, plan):
  """Removes temporary files and shards of another numbering of the planned splits."""
  planned = {os.path.basename(shard.path) for split in plan.values() for shard in split}
  for split in plan:
    for name in shards.leftovers(output_dir, split, planned):
      files.remove_if_present(os.path.join(output_dir, name))
      files.remove_if_present(_manifest_path(os.path.join(output_dir, name)))


def _build_shard(piece, on_example):
  """Writes one shard and then its manifest, and returns its stats; for worker processes."""
  shard, fingerprint = piece
  manifest = _manifest_path(shard.path)
  files.remove_if_present(manifest)
  stats = shard_writer.write_shard(shard, on_example)
  os.makedirs(os.path.dirname(manifest), exist_ok=True)
  files.write_text(manifest, json.dumps({
      'fingerprint': fingerprint, 'num_bytes': os.path.getsize(shard.path),
      'stats': stats.to_json()}))
  return stats


def _read_stats(shard_path, fingerprint):
  """Returns the ShardStats of a shard that is finished and of this fingerprint, else None."""
  try:
    with open(_manifest_path(shard_path), encoding='utf-8') as f:
      manifest = json.load(f)
    if (manifest['fingerprint'] == fingerprint
        and manifest['num_bytes'] == os.path.getsize(shard_path)):
      return shard_writer.ShardStats.from_json(manifest['stats'])
  except (OSError, ValueError, KeyError, TypeError):
    return None  # No manifest that can be trusted: the shard is built again.
  return None


def _manifest_path(shard_path):
  folder, name = os.path.split(shard_path)
  return os.path.join(folder, _MANIFEST_FOLDER, name + '.json')


def _fingerprint(shard):
  """Returns a digest of everything the content of a shard depends on.

  Input files count by path, size and time of change: reading them would take as long as
  building.
  """
  digest = hashlib.sha256()
  digest.update(repr((_RULES_VERSION, shard.num_classes, shard.ignore_label, shard.on_error,
                      sorted((shard.label_map or {}).items()))).encode())
  for item in shard.examples:
    landmarks = item.landmarks
    if landmarks is not None and not isinstance(landmarks, str):
      landmarks = np.asarray(landmarks, np.float32).tolist()
    digest.update(repr((item.name, _file_state(item.image_path), _label_state(item.label),
                        _file_state(landmarks) if isinstance(landmarks, str) else landmarks)
                       ).encode('utf-8', 'surrogateescape'))
  return digest.hexdigest()


def _label_state(label):
  if label is None or isinstance(label, str):
    return _file_state(label)
  return label, [_file_state(path) for path in label.paths()]


def _file_state(path):
  if path is None:
    return None
  try:
    stat = os.stat(path)
  except OSError:
    return os.path.abspath(path), None  # The build itself reports it.
  return os.path.abspath(path), stat.st_size, stat.st_mtime_ns


def _total(stats):
  total = shard_writer.ShardStats()
  for shard_stats in stats:
    total.add(shard_stats)
  return total


def _report_skipped(total, split, output_dir):
  """Lists the skipped examples of a split; raises ValueError if none is left."""
  path = os.path.join(output_dir, 'skipped_%s.txt' % split)
  files.remove_if_present(path)
  if not total.skipped:
    return
  num_skipped = len(total.skipped)
  files.write_text(path, ''.join('%s\t%s\n' % (name, ' '.join(message.split()))
                                 for name, message in total.skipped))
  if not total.num_examples:
    raise ValueError('All %d examples of split %r were skipped; %s lists why, first: %s'
                     % (num_skipped, split, path, total.skipped[0][1]))
  logging.warning('Split %r: %d of %d examples skipped, listed in %s. First: %s', split,
                  num_skipped, num_skipped + total.num_examples, path, total.skipped[0][1])


def _split_info(total, num_shards, spec):
  """Returns the SplitInfo of the ShardStats of a whole split."""
  counts = total.pixel_counts
  num_ignored = int(counts[spec.ignore_label])
  class_counts = counts[:spec.num_classes].tolist()
  if spec.ignore_label < spec.num_classes:
    class_counts[spec.ignore_label] = 0
  heights, widths = _repeated(total.sizes)
  return dataset_info.SplitInfo(
      total.num_examples, num_shards,
      {name: [int(reduce(heights)), int(reduce(widths))]
       for name, reduce in (('min', np.min), ('median', np.median), ('max', np.max))},
      class_counts, num_ignored)


def _repeated(sizes):
  values = np.array(list(sizes.keys()))
  counts = list(sizes.values())
  return np.repeat(values[:, 0], counts), np.repeat(values[:, 1], counts)


def _plain(values):
  """Returns names or colours as JSON knows them: None, str or nested lists."""
  if values is None or isinstance(values, str):
    return values
  return [value if isinstance(value, str) else [int(x) for x in value] for value in values]
