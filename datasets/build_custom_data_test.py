"""Tests of the script that builds any folder pair, run as its users run it."""
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import dataset_info, example, registry

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CAMVID = os.path.join(os.path.dirname(_ROOT), 'shared', 'data', 'camvid')


def _run(*args):
  """Runs the script from the repository root; returns exit code and last line of stderr."""
  process = subprocess.Popen(
      [sys.executable, os.path.join('datasets', 'build_custom_data.py')] + list(args),
      cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  _, err = process.communicate()
  lines = err.decode('utf-8').strip().splitlines()
  return process.returncode, lines[-1] if lines else ''


def _make_pairs(folder, count, highest=2):
  for kind in ('images', 'labels'):
    (folder / kind).mkdir(parents=True)
  for i in range(count):
    Image.fromarray(np.full((6, 8, 3), 40 * i, np.uint8)).save(
        str(folder / 'images' / ('b %d.jpg' % i)))
    Image.fromarray(np.full((6, 8), i % (highest + 1), np.uint8)).save(
        str(folder / 'labels' / ('b %d.png' % i)))
  return ['--image_dir=%s' % (folder / 'images'), '--label_dir=%s' % (folder / 'labels')]


def test_two_splits_become_one_described_dataset(tmp_path):
  out = str(tmp_path / 'mydata')
  (tmp_path / 'classes.csv').write_text('name,r,g,b\nsky,1,2,3\nroad,4,5,6\ncar,7,8,9\n')
  (tmp_path / 'val.txt').write_text('b 2\nb 0\n')
  pairs = _make_pairs(tmp_path / 'raw', 5)
  common = pairs + ['--output_dir=' + out, '--num_classes=3', '--num_shards=2',
                    '--num_processes=1']
  code, line = _run('--class_names=%s' % (tmp_path / 'classes.csv'), *common)
  assert code == 0, line
  assert "Split 'train' of dataset 'mydata': 5 records in 2 shards" in line
  code, line = _run('--split=val', '--split_list=%s' % (tmp_path / 'val.txt'), *common)
  assert code == 0, line
  row = registry.resolve(None, out)
  assert row == registry.DatasetDescriptor(
      {'train': 5, 'val': 2}, 3, 255, ['sky', 'road', 'car'],
      [[1, 2, 3], [4, 5, 6], [7, 8, 9]], None, 'mydata')
  names = [example.record_name(record) for path in registry.split_files(out, 'val')
           for record in example.read_records(path)]
  assert names == ['b 2', 'b 0']


def test_a_label_out_of_range_is_one_line_and_no_dataset(tmp_path):
  pairs = _make_pairs(tmp_path / 'raw', 4)
  code, line = _run('--output_dir=%s' % (tmp_path / 'out'), '--num_classes=2', *pairs)
  assert code == 1
  assert line.startswith("build_custom_data.py: error: Record 'b 2': ")
  assert 'b 2.png: label values 2 (48 pixels); expected 0..1, or 255' in line
  assert dataset_info.read(str(tmp_path / 'out')) is None


@pytest.mark.parametrize('args, message', [
    (['--image_dir=i', '--output_dir=o'], '--num_classes'),
    (['--image_dir=i', '--output_dir=o', '--num_classes=2'], '--label_dir is required'),
    (['--image_dir=absent', '--label_dir=absent', '--output_dir=o', '--num_classes=2'],
     "'absent' does not exist"),
])
def test_unusable_command_lines_are_one_line(args, message):
  code, line = _run(*args)
  assert code != 0
  assert message in line


@pytest.mark.skipif(not os.path.isdir(_CAMVID), reason='no ../shared/data/camvid')
def test_camvid_builds_with_one_command_per_split(tmp_path):
  out = str(tmp_path / 'camvid')
  for split in ('train', 'val'):
    code, line = _run(
        '--image_dir=' + os.path.join(_CAMVID, split),
        '--label_dir=' + os.path.join(_CAMVID, split + 'annot'),
        '--output_dir=' + out, '--num_classes=11', '--ignore_label=11', '--split=' + split)
    assert code == 0, line
  info = dataset_info.read(out)
  assert {s: i.num_examples for s, i in info.splits.items()} == {'train': 90, 'val': 30}
  assert info.splits['val'].image_sizes['max'] == [360, 480]
  assert info.splits['val'].num_ignored_pixels == 84134
