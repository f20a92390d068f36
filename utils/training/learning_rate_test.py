"""Tests of the learning rate schedules."""
import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.utils.training import learning_rate


def rates(steps, **kwargs):
  arguments = dict(
      learning_policy='poly', base_learning_rate=.01, learning_rate_decay_step=20,
      learning_rate_decay_factor=.1, training_number_of_steps=100, learning_power=.9,
      slow_start_step=10, slow_start_learning_rate=1e-4)
  arguments.update(kwargs)
  with tf.Graph().as_default(), tf.Session() as session:
    global_step = tf.train.get_or_create_global_step()
    rate = learning_rate.get_model_learning_rate(**arguments)
    session.run(global_step.initializer)
    result = []
    for step in steps:
      session.run(global_step.assign(step))
      result.append(session.run(rate))
    return result


def test_poly_falls_to_zero_at_the_last_step():
  np.testing.assert_allclose(rates([50, 100, 120]), [0.00535887, 0, 0], rtol=1e-5)


def test_poly_ends_where_and_when_told():
  np.testing.assert_allclose(
      rates([10, 20, 40, 90], slow_start_step=0, learning_power=1.0, decay_steps=40,
            end_learning_rate=.002), [.008, .006, .002, .002], rtol=1e-5)


def test_step_decays_smoothly():
  np.testing.assert_allclose(rates([50], learning_policy='step'), [3.16228e-5], rtol=1e-5)


def test_constant_slow_start_does_not_shift_the_schedule():
  np.testing.assert_allclose(
      rates([0, 9, 10]), [1e-4, 1e-4, .01 * .9 ** .9], rtol=1e-5)


def test_linear_burn_in_rises_and_then_starts_the_schedule():
  np.testing.assert_allclose(
      rates([0, 5, 10, 60], slow_start_burnin_type='linear'),
      [1e-4, 1e-4 + .5 * (.01 - 1e-4), .01, .01 * .5 ** .9], rtol=1e-5)


@pytest.mark.parametrize('kwargs, message', [
    ({'learning_policy': 'poli'}, "Unknown learning_policy 'poli'. Did you mean 'poly'"),
    ({'slow_start_burnin_type': 'x'}, "'none' or 'linear', got 'x'")])
def test_unknown_names_are_refused(kwargs, message):
  with pytest.raises(ValueError, match=message):
    rates([0], **kwargs)
