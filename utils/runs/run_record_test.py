"""Tests of run.json, and of what is told of a run that is continued."""
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from deeplab import train_test
from deeplab.core import options
from deeplab.core.checkpoints import restoring
from deeplab.datasets import registry
from deeplab.datasets.records import dataset_info
from deeplab.testing import damage, forked_scripts, tiny_run
from deeplab.utils.runs import run_record

pytestmark = pytest.mark.usefixtures('shallow_network')

FLAGS = {'model_variant': 'xception_65', 'output_stride': 16, 'atrous_rates': [6, 12, 18],
         'decoder_output_stride': ['4'], 'depth_multiplier': 1.0, 'multi_grid': None,
         'aspp_with_batch_norm': True, 'train_logdir': 'x', 'base_learning_rate': 0.5}


def write(folder, flags=FLAGS, **kwargs):
  return run_record.write(str(folder), flags, command_line=['train.py', '--x=1'], **kwargs)


def resolve(record_folder, **given):
  return run_record.resolve(given, run_record.read(str(record_folder)))


def test_a_run_records_flags_data_and_versions(tmp_path):
  tiny_run.write_records(str(tmp_path), tiny_run.make_samples())
  path = write(tmp_path, dataset=str(tmp_path))
  assert path == str(tmp_path / 'run.json')
  record = run_record.read(str(tmp_path))
  assert record['flags'] == FLAGS
  with open(dataset_info.path_in(str(tmp_path))) as f:
    wanted = json.load(f)
  wanted.pop('format_version')
  assert record['dataset_info'] == wanted
  start, = record['starts']
  assert start['command_line'] == ['train.py', '--x=1']
  assert start['start_step'] == 0 and start['changed_flags'] == {}
  assert start['lane'] in ('tf1', 'tf2')
  assert re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$', start['date'])
  assert start['host']
  assert all(re.match(r'\d+\.\d+', version) for version in start['versions'].values()), start
  assert {'python', 'tensorflow', 'numpy', 'tf_slim'} <= set(start['versions'])


def test_every_start_is_kept_with_the_flags_it_changed(tmp_path):
  write(tmp_path)
  write(tmp_path, dict(FLAGS, base_learning_rate=0.1), start_step=200)
  write(tmp_path, dict(FLAGS, base_learning_rate=0.1), start_step=300)
  record = run_record.read(str(tmp_path))
  assert record['flags']['base_learning_rate'] == 0.1
  assert [start['start_step'] for start in record['starts']] == [0, 200, 300]
  assert [start['changed_flags'] for start in record['starts']] == [
      {}, {'base_learning_rate': [0.5, 0.1]}, {}]


def test_the_record_is_found_beside_a_checkpoint(tmp_path):
  write(tmp_path)
  assert run_record.read(str(tmp_path / 'model.ckpt-100'))['flags'] == FLAGS
  (tmp_path / 'other').mkdir()
  assert run_record.read(str(tmp_path / 'other')) is None


@pytest.mark.parametrize('text, wanted', [
    ('{', 'run.json cannot be read as JSON'), ('[]', 'run.json is no record of a run'),
    ('null', 'run.json is no record of a run'),
    (damage.NESTED_JSON.decode(), 'run.json cannot be read as JSON: .* too deeply'),
    ('{"format_version": 2, "flags": {}, "starts": []}', 'in format version 1'),
    ('{"format_version": 1, "starts": []}', 'is no record of a run')])
def test_a_malformed_record_is_named(tmp_path, text, wanted):
  (tmp_path / 'run.json').write_text(text)
  with pytest.raises(ValueError, match=wanted):
    run_record.read(str(tmp_path))


def test_flags_that_were_not_given_come_from_the_run(tmp_path):
  write(tmp_path)
  assert resolve(tmp_path) == {
      name: FLAGS[name] for name in FLAGS if name not in ('train_logdir', 'base_learning_rate')}
  values = resolve(tmp_path, model_variant='xception_65', depth_multiplier=1,
                   decoder_output_stride=[4], base_learning_rate=3.0)
  assert sorted(values) == ['aspp_with_batch_norm', 'atrous_rates', 'multi_grid',
                            'output_stride']
  assert run_record.resolve({'output_stride': 8}, None) == {}


@pytest.mark.parametrize('dataset, num_classes, is_known', [
    ('cityscapes', 19, True), ('cityscapes', 4, False), ('my own', 4, False), (None, 4, False)])
def test_a_run_without_info_file_has_the_classes_of_its_dataset(tmp_path, dataset, num_classes,
                                                                is_known):
  write(tmp_path, dict(FLAGS, dataset=dataset))
  names, colors = run_record.classes(run_record.read(str(tmp_path)), num_classes)
  row = registry.DATASETS['cityscapes']
  assert (names, colors) == ((row.class_names, row.colormap) if is_known else (None, None))
  assert run_record.classes(None, num_classes) == (None, None)


@pytest.mark.parametrize('record, name', [
    (None, None), ({'flags': {}}, None), ({'flags': {'dataset': 'ade20k'}}, 'ade20k'),
    # The flag is at its default where the records say whose they are.
    ({'flags': {'dataset': 'pascal_voc_seg'}, 'dataset_info': {'name': 'mine'}}, 'mine')])
def test_another_dataset_than_that_of_the_training_is_told(caplog, record, name):
  assert run_record.dataset_name(record) == name
  for other in ('mine', 'ade20k'):
    run_record.warn_of_other_dataset(record, other)
  assert [each.getMessage() for each in caplog.records] == [
      'The checkpoint was trained on %s, and these are records of %s (run.json).' % (name, other)
      for other in ('mine', 'ade20k') if name and other != name]


def test_flags_that_differ_are_those_that_both_versions_have(tmp_path):
  write(tmp_path, dict(FLAGS, dataset='mine'))
  changes = run_record.changes(run_record.read(str(tmp_path)), {
      'dataset': 'mine', 'output_stride': 8, 'depth_multiplier': 1, 'atrous_rates': (6, 12, 18),
      'multi_grid': [], 'base_learning_rate': 0.1, 'new_flag': 3})
  assert changes == {'base_learning_rate': [0.5, 0.1], 'output_stride': [16, 8]}
  assert run_record.changes(None, {'dataset': 'mine'}) == {}


@pytest.mark.parametrize('given, wanted', [
    ({'model_variant': 'mobilenet_v2'},
     '--model_variant=mobilenet_v2, but the checkpoint was trained with '
     '--model_variant=xception_65'),
    ({'output_stride': 8}, '--output_stride=8, but .* --output_stride=16 .*At output_stride 8 '
     'its rates are --atrous_rates=12 --atrous_rates=24 --atrous_rates=36.'),
    ({'atrous_rates': [12, 24, 36]}, '--atrous_rates=12,24,36, but .* --atrous_rates=6,12,18'),
    ({'output_stride': 8, 'atrous_rates': [6, 12, 18]}, '--output_stride=8, but'),
    ({'multi_grid': [1, 2, 4]}, '--multi_grid=1,2,4, but .* no --multi_grid'),
    ({'aspp_with_batch_norm': False}, '--aspp_with_batch_norm=False, but'),
    ({'decoder_output_stride': ['4', '2']}, '--decoder_output_stride=4,2, but'),
    ({'multi_grid': [1, 2, 4], 'depth_multiplier': 0.5, 'output_stride': 16},
     '--depth_multiplier=0.5, but the checkpoint was trained with --depth_multiplier=1.0; '
     '--multi_grid=1,2,4, but .* Leave the flags out, or name another checkpoint.$'),
])
def test_a_contradiction_names_flag_and_both_values(tmp_path, given, wanted):
  write(tmp_path)
  with pytest.raises(ValueError, match=wanted):
    resolve(tmp_path, **given)


def test_a_finer_stride_with_rates_to_match_is_no_contradiction(tmp_path):
  write(tmp_path)
  values = resolve(tmp_path, output_stride=8, atrous_rates=[12, 24, 36])
  assert 'output_stride' not in values and 'atrous_rates' not in values
  assert values['model_variant'] == 'xception_65'


def test_flags_of_the_network_are_those_of_its_options_but_for_what_is_decided_per_use():
  decided_per_use = {'outputs_to_num_classes', 'crop_size', 'preprocessed_images_dtype',
                     'merge_method', 'prediction_with_upsampled_logits', 'batch_norm_decay',
                     'dense_prediction_cell_config', 'quantize_freeze_step', 'label_weights',
                     'sync_batch_norm_method'}
  assert set(options.ARCHITECTURE_FLAGS) == (
      set(options.NetworkOptions._fields) - decided_per_use | {'dense_prediction_cell_json'})


def make_repository(folder):
  for words in (['init', '-q'], ['add', '.'], ['commit', '-q', '-m', 'x']):
    subprocess.run(['git', '-c', 'user.name=a', '-c', 'user.email=a@b.c'] + words,
                   cwd=str(folder), check=True)


@pytest.mark.skipif(not shutil.which('git'), reason='git is not installed')
def test_git_version_is_that_of_the_own_checkout_only(tmp_path, monkeypatch):
  (tmp_path / 'inner').mkdir()
  (tmp_path / 'inner' / 'file').write_text('1')
  monkeypatch.setattr(run_record, '_ROOT', str(tmp_path))
  assert run_record.git_version() is None
  make_repository(tmp_path)
  commit = run_record.git_version()
  assert re.match('[0-9a-f]{40}$', commit)
  (tmp_path / 'inner' / 'file').write_text('2')
  assert run_record.git_version() == commit + '-dirty'
  monkeypatch.setattr(run_record, '_ROOT', str(tmp_path / 'inner'))
  assert run_record.git_version() is None
  monkeypatch.setenv('PATH', os.devnull)
  monkeypatch.setattr(run_record, '_ROOT', str(tmp_path))
  assert run_record.git_version() is None


def test_a_run_tells_the_range_of_images_of_more_than_8_bits(tmp_path):
  info = dataset_info.DatasetInfo('mine', 2, 255, splits={}, image_range=[100, 800])
  run_record.write(str(tmp_path), FLAGS, info)
  assert run_record.image_range(run_record.read(str(tmp_path))) == (100, 800)
  run_record.write(str(tmp_path), FLAGS, info._replace(image_range=None))
  assert run_record.image_range(run_record.read(str(tmp_path))) is None
  assert run_record.image_range(None) is None


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
  for name in set(run_record.NOT_OF_WEIGHTS) | set(run_record.MEANINGS):
    assert '"%s"' % name in listing, name
  assert not set(run_record.NOT_OF_WEIGHTS) & set(options.ARCHITECTURE_FLAGS)
