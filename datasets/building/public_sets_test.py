"""Tests of what the builders of the published sets share."""
import logging

import pytest

from deeplab.datasets import registry
from deeplab.datasets.building import public_sets
from deeplab.datasets.building.spec import DatasetSpec
from deeplab.datasets.records import dataset_info


@pytest.mark.parametrize('name', ['pascal_voc_seg', 'cityscapes', 'ade20k'])
def test_specs_have_what_the_registry_says(name):
  spec = public_sets.make_spec(name, {'train': []}, 7, {1: 2})
  row = registry.DATASETS[name]
  assert spec == DatasetSpec(name, {'train': []}, row.num_classes, row.ignore_label,
                             row.class_names, row.colormap, 7, {1: 2})


def test_only_unusual_numbers_of_records_are_warned_of(caplog):
  info = dataset_info.DatasetInfo('cityscapes', 19, 255, splits={
      'train': dataset_info.SplitInfo(2975), 'val': dataset_info.SplitInfo(499),
      'test': dataset_info.SplitInfo(3)})
  with caplog.at_level(logging.INFO, logger='absl'):
    public_sets.report(info, ['val', 'train', 'test'], 'out')
  assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
      ('WARNING', "Split 'val' has 499 records; the published cityscapes has 500."),
      ('INFO', 'Records of cityscapes (3 test, 2975 train, 499 val): out')]
