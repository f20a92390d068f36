"""Tests of numbers on the command line that nothing can be computed with."""
import json

import pytest

from deeplab.testing import forked_scripts

# Prints, as JSON, what is said of the flags of train.py in each word of the command line.
_CODE = """
import json, sys
from absl import flags
from deeplab import train
from deeplab.command_line import number_flags

def said_of(word):
  flags.FLAGS.unparse_flags()
  try:
    flags.FLAGS(['train.py', word])
    number_flags.check()
  except flags.Error as error:
    return str(error)
  finally:
    flags.FLAGS[word[2:].split('=')[0]].unparse()

print(json.dumps([said_of(word) for word in sys.argv[1:]]))
"""
_CASES = {
    '--learning_power=0': 'must be over 0',
    '--learning_power=-1': 'must be over 0',
    '--last_layer_gradient_multiplier=-5': 'must be over 0',
    '--learning_rate_decay_factor=-1': 'range [0, 1]',
    '--learning_rate_decay_factor=1.5': 'range [0, 1]',
    '--min_scale_factor=0': 'must be over 0',
    '--max_scale_factor=-2': 'must be over 0',
    '--depth_multiplier=0': 'must be over 0',
    '--atrous_rates=0': 'a positive integer',
    '--multi_grid=-3': 'a positive integer',
    '--hue=0.6': 'range [0, 0.5]',
    '--flip_probability=1.1': 'range [0, 1]',
    '--data_threads=100000': 'range [0, 1024]',
    '--base_learning_rate=nan': '--base_learning_rate=nan: must be a finite number',
    '--base_learning_rate=inf': '--base_learning_rate=inf: must be a finite number',
    '--image_pyramid=nan': '--image_pyramid=nan: must be a finite number',
    '--training_number_of_steps=%d' % 10 ** 21:
        '--training_number_of_steps=%d: must be at most %d' % (10 ** 21, 2 ** 53),
}
_GOOD = ['--learning_power=0.5', '--learning_rate_decay_factor=1', '--atrous_rates=1',
         '--data_seed=-7', '--training_number_of_steps=%d' % 2 ** 53, '--clip_gradient_norm=0']


@pytest.fixture(scope='module', name='said')
def fixture_said():
  words = list(_CASES) + _GOOD
  code, printed, log = forked_scripts.run_code(_CODE, *words)
  assert code == 0, log
  return dict(zip(words, json.loads(printed)))


@pytest.mark.parametrize('word', sorted(_CASES))
def test_numbers_out_of_their_range_are_refused(said, word):
  assert said[word] is not None
  assert word[2:].split('=')[0] in said[word] and _CASES[word] in said[word]


@pytest.mark.parametrize('word', _GOOD)
def test_numbers_within_their_range_are_taken(said, word):
  assert said[word] is None


def test_a_program_ends_with_one_line(tmp_path):
  result = forked_scripts.run('train.py', '--dataset_dir=%s' % tmp_path, '--weight_decay=nan',
                              '--train_logdir=%s' % (tmp_path / 'run'))
  assert result.code == 2
  assert result.last_line.startswith(
      'train.py: error: flag --weight_decay=nan: must be a finite number.')
  assert not (tmp_path / 'run').exists()
