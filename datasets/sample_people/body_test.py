"""Tests of bodies: bones keep their lengths, feet their floor, sides their names."""
import numpy as np
import pytest

from deeplab.datasets.sample_people import body

_NAMES = list(body.LANDMARKS)


def _bodies(count=60):
  return [body.sample_body(np.random.RandomState(i)) for i in range(count)]


def test_upper_arms_keep_their_length_and_arms_do_not_stretch():
  for figure in _bodies():
    for arm in figure.arms:
      shoulder, elbow, wrist = arm.joints
      assert np.hypot(*(elbow - shoulder)) == pytest.approx(1.22)
      assert np.hypot(*(wrist - shoulder)) <= 1.22 + 1.08


def test_feet_stand_on_the_floor_and_heads_above_the_neck():
  for figure in _bodies():
    ankles = [leg.joints[2][1] for leg in figure.legs]
    assert -1.0 < max(ankles) <= -0.15
    assert figure.head_center[1] < figure.torso(1.0)[1] < figure.torso(0.0)[1] < max(ankles)


def test_landmarks_are_named_by_the_sides_of_the_person():
  seen = set()
  for figure in _bodies(120):
    points = figure.landmarks()
    right = points[_NAMES.index('right_shoulder'), 0]
    left = points[_NAMES.index('left_shoulder'), 0]
    assert (right > left) == figure.is_back
    seen.add(figure.is_back)
  assert seen == {False, True}


def test_hips_and_knees_are_rows_8_9_11_12():
  figure = _bodies(1)[0]
  points = figure.landmarks()
  assert points.shape == (18, 2)
  legs = figure.legs if not figure.is_back else figure.legs[::-1]
  np.testing.assert_array_equal(points[[8, 9]], legs[0].joints[:2])
  np.testing.assert_array_equal(points[[11, 12]], legs[1].joints[:2])
