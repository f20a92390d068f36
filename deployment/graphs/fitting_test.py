"""Pictures fit models of one size, and their labels come back."""
import numpy as np
import pytest

from deeplab.deployment.graphs import fitting


def test_fitting_keeps_the_shape_of_larger_pictures():
  image = np.full((20, 40, 3), 200, np.uint8)
  fitted, size = fitting.fit(image, (16, 16), np.array([1, 2, 3], np.uint8))
  assert size == (8, 16)
  assert fitted.shape == (16, 16, 3)
  assert (fitted[:8] == 200).all()
  assert (fitted[8:] == [1, 2, 3]).all()
  tall, size = fitting.fit(image[:, :1], (16, 16), np.zeros(3, np.uint8))
  assert size == (16, 1)
  assert (tall[:, 1:] == 0).all()


def test_pictures_of_the_size_of_the_file_stay_as_they_are():
  picture = np.random.RandomState(0).randint(0, 256, (5, 7, 3)).astype(np.uint8)
  fitted, size = fitting.fit(picture, [5, 7], np.zeros(3, np.uint8))
  assert size == (5, 7)
  np.testing.assert_array_equal(fitted, picture)


def test_smaller_pictures_are_padded_as_they_are():
  image = np.random.RandomState(0).randint(0, 256, (5, 7, 3)).astype(np.uint8)
  fitted, size = fitting.fit(image, (16, 12), np.array([1, 2, 3], np.uint8))
  assert size == (5, 7)
  np.testing.assert_array_equal(fitted[:5, :7], image)
  assert (fitted[5:] == [1, 2, 3]).all() and (fitted[:, 7:] == [1, 2, 3]).all()


def test_labels_return_to_the_size_of_the_picture():
  labels = np.arange(16, dtype=np.int32).reshape(4, 4)
  np.testing.assert_array_equal(
      fitting.unfit(labels, (2, 4), (4, 8)),
      np.repeat(np.repeat(labels[:2], 2, axis=0), 2, axis=1))
  np.testing.assert_array_equal(fitting.unfit(labels, (4, 4), (2, 2)),
                                labels[1::2, 1::2])
  np.testing.assert_array_equal(fitting.unfit(labels, (3, 4), (3, 4)), labels[:3])


@pytest.mark.parametrize('dtype, pixel_range, expected', [
    ('uint8', (0, 255), [0, 51, 255]), ('int8', (0, 255), [-128, -77, 127]),
    ('float32', (0, 255), [0, 51, 255]), ('float32', (-1, 1), [-1, -0.6, 1])])
def test_pixels_are_given_as_models_take_them(dtype, pixel_range, expected):
  values = fitting.as_input(np.array([0, 51, 255], np.uint8), dtype, pixel_range)
  assert values.dtype == dtype
  np.testing.assert_allclose(values, expected, atol=1e-6)


def test_labels_are_what_counts_most_at_the_size_of_the_picture():
  labels = np.array([[0, 1], [2, 3]])
  for values in (labels, labels[..., np.newaxis], labels + 0.2, np.eye(4)[labels]):
    found = fitting.as_labels(values, (2, 2))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, labels)
  # Features of stride 3 lie on every third pixel.
  np.testing.assert_array_equal(
      fitting.as_labels(np.array([[0, 1, 2]]), (1, 7)), [[0, 0, 1, 1, 1, 2, 2]])
  np.testing.assert_array_equal(fitting.as_labels(labels, (2, 8)),
                                [[0, 0, 0, 0, 1, 1, 1, 1], [2, 2, 2, 2, 3, 3, 3, 3]])
