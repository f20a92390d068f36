"""Runs that are copied, moved or deleted, and files that a crash of the machine cut short."""
import shutil

import numpy as np
import pytest

from deeplab.core.checkpoints import restoring
from deeplab.testing import damage, forked_scripts, slow, tiny_run, tiny_trees

pytestmark = [slow.only_if_asked, pytest.mark.usefixtures('shallow_network')]

_STEPS = 3


@pytest.fixture(scope='module', name='records')
def make_records(tmp_path_factory):
  folder = tmp_path_factory.mktemp('records')
  tiny_run.write_records(str(folder), [
      sample._replace(label=np.minimum(sample.label, 3))
      for sample in tiny_run.make_samples([(33, 33)] * 4)], split='train')
  return folder


def train_flags(records, run, num_steps, *more):
  return ('--dataset_dir=%s' % records, '--train_logdir=%s' % run,
          '--training_number_of_steps=%d' % num_steps, '--train_crop_size=33,33',
          '--train_batch_size=1', '--log_steps=1', '--skip_data_check',
          '--fine_tune_batch_norm=false') + tiny_run.MODEL_FLAGS + more


def newest_step(run):
  return restoring.global_step(restoring.resolve_checkpoint(str(run)))


@pytest.fixture(scope='module', name='trained')
def make_run(records, tmp_path_factory):
  """A run with checkpoints of the steps 0, 2 and 3 that must stay as it is."""
  run = tmp_path_factory.mktemp('trained') / 'run'
  for num_steps in (_STEPS - 1, _STEPS):
    forked_scripts.run_checked('train.py', *train_flags(records, run, num_steps))
  # As earlier versions and TensorFlow by itself write it: the paths of where it was made.
  state = run / 'checkpoint'
  state.write_text(state.read_text().replace('"model.ckpt', '"%s/model.ckpt' % run))
  assert '"%s/model.ckpt-3"' % run in state.read_text()
  return run


@pytest.mark.fault('a run folder is copied, and the copy goes on',
                   'it continues at its own newest checkpoint; the original is neither read nor '
                   'changed')
def test_a_copy_of_a_run_goes_on_by_itself(records, trained, tmp_path, measured):
  original, copy = tmp_path / 'original', tmp_path / 'copy'
  shutil.copytree(str(trained), str(original))
  state = (original / 'checkpoint').read_text().replace(str(trained), str(original))
  (original / 'checkpoint').write_text(state)
  shutil.copytree(str(original), str(copy))
  forked_scripts.run_checked('train.py', *train_flags(records, original, _STEPS + 2))
  before = tiny_trees.contents(original)
  # So few are kept that those of the original would be deleted if they counted.
  log = forked_scripts.run_checked('train.py', *train_flags(
      records, copy, _STEPS + 1, '--keep_checkpoint_max=1'))
  assert 'Continuing at %s/model.ckpt-3.' % copy in log
  assert 'step 4/4' in log and 'step 3/4' not in log
  assert newest_step(copy) == _STEPS + 1
  assert str(original) not in (copy / 'checkpoint').read_text()
  assert not (copy / 'model.ckpt-0.index').exists()
  assert tiny_trees.contents(original) == before
  measured('continued at its own; each byte of the original as before')


@pytest.mark.fault('a run folder has another name than when it was trained',
                   'the training continues at its newest checkpoint')
def test_a_moved_run_goes_on(records, trained, tmp_path, measured):
  hidden, moved = tmp_path / 'hidden', tmp_path / 'moved'
  shutil.copytree(str(trained), str(moved))
  # That the paths in the file lead nowhere is what matters.
  state = moved / 'checkpoint'
  state.write_text(state.read_text().replace(str(trained), str(hidden)))
  log = forked_scripts.run_checked('train.py', *train_flags(records, moved, _STEPS + 1))
  assert 'step 4/4' in log and 'step 3/4' not in log
  assert newest_step(moved) == _STEPS + 1
  measured('continued')


_DATA, _INDEX = 'model.ckpt-3.data-00000-of-00001', 'model.ckpt-3.index'
# What a loss of power may leave: files that were not on disk yet, of no bytes or of some; and the
# newest step that is whole then.
_CUT_SHORT = {
    'all but the newest checkpoint': (
        3, {'checkpoint': 30, 'losses.csv': -20, 'events.out.*': 30, 'graph.pbtxt': 99}),
    'its data, and other files empty': (
        2, {_DATA: 999, 'checkpoint': 0, 'losses.csv': 0, 'events.out.*': 0}),
    'its index': (2, {_INDEX: 0}),
}


@pytest.mark.fault('the newest checkpoint lacks bytes; the file `checkpoint`, losses.csv, events '
                   'are cut off or empty',
                   'the training continues at the newest whole checkpoint, with a warning where it '
                   'is not the newest')
@pytest.mark.parametrize('kind', sorted(_CUT_SHORT))
def test_files_cut_short_by_a_crash(records, trained, tmp_path, kind, measured):
  step, cuts = _CUT_SHORT[kind]
  run = tmp_path / 'run'
  shutil.copytree(str(trained), str(run))
  for pattern, num_bytes in cuts.items():
    for path in run.glob(pattern):
      path.write_bytes(path.read_bytes()[:num_bytes])
  log = forked_scripts.run_checked('train.py', *train_flags(records, run, _STEPS + 2))
  assert 'Continuing at %s/model.ckpt-%d.' % (run, step) in log
  assert ('model.ckpt-3 is left out' in log) == (step == 2)
  assert 'step %d/5' % (step + 1) in log and 'step %d/5' % step not in log
  assert newest_step(run) == _STEPS + 2
  measured('%s: continued at step %d of 3' % (kind, step))


@pytest.mark.fault('a byte of the newest checkpoint is wrong',
                   'the training continues at the one before, with a warning')
def test_a_checkpoint_with_a_wrong_byte_is_left_out(records, trained, tmp_path, measured):
  run = tmp_path / 'run'
  shutil.copytree(str(trained), str(run))
  damage.flip_middle_bit(run / _DATA)
  log = forked_scripts.run_checked('train.py', *train_flags(records, run, _STEPS + 2))
  assert 'Continuing at %s/model.ckpt-2.' % run in log
  assert 'model.ckpt-3 is left out: it cannot be read: ' in log
  assert 'step 3/5' in log and newest_step(run) == _STEPS + 2
  measured('continued at step 2 of 3')


@pytest.mark.fault('the only checkpoint lacks bytes',
                   'one line that says so, exit code 1; the training does not begin anew')
def test_a_run_without_a_whole_checkpoint_does_not_begin_anew(records, trained, tmp_path,
                                                              measured):
  run = tmp_path / 'run'
  shutil.copytree(str(trained), str(run))
  for path in run.glob('model.ckpt-*.data*'):
    path.write_bytes(path.read_bytes()[:1000])
  before = tiny_trees.contents(run)
  result = forked_scripts.run('train.py', *train_flags(records, run, _STEPS + 1))
  assert result.code == 1
  assert result.last_line.startswith('train.py: error: No checkpoint in %s is whole' % run)
  assert tiny_trees.contents(run) == before
  measured('refused; every file as before')


@pytest.mark.fault('the folder of a training is renamed or deleted while it trains',
                   'one line that names the path, exit code 1; a renamed folder keeps whole '
                   'checkpoints')
@pytest.mark.parametrize('change', ['renamed', 'deleted'])
def test_a_folder_that_goes_while_training(records, tmp_path, change, measured):
  run, away = tmp_path / 'run', tmp_path / 'away'
  with forked_scripts.running('train.py', tmp_path / 'log', *train_flags(
      records, run, 1000000, '--save_interval_secs=1')) as process:
    forked_scripts.wait_for_step(process, 3)
    run.rename(away)
    if change == 'deleted':
      shutil.rmtree(str(away))
    assert forked_scripts.wait_for_end(process) == [1], process.log
  last = process.log.strip().splitlines()[-1]
  assert last.startswith('train.py: error: ') and str(run) in last, process.log
  assert 'Traceback' not in process.log
  assert not run.exists() or not list(run.glob('*.index'))
  if change == 'renamed':
    assert newest_step(away) >= 0
    shutil.rmtree(str(run), ignore_errors=True)
    step = newest_step(away)
    log = forked_scripts.run_checked('train.py', *train_flags(records, away, step + 1))
    assert 'step %d/' % (step + 1) in log
  measured('%s: ended with one line' % change)
