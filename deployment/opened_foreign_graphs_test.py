"""Frozen graphs of other people open by what their ends are, and take pictures of any size."""
import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.deployment import opened_models
from deeplab.testing import foreign_graphs


def picture_of(height, width):
  """A picture whose quarters are red, green, green and blue; and its labels."""
  image = np.zeros([height, width, 3], np.uint8)
  image[:height // 2, :width // 2, 0] = 200
  image[:height // 2, width // 2:, 1] = 200
  image[height // 2:, :width // 2, 1] = 200
  image[height // 2:, width // 2:, 2] = 200
  return image, image.argmax(2)


@pytest.mark.parametrize('size, least_equal', [
    ((20, 30), 1), ((33, 49), 1), ((66, 98), 0.95), ((100, 60), 0.95), ((34, 20), 0.9)])
def test_pictures_larger_than_a_graph_pads_to_are_scaled(tmp_path, size, least_equal):
  opened = opened_models.open_exported(foreign_graphs.write(
      tmp_path / 'published.pb', lambda: foreign_graphs.published((33, 49))))
  image, expected = picture_of(*size)
  for _ in range(2):
    labels, _ = opened.predict(image[np.newaxis])
    assert (labels.shape, labels.dtype) == ((1,) + size, np.int32)
    assert np.mean(labels[0] == expected) >= least_equal


def test_graphs_that_resize_larger_pictures_themselves_see_them_whole(tmp_path):
  def build():
    image = tf.placeholder(tf.uint8, [1, None, None, 3], name='ImageTensor')
    small = tf.image.resize_nearest_neighbor(image, [4, 4])
    labels = tf.argmax(small, 3)[..., tf.newaxis]
    labels = tf.image.resize_nearest_neighbor(tf.cast(labels, tf.int32), tf.shape(image)[1:3])
    tf.identity(labels[..., 0], name='SemanticPredictions')

  opened = opened_models.open_exported(foreign_graphs.write(tmp_path / 'resizing.pb', build))
  image = np.zeros([8, 8, 3], np.uint8)
  image[::2, ::2, 2] = 9
  # Scaled before, no pixel would be blue alone.
  assert opened.predict(image[np.newaxis])[0].min() == 2


@pytest.mark.parametrize('dtype', ['float32', 'uint8'])
@pytest.mark.parametrize('size', [(None, None), (32, 48), (32, None)])
def test_ends_of_frozen_graphs_are_told_by_what_they_are(tmp_path, size, dtype):
  opened = opened_models.open_exported(foreign_graphs.write(
      tmp_path / 'scores.pb', lambda: foreign_graphs.scores(size, dtype)))
  assert not opened.has_probabilities and not opened.takes_batches
  for sides in ((32, 48), (20, 30), (64, 96)):
    image, expected = picture_of(*sides)
    labels, _ = opened.predict(image[np.newaxis])
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels[0], expected)


@pytest.mark.parametrize('scale, factor', [(None, 127.5), (lambda pixels: pixels - 127.5, 1)])
def test_floats_are_pixels_where_the_graph_scales_them(tmp_path, scale, factor):
  def build():
    pixels = tf.placeholder(tf.float32, [None, None, None, 3], name='pixels')
    net = tf.nn.relu(scale(pixels) if scale else pixels)
    tf.cast(tf.reduce_max(net, 3) * factor, tf.int32, name='labels')

  opened = opened_models.open_exported(foreign_graphs.write(tmp_path / 'floats.pb', build))
  assert opened.takes_batches
  image = np.full([2, 5, 7, 3], 229, np.uint8)
  np.testing.assert_array_equal(opened.predict(image)[0], np.full([2, 5, 7], 101))


def test_graphs_whose_ends_cannot_be_told_name_them(tmp_path):
  def two_images():
    tf.add(tf.placeholder(tf.float32, [1, None, None, 3], name='left'),
           tf.placeholder(tf.float32, [1, 9, 9, 3], name='right'), name='sum')

  def two_maps():
    pixels = tf.placeholder(tf.uint8, [1, 9, 9, 3], name='pixels')
    for name in ('one', 'other'):
      tf.argmax(pixels, 3, name=name)

  for build, message in (
      (two_images, r'g.pb must have one input that takes images, .*; its inputs: left float32 '
                   r'\[1, \?, \?, 3\]; right float32 \[1, 9, 9, 3\]. convert_to_tflite.py takes'),
      (two_maps, r'g.pb must have one output of labels, .*; its outputs: one int64 \[1, 9, 9\]; '
                 r'other int64 \[1, 9, 9\]. convert_to_tflite.py takes')):
    with pytest.raises(ValueError, match=message):
      opened_models.open_exported(foreign_graphs.write(tmp_path / 'g.pb', build))
