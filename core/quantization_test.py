"""Fake quantisation: levels, learnt ranges, the delay, and what is refused."""
import numpy as np
import pytest

from deeplab.core import quantization
from deeplab.core.options import NetworkOptions
from deeplab.core.quantization import Quantizer
from deeplab.core.tf_compat import tf

OPTIONS = NetworkOptions({'semantic': 3}, quantize_delay_step=0)


class Graph(object):
  """A fake-quantised placeholder in a session."""

  def __init__(self, function, **fields):
    self.graph = tf.Graph()
    with self.graph.as_default():
      self.step = tf.train.get_or_create_global_step()
      self.inputs = tf.placeholder(tf.float32, [None])
      self.outputs = function(self.inputs, Quantizer(**fields))
      self.gradient = tf.gradients(self.outputs, self.inputs)[0]
      self.updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
      self.bounds = [tf.global_variables()[1], tf.global_variables()[2]]
      self.session = tf.Session()
      self.session.run(tf.global_variables_initializer())

  def run(self, values, step=0):
    """Runs a step of training; returns outputs and their gradient."""
    self.step.load(step, self.session)
    return self.session.run([self.outputs, self.gradient, self.updates],
                            {self.inputs: values})[:2]

  def range(self):
    return self.session.run(self.bounds)


def test_range_becomes_that_of_the_data():
  graph = Graph(quantization.fake_quantize, is_training=True)
  rng = np.random.RandomState(0)
  for step in range(100):
    graph.run(np.append(rng.uniform(-1, 2, 50), [-1.0, 2.0]), step)
  np.testing.assert_allclose(graph.range(), [-1.0, 2.0], rtol=1e-5)
  assert [v.op.name for v in graph.bounds] == ['act_quant/min', 'act_quant/max']


def test_first_batch_sets_the_range_and_later_ones_move_it():
  graph = Graph(quantization.fake_quantize, is_training=True)
  graph.run([-4.0, 4.0], step=0)
  assert graph.range() == [-4.0, 4.0]
  graph.run([-2.0, 6.0], step=90)
  # Decay (1 + 90) / (10 + 90) of the former range.
  np.testing.assert_allclose(graph.range(), [-0.91 * 4 - 0.09 * 2, 0.91 * 4 + 0.09 * 6])
  graph.run([0.0], step=10 ** 6)
  np.testing.assert_allclose(graph.range(), [-3.82 * 0.999, 4.18 * 0.999], rtol=1e-6)


def test_range_holds_zero():
  graph = Graph(quantization.fake_quantize, is_training=True)
  graph.run([3.0, 5.0])
  assert graph.range() == [0.0, 5.0]


def test_activations_lie_on_256_levels_of_the_range():
  graph = Graph(quantization.fake_quantize, is_training=True)
  values = np.linspace(0, 5.1, 5000)
  outputs, _ = graph.run(values)
  levels = np.unique(outputs)
  assert len(levels) == 256
  np.testing.assert_allclose(levels, 0.02 * np.arange(256), atol=1e-5)
  assert np.abs(outputs - values).max() <= 0.01 + 1e-5


def test_weights_lie_on_255_symmetric_levels():
  graph = Graph(quantization.fake_quantize_weights, is_training=True)
  outputs, _ = graph.run(np.linspace(-0.3, 1.27, 5000))
  np.testing.assert_allclose(graph.range(), [-1.27, 1.27])
  steps = outputs / 0.01
  np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
  assert outputs.max() == pytest.approx(1.27) and 0.0 in outputs


def test_gradient_passes_straight_through_within_the_range():
  graph = Graph(quantization.fake_quantize, is_training=True)
  graph.run([-1.0, 1.0])
  _, gradient = graph.run([-3.0, -0.5, 0.0, 0.77, 3.0], step=10 ** 6)
  np.testing.assert_array_equal(gradient, [0, 1, 1, 1, 0])


def test_before_the_delay_values_pass_and_ranges_are_learnt():
  graph = Graph(quantization.fake_quantize, is_training=True, delay_step=5)
  values = np.random.RandomState(0).uniform(-1, 1, 2000).astype(np.float32)
  for step in range(5):
    outputs, gradient = graph.run(values, step)
    np.testing.assert_array_equal(outputs, values)
    np.testing.assert_array_equal(gradient, np.ones_like(values))
  np.testing.assert_allclose(graph.range(), [values.min(), values.max()], rtol=1e-5)
  outputs, _ = graph.run(values, 5)
  assert 200 < len(np.unique(outputs)) <= 256


def test_without_training_the_range_stays_and_the_delay_is_over():
  graph = Graph(quantization.fake_quantize, delay_step=100)
  for variable, bound in zip(graph.bounds, (-1.0, 1.0)):
    variable.load(bound, graph.session)
  outputs, _ = graph.run(np.linspace(-9, 9, 1000))
  assert graph.range() == [-1.0, 1.0] and not graph.updates
  assert np.abs(outputs).max() < 1.01


def test_training_asks_for_a_global_step():
  with tf.Graph().as_default(), pytest.raises(ValueError, match='needs a global step: call'):
    quantization.fake_quantize(tf.zeros([1]), Quantizer(is_training=True))


def test_ranges_are_known_by_name():
  assert quantization.is_range('MobilenetV2/Conv/act_quant/min')
  assert quantization.is_range('logits/semantic/weights_quant/max')
  assert quantization.is_range('a/post_activation_bypass_quant/max')
  assert quantization.is_range('a/hard_swish/mul/activation_Mul_quant/max')
  assert quantization.is_range('a/conv_quant/min') and quantization.is_range('act_quant_1/min')
  assert not quantization.is_range('MobilenetV2/Conv/weights')
  assert not quantization.is_range('min')
  assert not quantization.is_range('act_quant/min/Adam')


def test_batch_norm_is_frozen_in_the_last_part():
  assert quantization.default_freeze_step(0, 300) == 210
  assert quantization.default_freeze_step(100, 300) == 240
  assert quantization.default_freeze_step(500, 300) == 500


def test_quantizer_of_the_options():
  assert quantization.make_quantizer(NetworkOptions({}), True) is None
  assert quantization.make_quantizer(
      OPTIONS._replace(quantize_delay_step=7, quantize_freeze_step=9), True) == (True, 7, 9)


@pytest.mark.parametrize('changes, arguments, message', [
    ({'model_variant': 'xception_65'}, {},
     'quantize_delay_step=0 needs a MobileNet or a ResNet as --model_variant, got xception_65'),
    ({'quantize_delay_step': 3}, {'num_clones': 2},
     'quantize_delay_step=3 needs --num_clones=1, got 2'),
    ({}, {'scales': [0.5, 1]}, 'needs the scale 1.0 alone, got 0.5, 1.0'),
    ({}, {'scales': [1.5]}, 'needs the scale 1.0 alone, got 1.5'),
    ({}, {'add_flipped_images': True}, 'leave out --add_flipped_images'),
    ({'preprocessed_images_dtype': tf.float16}, {}, 'float32, got float16'),
    ({}, {'num_workers': 2}, 'quantize_delay_step=0 needs a single worker, got 2'),
    ({}, {'precision': 'bfloat16'},
     'quantize_delay_step=0 needs --precision=float32, got bfloat16'),
])
def test_what_cannot_be_quantised_is_refused(changes, arguments, message):
  options = OPTIONS._replace(**changes)
  with pytest.raises(ValueError, match=message):
    quantization.check(options, **arguments)
  quantization.check(options._replace(quantize_delay_step=-1), **arguments)


def test_one_clone_and_one_scale_pass():
  quantization.check(OPTIONS, 1, [1], False)
  quantization.check(OPTIONS, scales=None)
  # An evaluator may know of no worker.
  quantization.check(OPTIONS, num_workers=0)
