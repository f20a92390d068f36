"""Tests of exported graphs against the model they came from."""
import functools
import glob
import json
import os

import numpy as np
import pytest

from deeplab import model
from deeplab.core import feature_extractor, options
from deeplab.core.tf_compat import tf
from deeplab.deployment import export

CROP = (33, 49)
NUM_CLASSES = 5
OPTIONS = options.ModelOptions(
    {'semantic': NUM_CLASSES}, crop_size=CROP, output_stride=16, depth_multiplier=0.25,
    decoder_output_stride=[4])


def random_image(height, width, seed=0):
  # Large patches, so that labels differ from place to place.
  patches = np.random.RandomState(seed).randint(0, 256, (height // 8 + 1, width // 8 + 1, 3))
  return np.kron(patches, np.ones((8, 8, 1)))[:height, :width].astype(np.uint8)


def write_checkpoint(folder, model_options=OPTIONS):
  """Writes random weights that give every class some pixels; returns the prefix."""
  with tf.Graph().as_default(), tf.Session() as session:
    image = tf.constant(random_image(*CROP)[np.newaxis], tf.float32)
    logits = model.multi_scale_logits(image, model_options, None)['semantic']
    session.run(tf.global_variables_initializer())
    rng = np.random.RandomState(2)
    for variable in tf.global_variables():
      shape = variable.shape.as_list()
      if len(shape) == 4:
        fan_in = np.prod(shape[:2] if 'depthwise' in variable.op.name else shape[:3])
        variable.load(rng.normal(0, np.sqrt(2. / fan_in), shape), session)
    bias, = [v for v in tf.global_variables() if v.op.name == 'logits/semantic/biases']
    bias.load(-session.run(logits)[model.MERGED_LOGITS_SCOPE].mean(axis=(0, 1, 2)), session)
    return tf.train.Saver().save(session, str(folder / 'model.ckpt'), global_step=3)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
  return write_checkpoint(tmp_path_factory.mktemp('checkpoint'))


def predict_padded(checkpoint, image, predict=model.predict_labels, model_options=OPTIONS):
  """Returns the labels of an image padded by hand to at least the crop size."""
  size = [max(pair) for pair in zip(CROP, image.shape)]
  padded = np.empty([1] + size + [3], np.float32)
  padded[:] = feature_extractor.mean_pixel(model_options.model_variant)
  padded[0, :image.shape[0], :image.shape[1]] = image
  with tf.Graph().as_default(), tf.Session() as session:
    labels = predict(tf.constant(padded), model_options._replace(crop_size=size))['semantic']
    tf.train.Saver().restore(session, checkpoint)
    return session.run(labels)


def run_frozen(path, image, names=(export.OUTPUT_NAME, export.RAW_OUTPUT_NAME)):
  graph_def = tf.GraphDef()
  with open(path, 'rb') as f:
    graph_def.ParseFromString(f.read())
  with tf.Graph().as_default(), tf.Session() as session:
    tf.import_graph_def(graph_def, name='')
    return session.run([name + ':0' for name in names],
                       {export.INPUT_NAME + ':0': image[np.newaxis]})


def export_to(folder, checkpoint, predict=model.predict_labels, model_options=OPTIONS,
              **fields):
  path = str(folder / 'graph.pb')
  export.export_frozen_graph(checkpoint, path, model_options, predict,
                             export.ExportOptions(**fields))
  return path


@pytest.fixture(scope='module')
def frozen(checkpoint, tmp_path_factory):
  return export_to(tmp_path_factory.mktemp('export'), checkpoint)


@pytest.mark.parametrize('height, width', [CROP, (20, 30), (33, 10), (50, 40), (70, 81)])
def test_labels_are_those_of_the_checkpoint_for_images_of_any_size(
    checkpoint, frozen, height, width):
  image = random_image(height, width)
  expected = predict_padded(checkpoint, image)
  labels, raw = run_frozen(frozen, image)
  assert labels.dtype == np.int32
  assert labels.shape == (1, height, width)
  assert raw.dtype == np.float32
  assert raw.shape == (1, max(height, CROP[0]), max(width, CROP[1]))
  assert len(np.unique(labels)) > 1
  # Sums in another order may tip the odd tie.
  assert np.mean(raw == expected) > 0.999
  np.testing.assert_array_equal(raw[:, :height, :width], labels)


def test_own_pooling_window_works_beyond_the_crop(tmp_path, checkpoint):
  model_options = OPTIONS._replace(image_pooling_crop_size=[33, 33])
  path = export_to(tmp_path, checkpoint, model_options=model_options)
  for size in (CROP, (65, 81)):
    image = random_image(*size)
    expected = predict_padded(checkpoint, image, model_options=model_options)
    assert np.mean(run_frozen(path, image)[0] == expected) > 0.999


def test_scales_and_flips_are_in_the_graph(tmp_path, checkpoint):
  predict = functools.partial(model.predict_labels_multi_scale, eval_scales=(0.5, 1.0),
                              add_flipped_images=True)
  path = export_to(tmp_path, checkpoint, predict)
  image = random_image(30, 45)
  labels, raw = run_frozen(path, image)
  assert np.mean(raw == predict_padded(checkpoint, image, predict)) > 0.999
  mirrored, _ = run_frozen(path, np.ascontiguousarray(random_image(*CROP)[:, ::-1]))
  whole, _ = run_frozen(path, random_image(*CROP))
  assert np.mean(mirrored[:, :, ::-1] == whole) > 0.999


def test_resized_images_get_labels_of_their_own_size(tmp_path, checkpoint):
  path = export_to(tmp_path, checkpoint, min_resize_value=33, max_resize_value=49)
  labels, raw = run_frozen(path, random_image(66, 90))
  assert labels.shape == (1, 66, 90)
  assert raw.shape == (1,) + CROP
  np.testing.assert_array_equal(labels[0, [0, -1], 0], raw[0, [0, -1], 0])


def test_probabilities_come_when_asked_for(tmp_path, checkpoint, frozen):
  path = export_to(tmp_path, checkpoint, with_probabilities=True)
  labels, probabilities, raw = run_frozen(
      path, random_image(20, 30), (export.OUTPUT_NAME, export.PROBABILITIES_NAME,
                                   export.RAW_PROBABILITIES_NAME))
  assert probabilities.shape == (1, 20, 30, NUM_CLASSES)
  assert raw.shape == (1,) + CROP + (NUM_CLASSES,)
  np.testing.assert_allclose(probabilities.sum(axis=3), 1, atol=1e-5)
  assert np.mean(np.argmax(probabilities, 3) == labels) > 0.999
  with pytest.raises(ValueError, match=export.PROBABILITIES_NAME):
    run_frozen(frozen, random_image(20, 30), [export.PROBABILITIES_NAME])


def test_graph_holds_no_variables_and_the_input_has_the_known_shape(frozen):
  graph_def = tf.GraphDef()
  with open(frozen, 'rb') as f:
    graph_def.ParseFromString(f.read())
  nodes = {node.name: node for node in graph_def.node}
  assert not [node.op for node in graph_def.node if 'Variable' in node.op]
  shape = nodes[export.INPUT_NAME].attr['shape'].shape
  assert [d.size for d in shape.dim] == [1, -1, -1, 3]


def test_graph_is_written_as_text_too(tmp_path, checkpoint):
  text_path = tmp_path / 'inference_graph.pbtxt'
  export.export_frozen_graph(checkpoint, str(tmp_path / 'new' / 'graph.pb'), OPTIONS,
                             model.predict_labels, text_graph_path=str(text_path))
  text = text_path.read_text()
  assert 'name: "%s"' % export.OUTPUT_NAME in text
  assert 'VariableV2' in text or 'VarHandleOp' in text


def test_nothing_is_left_of_a_failed_export(tmp_path, checkpoint):
  with pytest.raises(ValueError, match='another number of classes'):
    export_to(tmp_path, checkpoint, model_options=OPTIONS._replace(
        outputs_to_num_classes={'semantic': 7}))
  assert glob.glob(str(tmp_path / '*')) == []
  (tmp_path / 'file').write_text('')
  with pytest.raises(ValueError, match='Cannot write .*file/graph.pb: '):
    export_to(tmp_path / 'file', checkpoint)


def test_largest_side_alone_is_refused(tmp_path, checkpoint):
  with pytest.raises(ValueError, match='max_resize_value=49 needs min_resize_value'):
    export_to(tmp_path, checkpoint, max_resize_value=49)


def test_record_names_the_graph_it_belongs_to(tmp_path):
  path = tmp_path / 'graph.pb'
  path.write_bytes(b'abc')
  export.write_record(str(path), {'class_names': ['a'], 'path': tmp_path})
  with open(export.record_path(str(path))) as f:
    record = json.load(f)
  assert os.listdir(str(tmp_path)).count('export.json') == 1
  assert record['graph'] == 'graph.pb'
  assert record['sha256'].startswith('ba7816bf8f01cfea')
  assert record['class_names'] == ['a']
