"""Tests of what is told of a run that is continued."""
import json
import os

import numpy as np
import pytest

from deeplab import train_test
from deeplab.core.checkpoints import restoring
from deeplab.testing import forked_scripts, tiny_run
from deeplab.utils.runs import continued_run, run_record

pytestmark = pytest.mark.usefixtures('shallow_network')


@pytest.fixture(scope='module', name='run')
def make_run(tmp_path_factory):
  """A run of two steps in run/, and in records/ and fewer/ datasets of four and two classes."""
  folder = tmp_path_factory.mktemp('run')
  samples = tiny_run.make_samples()
  of_two = [sample._replace(label=np.where(sample.label > 3, sample.label, sample.label % 2))
            for sample in samples]
  for name, written in (('records', samples), ('fewer', of_two)):
    (folder / name).mkdir()
    tiny_run.write_records(str(folder / name), written, split='train')
  path = folder / 'fewer' / 'dataset_info.json'
  info = json.loads(path.read_text())
  info.update(name='fewer', num_classes=2, class_names=['a', 'b'], colormap=None)
  info['splits']['train'].update(class_pixel_counts=[1, 1], present_pixel_counts=None)
  path.write_text(json.dumps(info))
  assert start(folder).code == 0
  return folder


def start(folder, *flags, records='records', logdir='run'):
  return forked_scripts.run(
      'train.py', '--dataset_dir=%s' % (folder / records), '--skip_data_check',
      '--train_logdir=%s' % (folder / logdir), *train_test.FLAGS + flags)


@pytest.mark.parametrize('flags, records, sentences, is_of_weights', [
    (('--optimizer=adam',), 'records',
     '--optimizer=adam, but the run has --optimizer=momentum: each optimizer keeps values of its '
     'own beside the weights.', True),
    (('--divisible_by=16',), 'records', '--divisible_by=16, but the run has no --divisible_by: the '
     'layers have another number of channels.', False),
    (('--decoder_output_stride=4', '--depth_multiplier=0.5', '--momentum=0.5'), 'records',
     '--decoder_output_stride=4, but the run has no --decoder_output_stride: the decoder has other '
     'layers. --depth_multiplier=0.5, but the run has --depth_multiplier=0.25: the layers have '
     'another number of channels.', False),
    ((), 'fewer', 'It has 4 classes, but fewer has 2.', True),
])
def test_flags_that_a_run_cannot_be_continued_with_have_sentences(
    run, flags, records, sentences, is_of_weights):
  result = start(run, *flags, records=records)
  checkpoint = run / 'run' / 'model.ckpt-2'
  advice = ''
  if is_of_weights:
    advice = ' that starts from its weights: --tf_initial_checkpoint=%s' % checkpoint
    if records == 'fewer':
      advice += ' --initialize_last_layer=false --last_layers_contain_logits_only'
  assert result.code == 1
  assert result.last_line == (
      'train.py: error: %s cannot be continued like this. %s Repeat the command of the run, which '
      'is in its run.json, or begin another one in a new --train_logdir%s.' % (
          checkpoint, sentences, advice))
  assert '/Momentum' not in result.log and '/Adam' not in result.log


def test_the_advice_on_other_classes_works(run):
  result = start(run, '--tf_initial_checkpoint=%s' % (run / 'run' / 'model.ckpt-2'),
                 '--initialize_last_layer=false', '--last_layers_contain_logits_only',
                 records='fewer', logdir='other')
  assert result.code == 0, result.log
  assert restoring.num_classes(str(run / 'other' / 'model.ckpt-2')) == 2


def test_flags_that_a_finished_run_does_not_obey_are_told(run):
  result = start(run, '--base_learning_rate=0.5', '--tf_initial_checkpoint=x', '--log_steps=7')
  assert result.code == 0
  assert ('Flags that differ from the last start of this run: --base_learning_rate=0.5, but the '
          'run has --base_learning_rate=0.0001. --tf_initial_checkpoint=x, but the run has no '
          '--tf_initial_checkpoint: it is not read, for the run goes on with its own weights.\n'
          ) in result.log
  assert 'Nothing to do: step 2 of 2 is reached already. For more steps, give' in result.log


def test_a_run_that_is_continued_as_it_was_says_nothing(run):
  assert 'differ' not in start(run).log
  # Without the flag the records say whose they are; an earlier run.json has its default.
  path = run / 'run' / run_record.FILE_NAME
  record = json.loads(path.read_text())
  assert record['flags']['dataset'] == tiny_run.NAME
  record['flags']['dataset'] = 'pascal_voc_seg'
  del record['flags']['momentum']
  path.write_text(json.dumps(record))
  assert 'differ' not in start(run, '--momentum=0.5').log


def test_without_a_run_json_the_checkpoint_says_what_it_is_of(run, tmp_path):
  os.makedirs(str(tmp_path / 'run'))
  for path in (run / 'run').iterdir():
    if path.name != run_record.FILE_NAME and path.is_file():
      (tmp_path / 'run' / path.name).write_bytes(path.read_bytes())
  for flags, records, sentence in (
      (('--optimizer=adam',), 'records',
       'Checkpoint of another model: %s. It was trained with --optimizer=momentum, and this is '
       'adam.' % (tmp_path / 'run' / 'model.ckpt-2')),
      ((), 'fewer', 'It has 4 classes, but fewer has 2. Repeat the command of the run, or begin ')):
    result = start(run, *flags, records=records, logdir=tmp_path / 'run')
    assert result.code == 1 and sentence in result.last_line
    assert '/Momentum' not in result.last_line


def test_flags_that_are_named_exist():
  with open(os.path.join(tiny_run.ROOT, 'command_line', 'flag_listing.json')) as f:
    listing = f.read()
  for name in set(continued_run.NOT_OF_WEIGHTS) | set(continued_run.MEANINGS):
    assert '"%s"' % name in listing, name
  assert not set(continued_run.NOT_OF_WEIGHTS) & set(run_record.ARCHITECTURE_FLAGS)
