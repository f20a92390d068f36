"""Tests of command lines as hands type them and other versions of DeepLab have them."""
import pytest
from absl import flags

from deeplab.command_line import accepted_forms, flag_groups

FLAGS = flags.FLAGS

_NAMES = ('blanks_count', 'blanks_rate', 'blanks_policy', 'blanks_sync', 'blanks_sizes',
          'blanks_rates', 'blanks_folder')


@pytest.fixture(name='own_flags')
def fixture_own_flags(monkeypatch):
  own = flags.FlagValues()
  for name in ('train_crop_size', 'label_weights', 'strides'):
    flags.DEFINE_list(name, None, 'A list.', flag_values=own)
  flags.DEFINE_multi_integer('rates', None, 'Rates.', flag_values=own)
  flags.DEFINE_multi_float('scales', None, 'Scales.', flag_values=own)
  flags.DEFINE_multi_string('names', None, 'Names.', flag_values=own)
  for name in ('steps', 'save_interval_secs', 'save_summaries_secs'):
    flags.DEFINE_integer(name, 1, 'Steps.', flag_values=own)
  flags.DEFINE_float('share', 1.0, 'A share.', flag_values=own)
  flags.DEFINE_string('folder', None, 'A folder.', flag_values=own)
  flags.DEFINE_bool('freeze', True, 'Freezes.', flag_values=own)
  monkeypatch.setattr(accepted_forms, 'FLAGS', own)
  monkeypatch.setattr(accepted_forms, '_notes', [])


@pytest.mark.parametrize('words, form', [
    # Numbers of a list, one per word.
    (['--label_weights=1', '--label_weights=2', '--label_weights=0.5'],
     ['--label_weights=1,2,0.5']),
    (['--label_weights=1,2,0.5'], ['--label_weights=1,2,0.5']),
    (['--train_crop_size=513', '--steps=3', '--train_crop_size', '257'],
     ['--steps=3', '--train_crop_size=513,257']),
    (['--train_crop_size=513', '--train_crop_size=513'], ['--train_crop_size=513,513']),
    (['--train_crop_size=513,513', '--train_crop_size=33', '--train_crop_size=65'],
     ['--train_crop_size=33,65']),
    (['--train_crop_size=5', '--train_crop_size=7', '--train_crop_size=33,65'],
     ['--train_crop_size=33,65']),
    (['--train_crop_size=5', '--train_crop_size='], ['--train_crop_size=']),
    # Numbers of a repeatable flag in one word.
    (['--rates=6,12', '--rates=18'], ['--rates=6', '--rates=12', '--rates=18']),
    (['-scales', '0.5,1'], ['--scales=0.5', '--scales=1']),
    (['--names=a,b'], ['--names=a,b']),
    # Whole numbers as computed by scripts.
    (['--steps=30000.0'], ['--steps=30000']),
    (['--steps', '3e4'], ['--steps=30000']),
    (['--rates=6.0', '--steps=-1.0'], ['--rates=6', '--steps=-1']),
    (['--share=2.0'], ['--share=2.0']),
    # Truths apart from their flag, which end a command line for absl.
    (['--freeze', 'False', '--steps=3'], ['--freeze=False', '--steps=3']),
    (['--freeze', '--steps=3'], ['--freeze', '--steps=3']),
    (['--freeze=False', '--nofreeze', '--freeze=True'], ['--nofreeze', '--freeze=True']),
    (['--nofreeze', 'word'], ['--nofreeze', 'word']),
    (['--save_interaval_secs=5', '--save_summary_secs', '7'],
     ['--save_interval_secs=5', '--save_summaries_secs=7']),
    # What it does not know it leaves to absl.
    (['--unknown=3', 'word', '--steps=3.0'], ['--unknown=3', 'word', '--steps=3.0']),
    (['--', '--steps=3.0'], ['--', '--steps=3.0']),
    (['--steps'], ['--steps']),
    (['--folder=a=b', '--steps=x=1'], None),
])
def test_command_lines_have_one_form(own_flags, words, form):
  if form is None:
    with pytest.raises(flags.Error, match='flag --steps=x=1: must be a whole number.'):
      accepted_forms.read(words)
  else:
    assert accepted_forms.read(words) == form


@pytest.mark.parametrize('text', ['30000.5', 'x', '', 'nan', 'inf'])
def test_integers_must_be_whole(own_flags, text):
  with pytest.raises(flags.Error, match='flag --steps=%s: must be a whole number.' % text):
    accepted_forms.read(['--steps=' + text])


def test_what_is_read_otherwise_than_written_is_told_once(own_flags, caplog):
  assert accepted_forms.read([
      '--save_summary_secs=600', '--strides=4', '--folder=a', '--folder=a', '--strides=8']) == [
          '--save_summaries_secs=600', '--folder=a', '--strides=8']
  for _ in range(2):
    accepted_forms.tell()
  assert [record.getMessage() for record in caplog.records] == [
      '--save_summary_secs is read as --save_summaries_secs.',
      '--strides is there with 4 and with 8: the last one counts.']


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
    rest = known(['script'] + accepted_forms.without_blanks(words, allows_words))[1:]
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
