"""Tests of SavedModels in the hands of plain TensorFlow and of TensorFlow Serving's tool."""
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from deeplab import model
from deeplab.core.tf_compat import IS_TF1
from deeplab.deployment.formats import saved_model
from deeplab.deployment.graphs import freezing
from deeplab.testing import tiny_run

pytestmark = pytest.mark.usefixtures('shallow_network')


@pytest.fixture(scope='module')
def images():
  first, second = tiny_run.make_samples([tiny_run.CROP, tiny_run.CROP])
  return np.stack([first.image, second.image])


@pytest.fixture(scope='module')
def checkpoint(images, tmp_path_factory):
  return tiny_run.write_checkpoint(tmp_path_factory.mktemp('run'), images[0])


@pytest.fixture(scope='module')
def folder(checkpoint, tmp_path_factory):
  path = str(tmp_path_factory.mktemp('export') / 'saved')
  frozen, _ = freezing.freeze(
      checkpoint, tiny_run.MODEL_OPTIONS, model.predict_labels,
      freezing.ExportOptions(batch_size=None, with_probabilities=True))
  saved_model.write(frozen, path)
  return path


@pytest.fixture(scope='module')
def expected(checkpoint, images):
  samples = [tiny_run.Sample('', image, image[..., 0]) for image in images]
  return np.stack(tiny_run.predict(checkpoint, samples, 127.5))


def check(labels, probabilities, expected):
  assert labels.dtype == np.int32
  assert np.mean(labels == expected) > 0.999
  assert probabilities.shape == expected.shape + (len(tiny_run.CLASS_NAMES),)
  np.testing.assert_allclose(probabilities.sum(axis=3), 1, rtol=1e-5)
  assert np.mean(probabilities.argmax(axis=3) == expected) > 0.999


def test_command_line_tool_of_tensorflow_runs_it(folder, images, expected, tmp_path):
  tool = os.path.join(os.path.dirname(sys.executable), 'saved_model_cli')
  if not os.path.exists(tool):
    pytest.skip('saved_model_cli is not installed')
  np.save(str(tmp_path / 'images.npy'), images)
  command = [tool, 'run', '--dir', folder, '--tag_set', 'serve', '--signature_def',
             'serving_default', '--inputs', 'images=%s/images.npy' % tmp_path,
             '--outdir', str(tmp_path / 'out')]
  process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
  assert process.returncode == 0, process.stdout.decode('utf-8', 'replace')[-2000:]
  check(np.load(str(tmp_path / 'out' / 'labels.npy')),
        np.load(str(tmp_path / 'out' / 'probabilities.npy')), expected)


@pytest.mark.skipif(IS_TF1, reason='tf.saved_model.load is of TensorFlow 2')
def test_plain_tensorflow_2_loads_and_runs_it(folder, images, expected, tmp_path):
  np.save(str(tmp_path / 'images.npy'), images)
  program = textwrap.dedent("""
      import sys
      import numpy as np
      import tensorflow as tf
      loaded = tf.saved_model.load(sys.argv[1])
      images = np.load(sys.argv[2] + '/images.npy')
      outputs = loaded.signatures['serving_default'](images=tf.constant(images))
      for name, value in outputs.items():
        np.save(sys.argv[2] + '/' + name + '.npy', value.numpy())
      """)
  subprocess.run([sys.executable, '-c', program, folder, str(tmp_path)], check=True,
                 stderr=subprocess.DEVNULL)
  check(np.load(str(tmp_path / 'labels.npy')), np.load(str(tmp_path / 'probabilities.npy')),
        expected)
