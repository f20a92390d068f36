"""Xception modules and networks."""
import numpy as np
import pytest

from deeplab.core import xception
from deeplab.core.tf_compat import slim, tf
from deeplab.testing import networks

MODULE = '%s/unit_1/xception_module'


def tiny_blocks():
  return [
      xception.xception_block('entry_flow/block1', [1, 1, 2], 'conv', False, False, 1, 2),
      xception.xception_block('entry_flow/block2', [2, 2, 4], 'conv', False, False, 1, 2),
      xception.xception_block('middle_flow/block1', [4, 4, 4], 'sum', False, False, 2, 1),
      xception.xception_block('exit_flow/block1', [4, 4, 8], 'conv', False, False, 1, 2),
      xception.xception_block('exit_flow/block2', [8, 8, 8], 'none', True, False, 1, 1,
                              [1, 2, 4]),
  ]


def tiny(images, scope='xception', **kwargs):
  """Builds a network of five blocks, dense features by default."""
  arguments = dict(is_training=False, global_pool=False, scope=scope)
  arguments.update(kwargs)
  with slim.arg_scope(xception.xception_arg_scope()):
    return xception.xception(images, tiny_blocks(), **arguments)


def random_image(height, width):
  return np.random.RandomState(0).normal(size=[2, height, width, 3]).astype(np.float32)


@pytest.mark.parametrize('output_stride', [2, 4, 8])
@pytest.mark.parametrize('size', [(65, 49), (64, 50)])
def test_atrous_features_subsample_to_the_strided_ones(output_stride, size):
  strided, dense = networks.strided_and_dense(tiny, size, output_stride)
  step = 16 // output_stride
  np.testing.assert_allclose(dense[:, ::step, ::step], strided, atol=1e-5)
  assert np.abs(strided).max() > 1e-3


def test_end_points_are_named_after_their_scopes():
  with tf.Graph().as_default():
    _, end_points = tiny(tf.zeros([1, 65, 65, 3]), num_classes=5, global_pool=True)
  shapes = {name: tensor.shape.as_list() for name, tensor in end_points.items()}
  assert shapes['xception/entry_flow/conv1_2'] == [1, 33, 33, 64]
  assert shapes['xception/' + MODULE % 'entry_flow/block1'] == [1, 17, 17, 2]
  assert shapes['xception/' + MODULE % 'entry_flow/block2'
                + '/separable_conv2_pointwise'] == [1, 17, 17, 2]
  assert shapes['xception/exit_flow/block2'] == [1, 5, 5, 8]
  assert shapes['global_pool'] == [1, 1, 1, 8]
  assert shapes['predictions'] == shapes['xception/logits'] == [1, 1, 1, 5]


def build_module(inputs, depths, skip, stride=1, is_bounded=False, **kwargs):
  with slim.arg_scope(xception.xception_arg_scope(use_bounded_activation=is_bounded)), \
       slim.arg_scope([slim.batch_norm], is_training=False):
    return xception.xception_module(tf.constant(inputs), depths, skip, stride, **kwargs)


def scale_weights(session, factor):
  session.run(tf.global_variables_initializer())
  session.run([tf.assign(v, factor * v) for v in tf.trainable_variables()
               if v.op.name.endswith('weights')])


def test_bounded_modules_stay_in_the_range_of_relu6():
  inputs = 20 * random_image(9, 9)
  with tf.Graph().as_default() as graph, tf.Session() as session:
    output = build_module(inputs, [3, 3, 3], 'sum', is_bounded=True)
    residual = graph.get_tensor_by_name(
        'xception_module/separable_conv3_pointwise/clip_by_value:0')
    scale_weights(session, 100.0)
    output, residual = session.run([output, residual])
  assert (residual.min(), residual.max()) == (-6.0, 6.0)
  np.testing.assert_allclose(
      output, np.clip(residual + np.clip(inputs, -6, 6), 0, 6), atol=1e-5)


def test_unbounded_sum_adds_the_inputs_and_none_does_not():
  inputs = random_image(5, 5)
  with tf.Graph().as_default(), tf.Session() as session:
    with_sum = build_module(inputs, [3, 3, 3], 'sum', scope='module')
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
      without = build_module(inputs, [3, 3, 3], 'none', scope='module')
    scale_weights(session, 5.0)
    with_sum, without = session.run([with_sum, without])
  np.testing.assert_allclose(with_sum, without + inputs, atol=1e-5)
  assert np.abs(without).max() > 1e-3


@pytest.mark.parametrize('is_bounded, expected', [(False, 0), (True, 1)])
def test_bounded_modules_pad_as_same_does(is_bounded, expected):
  # On even sides SAME pads below only: the first window starts one pixel later.
  image = np.zeros([1, 4, 4, 1], np.float32)
  with tf.Graph().as_default() as graph:
    build_module(image, [1, 1, 1], 'conv', stride=2, is_bounded=is_bounded)
    strided = [op for op in graph.get_operations() if op.type == 'DepthwiseConv2dNative'][-1]
  assert strided.get_attr('padding') == (b'SAME' if expected else b'VALID')


def test_regularised_depthwise_is_one_layer_with_loss_on_both_weights():
  with tf.Graph().as_default():
    with slim.arg_scope(xception.xception_arg_scope(regularize_depthwise=True)):
      xception.separable_conv2d_same(tf.zeros([1, 5, 5, 2]), 3, 3, depth_multiplier=1,
                                     stride=2, regularize_depthwise=True, scope='conv')
    names = [v.op.name for v in tf.trainable_variables()]
    assert names[:2] == ['conv/depthwise_weights', 'conv/pointwise_weights']
    assert len(tf.losses.get_regularization_losses()) == 2


@pytest.mark.parametrize('depths, skip, kwargs, message', [
    ([3, 3], 'sum', {}, r'three convolutions; got depth_list=\[3, 3\]'),
    ([3, 3, 3], 'sum', {'unit_rate_list': [1, 2]}, r'unit_rate_list=\[1, 2\]'),
    ([3, 3, 3], 'plus', {}, "Unknown skip_connection_type 'plus'. Valid: conv, none, sum"),
])
def test_bad_modules(depths, skip, kwargs, message):
  with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
    build_module(random_image(5, 5), depths, skip, **kwargs)


@pytest.mark.parametrize('output_stride, message', [
    (3, 'must be a multiple of 2 for this network, got 3'),
    (64, 'output_stride=64 cannot be reached: .* stride 16')])
def test_bad_output_strides(output_stride, message):
  with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
    tiny(tf.zeros([1, 33, 33, 3]), output_stride=output_stride)


def test_multi_grid_multiplies_the_rates_of_the_last_module(monkeypatch):
  rates = []

  def record(inputs, num_outputs, *unused, **kwargs):
    rates.append(kwargs['rate'])
    return slim.conv2d(inputs, num_outputs, 1, stride=kwargs['stride'])

  monkeypatch.setattr(xception, 'separable_conv2d_same', record)
  with tf.Graph().as_default():
    xception.xception_41(tf.zeros([1, 33, 33, 3]), output_stride=8, multi_grid=[1, 2, 4])
  # Entry flow, its last module without stride; middle flow and exit block 1; the last.
  assert rates == [1] * 9 + [2] * (8 + 1) * 3 + [4, 8, 16]
