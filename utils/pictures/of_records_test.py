"""Tests of bringing predictions back to the size of the record."""
import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.utils.pictures import of_records


@pytest.mark.parametrize('resized_size, size', [
    ((17, 23), (40, 61)), ((40, 61), (17, 23)), ((9, 9), (2, 5)), ((1, 4), (6, 7)),
    ((30, 40), (481, 361))])
def test_labels_are_resized_to_the_nearest_with_corners_aligned(resized_size, size):
  padded = np.random.RandomState(0).randint(0, 9, (49, 65)).astype(np.uint8)
  with tf.Graph().as_default(), tf.Session() as session:
    expected = session.run(tf.image.resize_nearest_neighbor(
        padded[np.newaxis, :resized_size[0], :resized_size[1], np.newaxis], size,
        align_corners=True))[0, ..., 0]
  np.testing.assert_array_equal(of_records.undo_resizing(
      padded[:resized_size[0], :resized_size[1]], size), expected)


def test_images_are_resized_smoothly():
  image = np.zeros([8, 8, 3], np.uint8)
  image[:4, :4] = 200
  result = of_records.undo_resizing(image[:4], (8, 16))
  assert result.shape == (8, 16, 3)
  assert result[0, 0].tolist() == [200] * 3
  assert 0 < result[0, 8, 0] < 200
