"""Tests of the sentences that checks inside the input graph give."""
import pytest

from deeplab.core.images import input_errors
from deeplab.core.tf_compat import tf


def _run_in_a_pipeline(value):
  def check(x):
    checked = input_errors.check(x < 3, lambda: ['Value ', tf.as_string(x), ' is not small.'])
    with tf.control_dependencies([checked]):
      return tf.identity(x)

  with tf.Graph().as_default(), tf.Session() as session:
    dataset = tf.data.Dataset.from_tensors(value).map(check)
    return session.run(tf.data.make_one_shot_iterator(dataset).get_next())


def test_a_check_that_holds_is_silent():
  assert _run_in_a_pipeline(2) == 2


def test_a_failed_check_is_found_in_the_error():
  with pytest.raises(tf.errors.InvalidArgumentError) as caught:
    _run_in_a_pipeline(41)
  assert input_errors.sentence_of(caught.value) == 'Value 41 is not small.'


def test_other_errors_have_no_sentence():
  assert input_errors.sentence_of(ValueError('Value 41')) is None
