"""Machines that lack what others have: room to write, a home, shared memory, UTF-8."""
import os
import subprocess
import sys

import numpy as np
import pytest

from deeplab.testing import forked_scripts, slow, tiny_run

pytestmark = slow.only_if_asked


def run_in_shell(shell, script, *flags, **env):
  """Runs a script in a new process after commands of a shell with mounts of its own.

  Returns:
    (exit code, everything written).
  """
  command = ['unshare', '--mount', 'sh', '-c', shell + ' && exec "$@"', 'sh', sys.executable,
             os.path.join(tiny_run.ROOT, script)] + [str(flag) for flag in flags]
  done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                        env=dict(os.environ, **env))
  text = done.stdout.decode('utf-8', 'replace')
  if 'unshare' in text or 'mount:' in text:
    pytest.skip('no mounts of its own: %s' % text.strip())
  return done.returncode, text


def build_flags(folder, out, *more):
  return ('--image_dir=%s/pictures' % folder, '--label_dir=%s/labels' % folder,
          '--output_dir=%s' % out, '--num_classes=4', '--num_shards=2') + more


def train_flags(folder, run):
  return ('--dataset_dir=%s/train' % folder, '--train_logdir=%s' % run, '--train_crop_size=33,33',
          '--train_batch_size=1', '--training_number_of_steps=1') + tiny_run.MODEL_FLAGS


@pytest.mark.fault('the folder for results cannot be written',
                   'one line that names it, exit code 1')
@pytest.mark.parametrize('script', ['train.py', 'eval.py', 'vis.py', 'export_model.py',
                                    'predict.py', 'datasets/build_custom_data.py'])
def test_read_only_folders(folder, tmp_path, script, measured):
  disk = tmp_path / 'disk'
  disk.mkdir()
  out = disk / 'out'
  model = ('--checkpoint_dir=%s/run' % folder,)
  flags = {
      'train.py': train_flags(folder, out),
      'eval.py': model + ('--dataset_dir=%s/val' % folder, '--eval_logdir=%s' % out,
                          '--eval_once', '--eval_crop_size=97,97'),
      'vis.py': model + ('--dataset_dir=%s/val' % folder, '--vis_logdir=%s' % out,
                         '--max_number_of_iterations=1', '--vis_crop_size=97,97'),
      'export_model.py': ('--checkpoint_path=%s/run' % folder, '--export_path=%s/a.pb' % out),
      'predict.py': model + ('--input=%s/pictures' % folder, '--output_dir=%s' % out),
      'datasets/build_custom_data.py': build_flags(folder, out),
  }[script]
  code, text = run_in_shell('mount -t tmpfs -o ro tmpfs %s' % disk, script, *flags)
  last = text.strip().splitlines()[-1]
  assert code == 1, text
  assert last.startswith('%s: error: ' % os.path.basename(script)), text
  assert 'Read-only file system' in last and str(disk) in last, text
  assert 'Traceback' not in text, text
  measured('%s: refused' % script)


@pytest.mark.fault('no shared memory (/dev/shm)', 'builders say so and work in one process')
def test_no_shared_memory(folder, tmp_path, measured):
  code, text = run_in_shell(
      'mount -t tmpfs -o ro tmpfs /dev/shm', 'datasets/build_custom_data.py',
      *build_flags(folder, tmp_path / 'out', '--num_processes=2'))
  assert code == 0, text
  assert 'Working in one process' in text, text
  measured('built in one process')


@pytest.mark.fault('no home, a locale without UTF-8, names with accents',
                   'builder and predict work as ever')
def test_no_home_and_no_utf8(folder, tmp_path, measured):
  env = {'HOME': '/nonexistent', 'LC_ALL': 'C', 'LANG': 'C', 'PYTHONUTF8': '0',
         'PYTHONCOERCECLOCALE': '0', 'PYTHONIOENCODING': ''}
  for place, image in (('pictures', tiny_run.make_samples()[0].image[:30, :30]),
                       ('labels', np.zeros((30, 30), np.uint8))):
    (tmp_path / place).mkdir()
    tiny_run.save_png(str(tmp_path / place / 'été.png'), image)
  code, text = run_in_shell('true', 'datasets/build_custom_data.py',
                            *build_flags(tmp_path, tmp_path / 'out'), **env)
  assert code == 0, text
  code, text = run_in_shell(
      'true', 'predict.py', '--checkpoint_dir=%s/run' % folder,
      '--input=%s/pictures' % tmp_path, '--output_dir=%s' % (tmp_path / 'predicted'), **env)
  assert code == 0, text
  assert (tmp_path / 'predicted' / 'été_prediction.png').exists()
  result = forked_scripts.run('train.py', *train_flags(folder, tmp_path / 'run'),
                              HOME='/nonexistent')
  assert result.code == 0, result.log
  measured('both worked, and a training without a home')
