"""Tests of rewriting frozen graphs: fewer operations, the same values."""
import collections

import numpy as np
import pytest

from deeplab import model
from deeplab.core import options
from deeplab.core.checkpoints import initial_weights
from deeplab.core.tf_compat import tf
from deeplab.deployment.graphs import folding, freezing, record
from deeplab.testing import tiny_run

OUTPUTS = freezing.ExportOptions(export_probabilities=True).output_names


def load_random_weights(session):
  """Fills all variables; those of batch norm so that leaving one out shows."""
  rng = np.random.RandomState(0)
  draws = {'gamma': lambda shape: rng.uniform(0.5, 1.5, shape),
           'beta': lambda shape: rng.normal(0.1, 0.2, shape),
           'biases': lambda shape: rng.normal(0, 0.1, shape),
           'moving_mean': lambda shape: rng.normal(0, 0.2, shape),
           'moving_variance': lambda shape: rng.uniform(0.5, 2, shape)}
  values = {}
  for variable in tf.global_variables():
    shape = variable.shape.as_list()
    fan_in = np.prod(shape[:2] if 'depthwise' in variable.op.name else shape[:3])
    draw = draws.get(variable.op.name.split('/')[-1],
                     lambda shape, fan_in=fan_in: rng.normal(0, fan_in ** -0.5, shape))
    values[variable] = draw(shape)
  initial_weights.assign(session, values)


def freeze(names):
  """Returns the frozen GraphDef of the default graph with random weights."""
  with tf.Session() as session:
    load_random_weights(session)
    return tf.graph_util.convert_variables_to_constants(
        session, tf.get_default_graph().as_graph_def(), names)


def run(graph_def, names, feeds):
  with tf.Graph().as_default(), tf.Session() as session:
    tf.import_graph_def(graph_def, name='')
    return session.run([name + ':0' for name in names],
                       {name + ':0': value for name, value in feeds.items()})


def count_ops(graph_def):
  return collections.Counter(node.op for node in graph_def.node)


@pytest.mark.parametrize('variant, fields', [
    ('mobilenet_v2', dict(depth_multiplier=0.5, decoder_output_stride=[4])),
    ('mobilenet_v3_small_seg', dict(depth_multiplier=0.5, decoder_output_stride=[4])),
    ('mobilenet_edgetpu', dict(depth_multiplier=0.5, decoder_output_stride=[4])),
    ('xception_41', dict(decoder_output_stride=[4])),
    ('resnet_v1_50_beta', dict(aspp_with_separable_conv=False)),
])
def test_folded_networks_give_the_same_probabilities(variant, fields):
  model_options = options.NetworkOptions(
      {'semantic': 4}, crop_size=(41, 33), output_stride=16, atrous_rates=[2],
      model_variant=variant, **fields)
  with tf.Graph().as_default():
    freezing.build_inference_graph(model_options, model.predict_labels,
                                   freezing.ExportOptions(export_probabilities=True))
    frozen = freeze(OUTPUTS)
  folded = folding.fold(frozen, OUTPUTS)
  # Padded in width, larger than the crop in height.
  feeds = {record.INPUT_NAME: tiny_run.make_samples([(57, 25)])[0].image[np.newaxis]}
  expected = dict(zip(OUTPUTS, run(frozen, OUTPUTS, feeds)))
  actual = dict(zip(OUTPUTS, run(folded, OUTPUTS, feeds)))
  probabilities = expected[record.PROBABILITIES_NAME]
  assert probabilities.std() > 0.01
  np.testing.assert_allclose(actual[record.PROBABILITIES_NAME], probabilities, atol=1e-4)
  two_best = np.sort(probabilities, axis=3)[..., -2:]
  is_clear = two_best[..., 1] - two_best[..., 0] > 1e-3
  assert is_clear.mean() > 0.9
  np.testing.assert_array_equal(actual[record.OUTPUT_NAME][is_clear],
                                expected[record.OUTPUT_NAME][is_clear])
  before, after = count_ops(frozen), count_ops(folded)
  assert before['FusedBatchNormV3'] + before['FusedBatchNorm'] > 40
  assert not [op for op in after if op.startswith('FusedBatchNorm')]
  assert after['Identity'] <= len(OUTPUTS)
  for op in ('Conv2D', 'DepthwiseConv2dNative', 'SpaceToBatchND', 'BatchToSpaceND'):
    assert before[op] == after[op]
  first = next(node for node in folded.node if node.op == 'Conv2D')
  assert 'scaled' in first.input[1] or 'folded' in first.input[1]


def test_atrous_convolutions_have_bias_and_activation_beside_them():
  with tf.Graph().as_default():
    image = tf.placeholder(tf.float32, [1, None, None, 3], name='image')
    weights = tf.get_variable('weights', [3, 3, 3, 2])
    net = tf.space_to_batch_nd(image, [2, 2], [[2, 2], [2, 2]])
    net = tf.nn.depthwise_conv2d(net, weights, [1, 1, 1, 1], 'VALID')
    net = tf.batch_to_space_nd(net, [2, 2], [[0, 0], [0, 0]])
    net = tf.nn.bias_add(net, tf.constant([.1, .2, .3, -.4, -.5, .6]))
    tf.nn.relu6(net * tf.constant([1., 2., 3., 4., 5., 6.]), name='output')
    frozen = freeze(['output'])
  folded = folding.fold(frozen, ['output'])
  order = [node.op for node in folded.node if node.op not in ('Const', 'Placeholder')]
  assert order == ['SpaceToBatchND', 'DepthwiseConv2dNative', 'BiasAdd', 'Relu6',
                   'BatchToSpaceND']
  feeds = {'image': np.random.RandomState(0).rand(1, 8, 6, 3)}
  np.testing.assert_allclose(run(folded, ['output'], feeds), run(frozen, ['output'], feeds),
                             atol=1e-5)


def test_batch_norm_written_out_is_folded():
  with tf.Graph().as_default():
    image = tf.placeholder(tf.float32, [1, None, None, 3], name='image')
    net = tf.nn.conv2d(image, tf.get_variable('weights', [1, 1, 3, 4]), [1, 1, 1, 1], 'SAME')
    gamma, beta, mean, variance = [
        tf.get_variable(name, [4]) for name in ('gamma', 'beta', 'moving_mean',
                                                'moving_variance')]
    tf.nn.relu(tf.nn.batch_normalization(net, mean, variance, beta, gamma, 1e-3), name='output')
    frozen = freeze(['output'])
  folded = folding.fold(frozen, ['output'])
  assert count_ops(folded) == {'Const': 2, 'Placeholder': 1, 'Conv2D': 1, 'BiasAdd': 1,
                               'Relu': 1}
  feeds = {'image': np.random.RandomState(0).rand(1, 4, 5, 3)}
  np.testing.assert_allclose(run(folded, ['output'], feeds), run(frozen, ['output'], feeds),
                             atol=1e-5)


def test_what_others_read_stays_as_it_is():
  with tf.Graph().as_default():
    image = tf.placeholder(tf.float32, [1, None, None, 3], name='image')
    weights = tf.get_variable('weights', [1, 1, 3, 3])
    raw = tf.nn.conv2d(image, weights, [1, 1, 1, 1], 'SAME', name='raw')
    scaled = tf.multiply(raw, 2., name='scaled')
    # The same weights with another factor.
    other = tf.nn.conv2d(image, weights, [1, 1, 1, 1], 'SAME') * 3.
    tf.add(tf.identity(other), scaled, name='output')
    frozen = freeze(['output', 'raw'])
  folded = folding.fold(frozen, ['output', 'raw'])
  assert count_ops(folded)['Mul'] == 1
  feeds = {'image': np.random.RandomState(0).rand(1, 4, 5, 3)}
  for actual, expected in zip(run(folded, ['output', 'raw'], feeds),
                              run(frozen, ['output', 'raw'], feeds)):
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_scaling_that_moves_the_padding_off_zero_stays():
  def folded_ops(mean):
    with tf.Graph().as_default():
      image = tf.placeholder(tf.float32, [1, None, None, 3], name='image')
      net = tf.pad(image - mean, [[0, 0], [0, 4], [0, 4], [0, 0]]) + mean
      net = tf.pad(net * (2. / 255) - 1., [[0, 0], [1, 1], [1, 1], [0, 0]])
      tf.nn.conv2d(net, tf.get_variable('weights', [3, 3, 3, 2]), [1, 2, 2, 1], 'VALID',
                   name='output')
      frozen = freeze(['output'])
    folded = folding.fold(frozen, ['output'])
    feeds = {'image': 255 * np.random.RandomState(0).rand(1, 9, 7, 3)}
    np.testing.assert_allclose(run(folded, ['output'], feeds), run(frozen, ['output'], feeds),
                               atol=1e-4)
    ops = count_ops(folded)
    return ops['Mul'] + ops['Sub'] + ops['Add'] + ops['AddV2']

  assert folded_ops(127.5) == 1
  assert folded_ops(100.) == 4


def test_constants_behind_conditions_and_random_numbers_stay():
  with tf.Graph().as_default():
    flag = tf.placeholder(tf.bool, [], name='flag')
    picked = tf.cond(flag, lambda: tf.constant(2.) * 3., lambda: tf.constant(5.))
    tf.add(picked, tf.constant(1.) * tf.constant(4.), name='picked')
    tf.multiply(tf.random.uniform([3], minval=1), 2., name='drawn')
    frozen = tf.get_default_graph().as_graph_def()
  folded = folding.fold(frozen, ['picked', 'drawn'])
  assert len(folded.node) < len(frozen.node)
  for value, expected in ((True, 10), (False, 9)):
    assert run(folded, ['picked'], {'flag': value}) == [expected]
  assert count_ops(folded)['RandomUniform'] == 1
