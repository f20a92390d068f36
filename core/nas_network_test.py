"""Networks of searched cells: sizes, end points, drop path, bad settings."""
import numpy as np
import pytest

from deeplab.core import backbones, feature_extractor, nas_genotypes, nas_network
from deeplab.core.tf_compat import slim, tf
from deeplab.core.usage import UsageError

# Few filters: sizes and wiring are those of the full width.
FILTERS = 2
VARIANTS = {'nas_pnasnet': 16, 'nas_hnasnet': 8}


def extract(images, variant, output_stride=None, **kwargs):
  arguments = dict(nas_stem_output_num_conv_filters=FILTERS)
  arguments.update(kwargs)
  return feature_extractor.extract_features(
      images, model_variant=variant, output_stride=output_stride or VARIANTS[variant],
      **arguments)


def build_base(backbone, images=None, **kwargs):
  cell = nas_genotypes.PNASCell(FILTERS, 1.0, len(backbone), 100)
  with slim.arg_scope(nas_network.nas_arg_scope()), \
       slim.arg_scope([slim.batch_norm], is_training=False):
    return nas_network._build_nas_base(
        tf.zeros([1, 33, 33, 3]) if images is None else images, cell=cell, backbone=backbone,
        num_classes=None, hparams=nas_network.config(FILTERS), **kwargs)


def random_images(*shape):
  return np.random.RandomState(0).uniform(0, 255, shape).astype(np.float32)


@pytest.mark.parametrize('output_stride', [8, 16, 32])
def test_pnasnet_gives_every_output_stride(output_stride):
  size = (65, 50)
  with tf.Graph().as_default():
    features, end_points = extract(tf.zeros((2,) + size + (3,)), 'nas_pnasnet', output_stride)
  level = {8: 1, 16: 2, 32: 3}[output_stride]
  assert features.shape.as_list() == [2] + [-(-d // output_stride) for d in size] + [
      5 * FILTERS * 2 ** level]
  assert end_points['Cell_3'].shape.as_list()[1] == -(-size[0] // 8)
  assert features.op.type == 'Relu' and features.op.inputs[0] is end_points['Cell_11']


def test_hnasnet_cells_of_one_level_have_one_size_whatever_output_stride_says():
  backbone = [0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1]
  with tf.Graph().as_default(), slim.arg_scope(nas_network.nas_arg_scope()):
    features, end_points = nas_network.hnasnet(
        tf.zeros([1, 64, 41, 3]), None, output_stride=16, is_training=False,
        nas_stem_output_num_conv_filters=FILTERS)
  for number, level in enumerate(backbone):
    stride = 4 * 2 ** level
    assert end_points['Cell_%d' % number].shape.as_list() == [
        1, 64 // stride, -(-41 // stride), 5 * FILTERS * 2 ** level]
  assert features.shape.as_list() == [1, 8, 6, 5 * FILTERS * 2]


@pytest.mark.parametrize('variant, name, channels, op', [
    ('nas_pnasnet', 'Stem', 128, 'FusedBatchNormV3'),
    ('nas_hnasnet', 'Cell_2', 100, 'ConcatV2')])
def test_low_level_features_of_stride_four(variant, name, channels, op):
  with tf.Graph().as_default():
    _, end_points = extract(tf.zeros([1, 33, 33, 3]), variant, final_endpoint=name,
                            nas_stem_output_num_conv_filters=20)
  low_level = end_points[backbones.decoder_end_points(variant, 4)[0]]
  assert low_level is end_points[name]
  assert low_level.shape.as_list() == [1, 9, 9, channels] and low_level.op.type == op


def test_end_points_of_any_backbone():
  with tf.Graph().as_default():
    features, end_points = build_base([0, 1, 0], tf.zeros([1, 321, 321, 3]), scope='small')
    assert 'small/cell_2/1x1/weights' in [v.op.name for v in tf.trainable_variables()]
  shapes = {name: tensor.shape.as_list() for name, tensor in end_points.items()}
  assert shapes == {'Conv1': [1, 161, 161, 64], 'Stem': [1, 81, 81, 128],
                    'Cell_0': [1, 81, 81, 10], 'Cell_1': [1, 41, 41, 20],
                    'Cell_2': [1, 81, 81, 10]}
  assert features.shape.as_list() == shapes['Cell_2']


@pytest.mark.parametrize('final_endpoint, num_cells', [('Conv1', 0), ('Stem', 0),
                                                       ('Cell_1', 2)])
def test_final_endpoint_is_the_last_that_is_built(final_endpoint, num_cells):
  with tf.Graph().as_default():
    features, end_points = extract(tf.zeros([1, 33, 33, 3]), 'nas_pnasnet',
                                   final_endpoint=final_endpoint)
    cells = {v.op.name.split('/')[1] for v in tf.trainable_variables()
             if '/cell_' in v.op.name}
  assert features is end_points[final_endpoint]
  assert len(cells) == num_cells


def test_image_classifier_has_no_bias():
  with tf.Graph().as_default():
    logits, end_points = extract(tf.zeros([2, 33, 33, 3]), 'nas_pnasnet', num_classes=7,
                                 global_pool=True)
    head = [v.op.name for v in tf.trainable_variables() if '/logits/' in v.op.name]
  assert logits.shape.as_list() == end_points['predictions'].shape.as_list() == [2, 1, 1, 7]
  assert head == ['pnasnet/logits/weights']


@pytest.mark.parametrize('stage, num_dropped', [
    ({'is_training': True, 'fine_tune_batch_norm': True}, 2 * 9),
    ({'is_training': True}, 0),
    ({}, 0)])
def test_paths_are_dropped_only_where_batch_norm_is_trained(stage, num_dropped):
  with tf.Graph().as_default() as graph:
    extract(tf.zeros([1, 33, 33, 3]), 'nas_pnasnet', final_endpoint='Cell_1', **dict(
        stage, nas_training_hyper_parameters={'drop_path_keep_prob': 0.5,
                                              'total_training_steps': 10}))
    random = [op for op in graph.get_operations()
              if op.type == 'RandomUniform' and '/Initializer/' not in op.name]
  # Every operation of two cells but `none`.
  assert len(random) == num_dropped


@pytest.mark.parametrize('decay, expected', [(None, 0.9997), (0.5, 0.5)])
def test_moving_averages_decay(decay, expected):
  images = random_images(2, 9, 9, 3)
  with tf.Graph().as_default(), tf.Session() as session:
    extract(tf.constant(images), 'nas_pnasnet', final_endpoint='Stem', is_training=True,
            fine_tune_batch_norm=True, batch_norm_decay=decay)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    assert len(updates) == 6  # both moments of three layers
    moving_mean, = [v for v in tf.global_variables()
                    if v.op.name == 'pnasnet/conv0_bn/moving_mean']
    conv0 = tf.get_default_graph().get_tensor_by_name('pnasnet/conv0/Conv2D:0')
    session.run(tf.global_variables_initializer())
    mean, _ = session.run([tf.reduce_mean(conv0, [0, 1, 2]), updates])
    moving = session.run(moving_mean)
  np.testing.assert_allclose(moving, (1 - expected) * mean, rtol=1e-3, atol=1e-7)
  assert np.abs(mean).max() > 1e-3


def test_weights_start_uniform_with_the_limit_of_their_inputs():
  with tf.Graph().as_default(), tf.Session() as session:
    extract(tf.zeros([1, 9, 9, 3]), 'nas_pnasnet', final_endpoint='Cell_0',
            nas_stem_output_num_conv_filters=40)
    session.run(tf.global_variables_initializer())
    cell = 'pnasnet/cell_0/comb_iter_0/left/separable_5x5_1/'
    for name, inputs in (('pnasnet/conv1/weights', 9 * 64),
                         (cell + 'depthwise_weights', 25 * 80),
                         (cell + 'pointwise_weights', 80)):
      weights, = [v for v in tf.trainable_variables() if v.op.name == name]
      values, limit = session.run(weights), inputs ** -0.5
      assert 0.97 * limit < np.abs(values).max() <= limit
      np.testing.assert_allclose(values.std(), limit / 3 ** 0.5, rtol=0.1)


def test_config_doubles_filters_per_level():
  assert nas_network.config() == (2.0, 20, 500000, 1.0)


@pytest.mark.parametrize('variant, settings, message', [
    ('nas_pnasnet', {'output_stride': 4}, 'output_stride=4: nas_pnasnet gives features at '
                                          'stride 8, 16, 32 only'),
    ('nas_hnasnet', {'output_stride': 16}, 'output_stride=16: nas_hnasnet gives features at '
                                           'stride 8 only'),
    ('nas_pnasnet', {'final_endpoint': 'Cell_12'}, "Unknown final_endpoint 'Cell_12'. Valid: "
                                                   'Conv1, Stem, Cell_0'),
    ('nas_pnasnet', {'nas_stem_output_num_conv_filters': 0},
     'nas_stem_output_num_conv_filters must be at least 1, got 0'),
    ('nas_hnasnet', {'nas_training_hyper_parameters': {'drop_path_keep_prob': 0.0}},
     'drop_path_keep_prob must be above 0 and at most 1 .* got 0.0'),
    ('nas_hnasnet', {'nas_training_hyper_parameters': {'drop_path_keep_prob': 1.5}},
     'drop_path_keep_prob must be .* got 1.5'),
    ('nas_pnasnet', {'nas_training_hyper_parameters': {'total_training_steps': 0}},
     'total_training_steps must be at least 1, got 0'),
    ('nas_pnasnet', {'nas_training_hyper_parameters': {'drop_path': 0.5}},
     'nas_training_hyper_parameters: unknown key drop_path. Valid: drop_path_keep_prob'),
])
def test_bad_settings(variant, settings, message):
  with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
    extract(tf.zeros([1, 33, 33, 3]), variant, **settings)


HEAD = {'nas_use_classification_head': True}


@pytest.mark.parametrize('output_stride, size', [(8, [13, 17]), (16, [7, 9]), (32, [4, 5])])
def test_the_classification_head_of_hnasnet_honours_the_output_stride(output_stride, size):
  with tf.Graph().as_default():
    features, end_points = extract(tf.zeros([1, 97, 129, 3]), 'nas_hnasnet', output_stride,
                                   nas_architecture_options=HEAD)
    assert features.op.type == 'Relu'
  assert features.shape.as_list() == [1] + size + [2048]
  assert end_points['downsample_os16'].shape.as_list()[3] == 512
  assert end_points['downsample_os32'].shape.as_list() == [1] + size + [1024]
  assert end_points['classification_head'].op.type == 'FusedBatchNormV3'


@pytest.mark.parametrize('output_stride, stages', [(8, ['16', '32']), (16, ['32']), (32, [])])
def test_stages_of_the_classification_head_dilate_where_they_do_not_stride(output_stride, stages):
  with tf.Graph().as_default() as graph:
    _, end_points = extract(tf.zeros([1, 65, 65, 3]), 'nas_pnasnet', output_stride,
                            nas_architecture_options=HEAD)
    rates = [tf.make_ndarray(op.inputs[1].op.get_attr('value')).tolist()
             for op in graph.get_operations()
             if op.type == 'SpaceToBatchND' and 'downsample' in op.name]
  assert sorted(name[-2:] for name in end_points if name.startswith('downsample')) == stages
  assert rates == [[2, 2], [4, 4]][:len(stages)]


def test_hnasnet_without_stride_32_has_the_same_layers_and_sizes():
  found = []
  for is_removed, size in ((False, 3), (True, 5)):
    with tf.Graph().as_default():
      features, end_points = extract(
          tf.zeros([1, 65, 65, 3]), 'nas_hnasnet',
          nas_architecture_options={'nas_remove_os32_stride': is_removed})
      found.append((features.shape.as_list(), sorted(
          (v.op.name, v.shape.as_list()) for v in tf.global_variables())))
    assert end_points['Cell_8'].shape.as_list() == [1, size, size, 40 * FILTERS]
  assert found[0] == found[1]


def test_a_head_cannot_enlarge_features():
  with tf.Graph().as_default(), pytest.raises(UsageError, match='output_stride=8: the cells give'):
    build_base([0, 1, 2], head_stride=8)
