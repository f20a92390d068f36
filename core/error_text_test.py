"""Tests of the line of an error, on errors that TensorFlow makes."""
import pytest

from deeplab.core import error_text
from deeplab.core.tf_compat import tf


def test_the_line_of_a_failed_step_says_what_failed():
  with tf.Graph().as_default(), tf.Session() as session:
    image = tf.image.decode_png(tf.placeholder_with_default('no picture', []))
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
      session.run(image)
  reason = error_text.reason_of(caught.value)
  assert '\n' not in reason
  assert 'Detected at node' not in reason and 'Graph execution' not in reason
  assert 'image' in reason.lower() or 'png' in reason.lower()


def test_other_errors_have_their_first_line():
  assert error_text.reason_of(ValueError('one.\ntwo')) == 'one'
  assert error_text.reason_of(tf.errors.DataLossError(None, None, 'lost\n\tmore')) == 'lost'
