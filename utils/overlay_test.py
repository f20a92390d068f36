"""Tests of classes laid over images."""
import numpy as np

from deeplab.utils import overlay

COLORS = np.array([[0, 0, 0], [200, 0, 100], [0, 50, 250]], np.uint8)


def test_blend_is_the_weighted_mean():
  image = np.full((2, 2, 3), 100, np.uint8)
  result = overlay.blend(image, np.array([[0, 1], [2, 1]]), COLORS, opacity=0.25)
  np.testing.assert_array_equal(result[0], [[75, 75, 75], [125, 75, 100]])
  assert result.dtype == np.uint8


def test_panels_and_legend_stand_side_by_side():
  image = np.full((60, 40, 3), 100, np.uint8)
  labels = np.ones((60, 40), np.int32)
  truth = np.full((60, 40), 2)
  truth[:30] = 255
  picture = np.array(overlay.side_by_side(image, labels, COLORS, ['a', 'b', 'c'], truth, 255))
  assert picture.shape[0] == 60
  assert picture[5, 5].tolist() == [100, 100, 100]
  assert picture[5, 46 + 5].tolist() == [150, 50, 100]
  assert picture[5, 92 + 5].tolist() == [100, 100, 100]
  assert picture[50, 92 + 5].tolist() == [50, 75, 175]
  legend = picture[:, 138:].reshape(-1, 3)
  for color, is_shown in zip(COLORS[1:], (True, True)):
    assert (legend == color).all(axis=1).any() == is_shown
  without = np.array(overlay.side_by_side(image, labels, COLORS, None))
  assert not (without[:, 92:].reshape(-1, 3) == COLORS[2]).all(axis=1).any()
