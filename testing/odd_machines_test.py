"""Machines that lack what others have: room to write, a home, shared memory, UTF-8."""
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from deeplab.datasets.records import dataset_info
from deeplab.testing import forked_scripts, slow, tiny_run

pytestmark = slow.only_if_asked


def run_in_shell(shell, script, *flags, **env):
  """Runs a script after commands of a shell with mounts of its own; returns (exit code, output)."""
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


_NO_UTF8 = {'HOME': '/nonexistent', 'LC_ALL': 'C', 'LANG': 'C', 'PYTHONUTF8': '0',
            'PYTHONCOERCECLOCALE': '0', 'PYTHONIOENCODING': ''}


@pytest.mark.fault('no home, a locale without UTF-8, names with accents',
                   'builder and predict work as ever')
def test_no_home_and_no_utf8(folder, tmp_path, measured):
  env = _NO_UTF8
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


# Runs a script while the clock is set, each half second, by some days.
_CLOCK_SET = """
import runpy, sys, time
time_of_day = time.time
step = 86400 * int(sys.argv.pop(1))
time.time = lambda: time_of_day() + step * (int(2 * time.monotonic()) % 1000)
script = sys.argv.pop(1)
runpy.run_path(script, run_name='__main__')
"""


@pytest.mark.fault('the clock is set back or forward by days, twice a second, while train.py and '
                   'eval.py run',
                   'checkpoints are saved as often as ever; speeds and waits are right')
@pytest.mark.parametrize('days', [-2, 2])
def test_clock_that_is_set(folder, tmp_path, days, measured):
  run, steps = tmp_path / 'run', 200
  flags = [flag for flag in train_flags(folder, run) if 'number_of_steps' not in flag] + [
      '--training_number_of_steps=%d' % steps, '--save_interval_secs=1', '--log_steps=50',
      '--keep_checkpoint_max=0']
  code, _, log = forked_scripts.run_code(
      _CLOCK_SET, days, os.path.join(tiny_run.ROOT, 'train.py'), *flags)
  assert code == 0, log
  lines = re.findall(r'step \d+/%d .* ([-\d.]+) images/s .* (.*) left' % steps, log)
  assert len(lines) == steps // 50, log
  assert all(0 < float(speed) < 10000 for speed, _ in lines), lines
  assert not any('d' in left or 'h' in left for _, left in lines), lines
  num_saved = len(list(run.glob('model.ckpt-*.index')))
  # One at the start, one at the end, and between them one each second, not each half; two more
  # after the first steps, which do not count for the speed.
  secs = sum(50 / float(speed) for speed, _ in lines)
  assert 2 + secs / 3 <= num_saved <= 4 + 1.2 * secs, (num_saved, secs)
  code, _, log = forked_scripts.run_code(
      _CLOCK_SET, days, os.path.join(tiny_run.ROOT, 'eval.py'),
      '--checkpoint_dir=%s' % run, '--dataset_dir=%s/val' % folder,
      '--eval_logdir=%s' % (tmp_path / 'eval'), '--eval_crop_size=97,97',
      '--eval_interval_secs=1', '--eval_timeout_secs=3')
  assert code == 1 and 'Waited 3 s for a checkpoint newer than' in log, log
  measured('%+d days: %d checkpoints in %.0f s' % (days, num_saved, secs))


# A locale without UTF-8 that Python does not mend; one that it mends, with a terminal that lacks
# letters.
_LOCALES = {'ASCII': (_NO_UTF8, 'a'),
            'POSIX': ({'HOME': '/nonexistent', 'LC_ALL': 'POSIX', 'PYTHONIOENCODING': 'latin-1'},
                      'été 日本')}


@pytest.mark.fault('no home, a locale without UTF-8; classes, records and, where Python mends the '
                   'locale, folders with letters beyond ASCII',
                   'train, eval, vis, export, predict and the doctor work as ever; else paths '
                   'beyond ASCII are refused in one line')
@pytest.mark.parametrize('locale', sorted(_LOCALES))
def test_letters_beyond_ascii(folder, tmp_path, locale, measured):
  env, name = _LOCALES[locale]
  place = tmp_path / name
  place.mkdir()
  samples = [sample._replace(name='été%d' % index, label=np.minimum(sample.label, 3))
             for index, sample in enumerate(tiny_run.make_samples([(33, 33)] * 2))]
  for split in ('train', 'val'):
    (place / split).mkdir()
    tiny_run.write_records(str(place / split), samples, split=split)
    path = place / split / dataset_info.FILE_NAME
    info = json.loads(path.read_text(encoding='utf-8'))
    info['class_names'] = ['ciel été', '日本', 'c', 'd']
    path.write_text(json.dumps(info, ensure_ascii=False), encoding='utf-8')
  val = ('--checkpoint_dir=%s/run' % place, '--dataset_dir=%s/val' % place)
  commands = [
      ('train.py', train_flags(place, place / 'run')),
      ('eval.py', val + ('--eval_logdir=%s/eval' % place, '--eval_once',
                         '--eval_crop_size=33,33')),
      ('vis.py', val + ('--vis_logdir=%s/vis' % place, '--max_number_of_iterations=1',
                        '--vis_crop_size=33,33', '--also_save_raw_predictions')),
      ('export_model.py', ('--checkpoint_path=%s/run' % place, '--export_path=%s/m.pb' % place,
                           '--crop_size=33', '--crop_size=33')),
      ('predict.py', ('--model=%s/m.pb' % place, '--input=%s/pictures' % folder,
                      '--output_dir=%s/out' % place)),
      ('datasets/doctor.py', ('--dataset_dir=%s/val' % place,))]
  for script, flags in commands:
    result = run_with(env, script, flags)
    assert result.returncode == 0, result.stdout.decode('utf-8', 'replace')
  raw = os.listdir(os.fsencode(str(place / 'vis' / 'raw_segmentation_results')))
  assert sorted(raw) == [('été%d.png' % index).encode('utf-8') for index in range(2)]
  if locale == 'ASCII':
    result = run_with(env, 'predict.py', ('--model=%s/é.pb' % place,))
    assert result.returncode == 2 and b'PYTHONUTF8=1' in result.stdout
  measured('%s: all six worked' % locale)


def run_with(env, script, flags):
  """Returns the CompletedProcess of a script in a new process, whose locale is of its start."""
  return subprocess.run([sys.executable, os.path.join(tiny_run.ROOT, script)] + list(flags),
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                        env=dict(os.environ, **env))
