"""Runs that are killed or told to stop at any moment, and what is left of them."""
import glob
import io
import json
import os
import random
import signal
import time

import numpy as np
import pytest
from PIL import Image

from deeplab.core.checkpoints import restoring
from deeplab.core.tf_compat import tf
from deeplab.datasets.records import example
from deeplab.testing import forked_scripts, slow, tiny_run, tiny_trees
from deeplab.utils.runs import loss_table

pytestmark = [slow.only_if_asked, pytest.mark.usefixtures('shallow_network')]

_ENDLESS = 1000000
# By which the clock of the table of losses may differ from that of the saves.
_CLOCK_SECS = 0.05
_TRAIN_FLAGS = ('--train_crop_size=33,33', '--train_batch_size=1', '--log_steps=1',
                '--fine_tune_batch_norm=false', '--skip_data_check', '--noaspp_with_batch_norm',
                '--base_learning_rate=0.001') + tiny_run.MODEL_FLAGS
_OPTIONS = tiny_run.MODEL_OPTIONS._replace(aspp_with_batch_norm=False)


# Pictures and their labels; those that a script is stopped at take some seconds, so that a test
# that has to wait for its processor still finds it at work.
_FEW, _MANY = ('pictures', 'labels'), ('many_pictures', 'many_labels')
_NUM_COPIES = 12


@pytest.fixture(scope='module', name='folder')
def make_folder(tmp_path_factory):
  """A folder with the splits train and val, pictures, labels, and a checkpoint in start/."""
  folder = tmp_path_factory.mktemp('killed')
  samples = [sample._replace(label=np.minimum(sample.label, 3))
             for sample in tiny_run.make_samples([(33, 33)] * 8)]
  for name in ('train', 'val'):
    (folder / name).mkdir()
    tiny_run.write_records(str(folder / name), samples, split=name)
  (folder / 'start').mkdir()
  tiny_run.write_run(folder / 'start', samples[0].image, _OPTIONS)
  for place in _FEW + _MANY:
    (folder / place).mkdir()
  for index, sample in enumerate(tiny_run.make_samples([(220, 200)] * 40)):
    for pixels, place, many in zip((sample.image, sample.label % 4), _FEW, _MANY):
      path = folder / place / ('%d.png' % index)
      Image.fromarray(pixels).save(str(path))
      for copy in range(_NUM_COPIES):
        os.link(str(path), str(folder / many / ('%d_%d.png' % (index, copy))))
  return folder


def train_flags(folder, run, num_steps=_ENDLESS):
  return ('--dataset_dir=%s/train' % folder, '--train_logdir=%s' % run,
          '--training_number_of_steps=%d' % num_steps) + _TRAIN_FLAGS


def values_of(checkpoint):
  """Returns a dict of all arrays of a checkpoint; reading them checks their checksums."""
  reader = tf.train.NewCheckpointReader(checkpoint)
  return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def newest_step(run):
  newest = restoring.resolve_checkpoint(str(run)) if run.exists() else None
  return restoring.global_step(newest) if newest else -1


def secs_lost(run, saved):
  """Returns the seconds from the first step after a checkpoint to the last but one.

  A step after the save interval saves before the next one begins: of the lost steps only the
  last, whose save was cut short, may be later than that.
  """
  table = loss_table.read(str(run / loss_table.FILE_NAME))
  times = table['wall_time'][table[loss_table.STEP] > saved]
  return times[-2] - times[0] if len(times) > 1 else 0.0


@pytest.mark.fault('train.py killed with -9 at random moments, most of them near a save',
                   'the next start continues at the newest checkpoint that was complete; the steps '
                   'lost are of one save interval; all weights are finite')
def test_a_killed_training_continues_at_what_was_saved(folder, tmp_path, measured):
  run, saved, num_kills, interval_secs = tmp_path / 'run', -1, slow.times(3, 30), 1
  moments, worst, behind = random.Random(5), 0, 0
  for index in range(num_kills):
    process = forked_scripts.start('train.py', tmp_path / ('log%d' % index),
                                   '--save_interval_secs=%d' % interval_secs,
                                   *train_flags(folder, run))
    forked_scripts.wait_for_step(process, max(saved, 0) + 3)
    if saved >= 0:
      assert 'Continuing at %s' % (run / ('model.ckpt-%d' % saved)) in process.log, process.log
    time.sleep(moments.uniform(0, 3))
    process.send(signal.SIGKILL)
    forked_scripts.wait_for_end(process)
    told, saved = saved, newest_step(run)
    assert saved >= told
    assert secs_lost(run, saved) <= interval_secs + _CLOCK_SECS
    reached = forked_scripts.last_step(process)
    behind = max(behind, reached - saved)
    worst = max(worst, reached - max(told, 0))
    assert all(np.isfinite(value).all() for value in values_of(
        restoring.resolve_checkpoint(str(run))).values())
    assert len(glob.glob(str(run / 'model.ckpt-*.index'))) <= 6
  result = forked_scripts.run('train.py', *train_flags(folder, run, saved + 3))
  assert result.code == 0, result.log
  assert newest_step(run) == saved + 3
  measured('%d kills: each start continued; at most %d steps of %d between two kills were lost, '
           'those since the last save of one second' % (num_kills, behind, worst))


# So that a save takes longer than a processor's core is away from the test.
_MANY_WEIGHTS = ('--depth_multiplier=6', '--optimizer=adam')


def unfinished(run):
  """Returns the names of the files of checkpoints in a folder that were being written."""
  return [name for name in os.listdir(str(run)) if '.tempstate' in name] if run.exists() else []


@pytest.mark.fault('train.py killed with -9 while it writes a checkpoint',
                   'the next start continues at the one before, whole, and removes what was '
                   'never finished')
def test_a_training_killed_within_a_save_continues_at_the_one_before(folder, tmp_path, measured):
  run, num_kills, num_hits = tmp_path / 'run', slow.times(3, 10), 0
  for index in range(num_kills):
    known = newest_step(run)
    with forked_scripts.running('train.py', tmp_path / ('log%d' % index), '--save_interval_secs=1',
                              *train_flags(folder, run) + _MANY_WEIGHTS) as process:
      forked_scripts.wait_for_step(process, max(known, 0) + 3)
      left = unfinished(run)  # Of this process: it is over its start, which removes others'.
      until = time.monotonic() + forked_scripts.DEADLINE_SECS
      while not left and time.monotonic() < until:
        left = unfinished(run)
      os.kill(process.pid, signal.SIGKILL)
      forked_scripts.wait_for_end(process)
    assert left, process.log[-2000:]
    num_hits += bool(unfinished(run))
    saved = newest_step(run)
    assert saved >= known
    assert all(np.isfinite(value).all() for value in values_of(
        restoring.resolve_checkpoint(str(run))).values())
  assert num_hits, 'no kill hit a save'
  log = forked_scripts.run_checked('train.py', *train_flags(folder, run, saved + 2),
                                    *_MANY_WEIGHTS)
  assert 'Continuing at %s' % (run / ('model.ckpt-%d' % saved)) in log
  assert not unfinished(run)
  assert not [name for name in os.listdir(str(run)) if name.startswith('.')]
  measured('%d of %d kills left a half checkpoint; all continued at the one before'
           % (num_hits, num_kills))


@pytest.mark.fault('train.py killed with -9 after a save, continued; a seed and one thread',
                   'the weights are those of a run from the same initial checkpoint that nothing '
                   'interrupted')
def test_a_killed_run_ends_where_an_uninterrupted_one_does(folder, tmp_path, measured):
  num_steps = 600
  threads = {'TF_NUM_INTRAOP_THREADS': '1', 'TF_NUM_INTEROP_THREADS': '1',
             'OMP_NUM_THREADS': '1'}
  flags = ('--data_seed=4', '--save_interval_secs=1', '--tf_initial_checkpoint=%s/start' % folder)

  def flags_of(name):
    return train_flags(folder, tmp_path / name, num_steps) + flags

  result = forked_scripts.run('train.py', *flags_of('whole'), **threads)
  assert result.code == 0, result.log
  process = forked_scripts.start('train.py', tmp_path / 'log', *flags_of('killed'), **threads)
  forked_scripts.wait_until(
      lambda: newest_step(tmp_path / 'killed') > 10 or process.code() is not None, 'checkpoint',
      process)
  process.send(signal.SIGKILL)
  forked_scripts.wait_for_end(process)
  middle = newest_step(tmp_path / 'killed')
  assert 0 < middle < num_steps
  result = forked_scripts.run('train.py', *flags_of('killed'), **threads)
  assert result.code == 0, result.log
  whole, killed = [values_of(restoring.resolve_checkpoint(str(tmp_path / name)))
                   for name in ('whole', 'killed')]
  assert sorted(whole) == sorted(killed)
  largest = max(np.abs(np.float64(whole[name]) - killed[name]).max() for name in whole)
  assert largest < 1e-6, largest
  measured('killed at step %d of %d: largest difference of a weight %.1g' % (
      middle, num_steps, largest))


def command_of(script, folder, out, places=_FEW):
  """Returns the flags of a run of a script that writes into a folder."""
  pictures, labels = [folder / place for place in places]
  model = ('--checkpoint_dir=%s/start' % folder,)
  val = model + ('--dataset_dir=%s/val' % folder,)
  return {
      'train.py': train_flags(folder, out),
      'eval.py': val + ('--eval_logdir=%s' % out, '--eval_crop_size=33,33'),
      'vis.py': val + ('--vis_logdir=%s' % out, '--vis_crop_size=33,33'),
      'predict.py': model + ('--input=%s' % pictures, '--output_dir=%s' % out),
      'datasets/build_custom_data.py': (
          '--image_dir=%s' % pictures, '--label_dir=%s' % labels,
          '--output_dir=%s' % out, '--num_classes=4', '--num_processes=1', '--num_shards=40'),
  }[script]


# What a script is to write before the signal, and how to have it end by itself.
_SCRIPTS = {
    'train.py': ('model.ckpt-*.index', None),
    'eval.py': ('metrics.json', '--eval_once'),
    'vis.py': ('segmentation_results/*.png', '--max_number_of_iterations=1'),
    'predict.py': ('*_prediction.png', '--skip_existing'),
    'datasets/build_custom_data.py': ('*.tfrecord', '--on_error=stop'),
}


@pytest.mark.fault('SIGTERM and SIGINT to train, eval, vis, predict and a builder at work',
                   'exit codes 143 and 130; training has saved; every file that stands is whole, '
                   'and the same command ends the work')
@pytest.mark.parametrize('script', sorted(_SCRIPTS))
def test_a_signal_leaves_whole_files_and_an_exit_code(folder, tmp_path, script, measured):
  pattern, ends = _SCRIPTS[script]
  for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
    out = tmp_path / str(code)
    flags = command_of(script, folder, out, _MANY)
    process = forked_scripts.start(script, tmp_path / ('log%d' % code), *flags)
    forked_scripts.wait_until(
        lambda where=out / pattern, one=process: glob.glob(str(where)) or one.code() is not None,
        pattern, process)
    process.send(number)
    assert forked_scripts.wait_for_end(process) == [code], process.log
    assert 'Traceback' not in process.log
    check_files(out)
    if ends:
      result = forked_scripts.run(script, *flags + (ends,))
      assert result.code == 0, result.log
      check_files(out)
      assert not [path for path in tiny_trees.contents(out) if path.endswith('.tmp')]
    else:
      assert 'saved' in process.log
      assert newest_step(out) >= forked_scripts.last_step(process) > 0
  measured('%s: 143 and 130' % script)


def check_files(folder):
  """Fails unless everything in a folder can be read whole, hidden unfinished files apart."""
  for path, data in tiny_trees.contents(folder).items():
    if path.endswith('.tmp'):
      continue
    if path.endswith('.png'):
      Image.open(io.BytesIO(data)).load()
    elif path.endswith('.json'):
      json.loads(data.decode('utf-8'))
    elif path.endswith('.tfrecord'):
      assert list(example.read_records(str(folder / path)))
    elif path.endswith('.index'):
      values_of(str(folder / path)[:-len('.index')])


@pytest.mark.fault('two trainings, or two evaluations, on one folder; an export while a training '
                   'saves',
                   'the second training is refused and names the first; all others succeed with '
                   'whole files')
def test_several_processes_on_one_run(folder, tmp_path, measured):
  run = tmp_path / 'run'
  with forked_scripts.running('train.py', tmp_path / 'log', '--save_interval_secs=1',
                            '--keep_checkpoint_max=0', *train_flags(folder, run)) as training:
    forked_scripts.wait_until(lambda: newest_step(run) >= 0 or training.code() is not None,
                            'checkpoint', training)
    second = forked_scripts.run('train.py', *train_flags(folder, run))
    assert second.code == 1
    assert str(training.pid) in second.last_line and 'train.py: error:' in second.last_line
    num_exports = slow.times(1, 5)
    for index in range(num_exports):
      path = tmp_path / ('%d.pb' % index)
      result = forked_scripts.run('export_model.py', '--checkpoint_path=%s' % run,
                                  '--export_path=%s' % path, '--crop_size=33', '--crop_size=33')
      assert result.code == 0, result.log
      assert path.exists()
    evaluations = [
        forked_scripts.start('eval.py', tmp_path / ('eval%d' % index), '--eval_once',
                             '--checkpoint_dir=%s' % run, '--dataset_dir=%s/val' % folder,
                             '--eval_logdir=%s' % (tmp_path / 'eval'), '--eval_crop_size=33,33')
        for index in range(2)]
    assert forked_scripts.wait_for_end(*evaluations) == [0, 0], [one.log for one in evaluations]
    check_files(tmp_path / 'eval')
    assert training.code() is None
    training.send(signal.SIGTERM)
    assert forked_scripts.wait_for_end(training) == [143]
  measured('second training refused; %d exports and 2 evaluations at once succeeded'
           % num_exports)


@pytest.mark.fault('two of vis.py, predict.py or export_model.py write to one place at once',
                   'both succeed; every file is whole and there once')
@pytest.mark.parametrize('script', ['vis.py', 'predict.py', 'export_model.py'])
def test_two_that_write_to_one_folder(folder, tmp_path, script, measured):
  out = tmp_path / 'out'
  if script == 'export_model.py':
    flags = ('--checkpoint_path=%s/start' % folder, '--export_path=%s/graph.pb' % out,
             '--crop_size=33', '--crop_size=33')
  else:
    flags = command_of(script, folder, out) + (
        ('--max_number_of_iterations=1',) if script == 'vis.py' else ())
  both = [forked_scripts.start(script, tmp_path / ('log%d' % index), *flags)
          for index in range(2)]
  assert forked_scripts.wait_for_end(*both) == [0, 0], [one.log for one in both]
  check_files(out)
  names = set(tiny_trees.contents(out))
  assert not [name for name in names if name.endswith('.tmp')]
  result = forked_scripts.run(script, *[str(flag).replace(str(out), str(tmp_path / 'alone'))
                                        for flag in flags])
  assert result.code == 0, result.log
  assert names == set(tiny_trees.contents(tmp_path / 'alone'))
  measured('%s: %d files, all whole' % (script, len(names)))
