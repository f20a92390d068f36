"""Tests of drawing class ids with an exported model, run as its users run it."""
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from deeplab.core.tf_compat import tf

_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'build_part_labels.py')


@pytest.fixture(scope='module', name='model')
def write_model(tmp_path_factory):
  """Writes a frozen graph whose label is the red value divided by 29; returns its path."""
  with tf.Graph().as_default() as graph:
    image = tf.placeholder(tf.uint8, [1, None, None, 3], name='ImageTensor')
    tf.identity(tf.cast(image[..., 0], tf.int32) // 29, name='SemanticPredictions')
  path = str(tmp_path_factory.mktemp('model') / 'frozen.pb')
  with open(path, 'wb') as f:
    f.write(graph.as_graph_def().SerializeToString())
  return path


def _run(model, folder, paths, *flags):
  """Returns the exit code and what the script told."""
  process = subprocess.Popen(
      [sys.executable, _SCRIPT, '--model=' + model, '--output_dir=%s' % folder] + list(flags),
      stdin=subprocess.PIPE, stderr=subprocess.PIPE)
  _, log = process.communicate('\n'.join(paths).encode('utf-8'))
  return process.returncode, log.decode('utf-8')


def test_a_large_picture_has_labels_of_its_own_size_and_one_that_is_none_is_skipped(
    tmp_path, model):
  pixels = np.zeros((3, 1400, 3), np.uint8)
  pixels[:, 700:] = 3 * 29 + 5
  Image.fromarray(pixels).save(str(tmp_path / 'été.png'))
  (tmp_path / 'broken.png').write_bytes(b'no picture')
  code, log = _run(model, tmp_path / 'parts', [
      str(tmp_path / name) for name in ('broken.png', 'été.png')], '--on_error=skip')
  assert code == 0, log
  assert 'broken.png cannot be decoded' in log
  assert '1 of 2 images have part labels in %s' % (tmp_path / 'parts') in log
  assert os.listdir(str(tmp_path / 'parts')) == ['été.png']
  with Image.open(str(tmp_path / 'parts' / 'été.png')) as labels:
    np.testing.assert_array_equal(np.asarray(labels), pixels[..., 0] // 29)


def test_no_paths_are_one_line(tmp_path, model):
  code, log = _run(model, tmp_path / 'parts', [])
  assert code == 1
  assert log.splitlines()[-1] == (
      'build_part_labels.py: error: There are no paths on standard input.')
  assert not (tmp_path / 'parts').exists()
