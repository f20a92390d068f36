"""Runs the demo notebook on a tiny model, in an archive as published models come."""
import base64
import io
import json
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from deeplab import model
from deeplab.core.storage import files
from deeplab.deployment.graphs import freezing, record
from deeplab.testing import slow, tiny_run
from deeplab.utils.pictures import drawing

pytestmark = slow.only_if_asked_on_tf1

nbclient = pytest.importorskip('nbclient')
nbformat = pytest.importorskip('nbformat')
pytest.importorskip('ipykernel')

_NOTEBOOK = os.path.join(tiny_run.ROOT, 'deeplab_demo.ipynb')
_TIMEOUT_SECS = 300
_SAMPLES = tiny_run.make_samples([(33, 41), tiny_run.CROP])


@pytest.fixture(scope='module', name='run')
def make_run(tmp_path_factory):
  """A folder with a checkpoint, its graph in zoo.tar.gz, and pictures."""
  folder = tmp_path_factory.mktemp('demo')
  checkpoint = tiny_run.write_checkpoint(folder, _SAMPLES[1].image)
  frozen, _ = freezing.freeze(checkpoint, tiny_run.MODEL_OPTIONS, model.predict_labels)
  path = folder / 'frozen_inference_graph.pb'
  files.write_bytes(str(path), frozen.SerializeToString())
  record.write_record(str(path), {
      'class_names': tiny_run.CLASS_NAMES, 'colormap': tiny_run.COLORMAP,
      'num_classes': len(tiny_run.CLASS_NAMES), 'flags': {}})
  with tarfile.open(str(folder / 'zoo.tar.gz'), 'w:gz') as archive:
    for name in (path.name, record.RECORD_FILE_NAME):
      archive.add(str(folder / name), 'zoo/' + name)
  (folder / 'pictures').mkdir()
  for index, sample in enumerate(_SAMPLES):
    Image.fromarray(sample.image).save(str(folder / 'pictures' / ('%d.png' % index)))
  return folder, checkpoint


def _execute(folder, **settings):
  """Returns the outputs of all cells, run in a folder with environment variables set."""
  notebook = nbformat.read(_NOTEBOOK, as_version=4)
  client = nbclient.NotebookClient(notebook, timeout=_TIMEOUT_SECS, kernel_name='python3',
                                   startup_timeout=_TIMEOUT_SECS,
                                   resources={'metadata': {'path': str(folder)}})
  client.execute(env=dict(os.environ, **settings))
  return [output for cell in notebook.cells for output in cell.get('outputs', [])]


def test_pictures_are_shown_with_their_classes_and_a_legend(run):
  folder, checkpoint = run
  outputs = _execute(folder, DEEPLAB_MODEL='zoo.tar.gz', DEEPLAB_PICTURES='pictures')
  text = ''.join(output.text for output in outputs if output.output_type == 'stream'
                 and output.name == 'stdout')
  assert 'Classes: ground, tree, house, sky' in text
  shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(output.data['image/png']))))
           for output in outputs if output.output_type == 'display_data']
  expected = tiny_run.predict(checkpoint, _SAMPLES, 127.5)
  assert len(shown) == len(_SAMPLES)
  for pixels, sample, labels in zip(shown, _SAMPLES, expected):
    drawn = np.asarray(drawing.side_by_side(
        sample.image, labels, np.array(tiny_run.COLORMAP), tiny_run.CLASS_NAMES))
    assert pixels.shape == drawn.shape
    assert np.mean((pixels == drawn).all(axis=2)) > 0.99
  labels = np.concatenate([array.ravel() for array in expected])
  most = np.bincount(labels).argmax()
  assert '%-20s %5.1f %%' % (tiny_run.CLASS_NAMES[most], 100 * np.mean(labels == most)) in text


def test_model_that_is_missing_is_told(tmp_path):
  with pytest.raises(nbclient.exceptions.CellExecutionError, match='run `sh local_test.sh`'):
    _execute(tmp_path, DEEPLAB_MODEL='')


def test_notebook_is_stored_without_outputs():
  with open(_NOTEBOOK, encoding='utf-8') as stream:
    notebook = json.load(stream)
  code = [cell for cell in notebook['cells'] if cell['cell_type'] == 'code']
  assert code
  assert all(cell['outputs'] == [] and cell['execution_count'] is None for cell in code)
