"""Tests of the humanparsing17k builder on a tiny tree in the public layout."""
import io
import os
import random

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import registry
from deeplab.datasets.records import dataset_info, example
from deeplab.testing import forked_scripts

_ATR = ('background', 'hat', 'hair', 'sunglass', 'upper-clothes', 'skirt', 'pants', 'dress',
        'belt', 'left-shoe', 'right-shoe', 'face', 'left-leg', 'right-leg', 'left-arm',
        'right-arm', 'bag', 'scarf')
# Forma class ids of the names above.
_EXPECTED = np.array([0, 1, 4, 1, 2, 2, 8, 2, 2, 6, 6, 3, 3, 3, 5, 5, 1, 2], np.uint8)


def _run(raw, storage, by_variable=False):
  args, env = ['--raw_dir=%s' % raw, '--num_processes=1'], {}
  if by_variable:
    env['DEEPLAB_STORAGE_DIR'] = str(storage)
  else:
    args.append('--storage_dir=%s' % storage)
  result = forked_scripts.run('./datasets/build_humanparsing17k_data.py', *args, **env)
  return result.code, result.last_line


def _make_tree(folder, count=10):
  images = folder / 'humanparsing' / 'JPEGImages'
  labels = folder / 'humanparsing' / 'SegmentationClassAug'
  images.mkdir(parents=True)
  labels.mkdir()
  (folder / 'atr_label.txt').write_text(
      ''.join('%s %d\n' % (name, i) for i, name in enumerate(_ATR)))
  ids = {}
  for i in range(count):
    name = 'été %d' % i
    ids[name] = np.random.RandomState(i).randint(0, len(_ATR), (6, 8)).astype(np.uint8)
    Image.fromarray(np.full((6, 8, 3), 20 * i, np.uint8)).save(str(images / (name + '.jpg')))
    Image.fromarray(np.stack([ids[name]] * 3, axis=2)).save(str(labels / (name + '.png')))
  return ids


def test_records_hold_the_mapped_pixels_and_the_image_bytes(tmp_path):
  ids = _make_tree(tmp_path / 'raw')
  code, line = _run(tmp_path / 'raw', tmp_path / 'store', by_variable=True)
  assert code == 0, line
  assert '8 train, 1 trainval, 1 val' in line
  root = tmp_path / 'store' / 'datasets' / 'humanparsing17k'
  names = sorted(ids)
  random.Random(0).shuffle(names)
  wanted = {'train': sorted(names[:8]), 'trainval': names[8:9], 'val': names[9:]}
  for split, split_names in wanted.items():
    path, = registry.split_files(str(root / 'tfrecord'), split)
    assert os.path.basename(path) == split + '-00000-of-00001.tfrecord'
    records = list(example.read_records(path))
    assert [example.record_name(record) for record in records] == split_names
    listed = (root / 'dataset_split' / (split + '.txt')).read_bytes().decode('utf-8')
    assert listed.splitlines() == split_names
    for name, record in zip(split_names, records):
      label = np.array(Image.open(io.BytesIO(example.label_bytes(record))))
      np.testing.assert_array_equal(label, _EXPECTED[ids[name]])
      raw = tmp_path / 'raw' / 'humanparsing' / 'JPEGImages' / (name + '.jpg')
      assert example.image_bytes(record) == raw.read_bytes()
  info = dataset_info.read(str(root / 'tfrecord'))
  assert tuple(info.class_names) == registry.FORMA_CLASSES
  assert {s: i.num_examples for s, i in info.splits.items()} == {
      'train': 8, 'trainval': 1, 'val': 1}


def _drop_label(raw):
  (raw / 'humanparsing' / 'SegmentationClassAug' / 'été 3.png').unlink()


def _drop_class(raw):
  (raw / 'atr_label.txt').write_text('background 0\n')


def _break_list(raw):
  (raw / 'atr_label.txt').write_text('background zero\n')


def _repeat_id(raw):
  (raw / 'atr_label.txt').write_text('background 0\nhat 0\n')


def _drop_list(raw):
  (raw / 'atr_label.txt').unlink()


def _label_out_of_range(raw):
  Image.fromarray(np.full((6, 8), 40, np.uint8)).save(
      str(raw / 'humanparsing' / 'SegmentationClassAug' / 'été 3.png'))


@pytest.mark.parametrize('harm, message', [
    (_drop_label, "has no label for 1 of 10 images"),
    (_drop_class, 'does not have the classes expected: missing bag, belt'),
    (_break_list, "expected a class name and its id, got 'background zero'"),
    (_repeat_id, "atr_label.txt: 'hat 0' repeats a name or an id."),
    (_drop_list, 'cannot be read'),
    (_label_out_of_range, 'label values 40 (48 pixels)'),
])
def test_bad_input_is_one_line_and_not_described(tmp_path, harm, message):
  _make_tree(tmp_path / 'raw')
  harm(tmp_path / 'raw')
  code, line = _run(tmp_path / 'raw', tmp_path / 'store')
  assert code == 1
  assert line.startswith('build_humanparsing17k_data.py: error: ') and message in line, line
  root = tmp_path / 'store' / 'datasets' / 'humanparsing17k'
  info = dataset_info.read(str(root / 'tfrecord'))
  assert info is None or 'train' not in info.splits
  assert not (root / 'dataset_split').exists()


def test_too_few_images_are_one_line(tmp_path):
  _make_tree(tmp_path / 'raw', count=1)
  code, line = _run(tmp_path / 'raw', tmp_path / 'store')
  assert code == 1 and "Split 'train' of 'humanparsing17k' is empty" in line, line
