"""Exports of one TensorFlow open in the other: frozen graph, SavedModel and graph as text."""
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from deeplab import model
from deeplab.core.tf_compat import IS_TF1
from deeplab.deployment import opened_models
from deeplab.deployment.exporting import checked_export, formats
from deeplab.testing import tiny_run

pytestmark = pytest.mark.usefixtures('shallow_network')

_PROGRAM = textwrap.dedent("""
    import sys
    import numpy as np
    from google.protobuf import text_format
    from deeplab.core.tf_compat import tf
    from deeplab.deployment import opened_models
    folder = sys.argv[1]
    images = np.load(folder + '/images.npy')
    np.save(folder + '/labels.npy', [
        opened_models.open_exported(folder + name).predict(images)[0]
        for name in ('/model.pb', '/model_saved_model')])
    with open(folder + '/graph.pbtxt') as f, tf.Graph().as_default():
      tf.import_graph_def(text_format.Parse(f.read(), tf.GraphDef()), name='')
    """)


def other_python():
  """Returns the Python of the other lane's environment, beside that of this one; or skips."""
  environment = os.path.dirname(os.path.dirname(sys.executable))
  path = os.path.join(os.path.dirname(environment), '.venv-tf2' if IS_TF1 else '.venv-tf1',
                      'bin', 'python')
  if not os.path.exists(path):
    pytest.skip('%s is not there: the environments of both lanes are needed' % path)
  return path


def test_the_other_tensorflow_labels_alike(tmp_path):
  python = other_python()
  image = tiny_run.make_samples([tiny_run.CROP])[0].image
  checkpoint = tiny_run.write_checkpoint(tmp_path, image)
  checked_export.export_all(
      ['frozen', 'savedmodel'], str(tmp_path / 'model'),
      formats.Source(checkpoint, tiny_run.MODEL_OPTIONS, model.predict_labels),
      text_graph_path=str(tmp_path / 'graph.pbtxt'))
  np.save(str(tmp_path / 'images.npy'), image[np.newaxis])
  process = subprocess.run(
      [python, '-c', _PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
      env=dict(os.environ, PYTHONPATH=os.path.dirname(tiny_run.ROOT)))
  assert process.returncode == 0, process.stdout.decode('utf-8', 'replace')[-2000:]
  expected, _ = opened_models.open_exported(str(tmp_path / 'model.pb')).predict(image[np.newaxis])
  assert len(np.unique(expected)) > 1
  for labels in np.load(str(tmp_path / 'labels.npy')):
    assert np.mean(labels == expected) > 0.999
