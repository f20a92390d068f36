"""Tests of the gradient factors."""
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
