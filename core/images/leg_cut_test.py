"""Tests of the leg cut on a synthetic figure."""
import numpy as np
import pytest

from deeplab.core.images import input_errors, leg_cut
from deeplab.core.images.augmentation import RandomSource
from deeplab.core.tf_compat import tf

_HEIGHT, _WIDTH = 60, 40
_MEAN = [10.0, 20.0, 30.0]


def _landmarks(right_hip=(15, 20), right_knee=(15, 40), left_hip=(25, 20), left_knee=(25, 40)):
  points = np.zeros((1, 18, 3), np.float32)
  for row, point in ((8, right_hip), (9, right_knee), (11, left_hip), (12, left_knee)):
    points[0, row, :2] = point
  return points


def _mask(p1, p2, height=_HEIGHT, width=_WIDTH):
  with tf.Graph().as_default(), tf.Session() as session:
    image = tf.zeros([height, width, 3])
    mask = session.run(leg_cut.half_plane_mask(
        image, tf.constant(p1, tf.float32), tf.constant(p2, tf.float32)))
  assert mask.shape == (height, width, 1) and mask.dtype == np.float32
  return mask[..., 0]


def _cut(points, seed=0):
  image = np.full((_HEIGHT, _WIDTH, 3), 200, np.float32)
  label = np.tile(np.arange(_HEIGHT, dtype=np.int32)[:, np.newaxis, np.newaxis],
                  (1, _WIDTH, 1))
  with tf.Graph().as_default(), tf.Session() as session:
    image, label = leg_cut.random_crop_legs(
        tf.constant(image), tf.constant(label), tf.io.serialize_tensor(tf.constant(points)),
        _MEAN, 255, RandomSource(seed), name=tf.constant('anna'))
    assert image.shape.as_list() == [_HEIGHT, _WIDTH, 3]
    assert label.shape.as_list() == [_HEIGHT, _WIDTH, 1] and label.dtype == tf.int32
    return session.run([image, label])


def test_mask_is_one_above_the_line_and_zero_below():
  mask = _mask((0, 30), (40, 30))
  np.testing.assert_allclose(mask[:30], 1, atol=1e-5)
  np.testing.assert_allclose(mask[33:], 0, atol=1e-5)
  assert mask.min() > -1e-5 and mask.max() < 1 + 1e-5


def test_mask_follows_a_slope_and_is_smooth_along_it():
  mask = _mask((0, 10), (40, 50))
  y, x = np.mgrid[:_HEIGHT, :_WIDTH]
  below = y - 10 - x
  np.testing.assert_allclose(mask[below <= -2], 1, atol=1e-5)
  np.testing.assert_allclose(mask[below >= 4], 0, atol=1e-5)
  assert ((mask[below == 1] > 0) & (mask[below == 1] < 1)).mean() > 0.9


def test_points_above_each_other_give_a_finite_mask():
  mask = _mask((20, 10), (20, 50))
  assert np.isfinite(mask).all()
  assert 0.3 < mask.mean() < 0.7


def test_legs_become_padding_between_two_and_three_fifths_of_the_thigh():
  heights = []
  for seed in range(20):
    image, label = _cut(_landmarks(), seed)
    is_cut = label[..., 0] == 255
    np.testing.assert_array_equal(label[~is_cut][:, 0], np.where(~is_cut)[0])
    np.testing.assert_allclose(image[:27, 15:26], 200, atol=1e-2)
    np.testing.assert_allclose(image[36:, 15:26], np.broadcast_to(_MEAN, (24, 11, 3)),
                               atol=1e-2)
    heights.extend([(~is_cut)[:, 15].sum(), (~is_cut)[:, 25].sum()])
  # Hip at 20, knee at 40: the cut is at 28..32, and the label's edge within a pixel of it.
  assert min(heights) >= 28 and max(heights) <= 34
  assert len(set(heights)) > 2


def test_both_thighs_have_draws_of_their_own():
  slopes = []
  for seed in range(6):
    is_kept = _cut(_landmarks(), seed)[1][..., 0] != 255
    slopes.append(int(is_kept[:, 25].sum()) - int(is_kept[:, 15].sum()))
  assert min(slopes) < 0 < max(slopes)


@pytest.mark.parametrize('shape', [(18, 3), (0, 18, 3), (1, 12, 3), (1, 18, 1)])
def test_landmarks_of_another_shape_are_named(shape):
  with pytest.raises(tf.errors.InvalidArgumentError) as caught:
    _cut(np.zeros(shape, np.float32))
  assert input_errors.sentence_of(caught.value) == (
      'Record anna: the landmarks have the shape [%s], expected [people, 13 or more points, '
      '2 or more coordinates] with at least one person.' % ', '.join(map(str, shape)))
