"""Tests of the contact sheet of training crops."""
import shutil

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets.records import dataset_info
from deeplab.testing import forked_scripts, tiny_run


@pytest.fixture(scope='module', name='records')
def make_records(tmp_path_factory):
  folder = tmp_path_factory.mktemp('records')
  tiny_run.write_records(str(folder), tiny_run.make_samples(), split='train')
  return folder


def test_sheet_shows_crops_above_their_labels(records, tmp_path):
  path = tmp_path / 'sheet.png'
  code, _, log = forked_scripts.run_apart(
      'tools/records/preview.py', '--dataset_dir=%s' % records, '--output=%s' % path,
      '--num_images=4', '--num_columns=3', '--train_crop_size=33,41', '--same_record',
      '--augmentation=none', '--min_scale_factor=1', '--max_scale_factor=1')
  assert code == 0, log
  sample = tiny_run.make_samples()[0]
  pixels = np.asarray(Image.open(str(path)))
  grid, below = pixels[:4 * 37 - 4, :3 * 45 - 4], pixels[4 * 37 - 4:]
  # Without variation the crop is the picture, up to JPEG or PNG rounding.
  np.testing.assert_array_equal(pixels[:33, :41], sample.image)
  np.testing.assert_array_equal(pixels[74:107, :41], sample.image)
  overlay, is_class = pixels[37:70, :41].astype(float), sample.label != tiny_run.IGNORE_LABEL
  expected = 0.4 * sample.image + 0.6 * np.array(tiny_run.COLORMAP)[
      np.where(is_class, sample.label, 0)]
  assert np.abs(overlay - expected)[is_class].max() <= 0.5
  assert (grid[74:, 45:] == 255).all()  # Only four crops.
  for color in tiny_run.COLORMAP:
    assert (below == color).all(axis=2).any()


def test_background_is_painted_only_where_that_is_asked(records, tmp_path):
  info = dataset_info.read(str(records))
  folder = tmp_path / 'records'
  shutil.copytree(str(records), str(folder))
  dataset_info.write(info._replace(class_names=['background'] + info.class_names[1:]),
                     str(folder))
  flags = ['--dataset_dir=%s' % folder, '--num_images=1', '--train_crop_size=33,41',
           '--same_record', '--augmentation=none', '--min_scale_factor=1', '--max_scale_factor=1']
  paths = [str(tmp_path / name) for name in ('clear.png', 'painted.png')]
  assert tiny_run.run_main(
      'tools.records.preview', flags + ['--output=' + paths[0]],
      flags + ['--output=' + paths[1], '--paint_background']) == ['', '']
  sample = tiny_run.make_samples()[0]
  is_background = sample.label == 0
  clear, painted = [np.asarray(Image.open(path))[37:70, :41][is_background].astype(int)
                    for path in paths]
  np.testing.assert_array_equal(clear, sample.image[is_background])
  expected = 0.4 * sample.image[is_background] + 0.6 * np.array(tiny_run.COLORMAP[0])
  assert np.abs(painted - expected).max() <= 0.5


def test_unusable_output_is_one_line(records, tmp_path):
  common = ['--dataset_dir=%s' % records, '--train_crop_size=33,33', '--num_images=1']
  messages = tiny_run.run_main(
      'tools.records.preview', common + ['--output=%s' % (tmp_path / 'sheet.gif')],
      common + ['--output=%s' % (tmp_path / 'absent' / 'sheet.png')],
      common + ['--train_split=val'])
  for message, wanted in zip(messages, ('ends in .png or .jpg', 'cannot be written', "'val'")):
    assert wanted in message
