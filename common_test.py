"""Tests of the flags of the network and of the options they fill."""
import copy
import pickle

import pytest
from absl import flags

from deeplab import common

FLAGS = flags.FLAGS


@pytest.fixture(autouse=True)
def fresh_flags():
  FLAGS.unparse_flags()
  saved = {name: (FLAGS[name].value, FLAGS[name].present) for name in FLAGS}
  FLAGS(['test'])
  yield
  for name, (value, present) in saved.items():
    FLAGS[name].value = value
    FLAGS[name].present = present


def test_model_options_come_from_flags():
  FLAGS(['test', '--decoder_output_stride=16,4', '--multi_grid=1', '--multi_grid=2',
         '--image_pooling_crop_size=65,97', '--merge_method=avg'])
  options = common.ModelOptions({'semantic': 3}, crop_size=[65, 97], output_stride=16)
  assert options.decoder_output_stride == [16, 4]
  assert options.multi_grid == [1, 2]
  assert options.image_pooling_crop_size == [65, 97]
  assert options.image_pooling_stride == [1, 1]
  assert options.merge_method == 'avg'
  assert (options.output_stride, options.crop_size) == (16, [65, 97])


def test_parsing_again_replaces_repeated_flags():
  for grid in ([1, 2, 4], [1, 1, 2]):
    FLAGS(['test'] + ['--multi_grid=%d' % rate for rate in grid])
    assert common.ModelOptions({'semantic': 3}).multi_grid == grid


def test_copies_keep_fields_that_differ_from_the_flags():
  options = common.ModelOptions({'semantic': 3})._replace(model_variant='xception_65')
  for copied in (copy.copy(options), copy.deepcopy(options),
                 pickle.loads(pickle.dumps(options._replace(preprocessed_images_dtype=1)))):
    assert copied.model_variant == 'xception_65'
    assert isinstance(copied, common.ModelOptions)
  assert copy.deepcopy(options).outputs_to_num_classes is not options.outputs_to_num_classes


def test_dense_prediction_cell_must_be_readable_json(tmp_path):
  FLAGS(['test', '--dense_prediction_cell_json=%s' % (tmp_path / 'none.json')])
  with pytest.raises(ValueError, match='no file .*none.json'):
    common.ModelOptions({'semantic': 3})
  broken = tmp_path / 'broken.json'
  broken.write_text('[{')
  FLAGS(['test', '--dense_prediction_cell_json=%s' % broken])
  with pytest.raises(ValueError, match='broken.json is not JSON'):
    common.ModelOptions({'semantic': 3})
  broken.write_text('[{"op": "conv"}]')
  with pytest.raises(ValueError, match='broken.json: .*entry 0: no "input"'):
    common.ModelOptions({'semantic': 3})
