"""Tests of the record of options."""
import pytest

from deeplab.core import options


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
