"""Tests of ONNX files."""
import importlib
import sys
import types

import numpy as np
import pytest

from deeplab import model
from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.deployment import opened_models
from deeplab.deployment.formats import onnx
from deeplab.deployment.graphs import freezing, record
from deeplab.testing import tiny_run

pytestmark = pytest.mark.usefixtures('shallow_network')


def require_packages():
  if IS_TF1:
    pytest.skip('ONNX files need TensorFlow 2')
  for name in ('tf2onnx', 'onnx', 'onnxruntime'):
    pytest.importorskip(name)


@pytest.fixture(scope='module')
def opened(tmp_path_factory):
  require_packages()
  folder = tmp_path_factory.mktemp('onnx')
  image = tiny_run.make_samples([tiny_run.CROP])[0].image
  checkpoint = tiny_run.write_checkpoint(folder, image)
  frozen, _ = freezing.freeze(checkpoint, tiny_run.MODEL_OPTIONS, model.predict_labels)
  onnx.write(frozen, str(folder / 'm.onnx'))
  return checkpoint, opened_models.open_exported(str(folder / 'm.onnx'))


def test_pictures_of_several_sizes_are_labelled_as_by_the_checkpoint(opened):
  checkpoint, session = opened
  samples = tiny_run.make_samples()
  expected = tiny_run.predict(checkpoint, samples, 127.5)
  for sample, labels in zip(samples, expected):
    found, none = session.predict(sample.image[np.newaxis])
    assert none is None
    assert found.dtype == np.int32
    assert found.shape == (1,) + sample.label.shape
    assert np.mean(found[0] == labels) > 0.99


def test_operations_without_counterpart_are_told(tmp_path):
  require_packages()
  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.uint8, [1, None, None, 3], name=record.INPUT_NAME)
    large = tf.image.rgb_to_hsv(tf.cast(images, tf.float32))
    tf.cast(large[..., 0], tf.int32, name=record.OUTPUT_NAME)
    graph_def = graph.as_graph_def()
  with pytest.raises(ValueError, match='lacks: RGBToHSV'):
    onnx.write(graph_def, str(tmp_path / 'm.onnx'))
  assert not list(tmp_path.iterdir())


def test_fake_quantisation_is_told(tmp_path):
  require_packages()
  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.uint8, [1, None, None, 3], name=record.INPUT_NAME)
    rounded = tf.quantization.fake_quant_with_min_max_vars(
        tf.cast(images, tf.float32), -3., 250., narrow_range=True)
    tf.cast(rounded[..., 0], tf.int32, name=record.OUTPUT_NAME)
    graph_def = graph.as_graph_def()
  with pytest.raises(ValueError, match='lacks: FakeQuantWithMinMaxVars'):
    onnx.write(graph_def, str(tmp_path / 'm.onnx'))
  assert not list(tmp_path.iterdir())


def test_files_that_are_no_model_are_told(tmp_path):
  require_packages()
  (tmp_path / 'm.onnx').write_bytes(b'no model')
  with pytest.raises(ValueError, match='m.onnx cannot be used as an ONNX model: '):
    onnx.OnnxModel(str(tmp_path / 'm.onnx'))


class FailingSession(object):
  """Stands for onnxruntime.InferenceSession: fails on images of other sizes than 8x8."""

  def __init__(self, *unused_args, **unused_options):
    pass

  def run(self, unused_names, feeds):
    images = feeds[onnx.INPUT_NAME]
    if images.shape[1:3] != (8, 8):
      raise RuntimeError('[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got 9 Expected: 8.\n '
                         'Please fix.')
    return [images[..., 0].astype(np.int32)]


def test_images_that_a_model_fails_on_are_told_in_a_line(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'onnxruntime',
                      types.SimpleNamespace(InferenceSession=FailingSession))
  (tmp_path / 'm.onnx').write_bytes(b'model')
  session = opened_models.open_exported(str(tmp_path / 'm.onnx'))
  assert session.predict(np.full((1, 8, 8, 3), 7, np.uint8))[0].tolist() == [[[7] * 8] * 8]
  with pytest.raises(ValueError) as caught:
    session.predict(np.zeros((1, 8, 9, 3), np.uint8))
  assert str(caught.value) == ('The model fails on 1 image(s) of 8x9: [ONNXRuntimeError] : 2 : '
                               'INVALID_ARGUMENT : Got 9 Expected: 8.')


def test_package_that_is_missing_is_told(monkeypatch):
  def fail(name):
    raise ImportError('No module named %r' % name)

  monkeypatch.setattr(importlib, 'import_module', fail)
  with pytest.raises(ValueError, match=r'package tf2onnx .*pip install "deeplab\[onnx\]"'):
    onnx.check_installed()
