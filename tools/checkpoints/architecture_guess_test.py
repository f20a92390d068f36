"""Tests that the options guessed from names and shapes build the same variables."""
import gzip
import json
import os

import pytest

from deeplab import model
from deeplab.core.options import NetworkOptions
from deeplab.core.tf_compat import tf
from deeplab.tools.checkpoints import architecture_guess

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_RECORDED = os.path.join(_ROOT, 'core', 'testdata', 'variables.json.gz')
_INVENTORIES = os.path.join(_ROOT, '..', 'shared', 'contract', 'variables')
_ASPP = '--atrous_rates=6 --atrous_rates=12 --atrous_rates=18 --decoder_output_stride=4'

# Inventory -> its flags, without the variant. CELL stands for the file of the published cell.
PUBLISHED_FLAGS = {
    'mobilenet_v2': '--output_stride=16',
    'mobilenet_v2_dec4': '--output_stride=16 --decoder_output_stride=4',
    'mobilenet_v2_dm05': '--output_stride=16 --depth_multiplier=0.5',
    'mobilenet_v2_quant8': '--output_stride=16 --quantize_delay_step=0',
    'nas_hnasnet': '--output_stride=8 --atrous_rates=12 --atrous_rates=24 --atrous_rates=36 '
                   '--decoder_output_stride=4',
    'nas_pnasnet': '--output_stride=16 ' + _ASPP,
    'resnet_v1_101': '--output_stride=16 ' + _ASPP,
    'resnet_v1_101_beta': '--output_stride=16 ' + _ASPP,
    'resnet_v1_50': '--output_stride=16 ' + _ASPP,
    'resnet_v1_50_beta': '--output_stride=16 ' + _ASPP,
    'xception_41': '--output_stride=16 ' + _ASPP,
    'xception_65': '--output_stride=16 ' + _ASPP,
    'xception_65_dec_4_4': '--output_stride=16 ' + _ASPP + ',4',
    'xception_71': '--output_stride=16 ' + _ASPP,
    'xception_71_dpc': '--output_stride=16 --decoder_output_stride=4 '
                       '--dense_prediction_cell_json=CELL',
}
_VARIANTS = ('mobilenet_v2', 'nas_hnasnet', 'nas_pnasnet', 'resnet_v1_101_beta',
             'resnet_v1_101', 'resnet_v1_50_beta', 'resnet_v1_50', 'xception_41',
             'xception_65', 'xception_71')
# Those whose model is built too; others take long.
_BUILT = ('mobilenet_v2_quant8', 'resnet_v1_50_beta')

with open(architecture_guess.PUBLISHED_CELL) as cell_stream:
  _PUBLISHED_CELL = json.load(cell_stream)
_CELL = [
    {'op': 'conv', 'kernel': 1, 'input': -1},
    {'op': 'conv', 'kernel': 3, 'rate': [1, 6], 'input': 0},
    {'op': 'pyramid_pooling', 'grid_size': [2, 2], 'input': -1},
    {'op': 'conv', 'kernel': 3, 'rate': [3, 3], 'input': 2},
]
_BASE = NetworkOptions({'semantic': 5}, output_stride=16, atrous_rates=[6, 12, 18],
                     decoder_output_stride=[4], depth_multiplier=0.25)
_CONFIGURATIONS = {
    'five rates, plain convolutions': dict(
        atrous_rates=[6, 12, 18, 24, 30], aspp_with_separable_conv=False,
        decoder_use_separable_conv=False),
    'no ASPP, width 1.4': dict(aspp_with_batch_norm=False, atrous_rates=None,
                               depth_multiplier=1.4),
    'DeepLab v2': dict(aspp_with_batch_norm=False, decoder_output_stride=None,
                       logits_kernel_size=3, atrous_rates=[6, 12, 18, 24]),
    'two outputs, v2': dict(aspp_with_batch_norm=False, atrous_rates=[6, 12],
                            outputs_to_num_classes={'semantic': 5, 'edge': 2}),
    'two outputs, width 0.33': dict(outputs_to_num_classes={'semantic': 5, 'semantic_1': 2},
                                    depth_multiplier=0.33, decoder_output_stride=[2],
                                    add_image_level_feature=False),
    'decoder of all strides': dict(decoder_output_stride=[16, 8, 4, 2], atrous_rates=None,
                                   depth_multiplier=0.35, divisible_by=8),
    'gate and sum': dict(
        aspp_with_squeeze_and_excitation=True, aspp_convs_filters=64, decoder_use_sum_merge=True,
        decoder_filters=32, decoder_output_stride=[8]),
    'plain sum': dict(decoder_use_sum_merge=True, decoder_use_separable_conv=False,
                      decoder_output_stride=[8, 4]),
    'head of MobileNetV3': dict(
        atrous_rates=None, aspp_convs_filters=128, aspp_with_concat_projection=False,
        aspp_with_squeeze_and_excitation=True, image_se_uses_qsigmoid=True,
        decoder_use_sum_merge=True, decoder_filters=5, decoder_output_is_logits=True,
        decoder_output_stride=[8]),
    'concatenated logits': dict(decoder_filters=5, decoder_output_is_logits=True),
    'NAS with a classification head': dict(
        model_variant='nas_pnasnet', depth_multiplier=1.0, nas_use_classification_head=True,
        nas_stem_output_num_conv_filters=8),
    'published cell': dict(atrous_rates=None, dense_prediction_cell_config=_PUBLISHED_CELL),
    'ResNet': dict(model_variant='resnet_v1_50', depth_multiplier=1.0,
                   decoder_output_stride=[16, 8, 2], multi_grid=[1, 2, 4]),
    'ResNet-18': dict(model_variant='resnet_v1_18_beta', depth_multiplier=1.0),
    'MobileNetV3, large': dict(model_variant='mobilenet_v3_large_seg', depth_multiplier=0.75),
    'MobileNetV3, small': dict(model_variant='mobilenet_v3_small_seg', depth_multiplier=1.0,
                               decoder_output_stride=[16, 8, 4]),
    'MobileNetV3, 8 bits': dict(model_variant='mobilenet_v3_small_seg', quantize_delay_step=0,
                                decoder_output_stride=[8]),
    'EdgeTPU': dict(model_variant='mobilenet_edgetpu', decoder_output_stride=[16, 8, 4, 2]),
}
# Options that leave no trace.
_UNSEEN = dict(crop_size=None, multi_grid=None)


def published_shapes(name):
  """Returns the dict variable name -> shape of an inventory; skips where it is not there."""
  path = os.path.join(_INVENTORIES, name + '.json')
  if os.path.exists(path):
    with open(path) as stream:
      return dict(json.load(stream))
  with gzip.open(_RECORDED, 'rt') as stream:
    inventories = json.load(stream)
  if name not in inventories:
    pytest.skip('no ../shared/contract/variables/%s.json' % name)
  return dict(inventories[name])


def published_num_classes(name):
  """Returns the number of classes of an inventory."""
  return 19 if name.startswith('xception_71') else 21


def published_flags(name, folder=None):
  """Returns a row of PUBLISHED_FLAGS as one line; the cell's path is given from `folder`."""
  variant = next(variant for variant in _VARIANTS if name.startswith(variant))
  cell = os.path.relpath(architecture_guess.PUBLISHED_CELL, folder or os.curdir)
  if cell.startswith(os.pardir):
    cell = architecture_guess.PUBLISHED_CELL
  return '--model_variant=%s %s' % (variant, PUBLISHED_FLAGS[name].replace('CELL', cell))


def built(options):
  with tf.Graph().as_default():
    model.multi_scale_logits(tf.zeros([1, 65, 65, 3]), options, None)
    return {v.op.name: v.shape.as_list() for v in tf.global_variables()}


def assert_same(found, shapes):
  comparison = architecture_guess.compare(found, shapes)
  assert comparison == ([], [], [], len(shapes))


@pytest.mark.parametrize('name', sorted(PUBLISHED_FLAGS))
def test_flags_of_published_kinds_of_models(name):
  found = architecture_guess.guess(published_shapes(name))
  assert ' '.join(architecture_guess.to_flags(found)) == published_flags(name)
  assert found.options.outputs_to_num_classes == {
      'semantic': published_num_classes(name)}
  assert found.has_head


@pytest.mark.parametrize('name', _BUILT)
def test_published_kinds_of_models_are_rebuilt(name):
  shapes = published_shapes(name)
  assert_same(architecture_guess.guess(shapes), shapes)


def test_every_inventory_is_known():
  if not os.path.isdir(_INVENTORIES):
    pytest.skip('no ../shared/contract/variables')
  names = {os.path.splitext(name)[0] for name in os.listdir(_INVENTORIES)
           if name.endswith('.json')}
  assert names - {'toggles'} == set(PUBLISHED_FLAGS)


@pytest.mark.parametrize('name', sorted(_CONFIGURATIONS))
def test_options_are_found(name):
  options = _BASE._replace(**_CONFIGURATIONS[name])
  found = architecture_guess.guess(built(options))
  expected = options._replace(**_UNSEEN)
  assert found.options == expected
  assert (found.cell_json is not None) == (name == 'published cell')


def test_stored_ranges_tell_of_quantisation():
  shapes = built(_BASE._replace(quantize_delay_step=40))
  found = architecture_guess.guess(shapes)
  # Which step it was leaves no trace.
  assert found.options.quantize_delay_step == 0
  assert 'Trained with fake quantisation: its ranges are stored.' in found.seen
  assert [note for note in found.unseen if note.startswith('quantize_delay_step: any value')]
  assert '--quantize_delay_step=0' in architecture_guess.to_flags(found)


def test_cell_of_ones_own_has_its_kernels_and_inputs():
  shapes = built(_BASE._replace(atrous_rates=None, dense_prediction_cell_config=_CELL))
  found = architecture_guess.guess(shapes)
  assert_same(found, shapes)
  assert '--dense_prediction_cell_json=CELL.json' in architecture_guess.to_flags(found)
  note, = found.seen
  assert '4 branches, with kernels 1,3,1,3; branch0, branch2 see the backbone' in note


def test_flags_off_by_default_are_left_out_and_others_are_given():
  options = _BASE._replace(
      add_image_level_feature=False, aspp_with_separable_conv=False, divisible_by=8,
      decoder_use_separable_conv=False, nas_stem_output_num_conv_filters=32,
      logits_kernel_size=3, aspp_with_batch_norm=False, decoder_output_stride=[16, 4])
  found = architecture_guess.Guess(options, True, None, [], [])
  assert architecture_guess.to_flags(found) == [
      '--model_variant=mobilenet_v2', '--output_stride=16', '--atrous_rates=6',
      '--atrous_rates=12', '--atrous_rates=18', '--decoder_output_stride=16,4',
      '--depth_multiplier=0.25', '--divisible_by=8', '--nas_stem_output_num_conv_filters=32',
      '--logits_kernel_size=3', '--noadd_image_level_feature', '--noaspp_with_batch_norm',
      '--noaspp_with_separable_conv', '--nodecoder_use_separable_conv']


def test_backbone_alone_is_told_apart_and_its_classifier_is_not_used():
  shapes = {name: shape for name, shape in published_shapes('resnet_v1_50_beta').items()
            if name.startswith('resnet_v1_50/')}
  shapes['resnet_v1_50/logits/weights'] = [1, 1, 2048, 1001]
  shapes['resnet_v1_50/conv1_1/weights/Momentum'] = shapes['resnet_v1_50/conv1_1/weights']
  shapes['global_step'] = []
  found = architecture_guess.guess(shapes)
  assert not found.has_head
  assert found.options.model_variant == 'resnet_v1_50_beta'
  assert found.seen[0].startswith('Backbone only')
  assert architecture_guess.compare(found, shapes) == (
      [], [], ['resnet_v1_50/logits/weights'], len(shapes) - 3)


def test_channels_of_searched_networks_tell_stem_and_strides():
  # PNASNet with a stem of 8 filters at output stride 8, where two end points are alike.
  shapes = {'pnasnet/cell_%d/1x1/weights' % cell: [1, 1, 80, 16] for cell in range(12)}
  shapes.update({'pnasnet/conv1/weights': [3, 3, 64, 64],
                 'pnasnet/conv2/weights': [3, 3, 64, 128],
                 'aspp0/weights': [1, 1, 80, 256], 'aspp1/weights': [3, 3, 80, 256],
                 'decoder/feature_projection0/weights': [1, 1, 80, 48],
                 'decoder/feature_projection0_1/weights': [1, 1, 64, 48]})
  found = architecture_guess.guess(shapes).options
  assert (found.nas_stem_output_num_conv_filters, found.output_stride) == (8, 8)
  assert (found.decoder_output_stride, found.atrous_rates) == ([8, 2], [12])


def test_one_kernel_of_logits_larger_than_1_has_a_rate():
  shapes = {name: shape for name, shape in published_shapes('mobilenet_v2').items()
            if name.startswith('MobilenetV2/')}
  for kernel_size, rates in ((3, [6]), (1, None)):
    shapes['logits/semantic/weights'] = [kernel_size, kernel_size, 320, 21]
    found = architecture_guess.guess(shapes).options
    assert (found.logits_kernel_size, found.atrous_rates) == (kernel_size, rates)
    assert not found.aspp_with_batch_norm


def test_differences_are_named():
  shapes = published_shapes('mobilenet_v2_dec4')
  shapes['concat_projection/weights'] = [1, 1, 512, 128]
  del shapes['image_pooling/weights']
  shapes['extra/weights'] = [3]
  comparison = architecture_guess.compare(architecture_guess.guess(shapes), shapes)
  assert comparison == (
      ['image_pooling/weights'], ['concat_projection/weights'], ['extra/weights'], 295)


def test_channels_of_no_width_are_told():
  shapes = published_shapes('mobilenet_v2')
  shapes['MobilenetV2/expanded_conv_5/project/weights'] = [1, 1, 192, 33]
  assert 'fit no --depth_multiplier' in architecture_guess.guess(shapes).seen[0]


def test_decoder_without_low_level_features_of_its_depth_is_told():
  shapes = published_shapes('mobilenet_v2_dec4')
  shapes['decoder/feature_projection0/weights'] = [1, 1, 77, 48]
  assert 'the 77 channels' in architecture_guess.guess(shapes).seen[0]


def test_weights_of_other_networks_are_refused_with_their_scopes():
  with pytest.raises(ValueError, match='not a DeepLab checkpoint of this code. It has the '
                     'scopes MobilenetV4, vgg_16; a backbone has one of MobilenetEdge'):
    architecture_guess.guess({'vgg_16/conv1/weights': [3], 'MobilenetV4/Conv/weights': [3],
                              'global_step': []})
  with pytest.raises(ValueError, match='several backbones: MobilenetV2, xception_65'):
    architecture_guess.guess({'MobilenetV2/Conv/weights': [3, 3, 3, 8],
                              'xception_65/entry_flow/conv1_1/weights': [3]})
  with pytest.raises(ValueError, match=r'scopes \(none\)'):
    architecture_guess.guess({})
