"""Tests of the quick look that training and evaluation take at their records."""
import os
import time

import pytest

from deeplab.datasets import registry
from deeplab.datasets.checks import in_runs, rules
from deeplab.datasets.doctor_test import DEFECTS, SAMPLES, record_of, write_split
from deeplab.datasets.records import dataset_info, shards
from deeplab.testing import slow, tiny_run


def look(folder, split='val'):
  descriptor = registry.resolve(None, str(folder))
  in_runs.quick_look(registry.split_files(str(folder), split), split, descriptor, str(folder))


@pytest.mark.parametrize('name', sorted(DEFECTS))
def test_quick_look_stops_on_errors_alone(tmp_path, name):
  record, says = DEFECTS[name]
  write_split(tmp_path, [record] + [record_of(s) for s in SAMPLES[1:]])
  if rules.FINDINGS[name].severity == rules.WARNING:
    look(tmp_path)
    return
  with pytest.raises(ValueError) as raised:
    look(tmp_path)
  assert str(raised.value).startswith('Record tiny/000: ')
  assert says in str(raised.value)
  assert '--skip_data_check' in str(raised.value)


def test_quick_look_compares_sizes_with_the_info_file(tmp_path):
  write_split(tmp_path, [record_of(s) for s in SAMPLES[:2]])
  with pytest.raises(ValueError, match="'val' holds 2 records, dataset_info.json says 3"):
    look(tmp_path)


def test_quick_look_takes_well_under_a_second(tmp_path):
  write_split(tmp_path, [record_of(s) for s in SAMPLES])
  path = str(tmp_path / shards.shard_name('val', 0, 1))
  with open(path, 'rb') as stream:
    data = stream.read()
  os.remove(path)
  for i in range(100):
    with open(str(tmp_path / shards.shard_name('val', i, 100)), 'wb') as stream:
      stream.write(data)
  info = dataset_info.read(str(tmp_path))
  split = info.splits['val']._replace(num_examples=300, num_shards=100)
  dataset_info.write(info._replace(splits={'val': split}), str(tmp_path))
  start = time.process_time()
  look(tmp_path)
  assert time.process_time() - start < 1.0


def test_without_time_for_pixels_the_heads_tell_of_palettes(tmp_path, monkeypatch):
  monkeypatch.setattr(in_runs, '_PIXELS_SECS', -1)
  record, _ = DEFECTS['label_encoding']
  write_split(tmp_path, [record] + [record_of(s) for s in SAMPLES[1:]])
  with pytest.raises(ValueError, match='Record tiny/000: the label is a palette picture.'):
    look(tmp_path)
  # Whose values are in the pixels.
  record, _ = DEFECTS['label_range']
  write_split(tmp_path, [record] + [record_of(s) for s in SAMPLES[1:]])
  look(tmp_path)


def test_records_are_not_counted_where_that_takes_long(tmp_path, monkeypatch):
  monkeypatch.setattr(in_runs, '_COUNT_SECS', -1)
  write_split(tmp_path, [record_of(s) for s in SAMPLES[:2]])
  look(tmp_path)


def _tell_counts(folder, counts, num_ignored=0, split='val'):
  """Writes sound records, and other pixel counts of a split into their dataset_info.json."""
  write_split(folder, [record_of(s) for s in SAMPLES], others=['train'])
  info = dataset_info.read(str(folder))
  counts = (counts + [0] * info.num_classes)[:info.num_classes]
  splits = dict.fromkeys(('train', 'val'), info.splits['val']._replace(
      class_pixel_counts=[0] * info.num_classes, num_ignored_pixels=0))
  splits[split] = splits[split]._replace(class_pixel_counts=counts, num_ignored_pixels=num_ignored)
  dataset_info.write(info._replace(splits=splits), str(folder))


def test_quick_look_stops_at_one_class_by_the_counts_told(tmp_path):
  _tell_counts(tmp_path, [60], 40)
  with pytest.raises(ValueError, match='The only class with pixels is 0, 40.0 % of the pixels '
                                       'have the ignore label 255. .* --color_map') as raised:
    look(tmp_path)
  assert '--skip_data_check' in str(raised.value)
  _tell_counts(tmp_path, [60])
  with pytest.raises(ValueError, match='The only class with pixels is 0. The whole picture'):
    look(tmp_path)
  _tell_counts(tmp_path, [60, 40])
  look(tmp_path)


def test_quick_look_stops_at_a_split_of_ignored_pixels_by_the_counts_told(tmp_path):
  _tell_counts(tmp_path, [], 40)
  with pytest.raises(ValueError, match="No label pixel of split 'val' is of a class, 40 are"):
    look(tmp_path)
  # Of no concern to others.
  _tell_counts(tmp_path, [], 40, 'train')
  look(tmp_path)


@slow.only_if_asked_on_tf1
def test_training_and_evaluation_look_first_unless_told_not_to(tmp_path):
  write_split(tmp_path, [record_of(s) for s in SAMPLES[:2]])
  folder = '--dataset_dir=%s' % tmp_path
  train = [folder, '--train_logdir=%s' % (tmp_path / 'run'), '--train_split=val',
           '--train_crop_size=33,33', '--train_batch_size=1', '--training_number_of_steps=1',
           ] + list(tiny_run.MODEL_FLAGS)
  stopped, passed = tiny_run.run_main('train', train, train + ['--skip_data_check'])
  assert stopped.startswith("Split 'val' holds 2 records")
  assert passed == ''
  evaluate = [folder, '--checkpoint_dir=%s' % (tmp_path / 'run'), '--eval_crop_size=49,65',
              '--eval_logdir=%s' % (tmp_path / 'eval'), '--max_number_of_evaluations=1',
              ] + list(tiny_run.MODEL_FLAGS)
  stopped, passed = tiny_run.run_main('eval', evaluate, evaluate + ['--skip_data_check'])
  assert stopped.startswith("Split 'val' holds 2 records")
  assert passed == ''
