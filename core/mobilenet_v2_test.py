"""Tests of DeepLab on MobileNetV2 against recorded variables and logits."""
import json
import os

import numpy as np
import pytest

from deeplab import model
from deeplab.core import mobilenet_v2
from deeplab.core.options import NetworkOptions
from deeplab.core.tf_compat import slim, tf
from deeplab.testing import networks

TESTDATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'testdata')
OPTIONS = NetworkOptions({'semantic': 21}, crop_size=[97, 129], output_stride=16)


def read_variables(name):
  with open(os.path.join(TESTDATA, name)) as stream:
    return sorted((variable, tuple(shape)) for variable, shape in json.load(stream))


@pytest.mark.parametrize('output_stride', [16, 8])
def test_variables_logits_and_labels_equal_the_recorded_ones(output_stride):
  golden = np.load(os.path.join(TESTDATA, 'mobilenet_v2_os%d.npz' % output_stride))
  options = OPTIONS._replace(output_stride=output_stride)
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.constant(networks.golden_image())
    logits = model.multi_scale_logits(images, options, [1.0])['semantic']['merged_logits']
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
      labels = model.predict_labels(images, options)['semantic']
    assert sorted((v.op.name, tuple(v.shape.as_list())) for v in tf.global_variables()
                  ) == read_variables('mobilenet_v2.json')
    networks.load_golden_weights(session, tf.global_variables())
    logits, labels = session.run([logits, labels])
  assert np.abs(logits - golden['logits']).max() < 1e-4 * golden['logits'].std()
  assert np.mean(labels != golden['labels']) < 1e-3


def test_size_known_at_run_time_only_gives_the_same_logits():
  golden = np.load(os.path.join(TESTDATA, 'mobilenet_v2_os16.npz'))
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(tf.float32, [None, None, None, 3])
    logits = model.multi_scale_logits(
        images, OPTIONS._replace(crop_size=None), None)['semantic']['merged_logits']
    networks.load_golden_weights(session, tf.global_variables())
    values = session.run(logits, {images: networks.golden_image()})
    assert np.abs(values - golden['logits']).max() < 1e-4 * golden['logits'].std()
    assert session.run(logits, {images: np.zeros((2, 64, 80, 3))}).shape == (2, 4, 5, 21)


@pytest.mark.parametrize('value, divisor, minimum, expected', [
    (32 * 1.4, 8, 8, 48), (16 * 0.35, 1, 1, 6), (3, 8, 8, 8), (67, 8, None, 64),
    (11, 8, None, 16)])
def test_channels_are_rounded_but_never_below_ninety_percent(value, divisor, minimum, expected):
  assert mobilenet_v2.make_divisible(value, divisor, minimum) == expected


@pytest.mark.parametrize('changes, message', [
    ({'output_stride': 12}, 'output_stride=12 cannot be reached'),
    ({'output_stride': 64}, 'output_stride=64 cannot be reached'),
    ({'depth_multiplier': 0}, 'depth_multiplier must be positive, got 0'),
    ({'model_variant': 'mobilenet_v3'}, "Did you mean 'mobilenet_v2'"),
    ({'decoder_output_stride': [3]}, 'decoder_output_stride=3: mobilenet_v2 has no decoder'),
    ({'decoder_output_stride': [4, 16]}, 'must be descending strides'),
    ({'logits_kernel_size': 3}, 'logits_kernel_size must be 1'),
    ({'merge_method': 'mean'}, "Unknown merge_method 'mean'"),
])
def test_options_that_cannot_be_served_are_refused(changes, message):
  with tf.Graph().as_default():
    images = tf.zeros([1, 33, 33, 3])
    with pytest.raises(ValueError, match=message):
      model.multi_scale_logits(images, OPTIONS._replace(crop_size=[33, 33], **changes), None)


def test_decoder_refines_at_several_strides():
  with tf.Graph().as_default():
    options = OPTIONS._replace(crop_size=[65, 65], decoder_output_stride=[8, 4])
    logits = model.multi_scale_logits(tf.zeros([1, 65, 65, 3]), options, None)
    assert logits['semantic']['merged_logits'].shape.as_list() == [1, 17, 17, 21]
    names = {v.op.name for v in tf.global_variables()}
  assert 'decoder/feature_projection0_1/weights' in names
  assert 'decoder/decoder_conv1_1_pointwise/weights' in names


def test_only_weights_outside_depthwise_convolutions_are_regularised():
  with tf.Graph().as_default():
    model.multi_scale_logits(tf.zeros([1, 33, 33, 3]), OPTIONS._replace(
        crop_size=[33, 33], decoder_output_stride=[4]), None, is_training=True)
    regularised = {loss.op.name.split('/Regularizer')[0]
                   for loss in tf.losses.get_regularization_losses()}
    weights = [v.op.name for v in tf.trainable_variables()
               if v.op.name.endswith('/weights')]
    assert len(tf.losses.get_regularization_losses()) == len(weights)
    assert not [name for name in regularised if 'depthwise' in name]
    assert not tf.get_collection(tf.GraphKeys.UPDATE_OPS)


def build_until(final_endpoint):
  with slim.arg_scope(mobilenet_v2.mobilenet_v2_arg_scope()):
    return mobilenet_v2.mobilenet_v2_base(tf.zeros([1, 33, 33, 3]), final_endpoint=final_endpoint)


def test_the_network_ends_at_the_layer_that_is_asked_for():
  with tf.Graph().as_default():
    features, end_points = build_until('layer_4')
    assert features is end_points['layer_4']
    assert features.shape.as_list() == [1, 9, 9, 24]
    assert 'layer_5' not in end_points
    assert not [v for v in tf.global_variables() if 'expanded_conv_3/' in v.op.name]


def test_an_unknown_last_layer_is_refused():
  with tf.Graph().as_default():
    with pytest.raises(ValueError, match="Unknown final_endpoint 'layer_99' of MobilenetV2; the "
                                         "last one is 'layer_18'"):
      build_until('layer_99')
