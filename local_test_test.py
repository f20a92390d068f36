"""Tests of the driver of the sample people and of own records, and of what the drivers share."""
import os
import shlex
import subprocess
import sys

import pytest

from deeplab.testing import forked_scripts, tiny_run

_DRIVERS = ('local_test.sh', 'local_test_forma.sh', 'local_test_mobilenetv2.sh')
_WITH_HELP = _DRIVERS + (
    'run_tests.sh', 'deployment/launch_local.sh', 'datasets/convert_cityscapes.sh',
    'datasets/download_and_convert_ade20k.sh', 'datasets/download_and_convert_voc2012.sh')
_STAGES = ['demo', 'dataset', 'train', 'evaluate', 'visualise', 'export', 'predict']
_FLAGS_AT_FORMA = {
    'NUM_CLONES': '--num_clones=', 'TRAIN_BATCH_SIZE': '--train_batch_size=',
    'FINE_TUNE_BATCH_NORM': '--fine_tune_batch_norm=', 'TRAIN_CROP_SIZE': '--train_crop_size=',
    'BASE_LEARNING_RATE': '--base_learning_rate=', 'LEARNING_POWER': '--learning_power=',
    'LEARNING_POLICY': '--learning_policy=', 'TRAIN_OUTPUT_STRIDE': '--output_stride=',
    'LEARNING_RATE_DECAY_STEP': '--learning_rate_decay_step=',
    'INITIALIZE_LAST_LAYERS': '--initialize_last_layer=',
    'LAST_LAYERS_CONTAINS_LOGITS_ONLY': '--last_layers_contain_logits_only=',
    'SAVE_INTERVAL_SECS': '--save_interval_secs=', 'OUTPUT_STRIDE': '--output_stride=',
    'TF_INITIAL_CHECKPOINT': '--tf_initial_checkpoint='}
# Of systems, shells, batch queues, builds and other programs.
_OF_OTHERS = ' '.join((
    'PATH HOME SHELL TERM LANG USER LOGNAME HOSTNAME SHLVL EDITOR DISPLAY MACHTYPE OSTYPE TZ '
    'no_proxy http_proxy PYTHONUNBUFFERED PYTHON3 PYENV_ROOT CONDA_PREFIX_1 CONDA_SHLVL '
    'CUDA_VISIBLE_DEVICES CUDA_HOME NVIDIA_VISIBLE_DEVICES OMP_NUM_THREADS TF_CPP_MIN_LOG_LEVEL '
    'TF_FORCE_GPU_ALLOW_GROWTH CFLAGS CXXFLAGS LDFLAGS MAKEFLAGS ARFLAGS DOCDIR SRCDIR DATADIR '
    'DATA_DIR MODEL_DIR WORKDIR WORKSPACE BUILD_ID JOB_NAME RANK WORLD_SIZE MASTER SLURM_JOB_ID '
    'SLURM_NTASKS PBS_O_WORKDIR EXPERIMENT_ID MLFLOW_EXPERIMENT_NAME NEWS SEED',)).split()


def run(script, *arguments, **settings):
  """Returns exit code, stdout and stderr of a driver with these settings only."""
  kept = {name: os.environ[name] for name in ('PATH', 'HOME', 'PYTHONPATH', 'LD_LIBRARY_PATH')
          if name in os.environ}
  done = subprocess.run(
      ['sh', script] + list(arguments), cwd=tiny_run.ROOT, universal_newlines=True,
      env=dict(dict(kept, PYTHON=sys.executable), **settings),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  return done.returncode, done.stdout, done.stderr


def dry_run(script='local_test.sh', **settings):
  """Returns what a dry run prints: a dict, stage -> words of its command."""
  code, output, log = run(script, DRY_RUN='1', **settings)
  assert code == 0, log
  lines = output.splitlines()
  return {line[2:]: shlex.split(lines[number + 1]) for number, line in enumerate(lines)
          if line.startswith('# ')}


@pytest.mark.parametrize('script', _WITH_HELP)
@pytest.mark.parametrize('word', ['--help', '-h'])
def test_help_is_shown_and_nothing_started(script, word):
  code, output, log = run(script, word, PYTHON='no_such_python')
  assert (code, log) == (0, '')
  assert 'sh ' + script in output and 'set -' not in output


@pytest.mark.parametrize('script', _WITH_HELP)
def test_other_flags_start_nothing(script):
  code, output, log = run(script, '--hlep', PYTHON='no_such_python')
  assert code == 2 and output == ''
  assert 'error: --hlep' in log and log.count('\n') == 1


@pytest.mark.parametrize('script', _DRIVERS)
def test_words_are_no_settings(script):
  code, output, log = run(script, 'NUM_ITERATIONS=3', PYTHON='no_such_python')
  assert (code, output) == (2, '')
  assert log == ('error: NUM_ITERATIONS=3: settings are environment variables; sh %s --help lists '
                 'them\n' % script)


def test_a_dry_run_prints_what_can_be_run(tmp_path):
  found = dry_run(WORK_DIR=str(tmp_path))
  assert list(found) == _STAGES
  assert os.listdir(str(tmp_path)) == []
  for stage in _STAGES:
    words = found[stage]
    result = forked_scripts.run(words[1], '--only_check_args', *words[2:])
    assert result.code == 0, result.log


def test_stages_are_chosen(tmp_path):
  assert list(dry_run(WORK_DIR=str(tmp_path), STAGES='evaluate visualise')) == [
      'evaluate', 'visualise']
  code, _, log = run('local_test.sh', STAGES='evalute')
  assert code == 2 and "there is no stage 'evalute'; they are: demo dataset train" in log


def test_the_demo_runs_until_a_training_has_begun(tmp_path):
  train = os.path.dirname(dry_run(WORK_DIR=str(tmp_path))['export'][2].split('=')[1])
  os.makedirs(os.path.join(train, 'train'))
  assert 'demo' in dry_run(WORK_DIR=str(tmp_path))
  with open(os.path.join(train, 'train', 'checkpoint'), 'w'):
    pass
  assert 'demo' not in dry_run(WORK_DIR=str(tmp_path))
  assert 'demo' in dry_run(WORK_DIR=str(tmp_path), STAGES='demo')


def test_paths_are_as_seen_from_the_caller(tmp_path):
  done = subprocess.run(
      ['sh', os.path.join(tiny_run.ROOT, 'local_test.sh')], cwd=str(tmp_path),
      env=dict(os.environ, PYTHON=sys.executable, DRY_RUN='1', DATASET='my records',
               WORK_DIR='out'),
      stdout=subprocess.PIPE, universal_newlines=True)
  assert "'--dataset_dir=%s/my records'" % tmp_path in done.stdout
  assert '--train_logdir=%s/out/my records-mobilenet_v2' % tmp_path in done.stdout


@pytest.mark.parametrize('settings, message', [
    ({'NUM_ITERATIONS': 'many'}, 'NUM_ITERATIONS=many must be a whole number above 0'),
    ({'BATCH_SIZE': '0'}, 'BATCH_SIZE=0 must be a whole number above 0'),
    ({'DRY_RUN': 'yes'}, 'DRY_RUN=yes must be 0 or 1'),
    ({'NUM_EPOCHS': '3'}, 'NUM_EPOCHS: local_test.sh has nothing like it'),
])
def test_settings_that_cannot_be_used_are_one_line(settings, message):
  code, output, log = run('local_test.sh', **settings)
  assert (code, output) == (2, '')
  assert log.startswith('error: ' + message) and log.count('\n') == 1


def test_the_builders_of_public_sets_have_no_dry_run(tmp_path):
  code, output, log = run('datasets/download_and_convert_ade20k.sh', str(tmp_path), DRY_RUN='1')
  assert (code, output) == (2, '')
  assert log.startswith('error: DRY_RUN=1 is for the drivers: ') and log.count('\n') == 1


def test_records_that_are_not_there_are_told(tmp_path):
  code, output, log = run('local_test.sh', DATASET=str(tmp_path))
  assert (code, output) == (1, '')
  assert log.startswith('error: %s has no dataset_info.json; make the records with' % tmp_path)


@pytest.mark.parametrize('script, name, nearest', [
    ('local_test_forma.sh', 'DATSET_NAME', 'DATASET_NAME'),
    ('local_test_forma.sh', 'EPOCH', 'EPOCHS'),
    ('local_test_forma.sh', 'LEARNIGN_RATE', 'LEARNING_RATE'),
    ('local_test_forma.sh', 'TRAIN_BATCHSIZE', 'TRAIN_BATCH_SIZE'),
    ('local_test_forma.sh', 'epochs', 'EPOCHS'),
    ('local_test.sh', 'BACTHSIZE', 'BATCH_SIZE'),
    ('local_test.sh', 'NUM_ITERATION', 'NUM_ITERATIONS'),
    ('local_test.sh', 'DATASETS', 'DATASET'),
    ('local_test_mobilenetv2.sh', 'INIT_CHECKPONT', 'INIT_CHECKPOINT'),
    ('local_test_mobilenetv2.sh', 'BUILD_FLAG', 'BUILD_FLAGS'),
    ('datasets/download_and_convert_voc2012.sh', 'WITHSBD', 'WITH_SBD'),
    ('datasets/convert_cityscapes.sh', 'BUILDFLAGS', 'BUILD_FLAGS'),
])
def test_misspelt_settings_are_refused_with_the_nearest(script, name, nearest):
  code, output, log = run(script, **{name: '1'})
  assert (code, output) == (2, '')
  assert log == ('error: %s is no setting of %s. Did you mean %s? Unset it if it is meant for '
                 'another program\n' % (name, script, nearest))


@pytest.mark.parametrize('script', _DRIVERS)
def test_variables_of_other_programs_are_no_settings(script, tmp_path):
  settings = {name: os.environ.get(name, '1') for name in _OF_OTHERS}
  settings['DEEPLAB_STORAGE_DIR' if 'forma' in script else 'WORK_DIR'] = str(tmp_path)
  code, _, log = run(script, DRY_RUN='1', **settings)
  assert code == 0, log


def test_the_names_of_other_drivers_are_honoured(tmp_path):
  settings = dict(dict.fromkeys(_FLAGS_AT_FORMA, '4'), LEARNING_POLICY='step',
                  TF_INITIAL_CHECKPOINT='/model.ckpt', TRAIN_CROP_SIZE='65,65')
  words = dry_run('local_test_forma.sh', DEEPLAB_STORAGE_DIR=str(tmp_path), MACHINE='1gpu',
                  **settings)['train']
  for name, flag in _FLAGS_AT_FORMA.items():
    assert [word for word in words if word.startswith(flag)][-1] == flag + settings[name]


def test_strides_of_training_and_evaluation_may_differ(tmp_path):
  found = dry_run('local_test_forma.sh', DEEPLAB_STORAGE_DIR=str(tmp_path), EVAL_OUTPUT_STRIDE='8')
  last = {stage: [word for word in words if word.startswith('--output_stride=')][-1:]
          for stage, words in found.items()}
  assert last == {'train': ['--output_stride=16'], 'evaluate': ['--output_stride=8'],
                  'visualise': ['--output_stride=8'], 'export': ['--output_stride=8'],
                  'predict': []}


def test_flags_of_other_names_come_beside_the_defaults(tmp_path):
  words = dry_run(WORK_DIR=str(tmp_path), FINE_TUNE_BATCH_NORM='false', NUM_CLONES='2')['train']
  assert {'--fine_tune_batch_norm=false', '--num_clones=2', '--optimizer=adam'} <= set(words)


@pytest.mark.parametrize('script, settings, message', [
    ('local_test_forma.sh', {'NUM_CLASSES': '9'}, 'note: NUM_CLASSES: the records say it\n'),
    ('local_test_forma.sh', {'TRAIN_LOGDIR': '/x'}, 'note: TRAIN_LOGDIR: not read: see --help'),
    ('local_test.sh', {'EPOCHS': '3'},
     'note: EPOCHS is a setting of another driver: local_test.sh does not read it\n'),
    ('local_test.sh', {'EPOCH': '3'}, 'note: EPOCH: local_test.sh does not read it, nor EPOCHS'),
])
def test_what_has_no_effect_is_told(tmp_path, script, settings, message):
  place = 'DEEPLAB_STORAGE_DIR' if 'forma' in script else 'WORK_DIR'
  code, _, log = run(script, DRY_RUN='1', **dict(settings, **{place: str(tmp_path)}))
  assert code == 0 and log.startswith(message) and log.count('\n') == 1


@pytest.mark.parametrize('settings, message', [
    ({'TRAIN_ATROUS_RATE_1': '12'}, 'TRAIN_ATROUS_RATE_1: rates are flags, as in MODEL_FLAGS='),
    ({'TRAIN_BATCH_SIZE': '12', 'BATCH_SIZE': '4'},
     'TRAIN_BATCH_SIZE is another name of BATCH_SIZE, and both are given'),
])
def test_what_would_be_lost_stops(settings, message):
  code, output, log = run('local_test_forma.sh', DRY_RUN='1', **settings)
  assert (code, output) == (2, '')
  assert log.startswith('error: ' + message) and log.count('\n') == 1


@pytest.mark.parametrize('settings, starts_from_demo, steps', [
    ({}, True, '1200'), ({'NUM_ITERATIONS': '5'}, True, '5'),
    ({'FROM_SCRATCH': '1'}, False, '3200'), ({'MODEL_VARIANT': 'xception_41'}, False, '3200'),
    ({'MODEL_FLAGS': '--depth_multiplier=0.5'}, False, '3200'),
    ({'DATASET': '/own/records'}, False, '3200')])
def test_the_training_starts_from_the_demo_where_its_network_is_that(
    tmp_path, settings, starts_from_demo, steps):
  words = dry_run(WORK_DIR=str(tmp_path), **settings)['train']
  start = '--tf_initial_checkpoint=tools/demo/sample_people.pb'
  assert (start in words) == starts_from_demo
  assert '--training_number_of_steps=' + steps in words
