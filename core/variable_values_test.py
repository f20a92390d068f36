"""Tests of setting variables."""
import numpy as np

from deeplab.core import variable_values
from deeplab.core.tf_compat import tf


def test_values_are_set_with_their_types_and_others_stay():
  with tf.Graph().as_default(), tf.Session() as session:
    kernel, step, other = [
        tf.get_variable(name, shape, dtype, tf.zeros_initializer())
        for name, shape, dtype in (('kernel', [2, 3], tf.float32), ('step', [], tf.int64),
                                   ('other', [2], tf.float32))]
    session.run(tf.global_variables_initializer())
    variable_values.assign(session, {kernel: np.arange(6).reshape(2, 3), step: 7})
    values = session.run([kernel, step, other])
  np.testing.assert_array_equal(values[0], [[0, 1, 2], [3, 4, 5]])
  assert values[1] == 7
  np.testing.assert_array_equal(values[2], [0, 0])
