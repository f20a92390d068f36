"""Tests of the VOC driver: weights from an archive, the whole job on tiny pictures."""
import json
import os
import shlex
import subprocess
import sys
import tarfile

import pytest

from deeplab.testing import forked_scripts, slow, tiny_run, tiny_trees

pytestmark = slow.only_if_asked

_NAME = 'deeplabv3_mnv2_pascal_train_aug'
_ARCHIVE = _NAME + '_2018_01_29.tar.gz'
_WEIGHTS = ('model.ckpt-30000.index', 'model.ckpt-30000.data-00000-of-00001',
            'frozen_inference_graph.pb')


def run(work_dir, **settings):
  """Returns exit code and everything the driver wrote."""
  kept = {name: os.environ[name] for name in ('PATH', 'HOME', 'PYTHONPATH', 'LD_LIBRARY_PATH')
          if name in os.environ}
  process = subprocess.run(
      ['sh', 'local_test_mobilenetv2.sh'], cwd=tiny_run.ROOT, universal_newlines=True,
      env=dict(kept, PYTHON=sys.executable, WORK_DIR=str(work_dir), no_proxy='*', **settings),
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
  return process.returncode, process.stdout


def pack(path, names, folder=_NAME):
  """Writes an archive of small files; returns its URL."""
  content = path.parent / 'content'
  content.write_text('weights')
  with tarfile.open(str(path), 'w:gz') as archive:
    for name in names:
      archive.add(str(content), '%s/%s' % (folder, name))
  return 'file://%s' % path


def test_weights_come_from_the_archive_once(tmp_path):
  url = pack(tmp_path / 'zoo.tgz', _WEIGHTS)
  settings = {'STAGES': 'weights', 'ZOO_URL': url}
  code, log = run(tmp_path / 'work', **settings)
  assert code == 0, log
  zoo = tmp_path / 'work' / 'zoo'
  assert sorted(os.listdir(str(zoo))) == [_NAME, _ARCHIVE]
  assert sorted(os.listdir(str(zoo / _NAME))) == sorted(_WEIGHTS)
  (tmp_path / 'zoo.tgz').unlink()
  (zoo / _ARCHIVE).unlink()
  code, log = run(tmp_path / 'work', **settings)
  assert code == 0 and '== downloading' not in log


def test_without_network_the_error_names_the_url_and_the_place(tmp_path):
  code, log = run(tmp_path / 'work', STAGES='weights', ZOO_URL='http://127.0.0.1:9/zoo.tgz')
  archive = tmp_path / 'work' / 'zoo' / _ARCHIVE
  assert code == 1
  assert log.endswith(
      'error: http://127.0.0.1:9/zoo.tgz could not be downloaded: fetch it elsewhere, put it '
      "at %s and run again\nerror: stage 'weights' failed with exit code 1; see above\n" % archive)
  assert os.listdir(str(archive.parent)) == []


def test_an_archive_put_there_by_hand_is_taken(tmp_path):
  (tmp_path / 'work' / 'zoo').mkdir(parents=True)
  pack(tmp_path / 'work' / 'zoo' / _ARCHIVE, _WEIGHTS)
  code, log = run(tmp_path / 'work', STAGES='weights', ZOO_URL='http://127.0.0.1:9/zoo.tgz')
  assert code == 0, log


@pytest.mark.parametrize('damage, message', [
    ('cut', 'could not be downloaded'),
    ('page', 'could not be downloaded'),
    ('upwards', 'leads out of the folder. Nothing was unpacked.'),
    ('incomplete', 'does not hold %s/model.ckpt-30000.data-00000-of-00001' % _NAME),
    ('checksum', 'wrong sha256'),
])
def test_archives_that_are_not_the_weights_stop_the_script(tmp_path, damage, message):
  path = tmp_path / 'zoo.tgz'
  url = pack(path, _WEIGHTS[:1] if damage == 'incomplete' else _WEIGHTS,
             '../above' if damage == 'upwards' else _NAME)
  if damage == 'cut':
    path.write_bytes(path.read_bytes()[:-20])
  elif damage == 'page':
    path.write_text('<html>Moved</html>')
  settings = {'ZOO_SHA256': '0' * 64} if damage == 'checksum' else {}
  code, log = run(tmp_path / 'work', STAGES='weights', ZOO_URL=url, DOWNLOAD_WAIT_SECS='0',
                  **settings)
  assert code == 1
  assert message in log
  assert log.endswith("error: stage 'weights' failed with exit code 1; see above\n")
  assert not (tmp_path / 'work' / 'above').exists()


def test_no_steps_evaluate_the_weights_as_they_are(tmp_path):
  code, log = run(tmp_path, DRY_RUN='1', NUM_ITERATIONS='0', STAGES='train evaluate export')
  assert code == 0, log
  assert 'train.py' not in log
  prefix = '%s/zoo/%s/model.ckpt-30000 ' % (tmp_path, _NAME)
  assert '--checkpoint_dir=' + prefix in log and '--checkpoint_path=' + prefix in log


@pytest.mark.parametrize('settings, message', [
    ({'NUM_ITERATIONS': '-1'}, 'NUM_ITERATIONS=-1 must be a whole number'),
    ({'NUM_ITERATIONS': '0', 'INIT_CHECKPOINT': ''}, 'NUM_ITERATIONS=0 needs weights'),
    ({'STAGES': 'wait'}, "there is no stage 'wait'"),
])
def test_settings_that_cannot_be_used_are_one_line(tmp_path, settings, message):
  code, log = run(tmp_path, DRY_RUN='1', **dict({'STAGES': 'train'}, **settings))
  assert code == 2 and message in log and log.count('\n') == 1


def test_from_pictures_to_metrics_and_every_flag_exists(tmp_path):
  tiny_trees.make_voc(tmp_path / 'voc' / 'VOCdevkit' / 'VOC2012')
  settings = {'VOC_DIR': str(tmp_path / 'voc'), 'INIT_CHECKPOINT': '', 'NUM_ITERATIONS': '2',
              'BATCH_SIZE': '2', 'CROP_SIZE': '33,33', 'EVAL_CROP_SIZE': '33,33',
              'MODEL_FLAGS': '--depth_multiplier=0.25', 'BUILD_FLAGS': '--num_processes=1',
              'DATA_FLAGS': '--skip_data_check'}
  code, log = run(tmp_path / 'work', STAGES='data train evaluate', **settings)
  assert code == 0, log
  with open(str(tmp_path / 'work' / 'run' / 'eval' / 'metrics.json')) as stream:
    metrics = json.load(stream)
  assert metrics['split'] == 'val' and metrics['num_examples'] == 2
  assert '     mean ' in log
  code, log = run(tmp_path / 'work', DRY_RUN='1', **settings)
  lines = [shlex.split(line) for line in log.splitlines() if line.startswith(sys.executable)]
  # What is built is not built again.
  assert '# data' not in log
  assert [words[1] for words in lines] == [
      'train.py', 'eval.py', 'vis.py', 'export_model.py', 'predict.py']
  for words in lines:
    result = forked_scripts.run(words[1], '--only_check_args', *words[2:])
    assert result.code == 0, result.log
