"""Tests of the ADE20K builder on a tiny tree in the public layout."""
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import registry
from deeplab.datasets.records import dataset_info, example
from deeplab.testing import forked_scripts, tiny_trees


def assert_refused(result, script, message, out):
  """Checks that a forked_scripts.Result is one line with `message`, and that `out` has no dataset.
  """
  assert result.code == 1
  assert result.last_line.startswith('%s: error: ' % script)
  assert message in result.last_line, result.last_line
  assert 'Traceback' not in result.log
  assert dataset_info.read(str(out)) is None
  assert not list(out.parent.rglob('*.tmp'))


def _run(root, out, *args):
  """Runs the builder; returns the Result."""
  return forked_scripts.run(
      'datasets/build_ade20k_data.py', '--num_processes=1', '--output_dir=%s' % out,
      '--train_image_folder=%s' % (root / 'images' / 'training'),
      '--train_image_label_folder=%s' % (root / 'annotations' / 'training'),
      '--val_image_folder=%s' % (root / 'images' / 'validation'),
      '--val_image_label_folder=%s' % (root / 'annotations' / 'validation'), *args)


def _names(out, split):
  return [example.record_name(record) for record in tiny_trees.read_records(out, split)]


def test_both_splits_are_built_and_records_are_called_by_the_path(tmp_path):
  root, out = tmp_path / 'ade', tmp_path / 'out'
  ids = tiny_trees.make_ade20k(root)
  # The label is called like the image up to the first dot.
  odd = root / 'images' / 'training' / 'été 1.b.jpg'
  ids[str(odd)] = ids[str(root / 'images' / 'training' / 'ADE_train_00000001.jpg')]
  shutil.copy(str(root / 'images/training/ADE_train_00000001.jpg'), str(odd))
  shutil.copy(str(root / 'annotations/training/ADE_train_00000001.png'),
              str(root / 'annotations/training/été 1.png'))
  result = _run(root, out)
  assert result.code == 0, result.log
  assert '(8 train, 2 val)' in result.last_line
  for split, folder in (('train', 'training'), ('val', 'validation')):
    records = tiny_trees.read_records(out, split)
    names = [example.record_name(record) for record in records]
    assert sorted(names) == sorted(name for name in ids if folder in name)
    for name, record in zip(names, records):
      np.testing.assert_array_equal(tiny_trees.label_of(record), ids[name])
      with open(name, 'rb') as f:
        assert example.image_bytes(record) == f.read()
  assert [os.path.basename(path) for path in registry.split_files(str(out), 'train')] == [
      'train-0000%d-of-00004.tfrecord' % i for i in range(4)]
  row = registry.resolve(None, str(out))
  assert (row.name, row.num_classes, row.ignore_label) == ('ade20k', 151, 0)
  # Training images come in a shuffled order that the seed decides.
  again, other = tmp_path / 'again', tmp_path / 'other'
  assert _run(root, again).code == 0 and _run(root, other, '--seed=1').code == 0
  assert _names(again, 'train') == _names(out, 'train') != _names(other, 'train')
  assert _names(out, 'train') != sorted(_names(out, 'train'))
  assert _names(out, 'val') == sorted(_names(out, 'val')) == _names(other, 'val')


def test_pairs_that_are_not_complete_are_skipped_and_listed(tmp_path):
  root = tmp_path / 'ade'
  tiny_trees.make_ade20k(root)
  _no_label(root)
  _no_image(root)
  result = _run(root, tmp_path / 'out', '--on_error=skip')
  assert result.code == 0, result.log
  assert len(_names(tmp_path / 'out', 'train')) == 5
  assert len((tmp_path / 'out' / 'skipped_train.txt').read_text().splitlines()) == 2


def _no_folder(root):
  shutil.rmtree(str(root / 'images' / 'validation'))


def _empty_folder(root):
  for path in (root / 'annotations' / 'training').glob('*'):
    path.unlink()


def _no_label(root):
  (root / 'annotations' / 'training' / 'ADE_train_00000003.png').unlink()


def _no_image(root):
  (root / 'images' / 'training' / 'ADE_train_00000004.jpg').unlink()


def _shared_label(root):
  folder = root / 'images' / 'validation'
  shutil.copy(str(folder / 'ADE_val_00000001.jpg'), str(folder / 'ADE_val_00000001.b.jpg'))


def _out_of_range(root):
  Image.fromarray(np.full(tiny_trees.SIZE, 151, np.uint8)).save(
      str(root / 'annotations' / 'training' / 'ADE_train_00000003.png'))


def _empty_file(root):
  (root / 'images' / 'training' / 'ADE_train_00000003.jpg').write_bytes(b'')


@pytest.mark.parametrize('harm, message', [
    (_no_folder, "validation' does not exist"),
    (_empty_folder, "annotations/training' holds no labels (.png)"),
    (_no_label, "no label for 1 of 7 images: 'ADE_train_00000003'"),
    (_no_image, "no image for 1 of 7 labels: 'ADE_train_00000004'"),
    (_shared_label, 'would share the label ADE_val_00000001.png'),
    (_out_of_range,
     '00000003.png: label values 151 (600 pixels); expected 0..150, of which 0 is ignored'),
    (_empty_file, 'ADE_train_00000003.jpg is empty (0 bytes)'),
])
def test_bad_input_is_one_line_and_no_dataset(tmp_path, harm, message):
  tiny_trees.make_ade20k(tmp_path / 'ade')
  harm(tmp_path / 'ade')
  result = _run(tmp_path / 'ade', tmp_path / 'out')
  assert_refused(result, 'build_ade20k_data.py', message, tmp_path / 'out')
