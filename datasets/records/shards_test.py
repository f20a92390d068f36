"""Tests of shard names."""
import os

import pytest

from deeplab.datasets import registry
from deeplab.datasets.records import shards


def _touch(folder, *names):
  for name in names:
    (folder / name).write_bytes(b'')


def _names(paths):
  return [os.path.basename(path) for path in paths]


def test_shard_names_have_five_digits():
  assert shards.shard_name('train', 3, 12) == 'train-00003-of-00012.tfrecord'


def test_only_files_of_the_split_are_listed(tmp_path):
  _touch(tmp_path, 'train-00001-of-00002.tfrecord', 'train-00000-of-00002.tfrecord',
         'train_aug-00000-of-00001.tfrecord', 'train-extra-00000-of-00001.tfrecord',
         'trainval-00000-of-00001.tfrecord', 'dataset_info.json', 'train-list.txt',
         '.train-00000-of-00002.tfrecord.17.tmp', 'train-00000-of-00002.tfrecord.tmp')
  assert _names(registry.split_files(str(tmp_path), 'train')) == [
      'train-00000-of-00002.tfrecord', 'train-00001-of-00002.tfrecord']
  assert _names(shards.split_files(str(tmp_path), 'train-extra')) == [
      'train-extra-00000-of-00001.tfrecord']
  assert shards.splits_in(str(tmp_path)) == ['train', 'train-extra', 'train_aug', 'trainval']


def test_shards_without_numbers_or_suffix_count(tmp_path):
  _touch(tmp_path, 'val-00000-of-00001', 'val-more.tfrecord')
  assert _names(shards.split_files(str(tmp_path), 'val')) == [
      'val-00000-of-00001', 'val-more.tfrecord']


def test_the_split_of_a_shard_is_the_longest_name_that_fits():
  splits = ['test', 'test-hard', 'train']
  for name, split in (('test-00000-of-00001.tfrecord', 'test'), ('test-x.tfrecord', 'test'),
                      ('test-hard-00000-of-00001', 'test-hard'), ('val-x.tfrecord', None),
                      ('test-hard-x.tfrecord', 'test-hard')):
    assert shards.split_of('folder/' + name, splits) == split


@pytest.mark.parametrize('files, message', [
    (None, 'does not exist'),
    ([], 'holds no records'),
    (['val-00000-of-00001.tfrecord'], "no records of split 'train' .* Splits found: val"),
    (['train-00000-of-00003.tfrecord', 'train-00002-of-00003.tfrecord'],
     'lacks 1 of 3 shards, the first is train-00001-of-00003.tfrecord'),
    (['train-00000-of-00001.tfrecord', 'train-00000-of-00002.tfrecord'],
     'mixes shards of two builds'),
])
def test_unusable_folders_say_what_is_wrong(tmp_path, files, message):
  folder = tmp_path / 'records'
  if files is not None:
    folder.mkdir()
    _touch(folder, *files)
  with pytest.raises(ValueError, match=message):
    shards.split_files(str(folder), 'train')


def test_leftovers_are_temporary_files_and_other_numberings_of_the_split(tmp_path):
  _touch(tmp_path, '.train-00000-of-00002.tfrecord.17.tmp', 'train-00000-of-00004.tfrecord',
         'train-00000-of-00002.tfrecord', 'val-00000-of-00004.tfrecord')
  assert shards.leftovers(str(tmp_path), 'train', {'train-00000-of-00002.tfrecord'}) == [
      '.train-00000-of-00002.tfrecord.17.tmp', 'train-00000-of-00004.tfrecord']
