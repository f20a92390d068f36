"""Tests of the record of options."""
import pytest

from deeplab.core import options


def test_settings_of_searched_networks_are_also_a_dict():
  assert options.NetworkOptions(nas_remove_os32_stride=True).nas_architecture_options == {
      'nas_stem_output_num_conv_filters': 20, 'nas_use_classification_head': False,
      'nas_remove_os32_stride': True}


def test_fields_come_in_the_order_of_the_original():
  fields = list(options.NetworkOptions._fields)
  first = fields.index('use_bounded_activation') + 1
  assert fields[first:first + 10] == [
      'aspp_with_concat_projection', 'aspp_with_squeeze_and_excitation', 'aspp_convs_filters',
      'decoder_use_sum_merge', 'decoder_filters', 'decoder_output_is_logits',
      'image_se_uses_qsigmoid', 'label_weights', 'sync_batch_norm_method', 'batch_norm_decay']


def test_the_network_does_not_depend_on_flags_of_the_training():
  assert not {'label_weights', 'batch_norm_decay'} & set(options.ARCHITECTURE_FLAGS)


@pytest.mark.parametrize('fields, window', [
    ({}, [33, 49]),
    ({'image_pooling_crop_size': None}, None),
    ({'add_image_level_feature': False}, None),
    ({'aspp_with_batch_norm': False}, None),
    # A cell brings its own pooling.
    ({'add_image_level_feature': False, 'dense_prediction_cell_config': [{}]}, [33, 49])])
def test_only_networks_that_pool_need_images_that_hold_the_window(fields, window):
  chosen = options.NetworkOptions({'semantic': 4}, image_pooling_crop_size=[33, 49])
  assert chosen._replace(**fields).pooling_window == window
