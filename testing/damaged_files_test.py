"""Damaged records, checkpoints, graphs and JSON files: a clear error, or right results."""
import json
import os

import numpy as np
import pytest

from deeplab.core.checkpoints import restoring
from deeplab.core.tf_compat import tf
from deeplab.datasets.records import dataset_info
from deeplab.testing import damage, forked_scripts, slow, tiny_run

pytestmark = [slow.only_if_asked, pytest.mark.usefixtures('shallow_network')]

_TRAIN_STEPS = 3
# Far more than any run takes on a busy machine.
_DEADLINE_SECS = 400
# The graphs of all runs of a process stay in its memory.
_FILES_PER_PROCESS = 20

# Calls a script again and again in one process, each time on another damaged file.
_REPEATER = """
import importlib, json, os, signal, sys, traceback

def give_up(*unused):
  raise RuntimeError('hangs')

signal.signal(signal.SIGALRM, give_up)
script = importlib.import_module('deeplab.' + sys.argv[1])
""" + forked_scripts.PARSE_LINE + """
jobs = json.loads(sys.argv[2])
for job in jobs:
  os.replace(job['file'], job['path'])
  parse_line(job['flags'])
  signal.alarm(job['deadline'])
  try:
    outcome = script.main([]) or 0
  except ValueError as error:
    outcome = 'ValueError: ' + str(error)
  except BaseException as error:
    traceback.print_exc()
    outcome = 'CRASH: %s: %s' % (type(error).__name__, error)
  signal.alarm(0)
  print('OUTCOME ' + json.dumps([job['kind'], outcome]), flush=True)
"""


def run_all(script, path, files, flags_of, folder):
  """Runs a script once per damaged file, (kind, bytes), that takes the place `path` of a good one.

  `flags_of` is a function of the index that returns the flags, `folder` is for the files. Returns a
  list of (kind, exit code or message of the ValueError).
  """
  jobs = []
  for index, (kind, data) in enumerate(files):
    place = os.path.join(str(folder), 'damaged-%d' % index)
    with open(place, 'wb') as f:
      f.write(data)
    jobs.append({'kind': kind, 'file': place, 'path': str(path), 'deadline': _DEADLINE_SECS,
                 'flags': [str(flag) for flag in flags_of(index)]})
  outcomes = []
  for start in range(0, len(jobs), _FILES_PER_PROCESS):
    outcomes += _run_in_one_process(script, jobs[start:start + _FILES_PER_PROCESS])
  return outcomes


def _run_in_one_process(script, jobs):
  code, output, log = forked_scripts.run_code(_REPEATER, script, json.dumps(jobs))
  outcomes = [json.loads(line[len('OUTCOME '):]) for line in output.splitlines()
              if line.startswith('OUTCOME ')]
  # The process itself must live to the end: no crash of TensorFlow's either.
  assert code == 0 and len(outcomes) == len(jobs), (
      'Ended with %d at file %d, %s:\n%s' % (
          code, len(outcomes), jobs[min(len(outcomes), len(jobs) - 1)]['kind'], log[-4000:]))
  crashes = [outcome for outcome in outcomes if str(outcome[1]).startswith('CRASH')]
  assert not crashes, crashes
  for kind, outcome in outcomes:
    if outcome not in (0, 3):
      assert 15 < len(outcome) < 1500, (kind, outcome)
  return outcomes


def predict_damaged(path, model_flag, image, folder):
  """Returns the outcomes of predict.py on an image, with a file of the model damaged."""
  picture = folder / 'picture.png'
  tiny_run.save_png(str(picture), image)
  with open(str(path), 'rb') as f:
    data = f.read()
  return run_all(
      'predict', path, damage.damaged(data, slow.times(8, 50)),
      lambda index: [model_flag, '--input=%s' % picture,
                     '--output_dir=%s/out%d' % (folder, index)], folder)


def check_named(outcomes):
  """Fails unless every message names a shard or a record."""
  for kind, outcome in outcomes:
    assert outcome == 0 or '.tfrecord' in outcome or outcome.startswith(
        'ValueError: Record '), (kind, outcome)


def summary(outcomes, what):
  """Returns how many of the outcomes were which, as text."""
  refused = sum(outcome not in (0, 3) for _, outcome in outcomes)
  return '%d %s: %d refused with a line, %d read; no crash, no hang' % (
      len(outcomes), what, refused, len(outcomes) - refused)


@pytest.fixture(scope='module', name='samples')
def make_samples():
  return [sample._replace(label=np.minimum(sample.label, 3))
          for sample in tiny_run.make_samples([(33, 33)] * 4)]


@pytest.fixture(scope='module', name='run')
def make_run(samples, tmp_path_factory):
  """A folder with a checkpoint and its run.json."""
  folder = tmp_path_factory.mktemp('run')
  tiny_run.write_run(folder, samples[0].image)
  return folder


_RECORDS_PROMISE = ('no hang, no crash: a line that says what is wrong, or what can be read is '
                    'read; weights stay finite')


@pytest.mark.fault('damaged TFRecord files through train.py', _RECORDS_PROMISE)
def test_training_on_damaged_records(samples, tmp_path, measured):
  records = tmp_path / 'records'
  records.mkdir()
  path = tiny_run.write_records(str(records), samples, split='train')
  files = list(damage.damaged_records(path, slow.times(16, 200)))

  def flags_of(index):
    # Half of the runs look at the data first, as is the default.
    return ['--dataset_dir=%s' % records, '--train_logdir=%s/run%d' % (tmp_path, index),
            '--train_crop_size=33,33', '--train_batch_size=2', '--log_steps=1',
            '--training_number_of_steps=%d' % _TRAIN_STEPS,
            '--skip_data_check=%s' % bool(index % 4 < 2)] + list(tiny_run.MODEL_FLAGS)

  outcomes = run_all('train', path, files, flags_of, tmp_path)
  check_named(outcomes)
  for index, (kind, outcome) in enumerate(outcomes):
    run = str(tmp_path / ('run%d' % index))
    newest = restoring.resolve_checkpoint(run) if os.path.isdir(run) else None
    if outcome == 0:
      assert newest, kind
    if newest:
      reader = tf.train.NewCheckpointReader(newest)
      for name in reader.get_variable_to_shape_map():
        assert np.isfinite(reader.get_tensor(name)).all(), (kind, name)
  measured(summary(outcomes, 'files'))


@pytest.mark.fault('damaged TFRecord files through eval.py', _RECORDS_PROMISE)
def test_evaluation_of_damaged_records(samples, run, tmp_path, measured):
  records = tmp_path / 'records'
  records.mkdir()
  path = tiny_run.write_records(str(records), samples)
  outcomes = run_all(
      'eval', path, damage.damaged_records(path, slow.times(16, 200), seed=9),
      lambda index: ['--dataset_dir=%s' % records, '--checkpoint_dir=%s' % run,
                     '--eval_logdir=%s/eval%d' % (tmp_path, index), '--eval_once',
                     '--eval_crop_size=33,33', '--skip_data_check=%s' % bool(index % 4 < 2)],
      tmp_path)
  check_named(outcomes)
  measured(summary(outcomes, 'files'))


@pytest.mark.fault('damaged checkpoints, index and data, through predict.py',
                   'no crash: a line that names the checkpoint, or right weights')
@pytest.mark.parametrize('suffix', ['.index', '.data-00000-of-00001'])
def test_damaged_checkpoints(samples, tmp_path, suffix, measured):
  run = tmp_path / 'run'
  run.mkdir()
  path = tiny_run.write_run(run, samples[0].image) + suffix
  outcomes = predict_damaged(path, '--checkpoint_dir=%s' % run, samples[0].image, tmp_path)
  for kind, outcome in outcomes:
    assert outcome == 0 or 'model.ckpt-3' in outcome or str(run) in outcome, (kind, outcome)
  measured(summary(outcomes, suffix.split('-')[0] + ' files'))


@pytest.mark.fault('damaged frozen graphs through predict.py',
                   'no crash: a line that names the file, or the graph is read')
def test_damaged_graphs(samples, run, tmp_path, measured):
  graph = tmp_path / 'graph.pb'
  result = forked_scripts.run('export_model.py', '--checkpoint_path=%s' % run,
                              '--export_path=%s' % graph, '--crop_size=33', '--crop_size=33')
  assert result.code == 0, result.log
  outcomes = predict_damaged(graph, '--model=%s' % graph, samples[0].image, tmp_path)
  for kind, outcome in outcomes:
    assert outcome == 0 or 'graph.pb' in outcome, (kind, outcome)
  measured(summary(outcomes, 'files'))


@pytest.mark.fault('damaged dataset_info.json, run.json and dense prediction cells',
                   'no crash: a line that names the file, or the checkpoint if what is read does '
                   'not suit it, or it is read')
@pytest.mark.parametrize('name', ['dataset_info.json', 'run.json', 'cell.json'])
def test_damaged_json(samples, run, tmp_path, name, measured):
  records, copy = tmp_path / 'records', tmp_path / 'run'
  records.mkdir()
  copy.mkdir()
  tiny_run.write_records(str(records), samples)
  tiny_run.write_run(copy, samples[0].image)
  cell = tmp_path / 'cell.json'
  cell.write_text(json.dumps([{'kernel': 3, 'rate': [1, 6], 'op': 'conv', 'input': -1},
                              {'kernel': 3, 'rate': [18, 15], 'op': 'conv', 'input': 0}]))
  path = {'dataset_info.json': records / dataset_info.FILE_NAME, 'run.json': copy / 'run.json',
          'cell.json': cell}[name]

  def flags_of(index):
    flags = ['--dataset_dir=%s' % records, '--checkpoint_dir=%s' % copy, '--eval_once',
             '--eval_logdir=%s/eval%d' % (tmp_path, index), '--eval_crop_size=33,33']
    return flags + (['--dense_prediction_cell_json=%s' % cell] if name == 'cell.json' else [])

  files = list(damage.damaged(path.read_bytes(), slow.times(8, 34)))
  files += [('null', b'null'), ('nested', damage.NESTED_JSON)]
  outcomes = run_all('eval', path, files, flags_of, tmp_path)
  # Damage may leave valid JSON of another network, which the checkpoint does not suit.
  telling = (name, 'Checkpoint of another model: %s' % copy)
  unclear = [outcome for outcome in outcomes
             if outcome[1] != 0 and not any(words in outcome[1] for words in telling)]
  assert not unclear
  assert 0 not in [outcome for kind, outcome in outcomes if kind in ('null', 'nested')]
  measured(summary(outcomes, name))
