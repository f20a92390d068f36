"""Tests of the script that renders and builds the sample dataset."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from deeplab.core import colormaps
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.datasets.building import builder
from deeplab.datasets.labels import pairs
from deeplab.datasets.labels.class_names import read_class_names
from deeplab.datasets.records import dataset_info, example
from deeplab.datasets.sample_people import contact_sheet, raw_folders, scene
from deeplab.testing import tiny_trees

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SETTINGS = raw_folders.Settings(seed=5, num_train=3, num_val=1)


def _run(*args):
  """Runs the script from the repository root; returns exit code and lines of stderr."""
  process = subprocess.Popen(
      [sys.executable, os.path.join('datasets', 'build_sample_data.py')] + list(args),
      cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  _, err = process.communicate()
  return process.returncode, err.decode('utf-8').strip().splitlines()


@pytest.fixture(scope='module')
def raw(tmp_path_factory):
  folder = tmp_path_factory.mktemp('sample') / 'raw'
  assert raw_folders.write(str(folder), _SETTINGS, num_processes=1) == 4
  return folder


def test_two_processes_write_the_same_bytes_as_one(raw, tmp_path):
  raw_folders.write(str(tmp_path / 'raw'), _SETTINGS, num_processes=2)
  assert tiny_trees.contents(tmp_path / 'raw') == tiny_trees.contents(raw)


def test_files_hold_the_rendered_picture(raw):
  picture = scene.render(5, 'train', 2)
  item = raw_folders.find_examples(str(raw), _SETTINGS)['train'][2]
  with Image.open(item.label) as labels, Image.open(item.image_path) as image:
    assert labels.mode == 'P'
    np.testing.assert_array_equal(np.asarray(labels), picture.labels)
    palette = np.array(labels.getpalette()).reshape(-1, 3)
    np.testing.assert_array_equal(palette[:9], colormaps.colormap('forma'))
    error = np.asarray(image).astype(float) - picture.image
    assert np.abs(error).mean() < 6
  points = pairs.read_landmarks(item.landmarks)
  np.testing.assert_allclose(points, picture.landmarks, atol=0.006)


def test_lists_name_the_pictures_and_classes(raw):
  assert (raw / 'splits' / 'train.txt').read_text().split() == [
      'train_00000', 'train_00001', 'train_00002']
  assert (raw / 'splits' / 'val.txt').read_text().split() == ['val_00000']
  names, colors = read_class_names(str(raw / 'classes.csv'))
  assert tuple(names) == registry.FORMA_CLASSES
  assert colors == colormaps.colormap('forma').tolist()


def test_missing_files_are_rendered_again_and_the_others_stay(raw, tmp_path):
  folder = tmp_path / 'raw'
  raw_folders.write(str(folder), _SETTINGS, 1)
  before = tiny_trees.contents(folder)
  os.remove(str(folder / 'labels' / 'train_00001.png'))
  (folder / 'images' / '.train_00002.jpg.77.tmp').write_bytes(b'half')
  kept = os.stat(str(folder / 'images' / 'train_00000.jpg')).st_mtime_ns
  assert raw_folders.write(str(folder), _SETTINGS, 1) == 1
  assert tiny_trees.contents(folder) == before
  assert os.stat(str(folder / 'images' / 'train_00000.jpg')).st_mtime_ns == kept
  assert raw_folders.write(str(folder), _SETTINGS, 1) == 0


def test_changed_settings_leave_what_a_fresh_run_would_write(raw, tmp_path):
  folder = tmp_path / 'raw'
  raw_folders.write(str(folder), _SETTINGS._replace(seed=6), 1)
  assert tiny_trees.contents(folder) != tiny_trees.contents(raw)
  assert raw_folders.write(str(folder), _SETTINGS, 1) == 4
  assert tiny_trees.contents(folder) == tiny_trees.contents(raw)
  assert raw_folders.write(str(folder), _SETTINGS._replace(num_train=1), 1) == 0
  assert sorted(os.listdir(str(folder / 'images'))) == ['train_00000.jpg', 'val_00000.jpg']


def test_a_folder_of_something_else_is_left_alone(tmp_path):
  (tmp_path / 'holiday.jpg').write_bytes(b'mine')
  with pytest.raises(ValueError, match='holds files that are not of this dataset'):
    raw_folders.write(str(tmp_path), _SETTINGS, 1)
  assert os.listdir(str(tmp_path)) == ['holiday.jpg']


def test_script_builds_records_and_a_contact_sheet(tmp_path):
  args = ['--output_dir=%s' % tmp_path, '--num_train=3', '--num_val=2', '--seed=5',
          '--num_processes=1', '--contact_sheet=%s' % (tmp_path / 'sheet.png')]
  code, lines = _run(*args)
  assert code == 0, lines
  row = registry.resolve(None, str(tmp_path / 'tfrecord'))
  assert row.splits_to_sizes == {'train': 3, 'val': 2}
  assert (row.num_classes, row.ignore_label, row.colormap) == (9, 255, 'forma')
  assert tuple(row.class_names) == registry.FORMA_CLASSES
  assert dataset_info.read(str(tmp_path / 'tfrecord')).name == 'sample_people'
  with Image.open(str(tmp_path / 'sheet.png')) as sheet:
    assert sheet.size[0] == 1200
  paths = registry.split_files(str(tmp_path / 'tfrecord'), 'train')
  records = [record for path in paths for record in example.read_records(path)]
  assert [example.record_name(r) for r in records] == ['train_00000', 'train_00001',
                                                       'train_00002']
  with tf.Graph().as_default(), tf.Session() as session:
    serialized = records[2].features.feature['image/landmarks'].bytes_list.value[0]
    points = session.run(tf.io.parse_tensor(serialized, tf.float32))
  np.testing.assert_allclose(points, scene.render(5, 'train', 2).landmarks, atol=0.006)
  code, lines = _run(*args)
  assert code == 0
  assert any('5 pictures, 0 of them rendered now' in line for line in lines)


@pytest.mark.parametrize('flag', ['--num_train=0', '--seed=spring'])
def test_bad_flags_are_one_line_and_write_nothing(tmp_path, flag):
  code, lines = _run('--output_dir=%s' % (tmp_path / 'out'), flag)
  assert code != 0
  assert len(lines) == 1 and flag[2:].split('=')[0] in lines[0], lines
  assert not (tmp_path / 'out').exists()


def test_an_output_dir_that_is_a_file_is_one_line(tmp_path):
  (tmp_path / 'out').write_text('a file')
  code, lines = _run('--output_dir=%s' % (tmp_path / 'out'), '--num_train=1', '--num_val=1')
  assert code == 1
  assert 'cannot be written' in lines[-1] and 'Traceback' not in ' '.join(lines)


def test_contact_sheet_shows_predictions_below_labels(raw, tmp_path):
  examples = raw_folders.find_examples(str(raw), _SETTINGS)['train'][:1]
  folder = tmp_path / 'predictions'
  folder.mkdir()
  with Image.open(examples[0].label) as label:
    Image.fromarray(np.full((label.height, label.width), 1, np.uint8)).save(
        str(folder / 'all_other.png'))
  plain, more = str(tmp_path / 'plain.png'), str(tmp_path / 'more.png')
  contact_sheet.write(plain, examples)
  contact_sheet.write(more, examples, predictions={
      examples[0].image_path: str(folder / 'all_other.png')})
  with Image.open(plain) as plain, Image.open(more) as more:
    assert more.height - plain.height == 194
    # The middle of the third row of the only column, in the middle of the sheet.
    red, green, blue = more.getpixel((more.width // 2, 2 * 194 + 95))
    # Below stand words and the colours of the classes.
    below = np.asarray(more)[3 * 194:].reshape(-1, 3)
  assert [255, 0, 255] in below.tolist() and below.sum(axis=1).min() < 150
  assert red > 200 and green < 60 and blue < 60


def test_contact_sheet_stops_at_its_rows(raw, tmp_path):
  examples = raw_folders.find_examples(str(raw), _SETTINGS)['train']
  contact_sheet.write(str(tmp_path / 'one.png'), examples * 10, num_rows=1)
  contact_sheet.write(str(tmp_path / 'two.png'), examples * 10, num_rows=2)
  heights = []
  for name in ('one.png', 'two.png'):
    with Image.open(str(tmp_path / name)) as sheet:
      heights.append(sheet.size[1])
  assert heights[1] - heights[0] == 388 and 388 + 24 <= heights[0] < 388 + 80
  with pytest.raises(ValueError, match='cannot be written'):
    contact_sheet.write(str(tmp_path / 'absent' / 'sheet.png'), examples)


def test_the_spec_is_an_ordinary_one(raw):
  splits = raw_folders.find_examples(str(raw), _SETTINGS)
  assert all(isinstance(item, builder.Example) for items in splits.values() for item in items)
  with open(splits['val'][0].landmarks, encoding='utf-8') as f:
    assert json.load(f)['point_names'][8:13] == [
        'right_hip', 'right_knee', 'right_ankle', 'left_hip', 'left_knee']
