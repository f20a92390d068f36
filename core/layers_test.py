"""Quantised layers against the plain ones, alone and in the whole network."""
import json
import os

import numpy as np
import pytest

from deeplab import model
from deeplab.core import layers, mobilenet_v2, quantization, tf_compat
from deeplab.core.checkpoints import initial_weights
from deeplab.core.options import NetworkOptions
from deeplab.core.quantization import Quantizer
from deeplab.core.tf_compat import slim, tf
from deeplab.testing import networks

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FLOAT_VARIABLES = os.path.join(ROOT, 'core', 'testdata', 'mobilenet_v2.json')
RECORDED_VARIABLES = os.path.join(ROOT, '..', 'shared', 'contract', 'variables',
                                  'mobilenet_v2_quant8.json')
OPTIONS = NetworkOptions({'semantic': 21}, crop_size=[33, 33], output_stride=16,
                       quantize_delay_step=0)
NEVER = 10 ** 9


def tiny_network(images, num_classes=3, is_training=False):
  """One layer of every kind: strided, dilated depthwise, gates, linear, sum, with a bias."""
  with slim.arg_scope(mobilenet_v2.mobilenet_v2_arg_scope(is_training, batch_norm_decay=0.9)):
    first = layers.conv2d(images, 8, 3, stride=2, scope='first')
    with tf.variable_scope('block'):
      net = layers.depthwise_conv2d(first, 3, rate=2, activation_fn=layers.hard_swish,
                                    scope='depthwise')
      gates = layers.conv2d(tf.reduce_mean(net, [1, 2], keepdims=True), 8, 1, normalizer_fn=None,
                            activation_fn=layers.hard_sigmoid, scope='gates')
      net = layers.multiply(net, gates, 'mul')
    net = layers.conv2d(net, 8, 1, activation_fn=None, scope='project')
    net = layers.quantize_sum(net + first)
    return layers.conv2d(net, num_classes, 1, activation_fn=None, normalizer_fn=None,
                         scope='logits')


class Tiny(object):
  """The tiny network in a session, with golden weights."""

  def __init__(self, quantizer, is_training=False):
    self.images = np.random.RandomState(1).uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)
    with tf.Graph().as_default():
      self.step = tf.train.get_or_create_global_step()
      with layers.quantize(quantizer):
        self.outputs = tiny_network(tf.constant(self.images), is_training=is_training)
      self.updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
      self.variables = {v.op.name: v for v in tf.global_variables()}
      self.trainable = {v.op.name for v in tf.trainable_variables()}
      weights = [self.variables[name] for name in sorted(self.trainable)]
      self.gradients = dict(zip(sorted(self.trainable),
                                tf.gradients(tf.square(self.outputs - 1), weights)))
      self.session = tf.Session()
      self.session.run(tf.global_variables_initializer())
    floats = [v for name, v in self.variables.items() if not quantization.is_range(name)]
    networks.load_golden_weights(self.session, floats)

  def run(self, step=0):
    self.step.load(step, self.session)
    return self.session.run([self.outputs, self.gradients, self.updates])[:2]

  def value(self, name):
    return self.session.run(self.variables[name])


def relative_difference(a, b):
  return np.abs(a - b).max() / np.std(b)


@pytest.mark.parametrize('is_training', [False, True])
def test_folded_batch_norm_equals_the_plain_one_with_its_gradients(is_training):
  plain = Tiny(None, is_training)
  folded = Tiny(Quantizer(is_training=True, delay_step=NEVER), is_training)
  assert plain.trainable == folded.trainable
  outputs, gradients = plain.run()
  folded_outputs, folded_gradients = folded.run()
  assert relative_difference(folded_outputs, outputs) < 1e-4
  for name, gradient in gradients.items():
    assert relative_difference(folded_gradients[name], gradient) < 1e-3, name
  for name in plain.variables:
    np.testing.assert_allclose(folded.value(name), plain.value(name), rtol=1e-4, atol=1e-5,
                               err_msg=name)
  assert len(plain.updates) == (6 if is_training else 0)


def test_before_the_delay_outputs_are_those_of_floats_and_then_lie_on_256_levels():
  expected, _ = Tiny(None, is_training=True).run()
  graph = Tiny(Quantizer(is_training=True, delay_step=3), is_training=True)
  for step in range(3):
    outputs, _ = graph.run(step)
    assert relative_difference(outputs, expected) < 1e-4
    assert len(np.unique(outputs)) == outputs.size
  outputs, _ = graph.run(3)
  assert 1e-3 < relative_difference(outputs, expected) < 0.2
  assert 100 < len(np.unique(outputs)) <= 256


def test_gradients_pass_the_rounding():
  _, floats = Tiny(None, is_training=True).run()
  _, quantized = Tiny(Quantizer(is_training=True), is_training=True).run()
  for name, gradient in floats.items():
    similarity = np.sum(gradient * quantized[name]) / (
        np.linalg.norm(gradient) * np.linalg.norm(quantized[name]))
    assert similarity > 0.95, name


def test_after_the_freeze_training_uses_the_moving_averages():
  frozen, _ = Tiny(Quantizer(is_training=True, delay_step=NEVER), is_training=False).run()
  graph = Tiny(Quantizer(is_training=True, delay_step=NEVER, freeze_step=4),
               is_training=True)
  plain = Tiny(None, is_training=True)
  name = 'first/BatchNorm/moving_variance'
  before = plain.value(name)
  outputs, _ = graph.run(4)
  assert relative_difference(outputs, frozen) < 1e-4
  np.testing.assert_array_equal(graph.value(name), before)
  with_statistics, _ = plain.run(3)
  outputs, _ = graph.run(3)
  assert relative_difference(outputs, with_statistics) < 1e-4
  np.testing.assert_allclose(graph.value(name), plain.value(name), rtol=1e-5)
  assert np.abs(graph.value(name) - before).max() > 1e-2


def test_inference_equals_training_with_frozen_batch_norm():
  training = Tiny(Quantizer(is_training=True))
  expected, _ = training.run()
  inference = Tiny(Quantizer())
  for name, variable in inference.variables.items():
    if quantization.is_range(name):
      variable.load(training.value(name), inference.session)
  outputs, _ = inference.run()
  np.testing.assert_allclose(outputs, expected, atol=1e-5)
  assert not inference.updates


def test_arguments_that_are_not_served_are_refused():
  with tf.Graph().as_default(), layers.quantize(Quantizer()):
    images = tf.zeros([1, 9, 9, 3])
    with pytest.raises(TypeError, match='data_format'):
      layers.conv2d(images, 2, 3, scope='a', data_format='NCHW')
    with pytest.raises(ValueError, match='Quantised layers know slim.batch_norm'):
      layers.conv2d(images, 2, 3, scope='b', normalizer_fn=slim.layer_norm)
    with pytest.raises(ValueError, match='need batch norm with center and scale'):
      layers.conv2d(images, 2, 3, scope='c', normalizer_fn=slim.batch_norm)


def test_a_small_problem_is_learnt():
  """The class of a pixel is the brightest channel of its 2x2 patch."""
  images = np.random.RandomState(0).uniform(-1, 1, (8, 16, 16, 3)).astype(np.float32)
  labels = images.reshape(8, 8, 2, 8, 2, 3).mean((2, 4)).argmax(3)
  with tf.Graph().as_default(), tf.Session() as session:
    step = tf.train.get_or_create_global_step()
    with layers.quantize(Quantizer(is_training=True, delay_step=10, freeze_step=35)):
      logits = tiny_network(tf.constant(images), is_training=True)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=labels, logits=logits))
    train_op = tf.train.AdamOptimizer(0.02).minimize(loss, global_step=step)
    with layers.quantize(Quantizer()), tf.variable_scope('', reuse=True):
      predictions = tf.argmax(tiny_network(tf.constant(images)), 3)
    session.run(tf.global_variables_initializer())
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    history = [session.run([loss, train_op, updates])[0] for _ in range(60)]
    accuracy = np.mean(session.run(predictions) == labels)
  assert history[-1] < 0.6 * history[0], history
  # Inference rounds as training does.
  assert accuracy > 0.75


def convert_to_integers(session, images, labels):
  """Returns the function from images to labels that a TFLite file of 8 bits computes."""
  converter = tf.lite.TFLiteConverter.from_session(session, [images], [labels])
  converter.inference_type = converter.inference_input_type = tf.int8
  # Mean and standard deviation of what the input calls zero and one.
  converter.quantized_input_stats = {images.op.name: (0.0, 127.0)}
  interpreter = tf.lite.Interpreter(model_content=converter.convert())
  interpreter.allocate_tensors()
  given, = interpreter.get_input_details()
  returned, = interpreter.get_output_details()
  dtypes = {detail['dtype'] for detail in interpreter.get_tensor_details()}
  assert np.float32 not in dtypes

  def run(values):
    interpreter.set_tensor(given['index'], np.round(values * 127).astype(np.int8))
    interpreter.invoke()
    return interpreter.get_tensor(returned['index'])

  return run


@pytest.mark.skipif(tf_compat.IS_TF1, reason='the converter of TensorFlow 1.15 knows uint8')
@pytest.mark.filterwarnings('ignore')
def test_integer_arithmetic_gives_the_labels_of_fake_quantisation():
  training = Tiny(Quantizer(is_training=True), is_training=True)
  for step in range(100):
    training.run(step)
  values = np.round(training.images * 127) / 127
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(tf.float32, values.shape)
    # The sources of a label: inputs of 8 bits, then a network of 8 bits.
    rounded = tf.quantization.fake_quant_with_min_max_args(images, -128 / 127., 1.0)
    with layers.quantize(Quantizer()):
      labels = tf.argmax(tiny_network(rounded), 3, output_type=tf.int32)
    initial_weights.assign(session, {variable: training.value(variable.op.name)
                                     for variable in tf.global_variables()})
    expected = session.run(labels, {images: values})
    integer_labels = convert_to_integers(session, images, labels)(values)
  assert len(np.unique(expected)) == 3
  assert np.mean(integer_labels == expected) > 0.98


def build(options, is_training=False):
  """Returns (sorted [name, shape] of all variables, number of fake quantisations)."""
  with tf.Graph().as_default() as graph:
    tf.train.get_or_create_global_step()
    model.multi_scale_logits(tf.zeros([2, 33, 33, 3]), options, None,
                             is_training=is_training, fine_tune_batch_norm=is_training)
    variables = sorted([v.op.name, v.shape.as_list()] for v in tf.global_variables()
                       if v.op.name != 'global_step')
    count = sum(op.type == 'FakeQuantWithMinMaxVars' for op in graph.get_operations())
  return variables, count


@pytest.fixture(scope='module', name='inference')
def build_inference():
  return build(OPTIONS)


def test_every_convolution_and_sum_of_the_network_is_quantised(inference):
  variables, count = inference
  assert len(variables) == 512 and count == 120
  with open(FLOAT_VARIABLES) as stream:
    floats = json.load(stream)
  tensors = ['MobilenetV2/expanded_conv_%d/post_activation_bypass_quant' % block
             for block in (2, 4, 5, 7, 8, 9, 11, 12, 14, 15)]
  for name, _ in floats:
    scope, last = name.rsplit('/', 1)
    if last.endswith('weights'):
      tensors += [scope + '/weights_quant', scope + '/act_quant']
  ranges = [['%s/%s' % (tensor, end), []] for tensor in tensors for end in ('min', 'max')]
  assert variables == sorted(floats + ranges)


def test_variables_are_the_recorded_ones(inference):
  if not os.path.exists(RECORDED_VARIABLES):
    pytest.skip('no recorded variables in %s' % RECORDED_VARIABLES)
  with open(RECORDED_VARIABLES) as stream:
    assert inference[0] == json.load(stream)


def test_training_needs_no_further_variables(inference):
  assert build(OPTIONS, is_training=True) == inference


@pytest.mark.parametrize('changes', [
    {'decoder_output_stride': [4], 'atrous_rates': [2, 4], 'depth_multiplier': 0.5},
    {'decoder_output_stride': [4], 'decoder_use_separable_conv': False, 'crop_size': None,
     'add_image_level_feature': False, 'atrous_rates': [2], 'aspp_with_separable_conv': False},
    {'atrous_rates': [2, 4], 'aspp_with_batch_norm': False},
    {'dense_prediction_cell_config': [
        {'kernel': 3, 'rate': [1, 2], 'op': 'conv', 'input': -1},
        {'kernel': 1, 'op': 'conv', 'input': 0}]},
])
def test_parts_of_the_head_are_quantised(changes):
  options = OPTIONS._replace(**changes)
  floats, none = build(options._replace(quantize_delay_step=-1))
  variables, count = build(options)
  ranges = [v for v in variables if quantization.is_range(v[0])]
  assert none == 0 and [v for v in variables if v not in ranges] == floats
  num_weights = sum(name.endswith('weights') for name, _ in floats)
  num_sums = 10 + (not options.aspp_with_batch_norm)
  assert count == 2 * num_weights + num_sums and len(ranges) == 2 * count


@pytest.mark.parametrize('variant, depth_multiplier', [
    ('mobilenet_v2', 0.25), ('mobilenet_v3_small_seg', 0.5), ('mobilenet_edgetpu', 0.25),
    ('resnet_v1_18', 1.0)])
def test_whole_network_trains_from_float_weights(variant, depth_multiplier):
  options = OPTIONS._replace(model_variant=variant, depth_multiplier=depth_multiplier)
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.constant(networks.golden_image(33, 33))
    step = tf.train.get_or_create_global_step()
    floats = model.multi_scale_logits(images, options._replace(quantize_delay_step=-1), None)
    names = {v.op.name for v in tf.global_variables()}
    with tf.variable_scope('', reuse=tf.AUTO_REUSE):
      logits = [model.multi_scale_logits(images, options, None, is_training=is_training)
                for is_training in (True, False)]
    floats, trained, evaluated = [
        tensors['semantic']['merged_logits'] for tensors in [floats] + logits]
    session.run(tf.global_variables_initializer())
    networks.load_golden_weights(
        session, [v for v in tf.global_variables() if v.op.name in names and v is not step])
    # Dropout is a part of training alone; the ranges do not depend on it much.
    session.run([trained, tf.get_collection(tf.GraphKeys.UPDATE_OPS)])
    floats, evaluated = session.run([floats, evaluated])
    assert {v.op.name for v in tf.global_variables() if v.op.name not in names} == {
        v.op.name for v in tf.global_variables() if quantization.is_range(v.op.name)}
  assert np.corrcoef(floats.ravel(), evaluated.ravel())[0, 1] > 0.9


@pytest.mark.parametrize('predict, arguments', [
    (model.predict_labels, {'image_pyramid': [0.5, 1.0]}),
    (model.predict_labels_multi_scale, {'eval_scales': [1.0, 1.5]}),
    (model.predict_labels_multi_scale, {'add_flipped_images': True}),
])
def test_several_scales_and_flips_are_refused(predict, arguments):
  with tf.Graph().as_default(), pytest.raises(ValueError, match='quantize_delay_step=0 needs'):
    predict(tf.zeros([1, 33, 33, 3]), OPTIONS, **arguments)
