"""Tests of the public start of a model's variables."""
import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.utils import train_utils


def _save(tmp_path):
  with tf.Graph().as_default(), tf.Session() as session:
    for name in ('net/weights', 'logits/weights'):
      tf.get_variable(name, initializer=np.full(3, 7, np.float32))
    session.run(tf.global_variables_initializer())
    return tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))


def _values(tmp_path, names, **kwargs):
  arguments = dict(train_logdir=str(tmp_path / 'run'), initialize_last_layer=False,
                   last_layers=['logits'], tf_initial_checkpoint=_save(tmp_path))
  arguments.update(kwargs)
  with tf.Graph().as_default(), tf.Session() as session:
    variables = [tf.get_variable(name, initializer=np.zeros(3, np.float32)) for name in names]
    start = train_utils.get_model_init_fn(**arguments)
    if start is None:
      return None
    session.run(tf.global_variables_initializer())
    start(session)
    return [value[0] for value in session.run(variables)]


def test_all_but_the_last_layers_start_from_the_checkpoint(tmp_path):
  assert _values(tmp_path, ['net/weights', 'logits/weights']) == [7, 0]
  assert _values(tmp_path, ['net/weights', 'logits/weights'], initialize_last_layer=True) == [
      7, 7]


def test_missing_variables_are_an_error_unless_they_may_be(tmp_path):
  names = ['net/weights', 'more/weights']
  with pytest.raises(ValueError, match='lacks 1 variables, such as more/weights'):
    _values(tmp_path, names)
  assert _values(tmp_path, names, ignore_missing_vars=True) == [7, 0]


def test_without_a_checkpoint_or_in_a_run_of_its_own_there_is_no_start(tmp_path):
  assert _values(tmp_path, ['net/weights'], tf_initial_checkpoint=None) is None
  assert _values(tmp_path, ['net/weights'], train_logdir=str(tmp_path)) is None
