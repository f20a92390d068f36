"""What single options change of the whole model: its layers, its sizes, what it refuses."""
import json
import os

import pytest

from deeplab import model
from deeplab.core.checkpoints import other_models
from deeplab.core.options import NetworkOptions
from deeplab.core.tf_compat import tf
from deeplab.model_test import CASES, graph_variables, merged_logits, recorded_variables

CELL = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'core',
                    'dense_prediction_cell_branch5_top1_cityscapes.json')


def read_cell():
  with open(CELL) as stream:
    return json.load(stream)


@pytest.mark.parametrize('name, variant, changes', [
    ('xception_71_dpc', 'xception_71',
     {'atrous_rates': None, 'dense_prediction_cell_config': read_cell()}),
    ('xception_65_dec_4_4', 'xception_65', {'decoder_output_stride': [4, 4]}),
    ('mobilenet_v2_dec4', 'mobilenet_v2', {'decoder_output_stride': [4]}),
    ('mobilenet_v2_dm05', 'mobilenet_v2', {'depth_multiplier': 0.5}),
])
def test_variables_of_further_heads(name, variant, changes):
  with tf.Graph().as_default():
    merged_logits(tf.zeros([1, 33, 33, 3]), CASES[variant].options(
        variant, crop_size=[33, 33], **changes))
    assert graph_variables() == recorded_variables(name)


def layers(**changes):
  """Returns the layers of a MobileNet with ASPP rates and decoder: name -> weight shape."""
  options = CASES['mobilenet_v2'].options('mobilenet_v2', crop_size=[33, 33])._replace(
      atrous_rates=[6, 12, 18], decoder_output_stride=[4])._replace(**changes)
  with tf.Graph().as_default():
    merged_logits(tf.zeros([1, 33, 33, 3]), options)
    return {v.op.name.rsplit('/', 1)[0]: v.shape.as_list() for v in tf.global_variables()
            if v.op.name.endswith('weights')}


_SEPARABLE_ASPP = {'aspp%d_%s' % (i, part) for i in (1, 2, 3)
                   for part in ('depthwise', 'pointwise')}
_SEPARABLE_DECODER = {'decoder/decoder_conv%d_%s' % (i, part) for i in (0, 1)
                      for part in ('depthwise', 'pointwise')}
_ASPP = _SEPARABLE_ASPP | {'image_pooling', 'aspp0', 'concat_projection'}
_DECODER = _SEPARABLE_DECODER | {'decoder/feature_projection0'}


@pytest.mark.parametrize('changes, added, removed', [
    ({'aspp_with_separable_conv': False}, {'aspp1', 'aspp2', 'aspp3'}, _SEPARABLE_ASPP),
    ({'decoder_use_separable_conv': False},
     {'decoder/decoder_conv0/decoder_conv0_1', 'decoder/decoder_conv0/decoder_conv0_2'},
     _SEPARABLE_DECODER),
    ({'add_image_level_feature': False}, set(), {'image_pooling'}),
    ({'aspp_with_batch_norm': False}, {'logits/semantic_1', 'logits/semantic_2'}, _ASPP),
    ({'aspp_with_batch_norm': False, 'decoder_output_stride': None, 'logits_kernel_size': 3},
     {'logits/semantic_1', 'logits/semantic_2'}, _ASPP | _DECODER),
    ({'aspp_with_batch_norm': False, 'atrous_rates': None, 'decoder_output_stride': None},
     set(), _ASPP | _DECODER),
    ({'outputs_to_num_classes': {'semantic': 21, 'direction': 2}}, {'logits/direction'},
     set()),
    ({'use_bounded_activation': True}, set(), set()),
    ({'aspp_with_concat_projection': False}, set(), {'concat_projection'}),
    ({'aspp_with_squeeze_and_excitation': True}, set(), set()),
    ({'decoder_use_sum_merge': True},
     {'decoder/decoder_split_sep_conv0_depthwise', 'decoder/decoder_split_sep_conv0_pointwise'},
     _SEPARABLE_DECODER),
    ({'decoder_use_sum_merge': True, 'decoder_use_separable_conv': False},
     {'decoder/decoder_conv0'}, _SEPARABLE_DECODER),
    ({'decoder_output_is_logits': True, 'decoder_filters': 21},
     {'decoder/decoder_conv0/decoder_conv0_1', 'decoder/decoder_conv0/decoder_conv0_2'},
     _SEPARABLE_DECODER | {'logits/semantic'}),
    ({'divisible_by': 1}, set(), set()),
])
def test_an_option_adds_and_removes_just_these_layers(changes, added, removed):
  base, changed = layers(), layers(**changes)
  assert set(changed) - set(base) == added
  assert set(base) - set(changed) == removed
  if 'logits_kernel_size' in changes:
    assert changed['logits/semantic'] == changed['logits/semantic_2'] == [3, 3, 320, 21]


def test_heads_have_the_channels_that_are_asked_for():
  found = layers(aspp_convs_filters=64, decoder_filters=32)
  assert found['aspp1_pointwise'] == [1, 1, 320, 64]
  assert found['image_pooling'] == [1, 1, 320, 64]
  assert found['concat_projection'] == [1, 1, 320, 64]
  assert found['decoder/decoder_conv0_depthwise'] == [3, 3, 112, 1]
  assert found['decoder/decoder_conv1_pointwise'] == found['logits/semantic'][:3] + [32]
  assert layers(aspp_with_concat_projection=False)['logits/semantic'] == [1, 1, 256, 21]
  assert layers(aspp_with_concat_projection=False, decoder_output_stride=None)[
      'logits/semantic'] == [1, 1, 1280, 21]


def test_the_lightest_decoder_is_linear_with_biases():
  options = CASES['mobilenet_v2'].options(
      'mobilenet_v2', crop_size=[33, 33], decoder_output_stride=[8], decoder_use_sum_merge=True,
      decoder_filters=21, decoder_output_is_logits=True)
  with tf.Graph().as_default():
    logits = merged_logits(tf.zeros([1, 33, 33, 3]), options)
    head = {name: shape for name, shape in graph_variables() if name.startswith('decoder')}
    assert tf.losses.get_regularization_losses()
  assert logits.shape.as_list() == [1, 5, 5, 21]
  assert head == {
      'decoder/decoder_conv0/weights': (1, 1, 256, 21), 'decoder/decoder_conv0/biases': (21,),
      'decoder/feature_projection0/weights': (1, 1, 192, 21),
      'decoder/feature_projection0/biases': (21,)}


@pytest.mark.parametrize('logits_only, makes_logits, scopes', [
    (True, False, ['logits']), (True, True, ['decoder'])])
def test_the_last_layer_is_what_makes_the_logits(logits_only, makes_logits, scopes):
  assert model.get_extra_layer_scopes(logits_only, makes_logits) == scopes


@pytest.mark.parametrize('variant, strides', [
    ('mobilenet_v2', [16, 4]), ('mobilenet_v2', [8, 4, 2]),
    ('xception_41', [16, 4]), ('xception_41', [8, 4, 2]),
    ('resnet_v1_50', [16, 4]), ('resnet_v1_50', [8, 4, 2]),
    ('nas_pnasnet', [16, 8, 4, 2]), ('nas_hnasnet', [8, 4, 2])])
def test_decoders_of_several_strides(variant, strides):
  with tf.Graph().as_default():
    logits = merged_logits(tf.zeros([1, 33, 48, 3]), CASES[variant].options(
        variant, crop_size=[33, 48], decoder_output_stride=strides))
    assert logits.shape.as_list() == [1, 32 // strides[-1] + 1, 48 // strides[-1], 21]


@pytest.mark.parametrize('variant, changes, pyramid, message', [
    ('resnet_v1_55', {}, None, "Unknown model_variant 'resnet_v1_55'. Did you mean"),
    ('resnet_v1_50', {'output_stride': 64}, None, 'output_stride=64 cannot be reached'),
    ('xception_41', {'multi_grid': [1, 2, 4, 8]}, None, 'multi_grid must be 3 positive'),
    ('mobilenet_v2', {'output_stride': 8, 'decoder_output_stride': [16, 4]}, None,
     'decoder_output_stride=16,4: .* cannot be larger than output_stride=8'),
    ('mobilenet_v2', {}, [1.0, 0.0], r'image_pyramid scales must be positive, got \[1.0, 0'),
    ('mobilenet_v2', {}, [-1.0], 'image_pyramid scales must be positive'),
    ('mobilenet_v2', {}, [1.0, 0.751, 0.749], 'image_pyramid scales must differ in their first'),
    ('mobilenet_v2', {'dense_prediction_cell_config': [{'op': 'conv'}]}, None,
     'Dense prediction cell, entry 0: no "input"'),
    ('mobilenet_v2', {'dense_prediction_cell_config': read_cell(),
                      'aspp_with_batch_norm': False}, None, 'needs aspp_with_batch_norm'),
    ('mobilenet_v2', {'aspp_with_squeeze_and_excitation': True, 'atrous_rates': [6, 12],
                      'aspp_with_concat_projection': False}, None,
     'the gate has aspp_convs_filters=256 channels, and the 3 branches together have 768. Leave'),
    ('mobilenet_v2', {'decoder_output_is_logits': True}, None,
     'decoder_output_is_logits: there is no decoder; give decoder_output_stride.$'),
    ('mobilenet_v2', {'decoder_output_is_logits': True, 'decoder_output_stride': [4]}, None,
     "decoder_filters is 256, and 'semantic' has 3 classes; give decoder_filters=3.$"),
    ('mobilenet_v2', {'decoder_output_is_logits': True, 'decoder_output_stride': [4],
                      'decoder_filters': 3, 'logits_kernel_size': 3}, None,
     'no layer has logits_kernel_size=3; leave it out'),
    ('mobilenet_v2', {'nas_use_classification_head': True}, None,
     'nas_use_classification_head=True: mobilenet_v2 does not know this setting; leave it out. '
     'It is for nas_hnasnet, nas_pnasnet'),
    ('nas_pnasnet', {'nas_remove_os32_stride': True}, None,
     'nas_remove_os32_stride is for networks that go to stride 32 and come back, nas_hnasnet'),
    ('nas_pnasnet', {'nas_remove_os32_stride': True, 'output_stride': 32}, None,
     'come back, nas_hnasnet; pnasnet does not'),
    ('mobilenet_v2', {'sync_batch_norm_method': 'x'}, None, "sync_batch_norm_method='x': each"),
])
def test_options_that_do_not_fit_are_refused(variant, changes, pyramid, message):
  options = NetworkOptions({'semantic': 3}, model_variant=variant, output_stride=16,
                         crop_size=[33, 33])._replace(**changes)
  with tf.Graph().as_default(), pytest.raises(ValueError, match=message):
    model.multi_scale_logits(tf.zeros([1, 33, 33, 3]), options, pyramid)


def shapes_of(**changes):
  """Returns dict, name -> shape of the variables of a network with a decoder."""
  options = NetworkOptions({'semantic': 3}, crop_size=[33, 33], output_stride=16,
                           decoder_output_stride=[4])._replace(**changes)
  with tf.Graph().as_default():
    merged_logits(tf.zeros([1, 33, 33, 3]), options)
    return {name: list(shape) for name, shape in graph_variables()}


@pytest.mark.parametrize('changes, hints', [
    ({'aspp_with_squeeze_and_excitation': True}, ['--aspp_with_squeeze_and_excitation']),
    ({'aspp_convs_filters': 64}, ['--aspp_convs_filters']),
    ({'aspp_with_concat_projection': False},
     ['--aspp_with_batch_norm and --aspp_with_concat_projection']),
    ({'decoder_filters': 64}, ['--decoder_filters']),
    ({'decoder_use_sum_merge': True}, ['--decoder_use_sum_merge']),
    ({'decoder_filters': 3, 'decoder_output_is_logits': True}, ['--decoder_output_is_logits'])])
def test_options_of_the_head_that_differ_are_named(changes, hints):
  plain, changed = shapes_of(), shapes_of(**changes)
  for stored, expected in ((plain, changed), (changed, plain)):
    _, found = other_models.differences(stored, expected)
    assert found == ['Check %s' % hint for hint in hints]
  assert other_models.differences(changed, changed) is None
