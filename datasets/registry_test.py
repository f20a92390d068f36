"""Tests of the dataset registry."""
import json

import pytest

from deeplab.core import colormaps
from deeplab.datasets import registry
from deeplab.datasets.records import dataset_info
from deeplab.testing import forked_scripts

# split sizes in the order train, trainval, val, train_aug; classes; ignore label.
_EXPECTED = {
    'cityscapes': ((2975, None, 500, None), 19, 255),
    'pascal_voc_seg': ((1464, 2913, 1449, 10582), 21, 255),
    'ade20k': ((20210, None, 2000, None), 151, 0),
    'imaterialist37k': ((29606, 3701, 3701, None), 9, 255),
    'humanparsing17k': ((14164, 1771, 1771, None), 9, 255),
    'nsfw1k': ((1000, 100, 1, None), 9, 255),
    'tryon1k': ((1000, 100, 72, None), 9, 255),
    'forma54k': ((43770, 5472, 5472, None), 9, 255),
    'forma55k': ((44770, 5572, 5473, None), 9, 255),
    'forma54k_tryon1k': ((44770, 5572, 5544, None), 9, 255),
    'forma54k_nsfw1k_tryon1k': ((45770, 5672, 5545, None), 9, 255),
    'tryon10k': ((10000, 0, 0, None), 9, 255),
    'forma54k_tryon10k': ((53770, 5472, 5472, None), 9, 255),
    'forma54k_tryon10k_landmarks': ((53770, 5472, 5472, None), 9, 255),
    'imaterialist37k_landmarks_seg_pants': ((29606, 3701, 3701, None), 9, 255),
    'humanparsing17k_landmarks_seg_pants': ((14164, 1771, 1771, None), 9, 255),
    'humanparsing17k_imaterialist37k_tryon10k_landmarks_seg_pants':
        ((53770, 5472, 5472, None), 9, 255),
}


def _write_info(folder, name='streets', num_classes=3, ignore_label=255, **fields):
  split = dataset_info.SplitInfo(
      7, 2, {'min': [1, 1], 'median': [2, 2], 'max': [3, 3]}, [1] * num_classes, 0)
  dataset_info.write(dataset_info.DatasetInfo(
      name, num_classes, ignore_label, splits={'train': split}, **fields), str(folder))
  return str(folder)


def test_the_table_holds_the_17_sets_in_order():
  assert list(registry.DATASETS) == list(_EXPECTED)


@pytest.mark.parametrize('name', list(_EXPECTED))
def test_every_row_has_its_sizes_classes_and_colours(name):
  row = registry.resolve(name)
  sizes, num_classes, ignore_label = _EXPECTED[name]
  expected = {split: size for split, size in zip(
      ('train', 'trainval', 'val', 'train_aug'), sizes) if size is not None}
  if name == 'cityscapes':
    expected.update(train_fine=2975, train_coarse=22973, trainval_fine=3475,
                    trainval_coarse=23473, val_fine=500, test_fine=1525)
  assert row.splits_to_sizes == expected
  assert (row.name, row.num_classes, row.ignore_label) == (name, num_classes, ignore_label)
  assert row.class_names is None or len(set(row.class_names)) == num_classes
  assert len(colormaps.colormap(row.colormap)) >= num_classes
  assert row.train_id_to_eval_id is None or len(row.train_id_to_eval_id) == num_classes


def test_positional_descriptors_keep_the_first_three_fields():
  row = registry.DatasetDescriptor({'train': 1}, 2, 255)
  assert (row.splits_to_sizes, row.num_classes, row.ignore_label) == ({'train': 1}, 2, 255)


@pytest.mark.parametrize('split, counts, has_labels', [
    ('test', [0, 3, 0], True), ('test', [0, 0, 0], False), ('test-hard', [0, 0, 0], True),
    ('train', [1, 1, 1], True)])
def test_only_a_split_test_may_be_without_labels_and_the_info_tells(
    tmp_path, split, counts, has_labels):
  folder = _write_info(tmp_path)
  assert not registry.resolve(None, folder).has_labels('test')
  assert not registry.resolve('cityscapes').has_labels('test')
  info = dataset_info.read(folder)
  dataset_info.write(info._replace(splits={
      split: info.splits['train']._replace(class_pixel_counts=counts)}), folder)
  assert registry.resolve(None, folder).has_labels(split) == has_labels


@pytest.mark.parametrize('name', [None, '', 'streets', 'any other'])
def test_an_info_file_describes_a_dataset_that_is_not_built_in(tmp_path, name):
  folder = _write_info(tmp_path, class_names=['a', 'b', 'c'], colormap='forma')
  assert registry.resolve(name, folder) == registry.DatasetDescriptor(
      {'train': 7}, 3, 255, ['a', 'b', 'c'], 'forma', None, 'streets')


def test_an_info_file_of_a_built_in_name_goes_before_the_table(tmp_path):
  row = registry.resolve('cityscapes', _write_info(tmp_path, 'cityscapes', 19))
  assert row == registry.DATASETS['cityscapes']._replace(splits_to_sizes={'train': 7},
                                                         optional_splits=())


def test_an_info_file_of_another_name_gives_the_sizes_where_the_classes_agree(tmp_path):
  row = registry.resolve('pascal_voc_seg', _write_info(tmp_path, 'tiny voc', 21))
  assert row == registry.DATASETS['pascal_voc_seg']._replace(splits_to_sizes={'train': 7})


def test_an_info_file_of_other_classes_than_the_built_in_name_is_an_error(tmp_path):
  with pytest.raises(ValueError) as error:
    registry.resolve('pascal_voc_seg', _write_info(tmp_path, num_classes=11, ignore_label=11))
  for part in ("'pascal_voc_seg' has num_classes=21 and ignore_label=255", "dataset 'streets'",
               'num_classes=11 and ignore_label=11'):
    assert part in str(error.value)


def test_an_unknown_name_lists_the_known_ones_and_the_info_file(tmp_path):
  with pytest.raises(ValueError) as error:
    registry.resolve('cityscape', str(tmp_path))
  for part in ("Unknown dataset 'cityscape'", "Did you mean 'cityscapes'?", 'tryon10k',
               str(tmp_path / 'dataset_info.json'), 'does not exist'):
    assert part in str(error.value)


def test_no_name_needs_an_info_file(tmp_path):
  for name in (None, 'mine'):
    with pytest.raises(ValueError, match='nope. does not exist or is not a folder'):
      registry.resolve(name, str(tmp_path / 'nope'))
  with pytest.raises(ValueError, match='No dataset name was given'):
    registry.resolve(None, str(tmp_path))


def test_unknown_splits_list_the_known_ones():
  row = registry.resolve('cityscapes')
  registry.check_split(row, 'val', 'folder')
  with pytest.raises(ValueError, match="no split 'vall'. Did you mean 'val'. .*: .*train, .*val"):
    registry.check_split(row, 'vall', 'folder')


# Names that users give.


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CONFIG_HOME', str(tmp_path / 'config'))
  folder = tmp_path / 'config' / 'deeplab' / 'datasets'
  folder.mkdir(parents=True)
  return folder


def _records(folder):
  folder.mkdir()
  dataset_info.write(dataset_info.DatasetInfo('streets', 2, 255, ['sky', 'road'], splits={
      'train': dataset_info.SplitInfo(7, 1, {'min': [1, 1], 'median': [1, 1], 'max': [1, 1]},
                                      [1, 1], 0)}), str(folder))
  return str(folder)


def test_a_registered_folder_is_found_by_name(tmp_path):
  folder = _records(tmp_path / 'records')
  registry.register('my-streets', folder)
  assert registry.user_names() == ['my-streets']
  assert registry.user_entry('my-streets').dataset_dir == folder
  row = registry.resolve('my-streets')
  assert (row.name, row.num_classes, row.splits_to_sizes) == ('my-streets', 2, {'train': 7})


def test_a_written_description_needs_no_file_beside_the_records(settings):
  (settings / 'old.json').write_text(json.dumps(
      {'num_classes': 3, 'ignore_label': 0, 'splits': {'train': 90, 'val': 30},
       'class_names': ['a', 'b', 'c'], 'dataset_dir': '/data/old'}))
  assert registry.resolve('old') == registry.DatasetDescriptor(
      {'train': 90, 'val': 30}, 3, 0, ['a', 'b', 'c'], name='old')
  assert registry.user_entry('old').dataset_dir == '/data/old'


def test_an_unknown_name_lists_those_of_the_user(settings):
  (settings / 'old.json').write_text('{"dataset_dir": "/x"}')
  with pytest.raises(ValueError) as caught:
    registry.resolve('oldd')
  message = str(caught.value)
  assert "Did you mean 'old'?" in message and str(settings) + ': old.' in message
  assert 'pascal_voc_seg' in message


@pytest.mark.parametrize('text, message', [
    ('{', 'cannot be read as JSON'),
    ('[]', 'does not hold a JSON object'),
    ('{"dataset_dir": 3}', "'dataset_dir' is 3"),
    ('{"dataset_dir": "/absent"}', 'registered for /absent/dataset_info.json, which does not'),
    ('{"num_classes": 3}', "field 'ignore_label'"),
    ('{"num_classes": 3, "ignore_label": 0, "splits": {"train": -1}}', "field 'splits.train'"),
])
def test_unusable_entries_are_named(settings, text, message):
  (settings / 'old.json').write_text(text)
  with pytest.raises(ValueError) as caught:
    registry.resolve('old')
  assert message in str(caught.value)


@pytest.mark.parametrize('name', ['', '../x', '.x', 'a b'])
def test_names_are_file_names(tmp_path, name):
  with pytest.raises(ValueError, match='cannot be registered'):
    registry.register(name, str(tmp_path))


def test_counts_alone_are_not_enough_beside_the_records(tmp_path):
  folder = _records(tmp_path / 'records')
  path = dataset_info.path_in(folder)
  with open(path) as f:
    content = json.load(f)
  content['splits']['train'] = 7
  with open(path, 'w') as f:
    json.dump(content, f)
  with pytest.raises(ValueError, match='splits.train'):
    dataset_info.read(folder)


def test_scripts_name_an_unusable_entry_in_one_line(settings):
  (settings / 'streets.json').write_text('{')
  result = forked_scripts.run('datasets/doctor.py', '--dataset=streets',
                              XDG_CONFIG_HOME=str(settings.parent.parent))
  assert result.code == 1
  assert result.last_line.startswith('doctor.py: error: ')
  assert 'streets.json cannot be read as JSON' in result.last_line
  assert 'Traceback' not in result.log
