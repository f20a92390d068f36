"""Tests of classes painted over images."""
import numpy as np
import pytest

from deeplab.core import colormaps
from deeplab.core.images import painting
from deeplab.datasets import registry

COLORS = np.array([[0, 0, 0], [200, 0, 100], [0, 50, 250]], np.uint8)


@pytest.mark.parametrize('names, ids', [
    (['background', 'lane', 'sign'], (0,)), (['__Background__', 'a', 'b'], (0,)),
    (['lane', 'sign', 'clutter/background'], (2,)), (['Unlabeled', 'a', 'no data'], (0, 2)),
    (['sky', 'road', 'car'], ()), (['other', 'backpack', 'greenery'], ())])
def test_background_is_what_is_called_so_where_names_are_known(names, ids):
  assert painting.background_ids(names, COLORS) == ids


@pytest.mark.parametrize('dataset, ids', [
    ('pascal_voc_seg', (0,)), ('cityscapes', ()), ('ade20k', (0,)), ('tryon1k', (0,))])
def test_background_of_the_built_in_datasets(dataset, ids):
  row = registry.DATASETS[dataset]
  colors = colormaps.colormap(row.colormap)
  assert painting.background_ids(row.class_names, colors, row.ignore_label) == ids
  # Without names the colour of class 0 tells.
  assert painting.background_ids(None, colors) == ids


def test_a_class_that_is_ignored_is_background_and_a_label_beyond_the_classes_is_none():
  assert painting.background_ids(['lane', 'other', 'sign'], COLORS, 1) == (1,)
  assert painting.background_ids(['lane', 'other', 'sign'], COLORS, 255) == ()


def test_blend_is_the_weighted_mean():
  image = np.full((2, 2, 3), 100, np.uint8)
  result = painting.blend(image, np.array([[0, 1], [2, 1]]), COLORS, opacity=0.25)
  np.testing.assert_array_equal(result[0], [[75, 75, 75], [125, 75, 100]])
  assert result.dtype == np.uint8


@pytest.mark.parametrize('opacity', [0.1, 0.37, 0.6, 1])
def test_blend_is_rounded_to_the_nearest(opacity):
  image = np.arange(3 * 4 * 256, dtype=np.int64).reshape(-1, 4, 3).astype(np.uint8)
  labels = np.arange(4 * 256).reshape(-1, 4) % 3
  exact = (1 - opacity) * image + opacity * COLORS[labels].astype(float)
  assert np.abs(painting.blend(image, labels, COLORS, opacity) - exact).max() < 0.501


def test_the_image_stays_as_it_is_where_nothing_is_painted():
  image = np.full((600, 2, 3), 100, np.uint8)  # more rows than are blended at once
  labels = np.zeros((600, 2), int)
  labels[300:, 1] = 1
  labels[:, 0] = 255
  result = painting.blend(image, labels, COLORS, clear_ids=(0, 255))
  expected = image.copy()
  expected[300:, 1] = [150, 50, 100]
  np.testing.assert_array_equal(result, expected)
  with pytest.raises(IndexError):
    painting.blend(image, labels, COLORS, clear_ids=(0,))


def test_errors_are_red_on_pale_grey_and_ignored_pixels_white():
  image = np.full((1, 3, 3), [0, 100, 200], np.uint8)
  drawn = painting.errors(image, np.array([[1, 1, 255]]), np.array([[1, 0, 0]]), 255)
  np.testing.assert_array_equal(drawn, [[[120] * 3, [230, 0, 60], [255] * 3]])
