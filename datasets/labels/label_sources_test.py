"""Tests of label maps that are not simply PNGs of class ids."""
import sys

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets.labels import label_sources


def _save(path, values):
  Image.fromarray(np.array(values, np.uint8)).save(str(path))
  return str(path)


_COLORS = ((250, 0, 0), (0, 0, 0), (0, 250, 0))
_IDS = (2, 0, 1)


def test_colours_become_the_ids_of_the_table(tmp_path):
  path = _save(tmp_path / 'a.png', [[_COLORS[2], _COLORS[0]], [_COLORS[1], _COLORS[0]]])
  label = label_sources.ColorPicture(path, _COLORS, _IDS)
  np.testing.assert_array_equal(label.read(2, 2), [[1, 2], [0, 2]])
  assert label.path == path


def test_colours_of_palette_pictures_count_not_their_indices(tmp_path):
  image = Image.fromarray(np.array([[7, 9]], np.uint8))
  image.putpalette([0] * 21 + [250, 0, 0] + [0] * 3 + [0, 250, 0] + [0] * 738)
  image.save(str(tmp_path / 'a.png'))
  label = label_sources.ColorPicture(str(tmp_path / 'a.png'), _COLORS, _IDS)
  np.testing.assert_array_equal(label.read(1, 2), [[2, 1]])


def test_colours_outside_of_the_table_are_named(tmp_path):
  path = _save(tmp_path / 'a.png', [[(1, 2, 3), (1, 2, 3), (4, 5, 6), _COLORS[0]]])
  with pytest.raises(ValueError) as caught:
    label_sources.ColorPicture(path, _COLORS, _IDS).read(1, 4)
  assert '1,2,3 (2 pixels), 4,5,6 (1 pixels) are not in the table of 3' in str(caught.value)


def test_lossy_pictures_are_refused(tmp_path):
  Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(str(tmp_path / 'a.jpg'))
  with pytest.raises(ValueError, match='label maps must be lossless'):
    label_sources.ColorPicture(str(tmp_path / 'a.jpg'), _COLORS, _IDS).read(8, 8)


def test_segmentations_of_matlab_files_are_read(tmp_path):
  io = pytest.importorskip('scipy.io')
  values = np.array([[0, 20], [255, 3]], np.uint8)
  io.savemat(str(tmp_path / 'a.mat'), {'GTcls': {'Segmentation': values}})
  np.testing.assert_array_equal(
      label_sources.MatFile(str(tmp_path / 'a.mat')).read(2, 2), values)


def test_other_matlab_files_are_named(tmp_path):
  io = pytest.importorskip('scipy.io')
  io.savemat(str(tmp_path / 'a.mat'), {'x': 1})
  (tmp_path / 'b.mat').write_bytes(b'MATLAB 5.0' * 3)
  for name, message in (('a', 'GTcls'), ('b', 'b.mat is not'), ('absent', 'cannot be read')):
    with pytest.raises(ValueError, match=message):
      label_sources.MatFile(str(tmp_path / (name + '.mat'))).read(2, 2)


def test_without_scipy_it_is_told_what_to_install(monkeypatch):
  monkeypatch.setitem(sys.modules, 'scipy', None)
  with pytest.raises(ValueError, match=r'a.mat needs SciPy to be read: pip install '
                                       r'"deeplab\[sbd\]"'):
    label_sources.MatFile('a.mat').read(2, 2)


def test_reasons_are_counted_with_the_first_names_the_most_frequent_first():
  entries = [('a', 'x'), ('b', 'y'), ('c', 'y'), ('d', 'y'), ('e', 'y')]
  assert label_sources.by_reason(entries) == ['4 with y: b, c, d, ...', '1 with x: a']


def test_of_many_reasons_the_rest_is_counted():
  lines = label_sources.by_reason([(str(i), 'reason %d' % i) for i in range(20)])
  assert len(lines) == 7 and lines[-1] == 'and 14 more reasons'
