"""A TFLite file gives the labels of its graph, and says what it takes."""
import sys
import threading

import numpy as np
import pytest

from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.deployment.formats import tflite_converter, tflite_runner


def convert(path, takes_pixels=True, channels=3,
            outputs=lambda images: tf.argmax(images, 3, output_type=tf.int32)):
  """Writes a TFLite file of a graph whose label is the brightest channel."""
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(tf.float32, [1, 5, 7, channels])
    converter = tf.lite.TFLiteConverter.from_session(session, [images], [outputs(images)])
    if takes_pixels:
      tflite_converter.take_pixels(converter, images.op.name)
    path.write_bytes(tflite_converter.run_converter(converter))
  return str(path)


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  return convert(tmp_path_factory.mktemp('tflite') / 'model.tflite')


def image_of(seed):
  return np.random.RandomState(seed).randint(0, 256, [5, 7, 3]).astype(np.uint8)


def labels_of(model, image):
  return model.predict(image[np.newaxis])[0][0]


def test_labels_are_those_of_the_graph(path):
  model = tflite_runner.TfliteModel(path)
  labels = labels_of(model, image_of(0))
  assert model.input_size == (5, 7)
  assert labels.dtype == np.int32
  np.testing.assert_array_equal(labels, image_of(0).argmax(2))


def test_threads_do_not_mix_up_their_images(path):
  model = tflite_runner.TfliteModel(path)
  wrong = []

  def run(seed):
    for _ in range(50):
      if not np.array_equal(labels_of(model, image_of(seed)), image_of(seed).argmax(2)):
        wrong.append(seed)

  threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert wrong == []


def test_absent_and_foreign_files_are_named(tmp_path):
  with pytest.raises(ValueError, match='Cannot read the model .*absent.tflite: No such'):
    tflite_runner.TfliteModel(str(tmp_path / 'absent.tflite'))
  (tmp_path / 'text.tflite').write_text('not a model at all')
  with pytest.raises(ValueError, match='text.tflite cannot be used as a TFLite model: '):
    tflite_runner.TfliteModel(str(tmp_path / 'text.tflite'))


@pytest.mark.skipif(IS_TF1, reason='its interpreter does not look')
def test_files_cut_anywhere_are_refused(path, tmp_path):
  with open(path, 'rb') as f:
    content = f.read()
  for size in range(8, len(content) - 8, len(content) // 20):
    (tmp_path / 'cut.tflite').write_bytes(content[:size])
    with pytest.raises(ValueError, match='cut.tflite cannot be used as a TFLite model: '):
      tflite_runner.TfliteModel(str(tmp_path / 'cut.tflite'))


@pytest.mark.parametrize('outputs', [
    lambda images: images + 1,
    lambda images: tf.argmax(images, 3),
    lambda images: tf.reshape(tf.argmax(images, 3), [1, 5, 7, 1]),
    lambda images: tf.cast(tf.argmax(images, 3, output_type=tf.int32), tf.float32) + 0.1])
def test_files_of_others_take_floats_and_give_scores_or_labels(tmp_path, outputs):
  model = tflite_runner.TfliteModel(convert(
      tmp_path / 'float.tflite', takes_pixels=False, outputs=outputs))
  labels, none = model.predict(image_of(0)[np.newaxis])
  assert (labels.dtype, none) == (np.int32, None)
  np.testing.assert_array_equal(labels[0], image_of(0).argmax(2))
  larger = np.repeat(np.repeat(image_of(1), 2, 0), 2, 1)
  assert model.predict(larger[np.newaxis])[0].shape == (1, 10, 14)


def test_floats_are_scaled_to_the_unit_range(tmp_path):
  model = tflite_runner.TfliteModel(convert(
      tmp_path / 'm.tflite', takes_pixels=False,
      outputs=lambda images: tf.reduce_max(images, 3) * 100 + 100))
  image = image_of(2)
  np.testing.assert_array_equal(
      labels_of(model, image), np.rint(image.max(2) / 127.5 * 100))


def test_small_scores_become_labels_of_the_picture(tmp_path):
  model = tflite_runner.TfliteModel(convert(
      tmp_path / 'm.tflite', takes_pixels=False,
      outputs=lambda images: tf.nn.avg_pool2d(images, 2, 2, 'SAME')))
  image = np.zeros([5, 7, 3], np.uint8)
  image[:2, :, 1] = 200
  image[2:, :4, 2] = 200
  image[2:, 4:, 0] = 200
  expected = image.argmax(2)
  # Corners are aligned: these pixels lie between two scores.
  expected[2:, 3] = 0
  expected[1] = expected[2]
  np.testing.assert_array_equal(labels_of(model, image), expected)


def test_models_of_other_inputs_and_outputs_are_refused(tmp_path):
  path = convert(tmp_path / 'flat.tflite', outputs=lambda images: tf.reduce_sum(images, [1, 2]))
  with pytest.raises(ValueError, match=r'flat.tflite must have one output of labels.*; its '
                                       r'outputs: \S+ float32 \[1, 3\]'):
    tflite_runner.TfliteModel(path)
  path = convert(tmp_path / 'grey.tflite', channels=1, outputs=lambda images: images + 1)
  with pytest.raises(ValueError, match=r'grey.tflite must have one input that takes images.*; its '
                                       r'inputs: \S+ uint8 \[1, 5, 7, 1\]'):
    tflite_runner.TfliteModel(path)


def test_a_file_that_xnnpack_cannot_prepare_runs_without_it(path, monkeypatch):
  whole = tf.lite.Interpreter
  made = []

  class Interpreter(whole):
    def __init__(self, model_content, num_threads=None, experimental_op_resolver_type=None):
      made.append(experimental_op_resolver_type)
      super(Interpreter, self).__init__(model_content=model_content)

    def allocate_tensors(self):
      if made[-1] is None:
        raise RuntimeError('Node number 3 (TfLiteXNNPackDelegate) failed to prepare.')
      super(Interpreter, self).allocate_tensors()

  class OpResolverType(object):
    BUILTIN_WITHOUT_DEFAULT_DELEGATES = 'plain'

  module = type(sys)('ai_edge_litert.interpreter')
  module.Interpreter, module.OpResolverType = Interpreter, OpResolverType
  monkeypatch.setitem(sys.modules, 'ai_edge_litert.interpreter', module)
  monkeypatch.setitem(sys.modules, 'ai_edge_litert', type(sys)('ai_edge_litert'))
  monkeypatch.setattr(Interpreter, '__module__', module.__name__)
  model = tflite_runner.TfliteModel(path)
  np.testing.assert_array_equal(labels_of(model, image_of(0)), image_of(0).argmax(2))
  assert made == [None, 'plain']
  del module.OpResolverType
  with pytest.raises(ValueError, match='TfLiteXNNPackDelegate'):
    tflite_runner.TfliteModel(path)
