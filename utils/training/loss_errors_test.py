"""Tests of the errors that end a training run."""
import types

import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.utils.training import loss_errors, summaries

OPTIONS = types.SimpleNamespace(train_logdir='run/train', train_batch_size=8,
                                optimizer='momentum', base_learning_rate=0.5)
NAMES = ['street/grün, "1"', 'a|b', 'plain']


def run_checked(loss, names=NAMES, gradient_norm=None):
  with tf.Graph().as_default(), tf.Session() as session:
    names = names and tf.constant([name.encode('utf-8') for name in names])
    weight = tf.Variable(1.0)
    checked = loss_errors.check_finite(
        tf.constant(loss, tf.float32), names,
        None if gradient_norm is None else tf.constant(gradient_norm, tf.float32))
    with tf.control_dependencies([checked]):
      update = weight.assign(7.0)
    session.run(tf.global_variables_initializer())
    try:
      with loss_errors.readable_loss_errors(OPTIONS):
        session.run(update)
    finally:
      assert session.run(weight) == (1.0 if not np.isfinite([loss, gradient_norm or 0]).all()
                                     else 7.0)
    return session.run(checked)


def test_a_finite_loss_passes_unchanged():
  assert run_checked(2.5) == 2.5
  assert run_checked(2.5, gradient_norm=1e30) == 2.5


@pytest.mark.parametrize('loss', [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_finite_names_the_samples_and_what_to_do(loss):
  with pytest.raises(ValueError) as caught:
    run_checked(loss)
  message = str(caught.value)
  assert message.startswith('The loss became NaN or infinite in the batch of '
                            'street/grün, "1", a|b, plain; the weights in run/train are')
  assert 'lower --base_learning_rate (now 0.5)' in message


def test_gradients_that_are_not_finite_stop_too():
  with pytest.raises(ValueError, match='The gradient became NaN or infinite in the batch of'):
    run_checked(1.0, gradient_norm=np.inf)


def test_weights_that_are_not_finite_stop_where_tensorflow_sees_it():
  with tf.Graph().as_default(), tf.Session() as session:
    variable = tf.get_variable('weights', initializer=[1.0, np.inf])
    summaries.add_variable_histograms()
    session.run(variable.initializer)
    with pytest.raises(ValueError, match='^The weights became NaN or infinite; the weights in'):
      with loss_errors.readable_loss_errors(OPTIONS):
        session.run(tf.summary.merge_all())


def test_names_are_optional_and_many_are_counted():
  with pytest.raises(ValueError, match='The loss became NaN or infinite; the weights'):
    run_checked(np.nan, names=None)
  with pytest.raises(ValueError, match='batch of n0, n1, n2, n3, n4, n5, n6, n7 and 5 more;'):
    run_checked(np.nan, names=['n%d' % i for i in range(13)])


def test_a_name_is_told_once():
  with pytest.raises(ValueError, match='in the batch of b, a; the weights'):
    run_checked(np.nan, names=['b', 'a', 'b'])


def test_other_errors_pass_through():
  with pytest.raises(tf.errors.InvalidArgumentError):
    with loss_errors.readable_loss_errors(OPTIONS):
      raise tf.errors.InvalidArgumentError(None, None, 'something else')


def test_check_numerics_with_the_same_words_is_understood():
  with tf.Graph().as_default(), tf.Session() as session:
    with pytest.raises(ValueError, match='The loss became NaN or infinite; '):
      with loss_errors.readable_loss_errors(OPTIONS):
        session.run(tf.check_numerics(tf.constant(np.nan), loss_errors.NOT_FINITE))
