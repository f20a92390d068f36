"""Tests of the shared flags, the options they fill, and how scripts end."""
import copy
import pickle
import subprocess
import sys

import pytest
from absl import flags

from deeplab import common

FLAGS = flags.FLAGS

SCRIPT = """
from absl import flags
from deeplab import common
flags.DEFINE_string('word', None, 'A word.')
def main(argv):
  if flags.FLAGS.word == 'bad':
    raise ValueError('The word\\n is bad.')
  if flags.FLAGS.word == 'stop':
    raise KeyboardInterrupt()
if __name__ == '__main__':
  common.run(main, required_flags=['word'])
"""


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


@pytest.mark.parametrize('value, shown', [
    ('513', '513'), ('513,abc', '513,abc'), ('0,5', '0,5'), ('5,6,7', '5,6,7')])
def test_sizes_that_are_not_two_positive_integers_are_refused(value, shown):
  FLAGS(['test', '--image_pooling_crop_size=' + value])
  with pytest.raises(ValueError, match='--image_pooling_crop_size must be two positive '
                                       'integers height,width such as 513,513; got ' + shown):
    common.size_list('image_pooling_crop_size')


def test_flags_not_served_are_refused():
  FLAGS(['test', '--depth_multiplier=0.5'])
  with pytest.raises(ValueError, match='--depth_multiplier=0.5: no reason; leave the flag '
                                       'at 1.0'):
    common.refuse_flags({'depth_multiplier': (1.0, 'no reason')})


def test_dense_prediction_cell_must_be_readable_json(tmp_path):
  FLAGS(['test', '--dense_prediction_cell_json=%s' % (tmp_path / 'none.json')])
  with pytest.raises(ValueError, match='no file .*none.json'):
    common.ModelOptions({'semantic': 3})
  broken = tmp_path / 'broken.json'
  broken.write_text('[{')
  FLAGS(['test', '--dense_prediction_cell_json=%s' % broken])
  with pytest.raises(ValueError, match='broken.json is not JSON'):
    common.ModelOptions({'semantic': 3})


@pytest.mark.parametrize('arguments, code, message', [
    (['--word=good'], 0, ''),
    (['--word=bad'], 1, 'script.py: error: The word is bad.\n'),
    (['--word=stop'], 130, 'script.py: error: interrupted.\n'),
    ([], 2, 'script.py: error: Required: --word=....\n'),
    (['--wort=x'], 2, "script.py: error: Unknown command line flag 'wort'. Did you mean: "
                      'word ?\n'),
    (['--word=good', 'x'], 2, 'script.py: error: Not a flag: x. Flags are written '
                              '--name=value.\n'),
])
def test_scripts_end_with_one_line_and_a_code(tmp_path, arguments, code, message):
  script = tmp_path / 'script.py'
  script.write_text(SCRIPT)
  process = subprocess.run([sys.executable, str(script)] + arguments,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  lines = [line for line in process.stderr.decode().splitlines(True)
           if line.startswith('script.py')]
  assert (process.returncode, ''.join(lines)) == (code, message), process.stderr.decode()
