"""Tests of dataset_info.json."""
import json

import pytest

from deeplab.datasets.records import dataset_info
from deeplab.testing import damage


def _info():
  split = dataset_info.SplitInfo(
      4, 2, {'min': [10, 20], 'median': [11, 21], 'max': [12, 22]}, [5, 0, 7], 3, [12, 0, 9])
  return dataset_info.DatasetInfo(
      'Straßen', 3, 255, ['a', 'b', 'ü'], [[0, 0, 0], [255, 0, 0], [0, 0, 9]], {'val': split},
      [-1.5, 800])


def test_what_is_written_is_read_back(tmp_path):
  dataset_info.write(_info(), str(tmp_path))
  assert dataset_info.read(str(tmp_path)) == _info()
  text = (tmp_path / 'dataset_info.json').read_text(encoding='utf-8')
  assert '"class_pixel_counts": [5, 0, 7]' in text
  assert json.loads(text)['format_version'] == 1


def test_names_and_colours_are_optional(tmp_path):
  info = _info()._replace(class_names=None, colormap=None)
  dataset_info.write(info, str(tmp_path))
  assert dataset_info.read(str(tmp_path)) == info


def test_a_folder_without_the_file_gives_none(tmp_path):
  assert dataset_info.read(str(tmp_path)) is None
  assert dataset_info.read(str(tmp_path / 'absent')) is None


@pytest.mark.parametrize('keys, value', [
    (['format_version'], 2),
    (['name'], ''),
    (['num_classes'], 0),
    (['num_classes'], True),
    (['ignore_label'], 256),
    (['class_names'], ['a']),
    (['colormap'], 'rainbow'),
    (['colormap'], [[0, 0, 0]]),
    (['colormap'], [[0, 0, 256]] * 3),
    (['image_range'], [9, 1]),
    (['image_range'], [1, '9']),
    (['image_range'], [1, 5, 9]),
    (['splits'], {}),
    (['splits', 'val'], 7),
    (['splits', 'val', 'num_examples'], -1),
    (['splits', 'val', 'num_shards'], '2'),
    (['splits', 'val', 'image_sizes'], {'min': [1, 1]}),
    (['splits', 'val', 'class_pixel_counts'], [1, 2]),
    (['splits', 'val', 'num_ignored_pixels'], None),
    (['splits', 'val', 'present_pixel_counts'], [1, 2]),
])
def test_malformed_fields_are_named(tmp_path, keys, value):
  dataset_info.write(_info(), str(tmp_path))
  path = tmp_path / 'dataset_info.json'
  content = json.loads(path.read_text(encoding='utf-8'))
  fields = content
  for key in keys[:-1]:
    fields = fields[key]
  fields[keys[-1]] = value
  path.write_text(json.dumps(content))
  with pytest.raises(ValueError) as error:
    dataset_info.read(str(tmp_path))
  assert str(path) in str(error.value)
  assert repr('.'.join(keys)) in str(error.value)


def test_files_of_earlier_versions_are_read(tmp_path):
  dataset_info.write(_info(), str(tmp_path))
  path = tmp_path / 'dataset_info.json'
  content = json.loads(path.read_text(encoding='utf-8'))
  del content['splits']['val']['present_pixel_counts']
  path.write_text(json.dumps(content))
  split = dataset_info.read(str(tmp_path)).splits['val']
  assert split == _info().splits['val']._replace(present_pixel_counts=None)


@pytest.mark.parametrize('data', [b'{', b'[]', b'', b'null', damage.NESTED_JSON])
def test_files_that_are_no_json_object_are_named(tmp_path, data):
  (tmp_path / 'dataset_info.json').write_bytes(data)
  with pytest.raises(ValueError, match='dataset_info.json'):
    dataset_info.read(str(tmp_path))
