"""A TFLite file gives the labels of its graph, and says what it takes."""
import threading

import numpy as np
import pytest

from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.deployment.formats import tflite_converter, tflite_runner


def convert(path, takes_pixels=True,
            outputs=lambda images: tf.argmax(images, 3, output_type=tf.int32)):
  """Writes a TFLite file of a graph whose label is the brightest channel."""
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(tf.float32, [1, 5, 7, 3])
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


def test_models_of_other_inputs_and_outputs_are_refused(tmp_path):
  path = convert(tmp_path / 'float.tflite', takes_pixels=False)
  with pytest.raises(ValueError, match=r'it takes float32 \[1, 5, 7, 3\] and returns int32'):
    tflite_runner.TfliteModel(path)
  path = convert(tmp_path / 'logits.tflite', outputs=lambda images: images + 1)
  with pytest.raises(ValueError, match=r'returns float32 \[1, 5, 7, 3\]'):
    tflite_runner.TfliteModel(path)


def test_fitting_keeps_the_shape_of_larger_pictures():
  image = np.full((20, 40, 3), 200, np.uint8)
  fitted, size = tflite_runner.fit(image, (16, 16), np.array([1, 2, 3], np.uint8))
  assert size == (8, 16)
  assert fitted.shape == (16, 16, 3)
  assert (fitted[:8] == 200).all()
  assert (fitted[8:] == [1, 2, 3]).all()
  tall, size = tflite_runner.fit(image[:, :1], (16, 16), np.zeros(3, np.uint8))
  assert size == (16, 1)
  assert (tall[:, 1:] == 0).all()


def test_pictures_of_the_size_of_the_file_stay_as_they_are():
  picture = np.random.RandomState(0).randint(0, 256, (5, 7, 3)).astype(np.uint8)
  fitted, size = tflite_runner.fit(picture, [5, 7], np.zeros(3, np.uint8))
  assert size == (5, 7)
  np.testing.assert_array_equal(fitted, picture)


def test_smaller_pictures_are_padded_as_they_are():
  image = np.random.RandomState(0).randint(0, 256, (5, 7, 3)).astype(np.uint8)
  fitted, size = tflite_runner.fit(image, (16, 12), np.array([1, 2, 3], np.uint8))
  assert size == (5, 7)
  np.testing.assert_array_equal(fitted[:5, :7], image)
  assert (fitted[5:] == [1, 2, 3]).all() and (fitted[:, 7:] == [1, 2, 3]).all()


def test_labels_return_to_the_size_of_the_picture():
  labels = np.arange(16, dtype=np.int32).reshape(4, 4)
  np.testing.assert_array_equal(
      tflite_runner.unfit(labels, (2, 4), (4, 8)),
      np.repeat(np.repeat(labels[:2], 2, axis=0), 2, axis=1))
  np.testing.assert_array_equal(tflite_runner.unfit(labels, (4, 4), (2, 2)),
                                labels[1::2, 1::2])
  np.testing.assert_array_equal(tflite_runner.unfit(labels, (3, 4), (3, 4)), labels[:3])
