"""Tests of the counts over records and the weights that balance classes."""
import numpy as np
import pytest

from deeplab.datasets.records import counts


def test_frequencies_are_over_the_label_maps_that_hold_a_class():
  labels = [np.array(label) for label in ([0, 0, 0, 1], [0, 0, 255, 255], [2, 2, 2, 0])]
  found = counts.RecordCounts()
  for label in labels:
    found.count((1, 4), np.bincount(label, minlength=256), 255)
  split = found.split_info(1, 4, 255)
  assert split.num_examples == 3 and split.num_ignored_pixels == 2
  assert split.class_pixel_counts == [6, 1, 3, 0]
  assert split.present_pixel_counts == [10, 4, 4, 0]
  frequency = np.array([6 / 10, 1 / 4, 3 / 4])
  weights = counts.balancing_weights(split.class_pixel_counts[:3], split.present_pixel_counts[:3])
  np.testing.assert_allclose(weights, 0.6 / frequency)


def test_without_them_frequencies_are_over_all_label_maps():
  assert counts.balancing_weights([400, 100, 50]) == [0.25, 1.0, 2.0]


def test_class_without_pixels_has_no_weight():
  assert counts.balancing_weights([30, 0, 10, 20], [60, 0, 20, 60]) == [
      pytest.approx(1.0), None, pytest.approx(1.0), pytest.approx(1.5)]
  assert counts.balancing_weights([0, 0], [0, 0]) == [None, None]


def test_weights_stay_within_a_factor_of_ten():
  assert counts.balancing_weights([10 ** 9, 1000, 1, 0]) == [0.1, 1.0, 10.0, None]


def test_sides_of_images_are_told_each_on_its_own():
  found, more = counts.RecordCounts(), counts.RecordCounts()
  assert found.split_info(1, 2, 255).image_sizes is None
  for size in ((4, 9), (4, 9), (7, 5)):
    found.count(size, None, 255)
  more.count((9, 2), None, 255)
  found = counts.RecordCounts.total([found, more])
  assert found.split_info(2, 2, 255) == (
      4, 2, {'min': [4, 2], 'median': [5, 7], 'max': [9, 9]}, [0, 0], 0, [0, 0])
