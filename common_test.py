"""Tests of the flags of the network and of the options they fill."""
import copy
import json
import pickle

import pytest
from absl import flags

from deeplab import common
from deeplab.testing import damage
from deeplab.utils.runs import run_record

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


def test_model_options_before_a_command_line_is_parsed_are_the_defaults():
  FLAGS.unparse_flags()
  options = common.ModelOptions({'semantic': 3}, crop_size=[65, 97], atrous_rates=[6])
  assert options._replace(image_pooling_stride=(1, 1)) == common.options.NetworkOptions(
      {'semantic': 3}, crop_size=[65, 97], atrous_rates=[6], output_stride=8)


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
  with pytest.raises(ValueError, match='none.json cannot be read as JSON: No such file'):
    common.ModelOptions({'semantic': 3})
  broken = tmp_path / 'broken.json'
  broken.write_text('[{')
  FLAGS(['test', '--dense_prediction_cell_json=%s' % broken])
  with pytest.raises(ValueError, match='broken.json cannot be read as JSON'):
    common.ModelOptions({'semantic': 3})
  broken.write_bytes(damage.NESTED_JSON)
  with pytest.raises(ValueError, match='broken.json cannot be read as JSON: .* too deeply'):
    common.ModelOptions({'semantic': 3})
  broken.write_text('null')
  with pytest.raises(ValueError, match='broken.json: .*list of at least one branch, got None'):
    common.ModelOptions({'semantic': 3})
  broken.write_text('[{"op": "conv"}]')
  with pytest.raises(ValueError, match='broken.json: .*entry 0: no "input"'):
    common.ModelOptions({'semantic': 3})
  FLAGS(['test', '--dense_prediction_cell_json=[{'])
  with pytest.raises(ValueError, match='the text cannot be read as JSON'):
    common.ModelOptions({'semantic': 3})


def test_a_run_brings_its_dense_prediction_cell_along(tmp_path):
  """Also where the file is no more, and a copy of it is no conflict."""
  cell = [{'kernel': 1, 'op': 'conv', 'input': -1}]
  for name in ('cell.json', 'copy.json', 'other.json'):
    (tmp_path / name).write_text(json.dumps(cell * (1 + (name == 'other.json')), indent=2))
  (tmp_path / 'run').mkdir()
  FLAGS(['test', '--dense_prediction_cell_json=%s' % (tmp_path / 'cell.json')])
  run_record.write(str(tmp_path / 'run'), common.flag_values())
  (tmp_path / 'cell.json').unlink()
  for words in ([], ['--dense_prediction_cell_json=%s' % (tmp_path / 'copy.json')]):
    FLAGS(['test', '--dense_prediction_cell_json='])
    FLAGS['dense_prediction_cell_json'].present = 0
    FLAGS(['test'] + words)
    common.take_flags_of_run(str(tmp_path / 'run'))
    assert common.ModelOptions({'semantic': 3}).dense_prediction_cell_config == cell
  FLAGS(['test', '--dense_prediction_cell_json=%s' % (tmp_path / 'other.json')])
  with pytest.raises(ValueError, match='but the checkpoint was trained with'):
    common.take_flags_of_run(str(tmp_path / 'run'))
