"""A disk that is full in the middle of the work. Needs root, for a disk of its own."""
import os
import subprocess

import numpy as np
import pytest
from PIL import Image

from deeplab.core.checkpoints import restoring
from deeplab.core.tf_compat import tf
from deeplab.datasets.records import example
from deeplab.testing import forked_scripts, slow, tiny_run, tiny_trees

pytestmark = [slow.only_if_asked, pytest.mark.usefixtures('shallow_network')]

_MEBIBYTE = 1 << 20


@pytest.fixture(name='disk')
def mount_disk(tmp_path):
  """Function of a size in MiB, and of a number of files, that returns a folder on such a disk."""
  mounted = []

  def mount(size_mib, num_files=0):
    folder = tmp_path / 'disk'
    folder.mkdir()
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%dm,nr_inodes=%d' % (
        size_mib, num_files), 'tmpfs',
                           str(folder)], stderr=subprocess.PIPE)
    if done.returncode:
      pytest.skip('cannot mount a disk: %s' % done.stderr.decode().strip())
    mounted.append(folder)
    return folder

  yield mount
  for folder in mounted:
    subprocess.run(['umount', str(folder)], check=True)


def fill(folder, free_bytes):
  """Leaves that many bytes of the disk of a folder."""
  free = os.statvfs(str(folder)).f_bavail * os.statvfs(str(folder)).f_frsize
  with open(str(folder / 'filler'), 'wb') as f:
    f.write(b'\0' * (free - free_bytes))


def check_refused(result, script):
  assert result.code == 1, result.log
  assert result.last_line.startswith('%s: error: ' % script), result.log
  assert 'No space left on device' in result.last_line, result.log
  assert 'Traceback' not in result.log, result.log


def check_whole(checkpoint):
  """Fails unless all values of a checkpoint can be read; reading them checks their checksums."""
  reader = tf.train.NewCheckpointReader(checkpoint)
  assert all(np.isfinite(reader.get_tensor(name)).all()
             for name in reader.get_variable_to_shape_map())


_PROMISE = 'one line that says so, exit code 1; earlier files are intact, no half files'


@pytest.mark.fault('the disk is full when train.py saves', _PROMISE)
def test_training(folder, disk, measured):
  place = disk(60)
  flags = ('--dataset_dir=%s/train' % folder, '--train_logdir=%s/run' % place,
           '--train_crop_size=33,33', '--train_batch_size=1', '--skip_data_check',
           '--log_steps=1') + tiny_run.MODEL_FLAGS
  result = forked_scripts.run('train.py', *flags, '--training_number_of_steps=2')
  assert result.code == 0, result.log
  fill(place, 3 * _MEBIBYTE)
  result = forked_scripts.run('train.py', *flags, '--training_number_of_steps=4')
  check_refused(result, 'train.py')
  newest = restoring.resolve_checkpoint(str(place / 'run'))
  assert newest.endswith('model.ckpt-2')
  check_whole(newest)
  (place / 'filler').unlink()
  result = forked_scripts.run('train.py', *flags, '--training_number_of_steps=4')
  assert result.code == 0, result.log
  measured('train.py: the last checkpoint loads, and training continues with more space')


@pytest.mark.fault('the disk takes no more files (inodes) when train.py saves', _PROMISE)
def test_training_without_inodes(folder, disk, measured):
  place = disk(60, num_files=64)
  flags = ('--dataset_dir=%s/train' % folder, '--train_logdir=%s/run' % place,
           '--train_crop_size=33,33', '--train_batch_size=1', '--skip_data_check',
           '--log_steps=1') + tiny_run.MODEL_FLAGS
  forked_scripts.run_checked('train.py', *flags, '--training_number_of_steps=2')
  fillers = []
  while os.statvfs(str(place)).f_favail > 3:
    fillers.append(place / ('filler%d' % len(fillers)))
    fillers[-1].write_bytes(b'')
  check_refused(forked_scripts.run('train.py', *flags, '--training_number_of_steps=4'),
                'train.py')
  check_whole(restoring.resolve_checkpoint(str(place / 'run')))
  for path in fillers:
    path.unlink()
  log = forked_scripts.run_checked('train.py', *flags, '--training_number_of_steps=4')
  assert 'Continuing at %s/run/model.ckpt-2.' % place in log
  measured('train.py: the last checkpoint loads, and training continues with more room')


def _flags_of(script, folder, out):
  model = ('--checkpoint_dir=%s/run' % folder,)
  return {
      'export_model.py': ('--checkpoint_path=%s/run' % folder,
                          '--export_path=%s/graph.pb' % out, '--crop_size=33',
                          '--crop_size=33'),
      'eval.py': model + ('--dataset_dir=%s/val' % folder, '--eval_logdir=%s' % out,
                          '--eval_once', '--eval_crop_size=97,97'),
      'vis.py': model + ('--dataset_dir=%s/val' % folder, '--vis_logdir=%s' % out,
                         '--vis_crop_size=97,97', '--max_number_of_iterations=1'),
      'predict.py': model + ('--input=%s/pictures' % folder, '--output_dir=%s' % out),
      'datasets/build_custom_data.py': (
          '--image_dir=%s/pictures' % folder, '--label_dir=%s/labels' % folder,
          '--output_dir=%s' % out, '--num_classes=4', '--num_processes=1', '--num_shards=2'),
  }[script]


@pytest.mark.fault('the disk is full when export, eval, vis, predict or a builder writes', _PROMISE)
@pytest.mark.parametrize('script', ['export_model.py', 'eval.py', 'vis.py', 'predict.py',
                                    'datasets/build_custom_data.py'])
def test_other_scripts(folder, disk, script, measured):
  place = disk(20)
  flags = _flags_of(script, folder, place / 'out')
  result = forked_scripts.run(script, *flags)
  assert result.code == 0, result.log
  before = tiny_trees.contents(place / 'out')
  for free_bytes in (1 << 12, 1 << 14):
    fill(place, free_bytes)
    again = _flags_of(script, folder, place / 'again')
    check_refused(forked_scripts.run(script, *again), os.path.basename(script))
    for path, data in tiny_trees.contents(place / 'again').items():
      if path.endswith('.png'):
        Image.open(str(place / 'again' / path)).load()
      elif path.endswith('.tfrecord'):
        assert list(example.read_records(str(place / 'again' / path)))
      elif 'tfevents' not in path:  # Which are appended to, and begin empty.
        assert data and not path.endswith('.pb'), path
    assert tiny_trees.contents(place / 'out') == before
    (place / 'filler').unlink()
  result = forked_scripts.run(script, *_flags_of(script, folder, place / 'again'))
  assert result.code == 0, result.log
  measured('%s: refused; earlier results as before; done with more space' % script)
