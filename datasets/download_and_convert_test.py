"""Tests of the scripts from archive to records, with tiny archives and without network."""
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from deeplab.datasets.records import dataset_info, example
from deeplab.testing import tiny_trees

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _run(script, work_dir, **env):
  """Runs a script of this folder; returns exit code and everything it wrote."""
  env = dict(os.environ, PYTHON=sys.executable, DOWNLOAD_WAIT_SECS='0',
             BUILD_FLAGS='--num_processes=1', **env)
  process = subprocess.Popen(['sh', os.path.join('datasets', script), str(work_dir)], cwd=_ROOT,
                             env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
  log = process.communicate()[0].decode('utf-8')
  return process.returncode, log


def _pack(path, folder, name):
  """Packs a folder, under its name, as a tar or zip file and removes it; returns the path."""
  if path.suffix == '.zip':
    shutil.make_archive(str(path)[:-len('.zip')], 'zip', str(folder), name)
  else:
    with tarfile.open(str(path), 'w:gz' if path.suffix == '.tgz' else 'w') as archive:
      archive.add(str(folder / name), name)
  shutil.rmtree(str(folder / name))
  return path


def _digest(kind, path):
  return hashlib.new(kind, path.read_bytes()).hexdigest()


def _num_records(records):
  return {split: found.num_examples
          for split, found in dataset_info.read(str(records)).splits.items()}


def _check_labels(records, split, ids):
  found = tiny_trees.read_records(records, split)
  for record in found:
    np.testing.assert_array_equal(
        tiny_trees.label_of(record), ids[example.record_name(record)])


def test_voc2012_with_sbd_from_archives_to_records(tmp_path):
  pytest.importorskip('scipy')
  source, work_dir = tmp_path / 'source', tmp_path / 'work dir'
  ids = tiny_trees.make_voc(source / 'VOCdevkit' / 'VOC2012')
  ids = dict(tiny_trees.make_sbd(source / 'benchmark_RELEASE' / 'dataset'), **ids)
  voc = _pack(tmp_path / 'voc.tar', source, 'VOCdevkit')
  sbd = _pack(tmp_path / 'sbd.tgz', source, 'benchmark_RELEASE')
  code, log = _run('download_and_convert_voc2012.sh', work_dir, WITH_SBD='1',
                   VOC_URL='file://%s' % voc, VOC_MD5=_digest('md5', voc),
                   SBD_URL='file://%s' % sbd, SBD_MD5=_digest('md5', sbd))
  assert code == 0, log
  assert _num_records(work_dir / 'tfrecord') == {
      'train': 3, 'val': 2, 'trainval': 5, 'train_aug': 5}
  for split in ('train', 'val', 'train_aug'):
    _check_labels(work_dir / 'tfrecord', split, ids)
  assert sorted(os.listdir(str(work_dir))) == [
      'VOCdevkit', 'VOCtrainval_11-May-2012.tar', 'benchmark.tgz', 'benchmark_RELEASE', 'tfrecord']


def test_ade20k_skips_what_is_finished(tmp_path):
  source, work_dir = tmp_path / 'source', tmp_path / 'work'
  tiny_trees.make_ade20k(source / 'ADEChallengeData2016')
  archive = _pack(tmp_path / 'ade.zip', source, 'ADEChallengeData2016')
  env = {'ADE_URL': 'file://%s' % archive, 'ADE_SHA1': _digest('sha1', archive)}
  # As a run that was interrupted left it: some files, and the mark that more are missing.
  (work_dir / 'ADEChallengeData2016' / 'images').mkdir(parents=True)
  (work_dir / '.unpacking-ADEChallengeData2016.zip').write_text('')
  code, log = _run('download_and_convert_ade20k.sh', work_dir, **env)
  assert code == 0, log
  assert '== downloading file://' in log and '== unpacking' in log
  assert _num_records(work_dir / 'tfrecord') == {'train': 7, 'val': 2}
  shards = {path: path.stat().st_mtime_ns for path in (work_dir / 'tfrecord').glob('*.tfrecord')}
  archive.unlink()
  (work_dir / 'ADEChallengeData2016.zip').unlink()
  code, log = _run('download_and_convert_ade20k.sh', work_dir, **env)
  assert code == 0, log
  assert '== downloading' not in log and '== unpacking' not in log
  assert len(shards) == 6 and shards == {path: path.stat().st_mtime_ns for path in shards}


def test_cityscapes_tells_which_archives_go_where_and_then_builds(tmp_path):
  source, work_dir = tmp_path / 'source', tmp_path / 'work'
  ids = tiny_trees.make_cityscapes(source)
  work_dir.mkdir()
  _pack(work_dir / 'leftImg8bit_trainvaltest.zip', source, 'leftImg8bit')
  code, log = _run('convert_cityscapes.sh', work_dir)
  assert code == 1
  assert 'not complete in %s; missing: gtFine_trainvaltest.zip\n' % work_dir in log
  assert 'https://www.cityscapes-dataset.com/downloads' in log
  assert "run again: sh datasets/convert_cityscapes.sh '%s'" % work_dir in log
  assert os.listdir(str(work_dir)) == ['leftImg8bit_trainvaltest.zip']
  _pack(work_dir / 'gtFine_trainvaltest.zip', source, 'gtFine')
  code, log = _run('convert_cityscapes.sh', work_dir)
  assert code == 0, log
  assert _num_records(work_dir / 'tfrecord') == {'train': 3, 'val': 1}
  _check_labels(work_dir / 'tfrecord', 'train', ids)


@pytest.mark.parametrize('script, variable, name, rerun', [
    ('download_and_convert_voc2012.sh', 'VOC_URL', 'VOCtrainval_11-May-2012.tar',
     'WITH_SBD=1 sh datasets/download_and_convert_voc2012.sh'),
    ('download_and_convert_ade20k.sh', 'ADE_URL', 'ADEChallengeData2016.zip',
     'sh datasets/download_and_convert_ade20k.sh'),
])
def test_without_network_the_script_stops_with_the_steps_by_hand(
    tmp_path, script, variable, name, rerun):
  env = {variable: 'http://127.0.0.1:9/x'}
  if 'WITH_SBD' in rerun:
    env['WITH_SBD'] = '1'
    pytest.importorskip('scipy')
  code, log = _run(script, tmp_path / 'work', no_proxy='*', **env)
  assert code == 1
  assert 'put it at %s' % (tmp_path / 'work' / name) in log
  assert log.endswith("run again: %s '%s'\n" % (rerun, tmp_path / 'work'))


def test_an_archive_that_leads_out_of_the_folder_stops_the_script(tmp_path):
  (tmp_path / 'evil').write_text('x')
  with tarfile.open(str(tmp_path / 'voc.tar'), 'w') as archive:
    archive.add(str(tmp_path / 'evil'), '../evil2')
  code, log = _run('download_and_convert_voc2012.sh', tmp_path / 'work',
                   VOC_URL='file://%s' % (tmp_path / 'voc.tar'),
                   VOC_MD5=_digest('md5', tmp_path / 'voc.tar'))
  assert code == 1 and "'../evil2' leads out of the folder" in log
  assert not (tmp_path / 'evil2').exists()
