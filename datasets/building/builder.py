"""Builds a raw dataset into TFRecord shards: in parallel, checked, resumable.

    build_dataset(DatasetSpec(name, {'train': [Example(...), ...]}, 21, 255), output_dir)

A shard is written under a temporary name and renamed; its manifest tells a second run whether
it is still right. `dataset_info.json` is written last. Several machines share a build as
`spec` says.
"""
import os

from absl import logging

from deeplab.core.jobs import parallel
from deeplab.core.storage import files
from deeplab.datasets import registry
from deeplab.datasets.building import shard_writer
from deeplab.datasets.building import spec as specs
from deeplab.datasets.building.spec import BuildTask, DatasetSpec, Example
from deeplab.datasets.checks import examination, rules
from deeplab.datasets.labels import label_sources
from deeplab.datasets.records import dataset_info, image_range, shards

__all__ = ['BuildTask', 'DatasetSpec', 'Example', 'build_dataset', 'build_published_set',
           'log_shares']


def build_dataset(spec, output_dir, num_processes=None, on_error=specs.STOP,
                  task=specs.ALONE):
  """Writes the shards of all splits of `spec` and the dataset_info.json; returns the info.

  Splits of an earlier build in `output_dir` that are not in `spec` stay.

  Args:
    spec: DatasetSpec.
    output_dir: folder of the records, made if absent.
    num_processes: number of worker processes; None: one per processor.
    on_error: 'stop' at an example that cannot be used, or 'skip' it; the skipped ones are counted
      in the log and listed in `skipped_<split>.txt`.
    task: BuildTask: the shards to write where several machines share them, or a merge, which
      writes none. One of several tasks leaves the info to the merge, and returns None.

  Raises:
    ValueError: the spec contradicts itself or the other splits in `output_dir`, or a file cannot
      be used. No dataset_info.json then names the splits of `spec`. Or nothing that is annotated
      in a split can be drawn, or a shard to merge is missing, cut short or of another build;
      nothing is written then.
  """
  specs.check_task(task)
  specs.check(spec)
  if on_error not in specs.ON_ERRORS:
    raise ValueError('on_error must be one of %s, got %r.'
                     % (', '.join(specs.ON_ERRORS), on_error))
  kept = _kept_info(spec, output_dir)
  spec = spec._replace(image_range=image_range.resolve(
      spec.splits, spec.image_range, kept.image_range, num_processes))
  kept = kept._replace(image_range=spec.image_range)
  plan = {split: _plan_split(spec, split, output_dir, on_error) for split in sorted(spec.splits)}
  for split in plan:
    _require_annotations(spec, split)
  if task.merge:
    stats = _merged_stats(plan, output_dir, task)
    _remove_leftovers(output_dir, plan)
  else:
    with files.telling_of_disk(output_dir):
      files.make_dirs(output_dir)
    stats = _build_shards(plan, spec.name, kept, output_dir, num_processes, task)
  if task.is_part:
    logging.info('Task %d of %d: its %d of %d shards are in %s. When all tasks are done: %s '
                 '--num_tasks=%d --merge', task.task_index, task.num_tasks, len(stats),
                 sum(map(len, plan.values())), output_dir, task.command, task.num_tasks)
    return None
  totals = {split: shard_writer.ShardStats.total(stats[shard.path] for shard in split_plan)
            for split, split_plan in plan.items()}
  for split, total in totals.items():
    _report_skipped(total, split, plan[split], output_dir)
    _report_left_out(total, split, output_dir)
    _report_remarks(total, split)
  info = kept._replace(splits=dict(kept.splits, **{
      split: totals[split].split_info(len(split_plan), spec.num_classes, spec.ignore_label)
      for split, split_plan in plan.items()}))
  _write_info(info, output_dir)
  _report_classes(info)
  return info


def build_published_set(spec, output_dir, **options):
  """Builds the records of a row of `registry.DATASETS`, and logs where and how many they are.

  Warns of other numbers than the published ones. Arguments and errors as of `build_dataset`.
  """
  info = build_dataset(spec, output_dir, **options)
  if info is None:
    return
  published = registry.DATASETS[info.name].splits_to_sizes
  sizes = [(split, info.splits[split].num_examples) for split in sorted(spec.splits)]
  for split, found in sizes:
    if found != published.get(split, found):
      logging.warning('Split %r has %d records; the published %s has %d.', split, found,
                      info.name, published[split])
  logging.info('Records of %s (%s): %s', info.name, ', '.join(
      '%d %s' % (found, split) for split, found in sizes), output_dir)


def log_shares(info, split):
  """Logs how many records a split of a DatasetInfo has, and each class's share of its pixels."""
  found = info.splits[split]
  total = sum(found.class_pixel_counts) + found.num_ignored_pixels
  names = info.class_names or [''] * info.num_classes
  counts = found.class_pixel_counts if total else ()
  for i, count in enumerate(counts):
    logging.info('class %3d %-16s %6.2f %% of the pixels', i, names[i], 100.0 * count / total)
  if total:
    logging.info('ignored (%d)%13s %6.2f %% of the pixels', info.ignore_label, '',
                 100.0 * found.num_ignored_pixels / total)
  absent = [repr(names[i] or i) for i, count in enumerate(counts) if not count]
  if absent:
    logging.warning('Split %r has no pixel of the classes %s.', split, ', '.join(absent))
  logging.info('Split %r of dataset %r: %d records in %d shards.',
               split, info.name, found.num_examples, found.num_shards)


def _build_shards(plan, name, kept, output_dir, num_processes, task):
  """Writes the shards of a task that are not finished; returns dict, path -> ShardStats."""
  stats, unfinished = _finished_stats(plan, task)
  work = [piece for piece, _, _ in unfinished]
  if work:
    old = dataset_info.read(output_dir)
    if old is not None and set(old.splits).intersection(plan):
      # It would no longer be true of the others.
      _write_info(kept, output_dir)
    if task.is_part:
      _remove_temporaries(output_dir, [shard.path for shard, _ in work])
    else:
      _remove_leftovers(output_dir, plan)
    built = parallel.run(shard_writer.finish, work, [len(shard.examples) for shard, _ in work],
                         num_processes, 'Building %s' % name,
                         may_fork=not files.is_remote(output_dir))
    stats.update((shard.path, shard_stats) for (shard, _), shard_stats in zip(work, built))
  return stats


def _merged_stats(plan, output_dir, task):
  """Returns dict, path -> ShardStats of all shards; raises ValueError unless all are finished."""
  stats, unfinished = _finished_stats(plan, task)
  if unfinished:
    raise ValueError(specs.unfinished_message(
        [(number, os.path.basename(shard.path), problem)
         for (shard, _), number, problem in unfinished],
        len(stats) + len(unfinished), output_dir, task))
  return stats


def _finished_stats(plan, task):
  """Returns dict, path -> ShardStats of finished shards; others: ((Shard, digest), number, why)."""
  stats, unfinished = {}, []
  for number, shard in (pair for shards_of_split in plan.values()
                        for pair in enumerate(shards_of_split)):
    if task.merge or task.owns(number):
      fingerprint = shard_writer.fingerprint_of(shard)
      try:
        stats[shard.path] = shard_writer.read_finished(shard.path, fingerprint)
      except shard_writer.Unfinished as error:
        unfinished.append(((shard, fingerprint), number, str(error)))
  return stats, unfinished


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
                       colormap=info.colormap or old.colormap, splits=others,
                       image_range=old.image_range)
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
  return [shard_writer.Shard(
      os.path.join(output_dir, shards.shard_name(split, i, num_shards)),
      examples[i * per_shard:(i + 1) * per_shard], spec._replace(splits={}), on_error)
          for i in range(num_shards)]


def _require_annotations(spec, split):
  """Raises ValueError if annotations of a split are left out, and none, up to its end, is drawn."""
  left_out = []
  for item in spec.splits[split]:
    try:
      drawing = shard_writer.drawing_of(item, spec) if hasattr(item.label, 'read') else None
    except ValueError:
      continue  # The build itself reports it.
    if drawing is None or drawing.num_drawn:
      return
    left_out += [('%s of %s' % (name, item.name), reason) for name, reason in drawing.left_out]
  if left_out:
    raise ValueError('Split %r: none of its annotations can be drawn. %s.' % (
        split, '; '.join(label_sources.by_reason(left_out))))


def _remove_leftovers(output_dir, plan):
  """Removes temporary files and shards of another numbering of the planned splits."""
  planned = {os.path.basename(shard.path) for split in plan.values() for shard in split}
  for split in plan:
    for name in shards.leftovers(output_dir, split, planned):
      shard_writer.remove(os.path.join(output_dir, name))


def _remove_temporaries(output_dir, paths):
  """Removes what killed builds of these shards left; other tasks are writing theirs."""
  starts = tuple('.%s.' % os.path.basename(path) for path in paths)
  for name in files.list_dir(output_dir):
    if name.startswith(starts) and name.endswith(files.TEMPORARY_SUFFIX):
      files.remove_if_present(os.path.join(output_dir, name))


def _write_list(name, split, rows, output_dir):
  """Writes rows of words to `<name>_<split>.txt`, or removes the file; returns its path."""
  path = os.path.join(output_dir, '%s_%s.txt' % (name, split))
  files.remove_if_present(path)
  if rows:
    files.write_text(path, ''.join('\t'.join(row) + '\n' for row in rows))
  return path


def _report_skipped(total, split, split_plan, output_dir):
  """Lists the skipped examples of a split; if none is left, removes shards, raises ValueError."""
  path = _write_list('skipped', split, [(name, ' '.join(message.split()))
                                        for name, message in total.skipped], output_dir)
  num_skipped = len(total.skipped)
  if num_skipped and not total.num_examples:
    for shard in split_plan:
      shard_writer.remove(shard.path)
    raise ValueError('All %d examples of split %r were skipped; %s lists why, first: %s'
                     % (num_skipped, split, path, total.skipped[0][1]))
  if num_skipped:
    logging.warning('Split %r: %d of %d examples skipped, listed in %s. First: %s', split,
                    num_skipped, num_skipped + total.num_examples, path, total.skipped[0][1])


def _report_left_out(total, split, output_dir):
  """Lists the annotations of a split that were not drawn, and warns of them."""
  path = _write_list('left_out', split, total.left_out, output_dir)
  if total.left_out:
    logging.warning('Split %r: %d of its annotations left out, %d drawn; %s lists them:', split,
                    len(total.left_out), total.num_drawn, path)
  for line in label_sources.by_reason([('%s of %s' % (name, record), reason)
                                       for record, name, reason in total.left_out]):
    logging.warning('  %s', line)


def _report_remarks(total, split):
  """Warns of what was noticed of the examples of a split."""
  for text in sorted({text for _, text in total.remarks}):
    names = [name for name, remark in total.remarks if remark == text]
    logging.warning('Split %r: %d examples: %s %s', split, len(names), text,
                    label_sources.shown(names))


def _report_classes(info):
  """Warns of labels that training would stop at."""
  findings = rules.Findings()
  examination.judge_classes(info.splits, info, findings)
  for sentence in findings.sentences(rules.ERROR):
    logging.warning('%s', sentence)


def _plain(values):
  """Returns names or colours as JSON knows them: None, str or nested lists."""
  if values is None or isinstance(values, str):
    return values
  return [value if isinstance(value, str) else [int(x) for x in value] for value in values]
