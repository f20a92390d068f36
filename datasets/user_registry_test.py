"""Tests of the names that users give to datasets."""
import json

import pytest

from deeplab.datasets import dataset_info, registry, user_registry
from deeplab.testing import forked_scripts


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
  user_registry.register('my-streets', folder)
  assert user_registry.names() == ['my-streets']
  assert user_registry.read('my-streets').dataset_dir == folder
  row = registry.resolve('my-streets')
  assert (row.name, row.num_classes, row.splits_to_sizes) == ('my-streets', 2, {'train': 7})


def test_a_written_description_needs_no_file_beside_the_records(settings):
  (settings / 'old.json').write_text(json.dumps(
      {'num_classes': 3, 'ignore_label': 0, 'splits': {'train': 90, 'val': 30},
       'class_names': ['a', 'b', 'c'], 'dataset_dir': '/data/old'}))
  assert registry.resolve('old') == registry.DatasetDescriptor(
      {'train': 90, 'val': 30}, 3, 0, ['a', 'b', 'c'], name='old')
  assert user_registry.read('old').dataset_dir == '/data/old'


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
    user_registry.register(name, str(tmp_path))


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
