"""Tests of writing a checkpoint in several formats, all or none."""
import functools
import os

import numpy as np
import pytest

from deeplab import model
from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.deployment import opened_models
from deeplab.deployment.exporting import checked_export, comparison
from deeplab.deployment.exporting import formats as export_formats
from deeplab.deployment.graphs import freezing
from deeplab.deployment.graphs import record as exported
from deeplab.testing import slow, tiny_run

pytestmark = [slow.only_if_asked, pytest.mark.usefixtures('shallow_network')]

NUM_CLASSES = len(tiny_run.CLASS_NAMES)
needs_tf2 = pytest.mark.skipif(IS_TF1, reason='ONNX files need TensorFlow 2')


@pytest.fixture(scope='module')
def picture():
  return tiny_run.make_samples([tiny_run.CROP])[0].image


@pytest.fixture(scope='module')
def checkpoint(picture, tmp_path_factory):
  return tiny_run.write_checkpoint(tmp_path_factory.mktemp('run'), picture)


@pytest.fixture
def source(checkpoint, picture):
  return export_formats.Source(checkpoint, tiny_run.MODEL_OPTIONS, model.predict_labels,
                               pictures=[picture, picture[:40, :50]])


def test_all_formats_are_written_and_label_as_the_checkpoint_does(source, tmp_path):
  formats = [export_formats.FROZEN, export_formats.SAVED_MODEL, export_formats.TFLITE]
  written = checked_export.export_all(
      formats, str(tmp_path / 'new' / 'model'), source,
      text_graph_path=str(tmp_path / 'new' / 'graph.pbtxt'), content={'class_names': ['a']})
  assert [row.path for row in written] == [
      str(tmp_path / 'new' / name) for name in ('model.pb', 'model_saved_model',
                                                'model.tflite')]
  assert sorted(os.listdir(str(tmp_path / 'new'))) == [
      'export.json', 'graph.pbtxt', 'model.pb', 'model.tflite', 'model_saved_model']
  record = exported.read_record(written[0].path)
  assert record['graph'] == 'model.pb'
  assert {name: entry['format'] for name, entry in record['models'].items()} == {
      'model.pb': 'frozen', 'model_saved_model/saved_model.pb': 'savedmodel',
      'model.tflite': 'tflite'}
  inside = exported.read_record(written[1].path)
  assert inside['class_names'] == ['a']
  assert list(inside['models']) == ['saved_model.pb']
  for row in written:
    assert row.entry['equal_pixels'] > 0.99
    assert row.entry['pictures'] == 2
  assert [row.entry['batch_size'] for row in written] == [1, None, 1]
  assert [row.entry['input_size'] for row in written] == [None, None, list(tiny_run.CROP)]
  assert written[2].entry['kind'] == 'float32'
  text = (tmp_path / 'new' / 'graph.pbtxt').read_text()
  assert 'name: "%s"' % exported.OUTPUT_NAME in text
  assert 'VariableV2' in text or 'VarHandleOp' in text


@pytest.mark.parametrize('fields, message', [
    ({'model_options': tiny_run.MODEL_OPTIONS._replace(crop_size=None)}, 'give --crop_size'),
    ({'options': freezing.ExportOptions(resized_size=lambda size: size)},
     'leave --min_resize_value out'),
    ({'tflite_kind': 'int8'}, 'give --dataset_dir'),
    ({'model_options': tiny_run.MODEL_OPTIONS._replace(
        outputs_to_num_classes={'semantic': 7})}, 'another number of classes'),
])
def test_nothing_is_left_of_what_cannot_be_exported(source, tmp_path, fields, message):
  with pytest.raises(ValueError, match=message):
    checked_export.export_all(['frozen', 'tflite'], str(tmp_path / 'a' / 'b' / 'model'),
                              source._replace(**fields))
  assert os.listdir(str(tmp_path)) == []


def test_nothing_is_left_of_models_that_label_differently(source, tmp_path, monkeypatch):
  (tmp_path / 'model.pb').write_bytes(b'earlier')
  labels = comparison.checkpoint_labels
  monkeypatch.setattr(comparison, 'checkpoint_labels', lambda *arguments: [
      (array + 1) % NUM_CLASSES for array in labels(*arguments)])
  with pytest.raises(ValueError, match=r'frozen: 0.00 % of the pixels of 2 pictures of the '
                                       r'dataset .*at least 99 % should. Nothing was written'):
    checked_export.export_all(['frozen'], str(tmp_path / 'model.pb'), source)
  assert (tmp_path / 'model.pb').read_bytes() == b'earlier'
  assert os.listdir(str(tmp_path)) == ['model.pb']


def test_mean_iou_is_scored_and_may_not_fall(source, tmp_path):
  scores = iter([0.50, 0.51])
  labelled = source._replace(score=lambda labels: next(scores), pictures=list(source.pictures) * 10)
  with pytest.raises(ValueError, match=r'20 pictures .*; mean IoU 50.00 %, of the checkpoint '
                                       r'51.00 %; it may fall by 0.5 points'):
    checked_export.export_all(['frozen'], str(tmp_path / 'model.pb'), labelled)
  assert os.listdir(str(tmp_path)) == []
  written, = checked_export.export_all(['frozen'], str(tmp_path / 'model.pb'), source._replace(
      score=lambda labels: float(np.mean([array.mean() for array in labels]))))
  assert written.entry['miou'] == pytest.approx(written.entry['checkpoint_miou'], rel=0.01)
  assert written.entry['miou'] > 0


def test_tflite_files_compare_at_the_size_of_the_pictures(source, picture, tmp_path):
  shapes = []

  def score(labels):
    shapes.append([array.shape for array in labels])
    return 0.5

  larger = np.tile(picture, (2, 1, 1))
  written, = checked_export.export_all(['tflite'], str(tmp_path / 'm.tflite'), source._replace(
      score=score, pictures=[larger, picture[:20, :30]]))
  assert shapes == [[larger.shape[:2], (20, 30)]] * 2
  assert written.entry['equal_pixels'] > 0.99


def test_earlier_models_make_way_and_other_folders_stay(source, tmp_path):
  path = str(tmp_path / 'model')
  write = functools.partial(checked_export.export_all, ['savedmodel'], path, source)
  write()
  (tmp_path / 'model' / 'more').write_text('')
  write()
  assert not (tmp_path / 'model' / 'more').exists()
  (tmp_path / 'model' / 'saved_model.pb').unlink()
  (tmp_path / 'model' / 'mine').write_text('')
  with pytest.raises(ValueError, match='there is a folder of that name'):
    write()
  assert (tmp_path / 'model' / 'mine').exists()
  assert os.listdir(str(tmp_path)) == ['model']


def test_folder_that_cannot_be_made_is_told(source, tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(ValueError, match='file/x/graph.pb cannot be written: '):
    checked_export.export_all(['frozen'], str(tmp_path / 'file' / 'x' / 'graph.pb'), source)


def test_drawn_pictures_check_where_there_is_no_dataset(source, tmp_path):
  written, = checked_export.export_all(['frozen'], str(tmp_path / 'model.pb'),
                                       source._replace(pictures=()))
  assert written.entry['pictures'] == 'drawn'
  assert written.entry['equal_pixels'] > 0.99


@pytest.mark.parametrize('kind', ['int8', 'qat'])
def test_8_bit_files_tell_how_they_compare(checkpoint, picture, source, tmp_path, kind):
  model_options = tiny_run.MODEL_OPTIONS
  if kind == 'qat':
    model_options = model_options._replace(quantize_delay_step=0)
    checkpoint = tiny_run.write_checkpoint(tmp_path / 'run', picture, model_options)
    with tf.Graph().as_default(), tf.Session() as session:
      model.predict_labels(tf.constant(picture[np.newaxis].astype(np.float32)), model_options)
      saver = tf.train.Saver()
      saver.restore(session, checkpoint)
      for variable in tf.global_variables():
        if variable.op.name.endswith('/min'):
          variable.load(-6.0, session)
        elif variable.op.name.endswith('/max'):
          variable.load(6.0, session)
      saver.save(session, checkpoint)
  source = source._replace(
      checkpoint=checkpoint, model_options=model_options, tflite_kind=kind, pictures=(),
      representative_images=lambda: [picture])
  written, = checked_export.export_all(['tflite'], str(tmp_path / 'm.tflite'), source)
  assert written.entry['kind'] == kind
  assert 0 < written.entry['equal_pixels'] <= 1
  opened = opened_models.open_exported(str(tmp_path / 'm.tflite'))
  assert opened.predict(picture[np.newaxis])[0].shape == (1,) + tiny_run.CROP


@needs_tf2
def test_onnx_file_labels_as_the_checkpoint_does(source, tmp_path):
  pytest.importorskip('tf2onnx')
  pytest.importorskip('onnxruntime')
  written, = checked_export.export_all(['onnx'], str(tmp_path / 'm.onnx'), source)
  assert written.entry['equal_pixels'] > 0.99
