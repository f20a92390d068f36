"""Tests of the presets and the random numbers of augmentation."""
import numpy as np
import pytest

from deeplab.core.images.augmentation import AUGMENTATIONS, Augmentation, RandomSource
from deeplab.core.tf_compat import tf


def test_default_is_forma_with_the_strengths_of_its_models():
  assert AUGMENTATIONS['forma'] == Augmentation() == Augmentation(
      leg_cut_probability=0.2, affine_stddev=0.05, affine_clip=3.0, flip_probability=0.5,
      hue=0.08, saturation=(0.5, 1.5), brightness=0.2, contrast=(0.7, 1.3),
      blur_probability=0.1, blur_stddev=1.0, noise_stddev=0.01)


@pytest.mark.parametrize('name, flip', [('none', 0.0), ('deeplab', 0.5)])
def test_other_presets_leave_pixels_alone(name, flip):
  preset = AUGMENTATIONS[name]
  assert preset.flip_probability == flip
  assert preset.saturation == preset.contrast == (1.0, 1.0)
  assert not any([preset.leg_cut_probability, preset.affine_stddev, preset.hue,
                  preset.brightness, preset.blur_probability, preset.noise_stddev])


def test_a_warp_has_one_deviation_for_all_entries_or_one_for_each():
  assert Augmentation(affine_stddev=0.05).affine_stddevs == (0.05,) * 6
  assert Augmentation(affine_stddev=[1, 2, 3, 4, 5, 6]).affine_stddevs == (1, 2, 3, 4, 5, 6)


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
