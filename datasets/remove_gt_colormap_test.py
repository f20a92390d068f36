"""Tests of turning palette and colour label maps into class ids."""
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.core import colormaps
from deeplab.testing import forked_scripts, tiny_trees


def _run(source, target, *args):
  """Runs the script; returns the Result."""
  return forked_scripts.run('datasets/remove_gt_colormap.py', '--original_gt_folder=%s' % source,
                            '--output_dir=%s' % target, *args)


def test_palettes_and_colours_become_grey_class_ids(tmp_path):
  ids = tiny_trees.make_voc(tmp_path)
  source, target = tmp_path / 'SegmentationClass', tmp_path / 'SegmentationClassRaw'
  colors = colormaps.interleaved_bits(256)
  Image.fromarray(colors[ids['été 1']]).save(str(source / 'été 1.png'))
  Image.fromarray(ids['2007_000033']).save(str(source / '2007_000033.png'))
  (source / 'notes.txt').write_text('no label map')
  result = _run(source, target)
  assert result.code == 0, result.log
  assert 'Label maps of class ids (5): %s' % target in result.last_line
  assert sorted(os.listdir(str(target))) == sorted(name + '.png' for name in ids)
  for name in ids:
    with Image.open(str(target / (name + '.png'))) as label:
      assert label.mode == 'L'
      np.testing.assert_array_equal(np.array(label), ids[name])
  # Run again: files are replaced, others in the folder stay.
  (target / 'other.png').write_bytes(b'x')
  assert _run(source, target, '--num_processes=1').code == 0
  assert sorted(os.listdir(str(target))) == sorted(
      [name + '.png' for name in ids] + ['other.png'])


def test_other_formats_by_extension(tmp_path):
  (tmp_path / 'in').mkdir()
  ids = np.arange(12, dtype=np.uint8).reshape(3, 4)
  Image.fromarray(ids).save(str(tmp_path / 'in' / 'a.bmp'))
  assert _run(tmp_path / 'in', tmp_path / 'out', '--segmentation_format=bmp').code == 0
  np.testing.assert_array_equal(np.array(Image.open(str(tmp_path / 'out' / 'a.png'))), ids)


def test_unusable_files_can_be_skipped(tmp_path):
  tiny_trees.make_voc(tmp_path)
  source = tmp_path / 'SegmentationClass'
  (source / 'été 1.png').write_bytes(b'')
  result = _run(source, tmp_path / 'out', '--on_error=skip', '--num_processes=1')
  assert result.code == 0, result.log
  assert '1 of 5 files skipped' in result.log and 'été 1.png is empty' in result.log
  assert len(os.listdir(str(tmp_path / 'out'))) == 4


def test_skipping_every_file_is_one_line_and_no_folder(tmp_path):
  (tmp_path / 'in').mkdir()
  for name in ('a.png', 'b.png'):
    (tmp_path / 'in' / name).write_bytes(b'')
  result = _run(tmp_path / 'in', tmp_path / 'out', '--on_error=skip', '--num_processes=1')
  assert result.code == 1
  assert 'None of 2 label maps could be used, first: ' in result.last_line
  assert 'a.png is empty' in result.last_line and 'Traceback' not in result.log
  assert os.listdir(str(tmp_path)) == ['in']


def _unknown_color(path):
  Image.fromarray(np.full((2, 3, 3), 77, np.uint8)).save(path)


def _cut(path):
  with open(path, 'rb') as f:
    data = f.read()
  with open(path, 'wb') as f:
    f.write(data[:len(data) // 2])


def _wide(path):
  Image.fromarray(np.full((2, 3), 30000, np.uint16)).save(path)


def _jpeg(path):
  Image.fromarray(np.zeros((8, 8), np.uint8)).save(path, format='JPEG')


@pytest.mark.parametrize('harm, message', [
    (_unknown_color, 'the colours 77,77,77 (6 pixels) are not in the table of 22 colours'),
    (_cut, 'cannot be decoded'),
    (_wide, 'values 30000..30000 are no class ids, expected 0..255'),
    (_jpeg, 'is a JPEG file: label maps must be lossless'),
])
def test_an_unusable_file_is_one_line_and_no_folder(tmp_path, harm, message):
  tiny_trees.make_voc(tmp_path)
  source = tmp_path / 'SegmentationClass'
  harm(str(source / 'été 1.png'))
  result = _run(source, tmp_path / 'out')
  assert result.code == 1
  assert result.last_line.startswith('remove_gt_colormap.py: error: ')
  assert 'été 1.png' in result.last_line and message in result.last_line, result.last_line
  assert 'Traceback' not in result.log
  assert not [name for name in os.listdir(str(tmp_path)) if name.startswith('out')]


@pytest.mark.parametrize('source, target, args, message', [
    ('absent', 'out', (), 'absent\' does not exist'),
    ('SegmentationClass', 'SegmentationClass/', (), 'would be overwritten'),
    ('SegmentationClass', 'out', ('--segmentation_format=tif',), 'holds no label maps (.tif)'),
    ('SegmentationClass', 'file/out', (), 'cannot be written: Not a directory'),
])
def test_unusable_folders_are_one_line(tmp_path, source, target, args, message):
  tiny_trees.make_voc(tmp_path)
  (tmp_path / 'file').write_text('')
  result = _run('%s/%s' % (tmp_path, source), '%s/%s' % (tmp_path, target), *args)
  # Flags that contradict each other are an unusable command line.
  assert result.code == (2 if 'overwritten' in message else 1)
  assert message in result.last_line and 'Traceback' not in result.log, result.last_line
