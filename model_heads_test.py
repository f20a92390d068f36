"""Heads of the original's last version against what was recorded of it, where that is at hand."""
import json
import os

import numpy as np
import pytest

from deeplab import model_test
from deeplab.core import backbones
from deeplab.core.options import NetworkOptions
from deeplab.core.tf_compat import tf
from deeplab.testing import networks, slow

pytestmark = slow.only_if_asked_on_tf1

_RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, 'shared',
                         'contract', 'master')
_RATES = (6, 12, 18)
_PUBLISHED = {
    'output_stride': 32, 'aspp_convs_filters': 128, 'aspp_with_concat_projection': False,
    'aspp_with_squeeze_and_excitation': True, 'image_se_uses_qsigmoid': True,
    'decoder_use_sum_merge': True, 'decoder_filters': 19, 'decoder_output_is_logits': True,
    'decoder_output_stride': [8], 'image_pooling_crop_size': [65, 97],
    'image_pooling_stride': [1, 2]}
# Name of the record -> backbone, number of classes, options.
CASES = {
    'mobilenet_v2_dec_8_4': ('mobilenet_v2', 21, {'decoder_output_stride': [8, 4]}),
    'mobilenet_v2_logits': ('mobilenet_v2', 21, {
        'decoder_output_is_logits': True, 'decoder_filters': 21, 'decoder_output_stride': [4]}),
    'mobilenet_v2_noproj': ('mobilenet_v2', 21, {
        'aspp_with_concat_projection': False, 'aspp_convs_filters': 64, 'atrous_rates': _RATES}),
    'mobilenet_v2_sum': ('mobilenet_v2', 21, {
        'decoder_use_sum_merge': True, 'decoder_use_separable_conv': False,
        'decoder_filters': 64, 'use_bounded_activation': True, 'decoder_output_stride': [4]}),
    'mobilenet_v3_large_seg': ('mobilenet_v3_large_seg', 19, _PUBLISHED),
    'mobilenet_v3_large_seg_dm075': ('mobilenet_v3_large_seg', 19, dict(
        _PUBLISHED, depth_multiplier=0.75)),
    'mobilenet_v3_small_seg': ('mobilenet_v3_small_seg', 19, _PUBLISHED),
    'mobilenet_v3_small_seg_sum': ('mobilenet_v3_small_seg', 21, {
        'aspp_with_squeeze_and_excitation': True, 'aspp_convs_filters': 64,
        'decoder_use_sum_merge': True, 'decoder_filters': 32, 'decoder_output_stride': [8],
        'atrous_rates': _RATES}),
    'nas_hnasnet_head': ('nas_hnasnet', 21, {
        'nas_use_classification_head': True, 'nas_remove_os32_stride': True,
        'decoder_output_stride': [4], 'atrous_rates': _RATES, 'output_stride': 8}),
    'nas_pnasnet_head': ('nas_pnasnet', 21, {'nas_use_classification_head': True}),
    'xception_41_dec_16_8': ('xception_41', 21, {
        'decoder_output_stride': [16, 8], 'atrous_rates': _RATES}),
}
_STRIDES_OF_GOLDENS = {'mobilenet_v2_noproj': 16, 'mobilenet_v3_large_seg': 32,
                       'mobilenet_v3_small_seg': 16, 'nas_pnasnet_head': 16}


def recorded(*path):
  path = os.path.join(_RECORDED, *path)
  if not os.path.exists(path):
    pytest.skip('no ../shared/contract/master/%s' % os.path.basename(path))
  return path


def logits_of(images, name, crop_size, **changes):
  variant, num_classes, options = CASES[name]
  if variant not in backbones.BACKBONES:
    pytest.skip('no backbone %s' % variant)
  return model_test.merged_logits(images, NetworkOptions(
      {'semantic': num_classes}, model_variant=variant, crop_size=crop_size,
      **dict({'output_stride': 16}, **dict(options, **changes))))


@pytest.mark.parametrize('name', sorted(CASES))
def test_variables_are_those_of_the_original(name):
  with open(recorded('variables', name + '.json')) as stream:
    wanted = sorted((variable, tuple(shape)) for variable, shape in json.load(stream))
  with tf.Graph().as_default():
    logits_of(tf.zeros([1, 97, 129, 3]), name, (97, 129))
    assert model_test.graph_variables() == wanted


@pytest.mark.parametrize('name', sorted(_STRIDES_OF_GOLDENS))
def test_logits_are_those_of_the_original(name):
  stride = _STRIDES_OF_GOLDENS[name]
  wanted = np.load(recorded('golden', '%s_os%d.npz' % (name, stride)))['logits']
  with tf.Graph().as_default(), tf.Session() as session:
    logits = logits_of(tf.constant(networks.golden_image()), name, (97, 129),
                       output_stride=stride)
    networks.load_golden_weights(session, tf.global_variables())
    model_test.assert_close(session.run(logits), wanted)
