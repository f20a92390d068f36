"""Tests of turning shapes into pixels."""
import numpy as np
import pytest

from deeplab.datasets.sample_people import raster


def _on_image(mask, size):
  image = np.zeros(size)
  height, width = mask.coverage.shape
  image[mask.top:mask.top + height, mask.left:mask.left + width] = mask.coverage
  return image


def test_polygon_covers_exactly_the_rectangle_between_pixels():
  outline = [(2, 1), (5.5, 1), (5.5, 4), (2, 4)]
  image = _on_image(raster.polygon(outline, (6, 8), 0), (6, 8))
  expected = np.zeros((6, 8))
  expected[1:4, 2:5] = 1
  expected[1:4, 5] = 0.5
  np.testing.assert_allclose(image, expected, atol=1e-12)


@pytest.mark.parametrize('turn', [1, -1])
def test_polygon_does_not_depend_on_the_direction_of_its_outline(turn):
  outline = raster.ellipse((20.3, 15.7), 12, 9, 0.4, num_points=60)[::turn]
  image = _on_image(raster.polygon(outline, (32, 40), 0), (32, 40))
  assert image.sum() == pytest.approx(np.pi * 12 * 9, rel=0.01)


def test_overlapping_loops_stay_covered():
  square = [(1, 1), (7, 1), (7, 7), (1, 7)]
  twice = square + [(1, 1)] + [(3, 3), (5, 3), (5, 5), (3, 5)] + [(3, 3)]
  image = _on_image(raster.polygon(twice, (8, 8), 0), (8, 8))
  assert image[1:7, 1:7].min() == 1


def test_shapes_are_cut_at_the_image_and_none_outside():
  outline = np.array([(-5, -5), (4, -5), (4, 4), (-5, 4)])
  image = _on_image(raster.polygon(outline, (6, 6), 0), (6, 6))
  assert image.sum() == 16
  assert raster.polygon(outline + 100, (6, 6), 0) is None
  assert raster.tube(outline + 100, [1, 1, 1, 1], (6, 6)) is None


def test_tube_has_the_area_of_a_rod_with_round_ends():
  mask = raster.tube([(10, 15), (40, 15)], [5, 5], (30, 50))
  assert mask.coverage.sum() == pytest.approx(30 * 10 + np.pi * 25, rel=0.02)


def test_cut_ends_a_tube_square():
  whole = _on_image(raster.tube([(10, 15), (40, 15)], [5, 5], (30, 50)), (30, 50))
  cut = _on_image(raster.tube([(10, 15), (40, 15)], [5, 5], (30, 50), (0, 0.5)), (30, 50))
  np.testing.assert_array_equal(cut[:, :24], whole[:, :24])
  assert cut[:, 26:].max() == 0


def test_normals_point_outwards_and_stay_below_unit_length():
  for mask in (raster.polygon(raster.ellipse((15, 15), 10, 10), (30, 30), 8),
               raster.tube([(5, 15), (25, 15)], [6, 6], (30, 30))):
    assert np.hypot(mask.normal_x, mask.normal_y).max() < 1
    middle = 15 - mask.left
    assert mask.normal_y[10 - mask.top, middle] < -0.1 < 0.1 < mask.normal_y[19 - mask.top, middle]


def test_blur_keeps_the_sum_and_the_centre():
  values = np.zeros((21, 21))
  values[10, 10] = 1
  blurred = raster.blur(values, 2)
  assert blurred.sum() == pytest.approx(1)
  np.testing.assert_allclose(blurred, blurred[::-1, ::-1], atol=1e-12)
  assert np.count_nonzero(blurred > 1e-12) == 81  # Two boxes of 5 make a tent of 9.


def test_smooth_passes_through_its_points():
  points = np.array([(0, 0), (4, 1), (5, 6), (1, 3)], np.float64)
  np.testing.assert_allclose(raster.smooth(points, steps=5)[::5], points)
  open_curve = raster.smooth(points, closed=False, steps=5)
  np.testing.assert_allclose(open_curve[::5], points)
