"""Tests of precision, XLA, recomputation and accumulation: what they keep, and when they refuse."""
import numpy as np
import pytest

from deeplab.core import tf_compat
from deeplab.core.tf_compat import tf
from deeplab.utils.speed_and_memory import graph_rewrites, recomputation
from deeplab.utils.training import graph as train_graph
from deeplab.utils.training.loop_test import DATASET, MODEL_OPTIONS, make_options, make_samples

pytestmark = pytest.mark.usefixtures('shallow_network')

SIZE = 5
_SMALL = MODEL_OPTIONS._replace(decoder_output_stride=None)


def _train(num_runs, **kwargs):
  """Returns losses, final weights and global step of runs with frozen batch norm."""
  options = make_options(fine_tune_batch_norm=False, **kwargs)
  with tf.Graph().as_default():
    tf.set_random_seed(1)
    graph = train_graph.build_train_graph(make_samples(), DATASET, _SMALL, options)
    with tf.Session(config=graph_rewrites.session_config(options)) as session:
      session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
      losses = [session.run(graph.train_op) for _ in range(num_runs)]
      weights = session.run([v for v in tf.trainable_variables() if 'logits' in v.op.name])
      return losses, weights, session.run(tf.train.get_global_step())


@pytest.fixture(name='plain', scope='module')
def train_plainly():
  return _train(3, recompute=recomputation.NOTHING)


@pytest.mark.parametrize('level', [recomputation.BATCH_NORM, recomputation.ALL])
def test_recomputed_activations_give_the_same_steps(plain, level):
  losses, weights, _ = _train(3, recompute=level)
  np.testing.assert_allclose(losses, plain[0], rtol=1e-5)
  for actual, wanted in zip(weights, plain[1]):
    np.testing.assert_allclose(actual, wanted, atol=1e-5)


def test_accumulated_gradients_of_equal_batches_are_those_of_one(plain):
  losses, weights, step = _train(6, gradient_accumulation_steps=2)
  assert step == 3
  np.testing.assert_allclose(losses[::2], plain[0], rtol=1e-5)
  np.testing.assert_allclose(losses[1::2], plain[0], rtol=1e-5)
  for actual, wanted in zip(weights, plain[1]):
    np.testing.assert_allclose(actual, wanted, atol=1e-5)


def test_a_scaled_loss_gives_the_same_steps_and_leaves_no_trace_in_checkpoints(plain):
  options = make_options(fine_tune_batch_norm=False, precision='float16',
                         gradient_accumulation_steps=2)
  with tf.Graph().as_default(), tf.Session() as session:
    tf.set_random_seed(1)
    graph = train_graph.build_train_graph(make_samples(), DATASET, _SMALL, options)
    names = [v.op.name for v in tf.global_variables()]
    assert not [name for name in names if 'loss_scale' in name or 'good_steps' in name]
    assert [v.op.name for v in tf.local_variables() if 'loss_scale' in v.op.name]
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    losses = [session.run(graph.train_op) for _ in range(6)]
  np.testing.assert_allclose(losses[::2], plain[0], rtol=1e-4)


def test_batch_norm_and_activations_are_computed_again(plain, monkeypatch):
  monkeypatch.setattr(recomputation, '_LEAST_BYTES', 1)
  losses, weights, _ = _train(3)
  np.testing.assert_allclose(losses, plain[0], rtol=1e-5)
  for actual, wanted in zip(weights, plain[1]):
    np.testing.assert_allclose(actual, wanted, atol=1e-5)


@pytest.mark.skipif(tf_compat.IS_TF1, reason='TensorFlow 1.15 has no bfloat16 on processors')
def test_bfloat16_steps_are_near_those_of_float32(plain):
  graph_rewrites.check(make_options(precision='bfloat16'))
  losses, weights, _ = _train(3, precision='bfloat16')
  np.testing.assert_allclose(losses, plain[0], rtol=0.02)
  assert all(weight.dtype == np.float32 for weight in weights)


@pytest.mark.skipif(not tf_compat.IS_TF1, reason='TensorFlow 2 has it')
def test_bfloat16_needs_tensorflow_2():
  with pytest.raises(ValueError, match='--precision=bfloat16 needs TensorFlow 2, this is 1.15'):
    graph_rewrites.check(make_options(precision='bfloat16'))


def test_float16_on_a_processor_is_refused():
  with pytest.raises(ValueError, match='--precision=float16 is for training on a GPU, but this '
                                       'trains on the CPU: use --precision=bfloat16 or float32'):
    graph_rewrites.check(make_options(precision='float16'), trains_on_cpu=True)


def test_settings_of_the_session():
  config = graph_rewrites.session_config(
      make_options(xla=True), tf.ConfigProto(device_count={'CPU': 3}))
  assert config.device_count['CPU'] == 3
  assert config.graph_options.optimizer_options.global_jit_level == 1
  config = graph_rewrites.session_config(make_options())
  assert not config.graph_options.ByteSize()
  # Else TensorFlow would not look at TF_FORCE_GPU_ALLOW_GROWTH.
  assert not config.HasField('gpu_options')


def gradients_of(kernel_size, stride=1, num_images=2, size=SIZE, data=None):
  """Returns (gradient of the weights, its replacement or None, gradient read by another)."""
  graph = tf.get_default_graph()
  images = tf.constant(np.random.RandomState(0).normal(
      size=[num_images, size, size, 3]).astype(np.float32)) if data is None else data
  weights = tf.get_variable('weights', [kernel_size, kernel_size, 3, 4])
  outputs = tf.nn.conv2d(images, weights, [1, stride, stride, 1], 'SAME')
  gradient, = tf.gradients(tf.reduce_sum(tf.sin(outputs)), [weights])
  doubled = gradient + gradient
  replaced = graph_rewrites.use_matrix_products(graph.get_operations())
  return gradient, replaced.get(gradient.name), doubled


def test_the_gradient_is_the_same():
  with tf.Graph().as_default(), tf.Session() as session:
    gradient, replacement, doubled = gradients_of(1)
    session.run(tf.global_variables_initializer())
    expected, actual, read = session.run([gradient, replacement, doubled])
  assert replacement.op.type == 'Reshape' and actual.shape == (1, 1, 3, 4)
  assert np.abs(expected).max() > 1
  np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
  np.testing.assert_allclose(read, 2 * expected, rtol=1e-5, atol=1e-5)


def test_readers_no_longer_need_the_convolution():
  with tf.Graph().as_default():
    gradient, replacement, doubled = gradients_of(1)
    assert not gradient.consumers()
    assert [tensor.name for tensor in doubled.op.inputs] == [replacement.name] * 2


@pytest.mark.parametrize('arguments', [
    {'kernel_size': 3}, {'kernel_size': 1, 'stride': 2},
    {'kernel_size': 1, 'num_images': 1, 'size': 182}], ids=['3x3', 'stride', 'many pixels'])
def test_others_stay(arguments):
  with tf.Graph().as_default():
    _, replacement, _ = gradients_of(**arguments)
  assert replacement is None


def test_an_unknown_number_of_pixels_stays():
  with tf.Graph().as_default():
    _, replacement, _ = gradients_of(1, data=tf.placeholder(tf.float32, [None, SIZE, SIZE, 3]))
  assert replacement is None


def test_gpus_choose_for_themselves(monkeypatch):
  monkeypatch.setattr(tf_compat, 'num_gpus', lambda: 1)
  with tf.Graph().as_default():
    _, replacement, _ = gradients_of(1)
  assert replacement is None
