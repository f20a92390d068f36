"""Tests of command lines written for other versions of DeepLab."""
import pytest
from absl import flags

from deeplab.command_line import accepted_forms


@pytest.fixture(autouse=True)
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


def read(*words):
  return accepted_forms.read(accepted_forms.correct_names(words))


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
def test_command_lines_have_one_form(words, form):
  if form is None:
    with pytest.raises(flags.Error, match='flag --steps=x=1: must be a whole number.'):
      read(*words)
  else:
    assert read(*words) == form


@pytest.mark.parametrize('text', ['30000.5', 'x', '', 'nan', 'inf'])
def test_integers_must_be_whole(text):
  with pytest.raises(flags.Error, match='flag --steps=%s: must be a whole number.' % text):
    read('--steps=' + text)


def test_what_is_read_otherwise_than_written_is_told_once(caplog):
  assert read('--save_summary_secs=600', '--strides=4', '--folder=a', '--folder=a',
              '--strides=8') == ['--save_summaries_secs=600', '--folder=a', '--strides=8']
  for _ in range(2):
    accepted_forms.tell()
  assert [record.getMessage() for record in caplog.records] == [
      '--save_summary_secs is read as --save_summaries_secs.',
      '--strides is there with 4 and with 8: the last one counts.']
