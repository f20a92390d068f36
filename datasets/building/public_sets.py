"""What the builders of the published sets share: their row of the registry, and its sizes."""
from absl import logging

from deeplab.datasets import registry
from deeplab.datasets.building import builder


def make_spec(name, splits, num_shards, label_map=None):
  """Returns the DatasetSpec of a built-in dataset.

  Args:
    name: row of `registry.DATASETS`.
    splits: dict, split name -> list of Example.
    num_shards: number of shards per split.
    label_map: dict, value in the label file -> class id or ignore label, or None.
  """
  row = registry.DATASETS[name]
  return builder.DatasetSpec(
      name=name, splits=splits, num_classes=row.num_classes, ignore_label=row.ignore_label,
      class_names=row.class_names, colormap=row.colormap, num_shards=num_shards,
      label_map=label_map)


def build(spec, output_dir, options):
  """Builds the records of a published set and reports on them, unless this is one of many tasks.

  Args:
    spec: DatasetSpec of `make_spec`.
    output_dir: folder of the records.
    options: dict, more arguments of `builder.build_dataset`.

  Raises:
    ValueError: a picture or label is not as the set was published.
  """
  info = builder.build_dataset(spec, output_dir, **options)
  if info:
    report(info, spec.splits, output_dir)


def report(info, splits, output_dir):
  """Logs how many records the splits have and where they are; warns of unusual numbers.

  Args:
    info: dataset_info.DatasetInfo of what was built.
    splits: names of the splits that were built.
    output_dir: folder of the records.
  """
  published = registry.DATASETS[info.name].splits_to_sizes
  for split in sorted(splits):
    found = info.splits[split].num_examples
    if found != published.get(split, found):
      logging.warning('Split %r has %d records; the published %s has %d.', split, found,
                      info.name, published[split])
  logging.info('Records of %s (%s): %s', info.name, ', '.join(
      '%d %s' % (info.splits[split].num_examples, split) for split in sorted(splits)),
      output_dir)
