"""Tests of the random numbers of augmentation."""
import numpy as np
import pytest

from deeplab.core.images.random_source import RandomSource
from deeplab.core.tf_compat import tf


def _draws(seed, index, num=3):
  with tf.Graph().as_default(), tf.Session() as session:
    source = RandomSource(seed, index)
    return session.run([source.uniform(), source.normal(), source.integer(1000)][:num])


def test_same_seed_and_record_give_the_same_draws():
  assert _draws(1, 5) == _draws(1, 5)
  assert _draws(1, 5) != _draws(1, 6)
  assert _draws(1, 5) != _draws(2, 5)


def test_an_early_draw_does_not_depend_on_later_ones():
  assert _draws(1, 5, num=1) == _draws(1, 5)[:1]


def test_draws_without_seed_differ_from_run_to_run():
  with tf.Graph().as_default(), tf.Session() as session:
    draw = RandomSource().uniform(shape=[4])
    assert not np.array_equal(session.run(draw), session.run(draw))


@pytest.mark.parametrize('seed', [None, 3])
def test_statistics_over_two_thousand_records(seed):
  def draw(index):
    source = RandomSource(seed, index)
    return (source.uniform(-2.0, 4.0), source.normal(1.0, 0.5), source.integer(4))

  with tf.Graph().as_default(), tf.Session() as session:
    # Of one draw in some hundred without it the statistics would be further off.
    tf.set_random_seed(1)
    batch = tf.data.Dataset.range(2000).map(draw).batch(2000)
    uniform, normal, integer = session.run(
        tf.data.make_one_shot_iterator(batch).get_next())
  assert uniform.min() >= -2 and uniform.max() < 4
  assert uniform.mean() == pytest.approx(1, abs=0.15)
  assert uniform.std() == pytest.approx(6 / np.sqrt(12), rel=0.05)
  assert normal.mean() == pytest.approx(1, abs=0.05)
  assert normal.std() == pytest.approx(0.5, rel=0.06)
  assert integer.dtype == np.int32
  np.testing.assert_allclose(np.bincount(integer, minlength=4), [500] * 4, atol=80)
  # Draws of one record, and of neighbours, are independent.
  assert abs(np.corrcoef(uniform, normal)[0, 1]) < 0.08
  assert abs(np.corrcoef(uniform[1:], uniform[:-1])[0, 1]) < 0.08
