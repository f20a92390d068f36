"""A TFLite file gives the labels of its graph, and says what it takes."""
import threading

import numpy as np
import pytest

from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.deployment import tflite_graph, tflite_model


def convert(path, takes_pixels=True,
            outputs=lambda images: tf.argmax(images, 3, output_type=tf.int32)):
  """Writes a TFLite file of a graph whose label is the brightest channel."""
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(tf.float32, [1, 5, 7, 3])
    converter = tf.lite.TFLiteConverter.from_session(session, [images], [outputs(images)])
    if takes_pixels:
      tflite_graph.take_pixels(converter, images.op.name)
    path.write_bytes(tflite_graph.run_converter(converter))
  return str(path)


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  return convert(tmp_path_factory.mktemp('tflite') / 'model.tflite')


def image_of(seed):
  return np.random.RandomState(seed).randint(0, 256, [5, 7, 3]).astype(np.uint8)


def test_labels_are_those_of_the_graph(path):
  runner = tflite_model.TfliteRunner(path)
  labels = runner.labels(image_of(0))
  assert runner.input_size == (5, 7)
  assert labels.dtype == np.int32
  np.testing.assert_array_equal(labels, image_of(0).argmax(2))


def test_threads_do_not_mix_up_their_images(path):
  runner = tflite_model.load(path)
  wrong = []

  def run(seed):
    for _ in range(50):
      if not np.array_equal(runner.labels(image_of(seed)), image_of(seed).argmax(2)):
        wrong.append(seed)

  threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert wrong == []


@pytest.mark.skipif(IS_TF1, reason='its interpreter decides on threads itself')
def test_number_of_threads_can_be_set(path):
  np.testing.assert_array_equal(
      tflite_model.load(path, num_threads=1).labels(image_of(1)), image_of(1).argmax(2))


@pytest.mark.skipif(not IS_TF1, reason='its interpreter takes a number of threads')
def test_threads_that_cannot_be_set_are_refused(path):
  with pytest.raises(ValueError, match='num_threads=2: .* leave it out'):
    tflite_model.load(path, num_threads=2)


@pytest.mark.parametrize('image', [
    np.zeros([5, 6, 3], np.uint8), np.zeros([1, 5, 7, 3], np.uint8), np.zeros([5, 7, 3])])
def test_other_images_are_refused(path, image):
  with pytest.raises(ValueError, match=r'takes a uint8 image of shape \[5, 7, 3\], got'):
    tflite_model.load(path).labels(image)


def test_absent_and_foreign_files_are_named(tmp_path):
  with pytest.raises(ValueError, match='Cannot read the TFLite model .*absent.tflite: No such'):
    tflite_model.load(str(tmp_path / 'absent.tflite'))
  (tmp_path / 'text.tflite').write_text('not a model at all')
  with pytest.raises(ValueError, match='text.tflite cannot be used as a TFLite model: it is no'):
    tflite_model.load(str(tmp_path / 'text.tflite'))


def test_files_cut_anywhere_are_refused(path, tmp_path):
  with open(path, 'rb') as f:
    content = f.read()
  for size in range(8, len(content) - 8, len(content) // 20):
    (tmp_path / 'cut.tflite').write_bytes(content[:size])
    with pytest.raises(ValueError, match='cut.tflite cannot be used .* damaged or not whole'):
      tflite_model.load(str(tmp_path / 'cut.tflite'))


def test_models_of_other_inputs_and_outputs_are_refused(tmp_path):
  path = convert(tmp_path / 'float.tflite', takes_pixels=False)
  with pytest.raises(ValueError, match=r'it takes float32 \[1, 5, 7, 3\] and returns int32'):
    tflite_model.load(path)
  path = convert(tmp_path / 'logits.tflite', outputs=lambda images: images + 1)
  with pytest.raises(ValueError, match=r'returns float32 \[1, 5, 7, 3\]'):
    tflite_model.load(path)
