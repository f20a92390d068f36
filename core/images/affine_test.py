"""Tests of projective warps: values, and that both implementations agree."""
import numpy as np
import pytest

from deeplab.core import tf_compat
from deeplab.core.images import affine
from deeplab.core.tf_compat import tf

_IDENTITY = (1, 0, 0, 0, 1, 0, 0, 0)
_ROTATION = (0.9, -0.3, 2.4, 0.3, 0.95, -1.7, 0, 0)
_PERSPECTIVE = (1.1, 0.1, -2.3, -0.05, 0.9, 1.2, 0.002, -0.001)


def _image(height=13, width=17, dtype=np.float32):
  return np.random.RandomState(0).randint(0, 255, (height, width, 3)).astype(dtype)


def _warp(image, transform, size, interpolation=affine.BILINEAR, fill=0):
  with tf.Graph().as_default(), tf.Session() as session:
    warped = affine.projective_transform(
        tf.constant(image), tf.constant(transform, tf.float32), size, interpolation, fill)
    assert warped.shape.as_list() == list(size) + [3]
    return session.run(warped)


def _numpy_bilinear(image, transform, size, fill):
  """Warps pixel by pixel; one matrix after the other, no fill outside but `fill`."""
  height, width = image.shape[:2]

  def pixel(x, y):
    is_inside = 0 <= x < width and 0 <= y < height
    return image[int(y), int(x)] if is_inside else np.asarray(fill, np.float64)

  warped = np.zeros(tuple(size) + (3,))
  matrix = np.append(transform, 1.0).reshape(3, 3)
  for row in range(size[0]):
    for column in range(size[1]):
      x, y, k = matrix.dot([column, row, 1.0])
      x, y = x / k, y / k
      x0, y0 = np.floor(x), np.floor(y)
      warped[row, column] = sum(
          pixel(x0 + dx, y0 + dy) * abs(1 - dx - (x - x0)) * abs(1 - dy - (y - y0))
          for dx in (0, 1) for dy in (0, 1))
  return warped


@pytest.mark.parametrize('transform', [_IDENTITY, _ROTATION, _PERSPECTIVE])
def test_bilinear_warp_equals_numpy(transform):
  image = _image()
  warped = _warp(image, transform, (11, 15), fill=[10.0, 20.0, 30.0])
  np.testing.assert_allclose(
      warped, _numpy_bilinear(image, transform, (11, 15), [10, 20, 30]), atol=2e-2)


def test_nearest_warp_shifts_integers_and_fills():
  image = _image(4, 5, np.int32)
  warped = _warp(image, (1, 0, 2, 0, 1, -1, 0, 0), (4, 5), affine.NEAREST, fill=255)
  assert warped.dtype == np.int32
  np.testing.assert_array_equal(warped[1:, :3], image[:3, 2:])
  assert (warped[0] == 255).all() and (warped[:, 3:] == 255).all()


def test_dtype_of_bytes_is_kept():
  image = _image(4, 5, np.uint8)
  warped = _warp(image, (1, 0, 1, 0, 1, 0, 0, 0), (4, 5), affine.NEAREST, fill=7)
  assert warped.dtype == np.uint8
  np.testing.assert_array_equal(warped[:, :4], image[:, 1:])
  assert (warped[:, 4] == 7).all()


@pytest.mark.skipif(tf_compat.projective_transform_op() is None,
                    reason='this TensorFlow has no warp of its own to compare with')
@pytest.mark.parametrize('interpolation', [affine.BILINEAR, affine.NEAREST])
@pytest.mark.parametrize('transform', [_IDENTITY, _ROTATION, _PERSPECTIVE])
def test_gather_implementation_agrees_with_the_operation(transform, interpolation):
  with tf.Graph().as_default(), tf.Session() as session:
    arguments = (tf.constant(_image())[tf.newaxis],
                 tf.constant([transform], tf.float32), tf.constant([19, 14]), interpolation)
    expected, actual = session.run(
        [tf_compat.projective_transform_op()(*arguments), affine.gather_transform(*arguments)])
  assert expected.shape == (1, 19, 14, 3)
  np.testing.assert_allclose(actual, expected, atol=1e-3)


def test_gather_implementation_is_used_where_there_is_no_operation(monkeypatch):
  image = _image()
  expected = _warp(image, _ROTATION, (9, 9), fill=[1.0, 2.0, 3.0])
  monkeypatch.setattr(tf_compat, 'projective_transform_op', lambda: None)
  np.testing.assert_allclose(
      _warp(image, _ROTATION, (9, 9), fill=[1.0, 2.0, 3.0]), expected, atol=1e-3)


@pytest.mark.parametrize('interpolation', [affine.BILINEAR, affine.NEAREST])
@pytest.mark.parametrize('transform', [
    (1, 0, 0, 0, 1, 0, 0, 0), (0.6, 0, 2.2, 0, 0.45, 1.3, 0, 0), (-0.8, 0, 15, 0, 0.7, 0, 0, 0)])
def test_scaling_and_shifting_is_a_projective_map(transform, interpolation):
  image, size = _image(), (12, 16)
  with tf.Graph().as_default(), tf.Session() as session:
    actual, wanted = session.run([
        affine.scale_and_shift(tf.constant(image), tf.constant(transform, tf.float32), size,
                               interpolation),
        affine.projective_transform(tf.constant(image), tf.constant(transform, tf.float32), size,
                                    interpolation, 0)])
  np.testing.assert_allclose(actual, wanted, atol=0.02)
