"""Tests of label PNG files."""
import numpy as np
import pytest
from PIL import Image

from deeplab.utils.save_annotation import save_annotation


def _saved(tmp_path, label, **options):
  save_annotation(np.array(label), str(tmp_path), 'a', **options)
  assert [p.name for p in tmp_path.iterdir()] == ['a.png']
  with Image.open(str(tmp_path / 'a.png')) as image:
    return np.asarray(image).tolist()


def test_labels_are_painted_with_the_pascal_map_by_default(tmp_path):
  assert _saved(tmp_path, [[0, 1]]) == [[[0, 0, 0], [128, 0, 0]]]


def test_the_colour_map_may_be_a_name_or_a_table(tmp_path):
  assert _saved(tmp_path, [[1]], colormap_type='forma') == [[[255, 0, 0]]]
  assert _saved(tmp_path, [[1]], colormap_type=[[0, 0, 0], [9, 8, 7]]) == [[[9, 8, 7]]]


def test_without_colour_map_the_ids_are_stored(tmp_path):
  assert _saved(tmp_path, [[0, 255]], add_colormap=False) == [[0, 255]]


def test_values_can_be_stretched_and_scaled(tmp_path):
  options = {'add_colormap': False, 'scale_values': True}
  assert _saved(tmp_path, [[2, 4, 6]], normalize_to_unit_values=True, **options) == [
      [0, 127, 255]]
  assert _saved(tmp_path, [[0.0, 1.0]], **options) == [[0, 255]]


def test_equal_values_are_not_stretched(tmp_path):
  assert _saved(tmp_path, [[3, 3]], add_colormap=False,
                normalize_to_unit_values=True) == [[3, 3]]


def test_unusable_labels_write_nothing(tmp_path):
  with pytest.raises(ValueError, match='0..8 only'):
    save_annotation(np.array([[9]]), str(tmp_path), 'a', colormap_type='forma')
  with pytest.raises(ValueError, match='got 0 to 256'):
    save_annotation(np.array([[0, 256]]), str(tmp_path), 'a', add_colormap=False)
  assert not list(tmp_path.iterdir())
