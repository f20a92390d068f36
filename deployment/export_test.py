"""Tests of exported graphs against the model they came from."""
import functools
import glob

import numpy as np
import pytest

from deeplab import model
from deeplab.core import feature_extractor, options
from deeplab.core.tf_compat import tf
from deeplab.deployment import export, exported
from deeplab.utils import tiny_run

CROP = (33, 49)
NUM_CLASSES = 5
OPTIONS = options.ModelOptions(
    {'semantic': NUM_CLASSES}, crop_size=CROP, output_stride=16, depth_multiplier=0.25,
    decoder_output_stride=[4])


def random_image(height, width):
  return tiny_run.make_samples([(height, width)])[0].image


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
  return tiny_run.write_checkpoint(tmp_path_factory.mktemp('checkpoint'), random_image(*CROP),
                                   OPTIONS)


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


def run_frozen(path, image, names=(exported.OUTPUT_NAME, exported.RAW_OUTPUT_NAME)):
  graph_def = tf.GraphDef()
  with open(path, 'rb') as f:
    graph_def.ParseFromString(f.read())
  with tf.Graph().as_default(), tf.Session() as session:
    tf.import_graph_def(graph_def, name='')
    return session.run([name + ':0' for name in names],
                       {exported.INPUT_NAME + ':0': image[np.newaxis]})


def export_to(folder, checkpoint, predict=model.predict_labels, model_options=OPTIONS,
              **fields):
  path = str(folder / 'graph.pb')
  export.export_frozen_graph(checkpoint, path, model_options, predict,
                             export.ExportOptions(**fields))
  return path


@pytest.fixture(scope='module')
def frozen(checkpoint, tmp_path_factory):
  return export_to(tmp_path_factory.mktemp('export'), checkpoint)


@pytest.mark.parametrize('height, width', [CROP, (20, 30), (50, 81)])
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
      path, random_image(20, 30), (exported.OUTPUT_NAME, exported.PROBABILITIES_NAME,
                                   exported.RAW_PROBABILITIES_NAME))
  assert probabilities.shape == (1, 20, 30, NUM_CLASSES)
  assert raw.shape == (1,) + CROP + (NUM_CLASSES,)
  np.testing.assert_allclose(probabilities.sum(axis=3), 1, atol=1e-5)
  assert np.mean(np.argmax(probabilities, 3) == labels) > 0.999
  with pytest.raises(ValueError, match=exported.PROBABILITIES_NAME):
    run_frozen(frozen, random_image(20, 30), [exported.PROBABILITIES_NAME])


def test_graph_holds_no_variables_and_the_input_has_the_known_shape(frozen):
  graph_def = tf.GraphDef()
  with open(frozen, 'rb') as f:
    graph_def.ParseFromString(f.read())
  nodes = {node.name: node for node in graph_def.node}
  assert not [node.op for node in graph_def.node if 'Variable' in node.op]
  shape = nodes[exported.INPUT_NAME].attr['shape'].shape
  assert [d.size for d in shape.dim] == [1, -1, -1, 3]


def test_graph_is_written_as_text_too(tmp_path, checkpoint):
  text_path = tmp_path / 'inference_graph.pbtxt'
  export.export_frozen_graph(checkpoint, str(tmp_path / 'new' / 'graph.pb'), OPTIONS,
                             model.predict_labels, text_graph_path=str(text_path))
  text = text_path.read_text()
  assert 'name: "%s"' % exported.OUTPUT_NAME in text
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
