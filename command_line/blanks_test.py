"""Blanks around the `=` of flags and beside commas change nothing."""
import pytest
from absl import flags

from deeplab.command_line import blanks, flag_groups

FLAGS = flags.FLAGS

_NAMES = ('blanks_count', 'blanks_rate', 'blanks_policy', 'blanks_sync', 'blanks_sizes',
          'blanks_rates', 'blanks_folder')


@pytest.fixture(name='values', scope='module')
def fixture_values():
  """Returns function (words, allows_words=False) -> (dict of the flags given, rest)."""
  flag_groups.begin('blanks')
  flags.DEFINE_integer('blanks_count', 1, 'Count.')
  flags.DEFINE_float('blanks_rate', 1.0, 'Rate.')
  flags.DEFINE_enum('blanks_policy', 'poly', ['poly', 'step'], 'Policy.')
  flags.DEFINE_bool('blanks_sync', False, 'Sync.')
  flags.DEFINE_list('blanks_sizes', None, 'Sizes.')
  flags.DEFINE_multi_integer('blanks_rates', None, 'Rates.')
  flags.DEFINE_string('blanks_folder', None, 'Folder.')

  def values(words, allows_words=False):
    known = flags.FlagValues()
    for name in _NAMES:
      known[name] = FLAGS[name]
    known.unparse_flags()
    for name in _NAMES:
      FLAGS[name].present = 0
    rest = known(['script'] + blanks.without(words, allows_words))[1:]
    return {name[len('blanks_'):]: FLAGS[name].value for name in _NAMES
            if FLAGS[name].present}, rest

  yield values
  for name in _NAMES:
    delattr(FLAGS, name)


@pytest.mark.parametrize('name, text, value', [
    ('count', '4', 4), ('count', '-4', -4), ('rate', '0.5', 0.5), ('policy', 'step', 'step'),
    ('sync', 'true', True), ('sizes', '513,257', ['513', '257']), ('rates', '6', [6]),
    ('folder', '/data/my run', '/data/my run')])
def test_blanks_around_the_sign(values, name, text, value):
  flag = '--blanks_' + name
  forms = [[flag + '=' + text], [flag + '= ' + text], [flag + ' = ' + text], [flag + ' =' + text],
           [flag + '=\t' + text]]
  if not text.startswith('-'):
    forms += [[flag + '=', text], [flag, '=', text], [flag, '=' + text]]
  for words in forms:
    assert values(words) == ({name: value}, []), words


@pytest.mark.parametrize('words', [
    ['--blanks_sizes=513,', '257'], ['--blanks_sizes=513', ',257'],
    ['--blanks_sizes=', '513', ',', '257'], ['--blanks_sizes = 513 , 257'],
    ['--blanks_sizes=513, 257']])
def test_blanks_beside_commas(values, words):
  assert values(words) == ({'sizes': ['513', '257']}, [])


def test_blanks_after_choices_and_numbers(values):
  assert values(['--blanks_policy=step ', '--blanks_rate=2 ', '--blanks_sync=true ']) == (
      {'policy': 'step', 'rate': 2.0, 'sync': True}, [])
  assert values(['--blanks_folder=ends in a blank ']) == ({'folder': 'ends in a blank '}, [])


def test_what_is_no_value_stays(values):
  assert values(['--blanks_folder=', '--blanks_count=3']) == ({'folder': '', 'count': 3}, [])
  assert values(['--blanks_count=3', 'word']) == ({'count': 3}, ['word'])
  assert values(['a=b', '=', 'c']) == ({}, ['a=b', '=', 'c'])
  with pytest.raises(flags.Error, match='blanks_count'):
    values(['--blanks_count=', '--blanks_folder=x'])


def test_words_with_a_meaning_are_no_values_of_flags_that_may_be_empty(values):
  assert values(['--blanks_folder=', 'run', '--blanks_count=', '3', 'run'], True) == (
      {'folder': '', 'count': 3}, ['run', 'run'])
