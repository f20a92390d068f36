"""Tests of reading flags, and of numbers that nothing can be computed with."""
import json

import pytest
from absl import flags

from deeplab.command_line import flag_reading
from deeplab.testing import forked_scripts

# Prints, as JSON, what is said of the flags of train.py in each word of the command line.
_CODE = """
import json, sys
from absl import flags
from deeplab import train
from deeplab.command_line import flag_reading

def said_of(word):
  flags.FLAGS.unparse_flags()
  try:
    flags.FLAGS(['train.py', word])
    flag_reading.check_numbers()
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


@pytest.fixture(name='own_flags')
def fixture_own_flags(monkeypatch):
  own = flags.FlagValues()
  flags.DEFINE_list('size', '7,9', 'A size.', flag_values=own)
  flags.DEFINE_list('factors', None, 'Factors.', flag_values=own)
  flags.DEFINE_multi_integer('rates', None, 'Rates.', flag_values=own)
  flags.DEFINE_float('share', 1.0, 'A share.', flag_values=own)
  own(['test'])
  monkeypatch.setattr(flag_reading, 'FLAGS', own)
  return own


def test_sizes_are_integers(own_flags):
  assert flag_reading.size_list('size') == [7, 9]
  own_flags(['test', '--size=3'])
  assert flag_reading.size_list('size', count=None) == [3]
  assert flag_reading.size_list('factors') is None


@pytest.mark.parametrize('value, shown', [
    ('513', '513'), ('513,abc', '513,abc'), ('0,5', '0,5'), ('5,6,7', '5,6,7'), ('', 'nothing')])
def test_sizes_that_are_not_two_positive_integers_are_refused(own_flags, value, shown):
  own_flags(['test', '--size=' + value])
  with pytest.raises(ValueError, match='--size must be two positive integers height,width such '
                                       'as 513,513; got ' + shown):
    flag_reading.size_list('size')


def test_number_lists_have_one_of_the_lengths(own_flags):
  own_flags(['test', '--factors=0.5,1'])
  assert flag_reading.number_list('factors', (2, 3)) == (0.5, 1.0)
  for value in ('1', '1,-1', '1,x', '1,2,3,4', ''):
    own_flags(['test', '--factors=' + value])
    with pytest.raises(ValueError, match='--factors must be 2 or 3 numbers from 0 up, got '):
      flag_reading.number_list('factors', (2, 3))


def test_parsing_again_replaces_repeated_flags(own_flags):
  for rates in ([1, 2, 4], [1, 1, 2]):
    own_flags(['test'] + ['--rates=%d' % rate for rate in rates])
    assert flag_reading.repeated('rates') == rates


def test_flags_not_served_are_refused(own_flags):
  flag_reading.refuse_flags({'share': (1.0, 'no reason')})
  own_flags(['test', '--share=0.5'])
  with pytest.raises(ValueError, match='--share=0.5: no reason; leave the flag at 1.0'):
    flag_reading.refuse_flags({'share': (1.0, 'no reason')})


@pytest.mark.parametrize('words, name, text', [
    ([], 'share', ''), (['--share=1'], 'share', ''), (['--share=0.5'], 'share', '--share=0.5'),
    (['--size=7,9'], 'size', ''), (['--size=7,8'], 'size', '--size=7,8'),
    (['--rates=1', '--rates=2'], 'rates', '--rates=1 --rates=2')])
def test_flags_are_given_unless_at_their_default(own_flags, words, name, text):
  own_flags.unparse_flags()
  own_flags(['test'] + words)
  assert flag_reading.as_given(name) == text


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
