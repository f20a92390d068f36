"""Tests of the combined Forma sets, run as programs on tiny built parts."""
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import registry
from deeplab.datasets.building.spec import Example
from deeplab.datasets.forma import storage as forma_storage
from deeplab.datasets.records import dataset_info, example
from deeplab.testing import forked_scripts

_SPLITS = forma_storage.SPLITS


def _run(script, storage):
  result = forked_scripts.run('./datasets/%s.py' % script, '--storage_dir=%s' % storage)
  return result.code, result.last_line


def _build_part(folder, name, value, filled=_SPLITS):
  splits = {split: [] for split in _SPLITS}
  for split, count in zip(filled, (value + 1, value, 1)):
    for i in range(count):
      path = str(folder / ('%s %s %d.png' % (name, split, i)))
      Image.fromarray(np.full((4 + value, 5, 3), value, np.uint8)).save(path)
      Image.fromarray(np.full((4 + value, 5), value, np.uint8)).save(path + '.label.png')
      splits[split].append(Example('%s %s %d' % (name, split, i), path, path + '.label.png'))
  forma_storage.build(str(folder), name, splits, num_processes=1)


def _records(folder, name, split):
  return [record.SerializeToString(deterministic=True)
          for path in registry.split_files(forma_storage.tfrecord_dir(str(folder), name), split)
          for record in example.read_records(path)]


@pytest.mark.parametrize('script, name, parts', [
    ('build_forma54k_data', 'forma54k', ('imaterialist37k', 'humanparsing17k')),
    ('build_forma54k_nsfw1k_data', 'forma55k',
     ('imaterialist37k', 'humanparsing17k', 'nsfw1k')),
    ('build_forma54k_tryon1k_data', 'forma54k_tryon1k', ('forma54k', 'tryon1k')),
    ('build_forma54k_nsfw1k_tryon1k_data', 'forma54k_nsfw1k_tryon1k',
     ('forma54k', 'nsfw1k', 'tryon1k')),
    ('build_forma54k_tryon10k_data', 'forma54k_tryon10k', ('forma54k', 'tryon10k')),
    ('build_forma54k_tryon10k_landmarks_data', 'forma54k_tryon10k_landmarks',
     ('humanparsing17k_landmarks', 'imaterialist37k_landmarks', 'tryon10k_landmarks')),
    ('build_humanparsing17k_imaterialist37k_tryon10k_landmarks_seg_pants',
     'humanparsing17k_imaterialist37k_tryon10k_landmarks_seg_pants',
     ('humanparsing17k_landmarks_seg_pants', 'imaterialist37k_landmarks_seg_pants',
      'tryon10k_landmarks')),
])
def test_the_records_are_those_of_the_parts(tmp_path, script, name, parts):
  for value, part in enumerate(parts, 1):
    _build_part(tmp_path, part, value)
  for _ in range(2):  # The second run finds the first one's files.
    code, line = _run(script, tmp_path)
    assert code == 0, line
  info = dataset_info.read(forma_storage.tfrecord_dir(str(tmp_path), name))
  assert info.name == name
  for split in _SPLITS:
    wanted = [record for part in parts for record in _records(tmp_path, part, split)]
    assert _records(tmp_path, name, split) == wanted
    assert info.splits[split].num_examples == len(wanted)
    listed = os.path.join(forma_storage.dataset_dir(str(tmp_path), name), 'dataset_split')
    with open(os.path.join(listed, split + '.txt')) as f:
      assert len(f.read().splitlines()) == len(wanted)
  assert info.splits['val'].class_pixel_counts[1:3] == [25, 30]
  assert info.splits['val'].present_pixel_counts[1:3] == [25, 30]
  assert info.splits['val'].image_sizes['max'] == [4 + len(parts), 5]
  leftovers = [f for f in os.listdir(forma_storage.tfrecord_dir(str(tmp_path), name))
               if f.endswith('.tmp')]
  assert not leftovers


def test_a_part_without_val_is_fine_where_it_is_known_to_have_none(tmp_path):
  _build_part(tmp_path, 'forma54k', 1)
  _build_part(tmp_path, 'tryon10k', 2, ('train',))
  code, line = _run('build_forma54k_tryon10k_data', tmp_path)
  assert code == 0, line
  info = dataset_info.read(forma_storage.tfrecord_dir(str(tmp_path), 'forma54k_tryon10k'))
  assert {s: i.num_examples for s, i in info.splits.items()} == {
      'train': 5, 'trainval': 1, 'val': 1}


def test_shards_are_copied_where_they_cannot_be_linked(tmp_path, monkeypatch):
  _build_part(tmp_path, 'imaterialist37k', 1)
  _build_part(tmp_path, 'humanparsing17k', 2)

  def refuse(*unused_args):
    raise OSError(18, 'Invalid cross-device link')

  monkeypatch.setattr(os, 'link', refuse)
  info = forma_storage.combine(str(tmp_path), 'forma54k')
  assert info.splits['train'].num_examples == 5
  wanted = [record for part in ('imaterialist37k', 'humanparsing17k')
            for record in _records(tmp_path, part, 'train')]
  assert _records(tmp_path, 'forma54k', 'train') == wanted


def test_parts_of_other_classes_cannot_be_combined(tmp_path):
  _build_part(tmp_path, 'imaterialist37k', 1)
  _build_part(tmp_path, 'humanparsing17k', 2)
  folder = forma_storage.tfrecord_dir(str(tmp_path), 'humanparsing17k')
  dataset_info.write(dataset_info.read(folder)._replace(ignore_label=200), folder)
  code, line = _run('build_forma54k_data', tmp_path)
  assert code == 1 and ("Parts 'imaterialist37k' and 'humanparsing17k' cannot be combined: "
                        'ignore_label is 255 and 200.') in line, line
  assert not os.path.exists(forma_storage.dataset_dir(str(tmp_path), 'forma54k'))


def test_shards_of_an_earlier_combination_go(tmp_path):
  _build_part(tmp_path, 'imaterialist37k', 1)
  _build_part(tmp_path, 'humanparsing17k', 2)
  folder = tmp_path / 'datasets' / 'forma54k' / 'tfrecord'
  folder.mkdir(parents=True)
  (folder / 'train-00002-of-00003.tfrecord').write_bytes(b'of three parts')
  forma_storage.combine(str(tmp_path), 'forma54k')
  assert sorted(path.name for path in folder.glob('train-*')) == [
      'train-00000-of-00002.tfrecord', 'train-00001-of-00002.tfrecord']


def test_a_shard_that_cannot_be_placed_is_named(tmp_path):
  _build_part(tmp_path, 'imaterialist37k', 1)
  _build_part(tmp_path, 'humanparsing17k', 2)
  folder = tmp_path / 'datasets' / 'forma54k' / 'tfrecord'
  (folder / 'train-00001-of-00002.tfrecord').mkdir(parents=True)
  with pytest.raises(ValueError, match='train-00001-of-00002.tfrecord cannot be written: '
                                       'Is a directory'):
    forma_storage.combine(str(tmp_path), 'forma54k')
  assert dataset_info.read(str(folder)) is None


def test_a_part_with_records_missing_is_an_error(tmp_path):
  _build_part(tmp_path, 'imaterialist37k', 1)
  _build_part(tmp_path, 'humanparsing17k', 2)
  folder = forma_storage.tfrecord_dir(str(tmp_path), 'humanparsing17k')
  info = dataset_info.read(folder)
  info.splits['train'] = info.splits['train']._replace(num_examples=9)
  dataset_info.write(info, folder)
  with pytest.raises(ValueError, match="split 'train' holds 3 records, .* says 9"):
    forma_storage.combine(str(tmp_path), 'forma54k')


def test_a_part_that_is_not_built_is_one_line(tmp_path):
  _build_part(tmp_path, 'imaterialist37k', 1)
  code, line = _run('build_forma54k_data', tmp_path)
  assert code == 1 and "Part 'humanparsing17k' is not built" in line, line
  assert not os.path.exists(forma_storage.dataset_dir(str(tmp_path), 'forma54k'))


def test_a_part_without_a_split_is_one_line(tmp_path):
  _build_part(tmp_path, 'imaterialist37k', 1)
  _build_part(tmp_path, 'humanparsing17k', 2)
  folder = forma_storage.tfrecord_dir(str(tmp_path), 'humanparsing17k')
  info = dataset_info.read(folder)
  del info.splits['trainval']
  dataset_info.write(info, folder)
  code, line = _run('build_forma54k_data', tmp_path)
  assert code == 1 and "Part 'humanparsing17k'" in line and 'no split trainval' in line, line
  assert not os.path.exists(forma_storage.dataset_dir(str(tmp_path), 'forma54k'))


@pytest.mark.parametrize('flag', ['--num_tasks=2', '--task_index=0', '--merge'])
def test_a_combined_set_cannot_be_shared_by_machines(tmp_path, flag):
  result = forked_scripts.run('datasets/build_forma54k_data.py', '--storage_dir=%s' % tmp_path,
                              flag)
  assert result.code == 2
  assert '%s: the shards of forma54k are those of its parts' % flag.split('=')[0] in (
      result.last_line)
  assert os.listdir(str(tmp_path)) == []


def test_a_set_can_be_combined_on_a_file_system_of_tensorflow(tmp_path):
  for value, part in enumerate(registry.FORMA_PARTS['forma54k'], 1):
    _build_part(tmp_path, part, value)
  forma_storage.combine('file://%s' % tmp_path, 'forma54k')
  folder = tmp_path / 'datasets' / 'forma54k'
  assert dataset_info.read(str(folder / 'tfrecord')).splits['train'].num_examples == 5
  assert sorted(os.listdir(str(folder / 'dataset_split'))) == [
      'train.txt', 'trainval.txt', 'val.txt']
