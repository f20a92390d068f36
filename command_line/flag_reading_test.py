"""Tests of reading flags."""
import pytest
from absl import flags

from deeplab.command_line import flag_reading


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
