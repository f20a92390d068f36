"""The quick look at the data before a run: counts told, heads of shards, numbers of records."""
import time

from absl import logging

from deeplab.datasets.checks import examination, rules
from deeplab.datasets.records import dataset_info, example, shards

_RECORDS_PER_SHARD = 2
# Records are decoded, and then counted, as long as this lasts; heads are looked at in any
# case. One image of one megapixel takes about 0.02 s.
_PIXELS_SECS = 0.4
_COUNT_SECS = 0.3


def check(files, split, descriptor, dataset_dir, skips_bad_records=False):
  """Stops if a first look finds what would harm training or evaluation; logs warnings.

  Args:
    files: the shards of the split.
    split: name of the split.
    descriptor: DatasetDescriptor.
    dataset_dir: folder of the shards.
    skips_bad_records: whether single records that cannot be used do no harm.

  Raises:
    ValueError: names what was found and where.
  """
  findings = rules.Findings()
  info = dataset_info.read(dataset_dir)
  if info is not None and split in info.splits:
    examination.judge_classes(info.splits, descriptor, findings, split)
  try:
    _look_at_first_records(files, descriptor.has_labels(split), descriptor, findings,
                           skips_bad_records)
    num_records = _count(files)
    if num_records is not None:
      examination.check_size(split, num_records, descriptor, info, findings)
  except ValueError as error:
    findings.add('corrupt_record', str(error))
  for name in findings.of_severity(rules.WARNING):
    logging.warning('%s %s', findings.named[name][0], rules.FINDINGS[name].text)
  errors = findings.sentences(rules.ERROR)
  if errors:
    more = ' (and %d more)' % (len(errors) - 1) if len(errors) > 1 else ''
    raise ValueError(
        '%s%s The whole picture: python -m deeplab.datasets.doctor --dataset_dir=%s. To go on '
        'all the same: --skip_data_check.' % (errors[0], more, dataset_dir))


def _look_at_first_records(files, has_label, descriptor, findings, skips_bad_records):
  end = time.monotonic() + _PIXELS_SECS
  for path in files:
    for index, record in enumerate(example.read_records(path)):
      if index >= _RECORDS_PER_SHARD:
        break
      facts = rules.inspect_record(
          record, rules.record_title(record, path, index), descriptor, has_label,
          with_pixels=time.monotonic() < end)
      for name, sentence in facts.problems:
        if not (skips_bad_records and rules.FINDINGS[name].severity == rules.ERROR):
          findings.add(name, sentence + rules.place(path, index))


def _count(files):
  """Returns the number of records of all files, or None if counting would take long."""
  end, total = time.monotonic() + _COUNT_SECS, 0
  for path in files:
    count = shards.count_records(path, end)
    if count is None:
      return None
    total += count
  return total
