"""Tests of the weights that balance classes."""
import numpy as np
import pytest

from deeplab.datasets.records import class_frequency


def test_frequencies_are_over_the_label_maps_that_hold_a_class():
  labels = [np.array(label) for label in ([0, 0, 0, 1], [0, 0, 255, 255], [2, 2, 2, 0])]
  counts = [np.bincount(label, minlength=256) for label in labels]
  present = sum(class_frequency.present_pixels(each, 255) for each in counts)
  assert present[:4].tolist() == [10, 4, 4, 0]
  frequency = np.array([6 / 10, 1 / 4, 3 / 4])
  weights = class_frequency.balancing_weights(sum(counts)[:3], present[:3])
  np.testing.assert_allclose(weights, 0.6 / frequency)


def test_without_them_frequencies_are_over_all_label_maps():
  assert class_frequency.balancing_weights([400, 100, 50]) == [0.25, 1.0, 2.0]


def test_class_without_pixels_has_no_weight():
  assert class_frequency.balancing_weights([30, 0, 10, 20], [60, 0, 20, 60]) == [
      pytest.approx(1.0), None, pytest.approx(1.0), pytest.approx(1.5)]
  assert class_frequency.balancing_weights([0, 0], [0, 0]) == [None, None]


def test_weights_stay_within_a_factor_of_ten():
  assert class_frequency.balancing_weights([10 ** 9, 1000, 1, 0]) == [0.1, 1.0, 10.0, None]
