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
  assert label.paths() == [path]


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


def test_classes_of_the_parts_are_painted_in_order(tmp_path):
  path = _save(tmp_path / 'a.png', [[4, 5, 6, 4]])
  parts = _save(tmp_path / 'p.png', [[7, 8, 1, 0]])
  label = label_sources.Painted(path, ((4, 0), (5, 1), (6, 2)), parts, (7, 8))
  np.testing.assert_array_equal(label.read(1, 4), [[7, 8, 2, 0]])


def test_painted_labels_need_known_values_and_equal_sizes(tmp_path):
  path = _save(tmp_path / 'a.png', [[4, 9]])
  with pytest.raises(ValueError, match='a.png: label values 9 are not among the 1 expected'):
    label_sources.Painted(path, ((4, 0),), path, (7,)).read(1, 2)
  parts = _save(tmp_path / 'p.png', [[4], [9]])
  with pytest.raises(ValueError, match='p.png is 2x1 .*expected 1x2'):
    label_sources.Painted(path, None, parts, (7,)).read(1, 2)


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
