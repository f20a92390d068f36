"""Tests of running exported graphs on numpy images."""
import concurrent.futures
import json
import tarfile

import numpy as np
import pytest

from deeplab.core.storage import files
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.deployment import inference
from deeplab.deployment.formats import tflite_converter
from deeplab.deployment.graphs import record as exported
from deeplab.testing import tiny_run


def write_graph(path, output_name=exported.OUTPUT_NAME):
  """Writes a graph whose labels are red // 100, for images of any size."""
  with tf.Graph().as_default() as graph:
    image = tf.placeholder(tf.uint8, [1, None, None, 3], name=exported.INPUT_NAME)
    tf.cast(image[..., 0] // 100, tf.int32, name=output_name)
    path.write_bytes(graph.as_graph_def().SerializeToString())
  return str(path)


def image_of(red, height=4, width=6):
  return np.full([height, width, 3], [red, 7, 9], np.uint8)


def test_images_of_different_sizes_are_labelled(tmp_path):
  with inference.Segmenter(write_graph(tmp_path / 'graph.pb')) as segmenter:
    masks = segmenter.run([image_of(250), image_of(50, 3, 5)])
  np.testing.assert_array_equal(masks[0], np.full([4, 6], 2))
  np.testing.assert_array_equal(masks[1], np.full([3, 5], 0))
  assert masks[0].dtype == np.int32


def test_tflite_files_of_others_label_pictures(tmp_path):
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(tf.float32, [1, 8, 8, 3])
    converter = tf.lite.TFLiteConverter.from_session(
        session, [images], [tf.nn.softmax(tf.nn.avg_pool2d(images, 2, 2, 'VALID'))])
    (tmp_path / 'other.tflite').write_bytes(tflite_converter.run_converter(converter))
  with inference.Segmenter(str(tmp_path / 'other.tflite')) as segmenter:
    assert not segmenter.has_probabilities and not segmenter.takes_batches
    for image in (image_of(250), image_of(250, 8, 8), image_of(250, 30, 17)):
      labels, = segmenter.run([image])
      assert labels.dtype == np.int32
      np.testing.assert_array_equal(labels, np.zeros(image.shape[:2]))


def test_threads_share_a_segmenter(tmp_path):
  reds = [0, 100, 200] * 10
  with inference.Segmenter(write_graph(tmp_path / 'graph.pb')) as segmenter, \
       concurrent.futures.ThreadPoolExecutor(4) as threads:
    masks = list(threads.map(lambda red: segmenter.run([image_of(red)])[0], reds))
  assert [mask[0, 0] for mask in masks] == [red // 100 for red in reds]


def test_names_and_colours_come_from_the_record_of_the_graph(tmp_path, caplog):
  path = write_graph(tmp_path / 'graph.pb')
  plain = inference.Segmenter(path)
  assert plain.class_names is None and plain.class_name(2) == 'class 2'
  assert plain.colormap.tolist()[1] == [128, 0, 0]
  exported.write_record(path, {'class_names': ['sky', 'road'], 'colormap': [[1, 2, 3], [4, 5, 6]]})
  named = inference.Segmenter(path)
  assert [named.class_name(i) for i in range(3)] == ['sky', 'road', 'class 2']
  assert named.colormap.tolist()[:2] == [[1, 2, 3], [4, 5, 6]]
  assert named.colormap.shape == (256, 3)
  with open(path, 'ab') as f:
    f.write(b'')
  other = write_graph(tmp_path / 'other.pb', exported.OUTPUT_NAME)
  with open(other, 'ab') as f:  # an empty library field: another file, the same graph
    f.write(b'\x12\x00')
  with caplog.at_level('WARNING'):
    assert inference.Segmenter(other).class_names is None
  assert 'is of another model than' in caplog.text


def test_archive_is_opened_with_its_record(tmp_path):
  path = write_graph(tmp_path / 'frozen_inference_graph.pb')
  exported.write_record(path, {'class_names': ['sky', 'road']})
  with tarfile.open(str(tmp_path / 'zoo.tar.gz'), 'w:gz') as archive:
    for name in ('frozen_inference_graph.pb', 'export.json'):
      archive.add(str(tmp_path / name), 'zoo/' + name)
      (tmp_path / name).unlink()
  with inference.Segmenter(str(tmp_path / 'zoo.tar.gz')) as segmenter:
    assert segmenter.class_names == ['sky', 'road']
    np.testing.assert_array_equal(segmenter.run([image_of(120)])[0], np.full([4, 6], 1))


@pytest.mark.parametrize('image', [
    np.zeros([4, 4], np.uint8), np.zeros([4, 4, 4], np.uint8), np.zeros([4, 4, 3]),
    np.zeros([0, 4, 3], np.uint8)])
def test_other_arrays_are_refused(tmp_path, image):
  with inference.Segmenter(write_graph(tmp_path / 'graph.pb')) as segmenter:
    with pytest.raises(ValueError, match='must be a .* uint8 RGB array, got '):
      segmenter.run([image])


def test_files_that_are_no_exported_graph_are_named(tmp_path):
  with pytest.raises(ValueError, match='Cannot read the model .*absent.pb'):
    inference.Segmenter(str(tmp_path / 'absent.pb'))
  (tmp_path / 'text.pb').write_text('no graph')
  with pytest.raises(ValueError, match='text.pb is not a frozen graph'):
    inference.Segmenter(str(tmp_path / 'text.pb'))
  with tf.Graph().as_default() as graph:
    tf.identity(tf.placeholder(tf.float32, [1, 3, 9, 9], name='other'), name='same')
  (tmp_path / 'other.pb').write_bytes(graph.as_graph_def().SerializeToString())
  with pytest.raises(ValueError, match=r'other.pb must have one input that takes images.*; its '
                                       r'inputs: other float32 \[1, 3, 9, 9\]. convert_to_tflite'):
    inference.Segmenter(str(tmp_path / 'other.pb'))


def test_a_model_that_may_not_be_read_is_named(tmp_path, monkeypatch):
  path = write_graph(tmp_path / 'graph.pb')

  def refuse(path_read):
    raise PermissionError(13, 'Permission denied') if path_read == path else FileNotFoundError()

  monkeypatch.setattr(files, 'read_bytes', refuse)
  with pytest.raises(ValueError, match='Cannot read the model .*graph.pb: Permission denied'):
    inference.Segmenter(path)


def test_a_record_that_is_no_json_is_named(tmp_path):
  path = write_graph(tmp_path / 'graph.pb')
  (tmp_path / 'export.json').write_text('{"class_names": [')
  with pytest.raises(ValueError, match='export.json cannot be read as JSON: '):
    inference.Segmenter(path)


@pytest.mark.parametrize('text', ['null', '[]', '{"models": []}'])
def test_a_record_of_something_else_is_named(tmp_path, text):
  path = write_graph(tmp_path / 'graph.pb')
  (tmp_path / 'export.json').write_text(text)
  with pytest.raises(ValueError, match='export.json is no record of an export'):
    inference.Segmenter(path)


def test_probabilities_come_with_the_labels(tmp_path):
  path = tmp_path / 'graph.pb'
  with tf.Graph().as_default() as graph:
    image = tf.placeholder(tf.uint8, [None, None, None, 3], name=exported.INPUT_NAME)
    labels = tf.cast(image[..., 0] // 100, tf.int32, name=exported.OUTPUT_NAME)
    tf.one_hot(labels, 3, name=exported.PROBABILITIES_NAME)
    path.write_bytes(graph.as_graph_def().SerializeToString())
  with inference.Segmenter(str(path)) as segmenter:
    assert segmenter.has_probabilities
    assert segmenter.takes_batches
    probabilities, = segmenter.probabilities([image_of(130)])
    np.testing.assert_array_equal(probabilities, np.tile([0., 1., 0.], (4, 6, 1)))
    labels, none = segmenter.run_batch(np.stack([image_of(130), image_of(0)]))
    assert none is None
    assert labels[:, 0, 0].tolist() == [1, 0]


def test_models_without_probabilities_say_so(tmp_path):
  with inference.Segmenter(write_graph(tmp_path / 'graph.pb')) as segmenter:
    assert not segmenter.has_probabilities
    with pytest.raises(ValueError, match='has no probabilities: export it with'):
      segmenter.probabilities([image_of(0)])


def test_graphs_of_one_image_take_batches_one_by_one(tmp_path):
  with inference.Segmenter(write_graph(tmp_path / 'graph.pb')) as segmenter:
    assert not segmenter.takes_batches
    labels, _ = segmenter.run_batch(np.stack([image_of(0), image_of(100), image_of(200)]))
  assert labels.shape == (3, 4, 6)
  assert labels[:, 0, 0].tolist() == [0, 1, 2]


def test_records_have_an_entry_per_model(tmp_path):
  path = write_graph(tmp_path / 'graph.pb')
  (tmp_path / 'export.json').write_text(json.dumps({
      'class_names': ['sky', 'road', 'car'], 'num_classes': 3, 'models': {
          'graph.pb': {'sha256': exported.sha256(path)}, 'm.tflite': {'sha256': '0'}}}))
  with inference.Segmenter(path) as segmenter:
    assert segmenter.class_names == ['sky', 'road', 'car']
    assert segmenter.num_classes == 3


def test_the_record_of_a_saved_model_is_in_its_folder(tmp_path):
  (tmp_path / 'saved_model.pb').write_bytes(b'model')
  record = {'class_names': ['sky'], 'sha256': exported.sha256(str(tmp_path / 'saved_model.pb'))}
  (tmp_path / 'export.json').write_text(json.dumps(record))
  assert exported.read_record(str(tmp_path)) == record


def test_checkpoints_are_run_like_exported_models(tmp_path):
  sample, = tiny_run.make_samples(((33, 49),))
  checkpoint = tiny_run.write_checkpoint(tmp_path, sample.image)
  with inference.Segmenter.from_checkpoint(
      checkpoint, tiny_run.MODEL_OPTIONS, class_names=tiny_run.CLASS_NAMES,
      colormap=tiny_run.COLORMAP) as segmenter:
    mask, = segmenter.run([sample.image])
    assert segmenter.class_name(1) == 'tree'
    assert segmenter.colormap[3].tolist() == [120, 180, 250]
    assert segmenter.num_classes == 4
  expected, = tiny_run.predict(checkpoint, [sample], 0,
                               tiny_run.MODEL_OPTIONS._replace(crop_size=(33, 49)))
  np.testing.assert_array_equal(mask, expected)


def test_the_nine_masks_of_the_forma_classes():
  # background, other, garment, skin, hair, arms, shoe, sleeves, pants
  masks = inference.forma_masks(np.arange(9).reshape(1, 9))
  on = {name: np.flatnonzero(mask[0]).tolist() for name, mask in masks._asdict().items()}
  assert on == {'seg_body': [1, 2, 3, 4, 5, 6, 7, 8], 'other': [1], 'garment': [2, 7, 8],
                'skin': [3, 5], 'hair': [4], 'arms': [5], 'shoe': [6], 'sleeves': [7],
                'pants': [8]}
  for mask in masks:
    assert mask.shape == (1, 9)
    assert mask.dtype == np.uint8
    assert set(mask.ravel()) == {0, 255}


def test_forma_masks_of_an_image(tmp_path):
  path = write_graph(tmp_path / 'graph.pb')
  with inference.Segmenter(path) as segmenter:
    with pytest.raises(ValueError, match='classes background, other, garment.* not known'):
      segmenter.forma_masks(image_of(200))
    segmenter.describe_classes(registry.FORMA_CLASSES, 'forma')
    masks = segmenter.forma_masks(image_of(200))
  assert (masks.garment == 255).all()
  assert (masks.skin == 0).all()
  assert masks.seg_body.shape == (4, 6)
