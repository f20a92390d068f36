"""Tests of the driver of the Forma trainings: what it would run, and how it stops."""
import datetime
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from deeplab.datasets import registry
from deeplab.datasets.records import dataset_info
from deeplab.testing import forked_scripts, tiny_run

_SCRIPTS = ('train.py', 'eval.py', 'vis.py', 'export_model.py', 'predict.py')
_FORMA_SETS = [name for name, row in registry.DATASETS.items()
               if row.class_names == registry.FORMA_CLASSES]


def start(*arguments, **settings):
  """Starts the driver with these environment variables as its only settings."""
  kept = {name: os.environ[name] for name in ('PATH', 'HOME', 'PYTHONPATH', 'LD_LIBRARY_PATH', 'TZ')
          if name in os.environ}
  return subprocess.Popen(
      ['sh', 'local_test_forma.sh'] + list(arguments), cwd=tiny_run.ROOT,
      env=dict(kept, PYTHON=sys.executable, **settings), stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, universal_newlines=True, preexec_fn=os.setsid)


def run(*arguments, **settings):
  """Returns exit code, stdout and stderr of the driver."""
  process = start(*arguments, **settings)
  output, log = process.communicate()
  return process.returncode, output, log


def commands(**settings):
  """Returns a dict, script -> the words of the command that a dry run prints."""
  code, output, log = run(DRY_RUN='1', **settings)
  assert code == 0, log
  lines = [shlex.split(line) for line in output.splitlines() if line.startswith(sys.executable)]
  return {os.path.basename(words[1]): words[2:] for words in lines}


def value(words, flag):
  """Returns the only value of a flag."""
  found, = [word[len(flag) + 3:] for word in words if word.startswith('--%s=' % flag)]
  return found


def write_info(root, name, sizes, largest=(100, 80)):
  """Writes the dataset_info.json of a Forma set as if it were built."""
  folder = os.path.join(str(root), 'datasets', name, 'tfrecord')
  os.makedirs(folder)
  row = registry.DATASETS['forma54k']
  splits = {split: dataset_info.SplitInfo(
      size, 1, {kind: list(largest) for kind in ('min', 'median', 'max')}, [1] * 9, 0)
            for split, size in sizes.items()}
  dataset_info.write(dataset_info.DatasetInfo(
      name=name, splits=splits, num_classes=9, ignore_label=255,
      class_names=list(row.class_names), colormap='forma'), folder)
  return folder


def test_every_forma_set_is_in_the_table_with_its_sizes():
  code, output, log = run('--list')
  assert code == 0, log
  rows = [line.split() for line in output.splitlines()[1:]]
  assert sorted(row[0] for row in rows) == sorted(_FORMA_SETS)
  for row in rows:
    sizes = registry.DATASETS[row[0]].splits_to_sizes
    assert [int(number) for number in row[1:4]] == [
        sizes[split] for split in ('train', 'trainval', 'val')]
    eval_split, _, eval_set = row[6:]
    eval_name = row[0] if eval_set == 'it' else eval_set
    assert registry.DATASETS[eval_name].splits_to_sizes[eval_split] >= 72


def test_epochs_become_iterations_rounded_up(tmp_path):
  train = commands(DEEPLAB_STORAGE_DIR=str(tmp_path), MACHINE='1gpu', EPOCHS='2',
                   BATCH_SIZE='16')['train.py']
  assert value(train, 'training_number_of_steps') == '5472'  # 2 * 43770 / 16 = 5471.25
  train = commands(DEEPLAB_STORAGE_DIR=str(tmp_path), NUM_ITERATIONS='7')['train.py']
  assert value(train, 'training_number_of_steps') == '7'


def test_records_that_are_there_go_before_the_published_sizes(tmp_path):
  records = write_info(tmp_path, 'mine5k', {'train': 50, 'val': 5}, largest=(300, 200))
  found = commands(DEEPLAB_STORAGE_DIR=str(tmp_path), DATASET_NAME='mine5k', EPOCHS='3',
                   BATCH_SIZE='4', RESIZE='', CROP_SIZE='129,257')
  assert value(found['train.py'], 'training_number_of_steps') == '38'
  assert value(found['train.py'], 'dataset_dir') == records
  for script, flag in (('eval.py', 'eval_crop_size'), ('vis.py', 'vis_crop_size')):
    assert value(found[script], flag) == '305,257'
  assert not any('resize_value' in word for words in found.values() for word in words)


@pytest.mark.parametrize('machine, clones, batch', [('1gpu', '1', '12'), ('4gpu', '4', '48')])
def test_workstations(tmp_path, machine, clones, batch):
  train = commands(DEEPLAB_STORAGE_DIR=str(tmp_path), MACHINE=machine)['train.py']
  assert value(train, 'num_clones') == clones
  assert value(train, 'train_batch_size') == batch
  assert value(train, 'learning_policy') == 'poly'
  assert ('--slow_start_burnin_type=linear' in train) == (machine == '4gpu')


@pytest.mark.parametrize('policy, expected', [
    ('poly', ['--learning_policy=poly', '--learning_power=0.9', '--base_learning_rate=0.007']),
    ('step', ['--learning_policy=step', '--learning_rate_decay_factor=0.1',
              '--learning_rate_decay_step=34', '--base_learning_rate=0.007']),
    ('finetune', ['--learning_policy=poly', '--base_learning_rate=0.0001',
                  '--nofine_tune_batch_norm', '--tf_initial_checkpoint=/zoo/a b.ckpt']),
    ('adam', ['--optimizer=adam', '--adam_learning_rate=0.001', '--batch_norm_decay=0.99']),
])
def test_policies(tmp_path, policy, expected):
  settings = {'INIT_CHECKPOINT': '/zoo/a b.ckpt'} if policy == 'finetune' else {}
  train = commands(DEEPLAB_STORAGE_DIR=str(tmp_path), MACHINE='1gpu', POLICY=policy,
                   NUM_ITERATIONS='100', **settings)['train.py']
  assert set(expected) <= set(train)


def test_eval_vis_and_export_have_the_network_of_training(tmp_path):
  found = commands(DEEPLAB_STORAGE_DIR=str(tmp_path), MODEL_VARIANT='xception_65')
  assert sorted(found) == sorted(_SCRIPTS)
  for script in ('train.py', 'eval.py', 'vis.py', 'export_model.py'):
    words = found[script]
    assert value(words, 'model_variant') == 'xception_65'
    assert [word for word in words if word.startswith('--atrous_rates')] == [
        '--atrous_rates=6', '--atrous_rates=12', '--atrous_rates=18']
    for flag in ('output_stride', 'decoder_output_stride', 'image_pooling_crop_size',
                 'min_resize_value', 'max_resize_value'):
      assert value(words, flag) == value(found['train.py'], flag)


def test_the_experiment_is_called_by_date_host_and_description_and_continued(tmp_path):
  settings = {'DEEPLAB_STORAGE_DIR': str(tmp_path), 'DESCRIPTION': 'wider crop'}
  folder = value(commands(**settings)['train.py'], 'train_logdir')
  root, experiment, train = folder.rsplit(os.sep, 2)
  date, host, name, variant, description = (
      experiment.replace('mobilenet_v2', 'mobilenet-v2').split('_'))
  assert (root, train) == (str(tmp_path / 'experiments'), 'train')
  assert abs(datetime.datetime.strptime(date, '%Y%m%d-%H%M%S')
             - datetime.datetime.now()) < datetime.timedelta(minutes=10)
  assert host == os.uname()[1] and (name, variant) == ('forma54k', 'mobilenet-v2')
  assert description == 'wider-crop'
  older = experiment.replace(date, '20200101-000000')
  newer = experiment.replace(date, '20200102-000000')
  for run_name in (newer, older, newer.replace('20200102', '20200103') + '2'):
    os.makedirs(str(tmp_path / 'experiments' / run_name))
  assert newer in value(commands(**settings)['train.py'], 'train_logdir')
  begun = value(commands(NEW='1', **settings)['train.py'], 'train_logdir')
  assert newer not in begun and older not in begun


def test_a_set_without_val_is_evaluated_on_another(tmp_path):
  found = commands(DEEPLAB_STORAGE_DIR=str(tmp_path), DATASET_NAME='tryon10k')
  assert '/tryon10k/' in value(found['train.py'], 'dataset_dir')
  assert '/forma54k/' in value(found['eval.py'], 'dataset_dir')
  assert value(commands(DEEPLAB_STORAGE_DIR=str(tmp_path), DATASET_NAME='nsfw1k')['eval.py'],
               'eval_split') == 'trainval'


def test_the_sample_has_a_root_of_its_own(tmp_path):
  code, output, log = run(DRY_RUN='1', FORMA_SAMPLE='1', SAMPLE_DIR=str(tmp_path / 's'),
                          DEEPLAB_STORAGE_DIR='/real', NUM_PICTURES='50')
  assert code == 0, log
  assert '/real' not in output
  assert '80 training pictures' in output and '320 steps' in output
  assert [line[2:] for line in output.splitlines() if line.startswith('# ')] == [
      'sources', 'humanparsing17k', 'imaterialist37k', 'nsfw1k', 'tryon1k', 'forma54k', 'train',
      'evaluate', 'visualise', 'export', 'predict']


def test_every_flag_exists(tmp_path):
  found = commands(DEEPLAB_STORAGE_DIR=str(tmp_path), MACHINE='4gpu', POLICY='finetune',
                   INIT_CHECKPOINT='/zoo/model.ckpt')
  for script, words in found.items():
    result = forked_scripts.run(script, '--only_check_args', *words)
    assert result.code == 0, result.log
  assert forked_scripts.run('train.py', '--only_check_args', '--tiled', *found['train.py']).code


@pytest.mark.parametrize('settings, message', [
    ({'MACHINE': '2gpu'}, 'MACHINE=2gpu must be cpu, 1gpu or 4gpu'),
    ({'POLICY': 'cosine'}, 'POLICY=cosine must be poly, step, finetune or adam'),
    ({'POLICY': 'finetune'}, 'POLICY=finetune needs INIT_CHECKPOINT'),
    ({'EPOCHS': 'many'}, 'EPOCHS=many must be a number above 0'),
    ({'STAGES': 'train evalute'}, "there is no stage 'evalute'; they are: train evaluate"),
    ({'DATASET_NAME': 'forma54'}, "Did you mean 'forma54k'?"),
    ({'DATSET_NAME': 'forma54k'}, 'no setting of local_test_forma.sh. Did you mean DATASET_NAME?'),
    ({'NEW': 'yes'}, 'NEW=yes must be 0 or 1'),
    ({'SHORT': '1'}, 'SHORT=1 is for FORMA_SAMPLE=1'),
    ({'FORMA_SAMPLE': '1', 'DATASET_NAME': 'forma55k'}, 'not DATASET_NAME=forma55k'),
])
def test_settings_that_cannot_be_used_are_one_line(tmp_path, settings, message):
  code, _, log = run(DRY_RUN='1', DEEPLAB_STORAGE_DIR=str(tmp_path), **settings)
  assert code == (1 if 'Did you mean \'forma54k' in message else 2)
  assert log.startswith('error: ') and message in log
  assert log.count('\n') == 1


def test_a_set_that_is_not_built_is_an_error_that_says_where(tmp_path):
  code, _, log = run(DEEPLAB_STORAGE_DIR=str(tmp_path), DATASET_NAME='tryon1k')
  assert code == 1
  assert log.startswith('error: %s has no dataset_info.json' % (
      tmp_path / 'datasets' / 'tryon1k' / 'tfrecord'))


def test_a_stage_that_fails_stops_the_script_and_is_named(tmp_path):
  write_info(tmp_path, 'forma54k', {'train': 5, 'val': 5})  # Without records.
  code, output, log = run(DEEPLAB_STORAGE_DIR=str(tmp_path))
  assert code == 1
  assert log.endswith("error: stage 'train' failed with exit code 1; see above\n")
  assert '== evaluate' not in output


def test_a_signal_stops_the_script_in_its_stage(tmp_path):
  process = start(FORMA_SAMPLE='1', SAMPLE_DIR=str(tmp_path), NUM_PICTURES='5000')
  deadline = time.monotonic() + 300
  while not (tmp_path / 'sources_5000' / 'atr' / 'humanparsing').exists():
    assert process.poll() is None and time.monotonic() < deadline
    time.sleep(0.1)
  os.killpg(process.pid, signal.SIGINT)
  output, log = process.communicate()
  assert process.returncode == 130
  assert log.endswith("stopped in stage 'sources'; the same command continues there\n")
  assert '== humanparsing17k' not in output


def test_help_lists_the_settings():
  code, output, _ = run('--help')
  assert code == 0
  with open(os.path.join(tiny_run.ROOT, 'local_test_forma.sh')) as stream:
    script = stream.read()
  settings = set(re.findall(r'\{([A-Z_]+):?[-=]', script))
  assert len(settings) > 20
  assert [name for name in sorted(settings) if name not in output] == []
  assert 'set -eu' not in output
