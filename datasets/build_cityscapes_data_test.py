"""Tests of the Cityscapes builder on a tiny tree in the public layout."""
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import registry
from deeplab.datasets.build_ade20k_data_test import assert_refused
from deeplab.datasets.records import example
from deeplab.testing import forked_scripts, tiny_trees

_TRAIN = ('bremen_000000_000019', 'bremen_000002_000019', 'ulm_000001_000019')
_VAL = ('münster_000000_000019',)


def _run(root, out, *args):
  """Runs the builder; returns the Result."""
  return forked_scripts.run('datasets/build_cityscapes_data.py', '--num_processes=1',
                            '--cityscapes_root=%s' % root, '--output_dir=%s' % out, *args)


def _check_records(root, out, split, names, ids):
  records = tiny_trees.read_records(out, split)
  assert [example.record_name(record) for record in records] == list(names)
  for name, record in zip(names, records):
    path, = (root / 'leftImg8bit' / split).glob('*/%s_leftImg8bit.png' % name)
    assert example.image_bytes(record) == path.read_bytes()
    np.testing.assert_array_equal(tiny_trees.label_of(record), ids[name])


@pytest.mark.parametrize('with_train_ids', [False, True])
def test_records_hold_train_ids(tmp_path, with_train_ids):
  root = tmp_path / 'city [1]'
  ids = tiny_trees.make_cityscapes(root, with_train_ids)
  if with_train_ids:
    for path in root.glob('gtFine/*/*/*_labelIds.png'):
      path.unlink()
  result = _run(root, tmp_path / 'out')
  assert result.code == 0, result.log
  assert ('ids in *_gtFine_labelIds.png are mapped' in result.log) != with_train_ids
  assert '(3 train, 1 val)' in result.last_line
  _check_records(root, tmp_path / 'out', 'train', _TRAIN, ids)
  _check_records(root, tmp_path / 'out', 'val', _VAL, ids)
  assert len(registry.split_files(str(tmp_path / 'out'), 'train')) == 3
  row = registry.resolve(None, str(tmp_path / 'out'))
  assert (row.name, row.num_classes, row.ignore_label) == ('cityscapes', 19, 255)
  assert row.train_id_to_eval_id == registry.DATASETS['cityscapes'].train_id_to_eval_id


def test_train_ids_that_only_some_images_have_are_left(tmp_path):
  ids = tiny_trees.make_cityscapes(tmp_path / 'city', with_train_ids=True)
  for path in (tmp_path / 'city').glob('gtFine/*/ulm/*_labelTrainIds.png'):
    path.unlink()
  result = _run(tmp_path / 'city', tmp_path / 'out')
  assert result.code == 0 and '3 of 4 images have a *_gtFine_labelTrainIds.png' in result.log
  _check_records(tmp_path / 'city', tmp_path / 'out', 'train', _TRAIN, ids)


def test_the_test_split_has_no_labels_and_comes_on_demand(tmp_path):
  tiny_trees.make_cityscapes(tmp_path / 'city')
  result = _run(tmp_path / 'city', tmp_path / 'out', '--with_test')
  assert result.code == 0 and '1 test, 3 train, 1 val' in result.last_line
  record, = tiny_trees.read_records(tmp_path / 'out', 'test')
  assert example.record_name(record) == 'bonn_000000_000019'
  assert example.label_bytes(record) == b''
  shutil.rmtree(str(tmp_path / 'city' / 'leftImg8bit' / 'test'))
  result = _run(tmp_path / 'city', tmp_path / 'other', '--with_test')
  assert result.code == 1 and 'There are no files' in result.last_line


def test_images_without_label_are_skipped_and_listed(tmp_path):
  root = tmp_path / 'city'
  tiny_trees.make_cityscapes(root)
  os.remove(str(root / 'gtFine/train/ulm/ulm_000001_000019_gtFine_labelIds.png'))
  result = _run(root, tmp_path / 'out', '--on_error=skip')
  assert result.code == 0, result.log
  assert len(tiny_trees.read_records(tmp_path / 'out', 'train')) == 2
  assert (tmp_path / 'out' / 'skipped_train.txt').read_text().startswith('ulm_000001_000019\t')


def _no_root(root):
  shutil.rmtree(str(root))


def _no_labels(root):
  shutil.rmtree(str(root / 'gtFine'))


def _no_val(root):
  shutil.rmtree(str(root / 'leftImg8bit' / 'val'))


def _no_label(root):
  os.remove(str(root / 'gtFine/train/ulm/ulm_000001_000019_gtFine_labelIds.png'))


def _no_image(root):
  os.remove(str(root / 'leftImg8bit/train/ulm/ulm_000001_000019_leftImg8bit.png'))


def _out_of_range(root):
  Image.fromarray(np.full(tiny_trees.SIZE, 40, np.uint8)).save(
      str(root / 'gtFine/train/ulm/ulm_000001_000019_gtFine_labelIds.png'))


@pytest.mark.parametrize('harm, message', [
    (_no_root, '_leftImg8bit.png: unpack leftImg8bit_trainvaltest.zip'),
    (_no_labels, '_gtFine_labelIds.png: unpack gtFine_trainvaltest.zip'),
    (_no_val, os.path.join('leftImg8bit', 'val', '*')),
    (_no_label, "no label (*_gtFine_labelIds.png) for 1 of 3 images: 'ulm/ulm_000001_000019'"),
    (_no_image, "no image for 1 of 3 labels: 'ulm/ulm_000001_000019'"),
    (_out_of_range, 'label values 40 (600 pixels); expected the 34 values of the label map'),
])
def test_bad_input_is_one_line_and_no_dataset(tmp_path, harm, message):
  tiny_trees.make_cityscapes(tmp_path / 'city')
  harm(tmp_path / 'city')
  result = _run(tmp_path / 'city', tmp_path / 'out')
  assert_refused(result, 'build_cityscapes_data.py', message, tmp_path / 'out')
