"""ResNet v1 units and networks."""
import numpy as np
import pytest

from deeplab.core import resnet_v1_beta
from deeplab.core.tf_compat import slim, tf
from deeplab.testing import networks


def tiny_blocks():
  block = resnet_v1_beta.resnet_v1_beta_block
  return [block('block1', 1, 3, 2), block('block2', 2, 3, 2), block('block3', 4, 3, 2),
          block('block4', 8, 2, 1)]


def tiny(images, root=resnet_v1_beta.root_block_fn_for_beta_variant, **kwargs):
  arguments = dict(is_training=False, global_pool=False, root_block_fn=root, scope='net')
  arguments.update(kwargs)
  with slim.arg_scope(resnet_v1_beta.resnet_arg_scope()):
    return resnet_v1_beta.resnet_v1_beta(images, tiny_blocks(), **arguments)


def random_image(height, width):
  return np.random.RandomState(0).normal(size=[2, height, width, 3]).astype(np.float32)


@pytest.mark.parametrize('output_stride', [4, 8, 16])
@pytest.mark.parametrize('size', [(65, 81), (64, 50)])
def test_atrous_features_subsample_to_the_strided_ones(output_stride, size):
  strided, dense = networks.strided_and_dense(tiny, size, output_stride)
  step = 32 // output_stride
  np.testing.assert_allclose(dense[:, ::step, ::step], strided, rtol=1e-4, atol=1e-4)
  assert strided.max() > 0.1


def test_blocks_stride_in_their_last_unit():
  with tf.Graph().as_default():
    _, end_points = tiny(tf.zeros([1, 65, 65, 3]), num_classes=5, global_pool=True)
  sides = {name: tensor.shape.as_list()[1] for name, tensor in end_points.items()}
  unit = 'net/block%d/unit_%d/bottleneck_v1'
  assert sides['net/conv1_3'] == 33
  assert [sides[unit % (1, n)] for n in (1, 2, 3)] == [17, 17, 9]
  assert [sides[unit % (3, n)] for n in (1, 2, 3)] == [5, 5, 3]
  assert [sides['net/block%d' % n] for n in (1, 2, 3, 4)] == [9, 5, 3, 3]
  assert end_points['net/logits'].shape.as_list() == [1, 1, 1, 5]
  assert sides['predictions'] == sides['global_pool'] == 1


def test_last_convolution_of_a_unit_has_no_activation_and_the_unit_has():
  image = random_image(33, 33)
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.constant(image)
    _, end_points = tiny(images)
    networks.load_golden_weights(session, tf.global_variables())
    conv3, unit1, unit2 = session.run([
        end_points['net/block1/unit_2/bottleneck_v1/conv3'],
        end_points['net/block1/unit_1/bottleneck_v1'],
        end_points['net/block1/unit_2/bottleneck_v1']])
  assert conv3.min() < 0
  np.testing.assert_allclose(unit2, np.maximum(unit1 + conv3, 0), atol=1e-5)


def test_plain_root_is_one_seven_by_seven_convolution():
  with tf.Graph().as_default():
    tiny(tf.zeros([1, 33, 33, 3]), root=None)
    assert tf.global_variables()[0].op.name == 'net/conv1/weights'
    assert tf.global_variables()[0].shape.as_list() == [7, 7, 3, 64]


def test_batch_norm_epsilon_and_decay():
  with slim.arg_scope(resnet_v1_beta.resnet_arg_scope()):
    arguments = slim.current_arg_scope()[slim.arg_scope_func_key(slim.batch_norm)]
  assert (arguments['decay'], arguments['epsilon'], arguments['scale']) == (0.95, 1e-5, True)


def test_multi_grid_multiplies_the_rates_of_the_last_block(monkeypatch):
  rates = []

  def record(inputs, num_outputs, kernel_size, stride, rate=1, scope=None):
    rates.append((stride, rate))
    return slim.conv2d(inputs, num_outputs, 1, stride=stride, scope=scope)

  monkeypatch.setattr(resnet_v1_beta, 'conv2d_same', record)
  with tf.Graph().as_default():
    resnet_v1_beta.resnet_v1_50(tf.zeros([1, 33, 33, 3]), output_stride=8,
                                multi_grid=[1, 2, 4])
  assert rates[0] == (2, 1)  # the root
  assert rates[1:] == ([(1, 1)] * 2 + [(2, 1)] + [(1, 1)] * 3 + [(1, 1)] + [(1, 2)] * 5
                       + [(1, 2), (1, 4), (1, 8), (1, 16)])


@pytest.mark.parametrize('arguments, message', [
    ({'multi_grid': [1, 2]}, r'multi_grid must be 3 positive rates .* got \[1, 2\]'),
    ({'output_stride': 6}, 'output_stride must be a multiple of 4 for this network, got 6'),
    ({'output_stride': 64}, 'output_stride=64 cannot be reached: .* stride 32'),
])
def test_bad_arguments(arguments, message):
  with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
    resnet_v1_beta.resnet_v1_50(tf.zeros([1, 9, 9, 3]), **arguments)


@pytest.mark.parametrize('multi_grid, rates', [(None, [4, 4]), ([1, 2], [4, 8])])
def test_resnet_18_has_two_units_of_two_convolutions_in_each_block(monkeypatch, multi_grid, rates):
  given = []
  whole = resnet_v1_beta.conv2d_same

  def record(inputs, num_outputs, kernel_size, stride, rate=1, scope=None):
    given.append((num_outputs, stride, rate))
    return whole(inputs, num_outputs, kernel_size, stride, rate, scope)

  monkeypatch.setattr(resnet_v1_beta, 'conv2d_same', record)
  with tf.Graph().as_default():
    features, end_points = resnet_v1_beta.resnet_v1_18(
        tf.zeros([1, 65, 65, 3]), output_stride=8, multi_grid=multi_grid)
    assert features.shape.as_list() == [1, 9, 9, 512]
    shortcuts = [v.op.name.split('/')[1:3] for v in tf.global_variables()
                 if v.op.name.endswith('shortcut/weights')]
  assert given == ([(64, 2, 1)] + [(64, 1, 1)] * 3 + [(64, 2, 1)]
                   + [(128, 1, 1)] * 4 + [(256, 1, 2)] * 4
                   + [(512, 1, rate) for rate in rates for _ in range(2)])
  assert shortcuts == [['block%d' % block, 'unit_1'] for block in (2, 3, 4)]
  assert end_points['resnet_v1_18/block1/unit_1/lite_bottleneck_v1'].shape[1] == 17


def test_second_convolution_of_a_lite_unit_has_no_activation_and_the_unit_has():
  with tf.Graph().as_default(), tf.Session() as session:
    _, end_points = resnet_v1_beta.resnet_v1_18_beta(tf.constant(random_image(33, 33)))
    networks.load_golden_weights(session, tf.global_variables())
    unit = 'resnet_v1_18/block1/unit_1/lite_bottleneck_v1'
    conv1, conv2, shortcut, output = session.run([
        end_points[unit + name] for name in ('/conv1', '/conv2', '/shortcut', '')])
  assert conv1.min() == 0 > conv2.min() and shortcut.min() < 0
  np.testing.assert_allclose(output, np.maximum(conv2 + shortcut, 0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('multiplier, channels', [(0.25, [16, 16, 32]), (1.0, [64, 64, 128])])
def test_root_of_resnet_18_beta_is_as_wide_as_asked_for(multiplier, channels):
  with tf.Graph().as_default():
    resnet_v1_beta.resnet_v1_18_beta(tf.zeros([1, 9, 9, 3]), root_depth_multiplier=multiplier)
    assert [v.shape.as_list()[3] for v in tf.global_variables() if '/conv1_' in v.op.name
            and v.op.name.endswith('weights')] == channels


def test_small_blocks_stride_in_their_last_unit():
  block = resnet_v1_beta.resnet_v1_small_beta_block('block1', 64, 2, 2)
  assert block.unit_fn is resnet_v1_beta.lite_bottleneck
  assert [(row['depth'], row['stride']) for row in block.args] == [(64, 1), (64, 2)]
