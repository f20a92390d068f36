"""Tests of the gradient factors."""
import numpy as np

from deeplab.core.tf_compat import tf
from deeplab.utils import gradients


def make_variables():
  for name in ('backbone/weights', 'backbone/biases', 'logits/weights', 'logits/biases'):
    tf.get_variable(name, initializer=1.0)


def test_last_layers_and_biases_learn_faster():
  with tf.Graph().as_default():
    make_variables()
    assert gradients.get_model_gradient_multipliers(['logits'], 10.0) == {
        'backbone/biases': 2.0, 'logits/weights': 10.0, 'logits/biases': 20.0}


def test_biases_learn_twice_as_fast_at_multiplier_one():
  with tf.Graph().as_default():
    make_variables()
    assert gradients.get_model_gradient_multipliers(['logits'], 1.0) == {
        'backbone/biases': 2.0, 'logits/biases': 2.0}


def test_gradients_are_multiplied_by_variable_name():
  with tf.Graph().as_default(), tf.Session() as session:
    make_variables()
    pairs = [(tf.constant(3.0), v) for v in tf.trainable_variables()]
    scaled = gradients.multiply_gradients(pairs, {'logits/weights': 10.0})
    assert session.run([g for g, _ in scaled]) == [3.0, 3.0, 30.0, 3.0]


def test_gradients_are_clipped_together():
  with tf.Graph().as_default(), tf.Session() as session:
    variables = [tf.get_variable(name, [1]) for name in 'abc']
    pairs = list(zip([tf.constant([3.0]), tf.constant([4.0]), None], variables))
    same = gradients.clip_gradients(pairs, 0)
    clipped = gradients.clip_gradients(pairs, 1.0)
    assert session.run(gradients.global_norm(pairs)) == 5.0
    assert [session.run(g)[0] for g, _ in same[:2]] == [3.0, 4.0]
    np.testing.assert_allclose([session.run(g)[0] for g, _ in clipped[:2]], [0.6, 0.8])
    assert [v for _, v in clipped] == variables and clipped[2][0] is None
