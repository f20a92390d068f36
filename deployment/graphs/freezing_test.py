"""Tests of exported graphs against the model they came from."""
import functools

import numpy as np
import pytest

from deeplab import model
from deeplab.core import blocks, feature_extractor, options, preprocess_utils, quantization
from deeplab.core.checkpoints import initial_weights
from deeplab.core.storage import files
from deeplab.core.tf_compat import tf
from deeplab.deployment.graphs import cutting, folding, freezing, record
from deeplab.testing import tiny_run

pytestmark = pytest.mark.usefixtures('shallow_network')

CROP = (33, 49)
NUM_CLASSES = 5
OPTIONS = options.NetworkOptions(
    {'semantic': NUM_CLASSES}, crop_size=CROP, output_stride=16, depth_multiplier=0.25,
    decoder_output_stride=[4])


def random_image(height, width):
  return tiny_run.make_samples([(height, width)])[0].image


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
  return tiny_run.write_checkpoint(tmp_path_factory.mktemp('checkpoint'), random_image(*CROP),
                                   OPTIONS)


def padded_size(image):
  return [crop if side <= crop else -(-(side - 1) // 16) * 16 + 1
          for crop, side in zip(CROP, image.shape)]


def predict_padded(checkpoint, image, predict=model.predict_labels, model_options=OPTIONS):
  """Returns the labels of an image padded by hand to the crop, or to k * 16 + 1."""
  size = padded_size(image)
  padded = np.empty([1] + size + [3], np.float32)
  padded[:] = feature_extractor.mean_pixel(model_options.model_variant)
  padded[0, :image.shape[0], :image.shape[1]] = image
  with tf.Graph().as_default(), tf.Session() as session:
    labels = predict(tf.constant(padded), model_options._replace(crop_size=size))['semantic']
    tf.train.Saver().restore(session, checkpoint)
    return session.run(labels)


def run_frozen(path, image, names=(record.OUTPUT_NAME, record.RAW_OUTPUT_NAME)):
  graph_def = tf.GraphDef()
  with open(path, 'rb') as f:
    graph_def.ParseFromString(f.read())
  with tf.Graph().as_default(), tf.Session() as session:
    tf.import_graph_def(graph_def, name='')
    return session.run([name + ':0' for name in names],
                       {record.INPUT_NAME + ':0': image[np.newaxis]})


def export_to(folder, checkpoint, predict=model.predict_labels, model_options=OPTIONS,
              **fields):
  path = str(folder / 'graph.pb')
  frozen, _ = freezing.freeze(checkpoint, model_options, predict, freezing.ExportOptions(**fields))
  files.write_bytes(path, frozen.SerializeToString())
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
  assert list(raw.shape) == [1] + padded_size(image)
  assert len(np.unique(labels)) > 1
  # Sums in another order may tip the odd tie.
  assert np.mean(raw == expected) > 0.999
  np.testing.assert_array_equal(raw[:, :height, :width], labels)


def test_without_crop_size_images_are_padded_to_what_features_need(tmp_path, checkpoint):
  path = export_to(tmp_path, checkpoint, model_options=OPTIONS._replace(crop_size=None))
  for size, padded in ((CROP, CROP), ((20, 34), (33, 49))):
    labels, raw = run_frozen(path, random_image(*size))
    assert labels.shape == (1,) + size
    assert raw.shape == (1,) + padded
  assert np.mean(raw == predict_padded(checkpoint, random_image(20, 34))) > 0.999


def test_images_are_padded_to_the_window_of_image_pooling(tmp_path, checkpoint):
  path = export_to(tmp_path, checkpoint, model_options=OPTIONS._replace(
      crop_size=(33, 33), image_pooling_crop_size=CROP))
  labels, raw = run_frozen(path, random_image(20, 30))
  assert labels.shape == (1, 20, 30)
  assert raw.shape == (1,) + CROP
  assert np.mean(raw == predict_padded(checkpoint, random_image(20, 30))) > 0.999


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
  path = export_to(tmp_path, checkpoint, resized_size=functools.partial(
      preprocess_utils.resized_size, min_size=33, max_size=49))
  labels, raw = run_frozen(path, random_image(66, 90))
  assert labels.shape == (1, 66, 90)
  assert raw.shape == (1,) + CROP
  np.testing.assert_array_equal(labels[0, [0, -1], 0], raw[0, [0, -1], 0])


def test_probabilities_come_when_asked_for(tmp_path, checkpoint, frozen):
  path = export_to(tmp_path, checkpoint, export_probabilities=True)
  labels, probabilities, raw = run_frozen(
      path, random_image(20, 30), (record.OUTPUT_NAME, record.PROBABILITIES_NAME,
                                   record.RAW_PROBABILITIES_NAME))
  assert probabilities.shape == (1, 20, 30, NUM_CLASSES)
  assert raw.shape == (1,) + CROP + (NUM_CLASSES,)
  np.testing.assert_allclose(probabilities.sum(axis=3), 1, atol=1e-5)
  assert np.mean(np.argmax(probabilities, 3) == labels) > 0.999
  with pytest.raises(ValueError, match=record.PROBABILITIES_NAME):
    run_frozen(frozen, random_image(20, 30), [record.PROBABILITIES_NAME])


@pytest.mark.parametrize('optimize', [True, False])
def test_half_weights_halve_the_file_and_keep_names_and_labels(tmp_path, checkpoint, optimize):
  whole, half = [tmp_path / name for name in ('whole', 'half')]
  for folder, half_weights in ((whole, False), (half, True)):
    folder.mkdir()
    export_to(folder, checkpoint, optimize=optimize, half_weights=half_weights)
  assert half.joinpath('graph.pb').stat().st_size < 0.6 * whole.joinpath('graph.pb').stat().st_size
  image = random_image(*CROP)
  labels = [run_frozen(str(folder / 'graph.pb'), image)[0] for folder in (whole, half)]
  assert np.mean(labels[0] == labels[1]) > 0.98
  if not optimize:
    weights = [initial_weights.read_weights(str(folder / 'graph.pb'), 'tf_initial_checkpoint')
               for folder in (whole, half)]
    name = 'MobilenetV2/expanded_conv_3/expand/weights'
    values = [each.read(name) for each in weights]
    assert [value.dtype for value in values] == [np.float32, np.float16]
    np.testing.assert_allclose(values[1], values[0], rtol=1e-3, atol=1e-3)


def test_numbers_that_float16_cannot_hold_are_kept():
  with tf.Graph().as_default() as graph:
    tf.identity(tf.constant(np.full(64, 1e6, np.float32), name='large')
                + tf.constant(np.full(64, 0.1, np.float32), name='small'), name='sum')
    halved = folding.halve_weights(graph.as_graph_def(), ['sum'])
  kinds = {node.name: tf.as_dtype(node.attr['dtype'].type) for node in halved.node
           if node.op == 'Const'}
  assert kinds == {'large': tf.float32, 'small': tf.float16}


def test_graph_holds_no_variables_and_the_input_has_the_known_shape(frozen):
  graph_def = tf.GraphDef()
  with open(frozen, 'rb') as f:
    graph_def.ParseFromString(f.read())
  nodes = {node.name: node for node in graph_def.node}
  assert not [node.op for node in graph_def.node if 'Variable' in node.op]
  shape = nodes[record.INPUT_NAME].attr['shape'].shape
  assert [d.size for d in shape.dim] == [1, -1, -1, 3]


def test_checkpoint_of_another_model_is_told(checkpoint):
  with pytest.raises(ValueError, match='another number of classes'):
    freezing.freeze(checkpoint, OPTIONS._replace(outputs_to_num_classes={'semantic': 7}),
                    model.predict_labels)


def test_fake_quantisation_is_kept_for_converters(tmp_path):
  model_options = OPTIONS._replace(quantize_delay_step=0)
  checkpoint = tiny_run.write_checkpoint(tmp_path, random_image(*CROP), model_options)
  frozen, _ = freezing.freeze(checkpoint, model_options, model.predict_labels)
  names = [node.name for node in frozen.node if node.op.startswith('FakeQuant')]
  assert any(quantization.WEIGHTS_SCOPE in name for name in names)
  assert any(quantization.ACTIVATION_SCOPE in name for name in names)


def test_nodes_leave_out_attributes_of_default_value(checkpoint):
  for graph_def in freezing.freeze(checkpoint, OPTIONS, model.predict_labels):
    named = {attribute for node in graph_def.node if node.op in folding.CONVOLUTIONS
             for attribute in node.attr}
    assert named <= {'T', 'strides', 'padding', 'dilations'}
    assert 'experimental_type' not in str(graph_def)


@pytest.mark.parametrize('optimize, quantize_delay_step', [(True, -1), (False, -1), (True, 0)])
def test_the_graph_can_be_cut_at_the_input_of_mobilenet(tmp_path, optimize, quantize_delay_step):
  model_options = OPTIONS._replace(quantize_delay_step=quantize_delay_step)
  image = random_image(*CROP)
  checkpoint = tiny_run.write_checkpoint(tmp_path, image, model_options)
  frozen, _ = freezing.freeze(checkpoint, model_options, model.predict_labels,
                              freezing.ExportOptions(optimize=optimize))
  name = blocks.input_name('MobilenetV2')
  assert name == 'MobilenetV2/MobilenetV2/input'
  with tf.Graph().as_default(), tf.Session() as session:
    whole, raw, end, cut = tf.import_graph_def(frozen, name='', return_elements=[
        '%s:0' % each for each in (record.INPUT_NAME, record.RAW_OUTPUT_NAME, 'ArgMax', name)])
    assert cutting.is_enough(cut, end)
    # As the original's line for the converter has it, pixels are -1..1 there.
    labels = session.run(end, {cut: image[np.newaxis] / 127.5 - 1})
    assert np.mean(labels == session.run(raw, {whole: image[np.newaxis]})) > 0.999
    assert len(np.unique(labels)) > 1
