"""Every row of the backbone table in the whole model; pyramids and predictions."""
import gzip
import json
import os
import typing

import numpy as np
import pytest

from deeplab import model
from deeplab.core import backbones
from deeplab.core.options import NetworkOptions
from deeplab.core.tf_compat import tf
from deeplab.testing import networks, slow

TESTDATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'core', 'testdata')
# Every third row and column of logits recorded with golden weights on the golden image.
GOLDEN_LOGITS = np.load(os.path.join(TESTDATA, 'golden_logits.npz'))
GOLDEN_STEP = 3
# Greatest difference of logits, relative to their standard deviation.
TOLERANCE = 1e-4


class Case(typing.NamedTuple):
  """What is known of a row of BACKBONES at the options that published models use.

  parameters counts the trainable ones.
  """
  parameters: int
  tensors: int
  num_classes: int = 21
  decoder_output_stride: tuple = (4,)
  atrous_rates: typing.Optional[tuple] = (6, 12, 18)
  multi_grid: typing.Optional[tuple] = None
  output_stride: int = 16
  fine_output_stride: int = 8
  regularizes_depthwise: bool = False

  def options(self, variant, **changes):
    return NetworkOptions(
        {'semantic': self.num_classes}, model_variant=variant,
        output_stride=self.output_stride, multi_grid=self.multi_grid,
        atrous_rates=self.atrous_rates,
        decoder_output_stride=self.decoder_output_stride)._replace(**changes)


CASES = {
    'mobilenet_v2': Case(2113557, 164, decoder_output_stride=None, atrous_rates=None),
    'mobilenet_v3_large_seg': Case(2499669, 214),
    'mobilenet_v3_small_seg': Case(1256277, 182),
    'mobilenet_edgetpu': Case(3603283, 185, num_classes=19, decoder_output_stride=None,
                              atrous_rates=None, output_stride=32),
    'resnet_v1_18': Case(12338629, 104),
    'resnet_v1_18_beta': Case(12320309, 113, multi_grid=(1, 2)),
    'resnet_v1_50': Case(26696133, 203),
    'resnet_v1_50_beta': Case(26819909, 209, multi_grid=(1, 2, 4)),
    'resnet_v1_101': Case(45688261, 356),
    'resnet_v1_101_beta': Case(45812037, 362, multi_grid=(1, 2, 4)),
    'xception_41': Case(28108661, 296),
    'xception_65': Case(41055413, 440),
    'xception_71': Case(43477323, 482, num_classes=19),
    'nas_pnasnet': Case(2571205, 707, regularizes_depthwise=True),
    'nas_hnasnet': Case(7785021, 905, output_stride=8, regularizes_depthwise=True),
}


def recorded_variables(name):
  with gzip.open(os.path.join(TESTDATA, 'variables.json.gz'), 'rt') as stream:
    recorded = json.load(stream)
  if name not in recorded:
    pytest.skip('no variables are recorded for %s' % name)
  return sorted((n, tuple(shape)) for n, shape in recorded[name])


def graph_variables():
  return sorted((v.op.name, tuple(v.shape.as_list())) for v in tf.global_variables())


def merged_logits(images, options, pyramid=None, **kwargs):
  return model.multi_scale_logits(images, options, pyramid, **kwargs)['semantic'][
      'merged_logits']


def assert_close(actual, expected, tolerance=TOLERANCE):
  assert actual.shape == expected.shape
  assert np.abs(actual - expected).max() < tolerance * expected.std()


class Network(object):
  """The model of one row with golden weights, for images of any size."""

  def __init__(self, variant):
    self.variant = variant
    self.case = CASES[variant]
    self.graph = tf.Graph()
    with self.graph.as_default():
      self.images = tf.placeholder(tf.float32, [None, None, None, 3])
      self.logits = merged_logits(self.images, self.case.options(variant))
      self.session = tf.Session()
      networks.load_golden_weights(self.session, tf.global_variables())

  def run(self, images):
    return self.session.run(self.logits, {self.images: images})

  def run_static(self, images, **changes):
    """Runs the model built for images of that very size, on the same weights."""
    options = self.case.options(self.variant, crop_size=list(images.shape[1:3]), **changes)
    with self.graph.as_default(), \
         tf.variable_scope(tf.get_variable_scope(), reuse=True):
      return self.session.run(merged_logits(tf.constant(images), options))


@pytest.fixture(scope='module', params=sorted(backbones.BACKBONES))
def network(request):
  assert request.param in CASES, 'add a row for the new backbone to CASES'
  network = Network(request.param)
  yield network
  network.session.close()


def test_variables_are_those_of_published_checkpoints(network):
  with network.graph.as_default():
    assert graph_variables() == recorded_variables(network.variant)


def test_parameter_counts(network):
  with network.graph.as_default():
    trainable = tf.trainable_variables()
  assert len(trainable) == network.case.tensors
  assert sum(int(np.prod(v.shape.as_list())) for v in trainable) == network.case.parameters


def test_logits_without_crop_size_are_golden(network):
  name = '%s_os%d' % (network.variant, network.case.output_stride)
  if name not in GOLDEN_LOGITS:
    pytest.skip('no logits are recorded for %s' % name)
  actual = network.run(networks.golden_image())
  assert_close(actual[:, ::GOLDEN_STEP, ::GOLDEN_STEP], GOLDEN_LOGITS[name])


@slow.only_if_asked_on_tf1
@pytest.mark.parametrize('size', [(33, 50), (64, 41)])
def test_static_and_unknown_sizes_give_the_same_logits(network, size):
  image = networks.golden_image(*size)
  stride = min(network.case.decoder_output_stride or [network.case.output_stride])
  logits = network.run(image)
  assert logits.shape == (1, -(-size[0] // stride), -(-size[1] // stride),
                          network.case.num_classes)
  assert_close(network.run_static(image), logits)


def test_images_of_a_batch_do_not_mix(network):
  images = np.concatenate([networks.golden_image(40, 33),
                           networks.golden_image(40, 33)[:, ::-1]])
  both = network.run(images)
  for index in range(2):
    assert_close(both[index:index + 1], network.run(images[index:index + 1]))


@pytest.fixture(scope='module', params=sorted(backbones.BACKBONES))
def train_graph(request):
  """Training with frozen batch norm at the finer output stride: (case, graph, features)."""
  case = CASES[request.param]
  options = case.options(request.param, output_stride=case.fine_output_stride,
                         crop_size=[33, 33])
  with tf.Graph().as_default() as graph:
    images = tf.zeros([2, 33, 33, 3])
    logits = merged_logits(images, options, is_training=True, weight_decay=0.5,
                           nas_training_hyper_parameters={'drop_path_keep_prob': 1.0,
                                                          'total_training_steps': 10})
    assert logits.shape.as_list() == [2] + [
        32 // min(options.decoder_output_stride or [options.output_stride]) + 1] * 2 + [
            case.num_classes]
    yield case, graph, logits


def test_gradient_reaches_every_trainable_variable(train_graph):
  _, graph, logits = train_graph
  with graph.as_default():
    variables = tf.trainable_variables()
    gradients = tf.gradients(logits, variables)
  assert not [v.op.name for v, g in zip(variables, gradients) if g is None]


def test_frozen_batch_norm_creates_no_update_ops(train_graph):
  assert not train_graph[1].get_collection(tf.GraphKeys.UPDATE_OPS)


def is_regularised(name, regularizes_depthwise):
  """Whether there is L2 on a variable; on depthwise ones only in the searched cells."""
  kind = name.split('/')[-1]
  return kind in ('weights', 'pointwise_weights') or (
      kind == 'depthwise_weights' and regularizes_depthwise and '/cell_' in name)


def test_exactly_the_weights_are_regularised(train_graph):
  case, graph, _ = train_graph
  with graph.as_default():
    variables = tf.trainable_variables()
    losses = tf.losses.get_regularization_losses()
    gradients = tf.gradients(losses, variables)
  regularised = [v.op.name for v, g in zip(variables, gradients) if g is not None]
  assert regularised == [v.op.name for v in variables
                         if is_regularised(v.op.name, case.regularizes_depthwise)]
  assert len(losses) == len(regularised)


@pytest.mark.parametrize('variant', ['mobilenet_v2', 'xception_41', 'resnet_v1_50',
                                     'nas_pnasnet'])
def test_trained_batch_norm_updates_both_moments_of_every_layer(variant):
  with tf.Graph().as_default() as graph:
    merged_logits(tf.zeros([1, 33, 33, 3]),
                  CASES[variant].options(variant, crop_size=[33, 33]),
                  is_training=True, fine_tune_batch_norm=True)
    moments = [v for v in tf.global_variables() if '/moving_' in v.op.name]
    assert len(graph.get_collection(tf.GraphKeys.UPDATE_OPS)) == len(moments) > 0


@pytest.mark.parametrize('pyramid, keys', [
    ([0.5, 1.0, 1.5], ['logits_0.50', 'logits_1.00', 'logits_1.50', 'merged_logits']),
    ([0.5], ['merged_logits'])])
def test_pyramid_scales_share_weights_and_size(pyramid, keys):
  with tf.Graph().as_default():
    scales = model.multi_scale_logits(
        tf.zeros([1, 97, 129, 3]), CASES['mobilenet_v2'].options(
            'mobilenet_v2', crop_size=[97, 129]), pyramid)['semantic']
    assert sorted(scales) == keys
    size = [10, 13] if 1.5 in pyramid else [7, 9]
    assert {tuple(t.shape.as_list()) for t in scales.values()} == {tuple([1] + size + [21])}
    assert graph_variables() == recorded_variables('mobilenet_v2')


@pytest.mark.parametrize('method, merge', [('max', np.max), ('avg', np.mean)])
def test_merged_logits_are_the_merger_of_the_scales(method, merge):
  image = networks.golden_image(33, 49)
  with tf.Graph().as_default(), tf.Session() as session:
    scales = model.multi_scale_logits(tf.constant(image), CASES['mobilenet_v2'].options(
        'mobilenet_v2', merge_method=method), [0.5, 1.0])['semantic']
    networks.load_golden_weights(session, tf.global_variables())
    values = session.run(scales)
  stacked = np.stack([values['logits_0.50'], values['logits_1.00']])
  np.testing.assert_allclose(values['merged_logits'], merge(stacked, axis=0), atol=1e-5)
  assert np.abs(stacked[0] - stacked[1]).max() > 0.01


def softmax(logits):
  exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
  return exponents / exponents.sum(axis=-1, keepdims=True)


def test_multi_scale_prediction_is_the_mean_softmax_of_scales_and_flips():
  image = networks.golden_image(33, 49)
  options = CASES['mobilenet_v2'].options('mobilenet_v2')
  with tf.Graph().as_default(), tf.Session() as session:
    predictions = model.predict_labels_multi_scale(
        tf.constant(image), options, eval_scales=[1.0, 0.5], add_flipped_images=True)
    singles = []
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
      for pixels, step in ((image, 1), (image[:, :, ::-1], -1)):
        for scale in (1.0, 0.5):
          logits = merged_logits(tf.constant(pixels), options, [scale])[:, :, ::step]
          singles.append(tf.image.resize_bilinear(logits, [33, 49], align_corners=True))
    networks.load_golden_weights(session, tf.global_variables())
    predictions, singles = session.run([predictions, singles])
  mean = np.mean([softmax(logits) for logits in singles], axis=0)
  np.testing.assert_allclose(predictions['semantic' + model.PROBABILITIES_SUFFIX], mean,
                             atol=1e-5)
  assert np.mean(predictions['semantic'] != mean.argmax(axis=3)) < 1e-3


def test_a_scale_has_its_crop_and_pooling_window_scaled():
  options = CASES['mobilenet_v2'].options('mobilenet_v2')._replace(
      crop_size=(65, 129), image_pooling_crop_size=(33, 65))
  with tf.Graph().as_default():
    images, scaled = model._scale_input(tf.zeros([1, 65, 129, 3]), options, 0.5)
    assert images.shape.as_list() == [1, 33, 65, 3]
  assert list(scaled.crop_size) == [33, 65]
  assert list(scaled.image_pooling_crop_size) == [17, 33]


def test_the_layers_after_the_backbone_may_be_the_logits_alone():
  assert model.get_extra_layer_scopes(last_layers_contain_logits_only=True) == ['logits']
  assert 'logits' in model.get_extra_layer_scopes()
