"""Tests of sizes: scales that are drawn, ranges, image with label."""
import numpy as np
import pytest

from deeplab.core.images import resizing
from deeplab.core.preprocess_utils_test import ramp, run
from deeplab.core.tf_compat import tf


@pytest.mark.parametrize('low, high, step, expected', [
    (0.5, 2.0, 0.4, [0.5, 1.0, 1.5, 2.0]),
    (0.5, 2.0, 0.25, [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]),
    (1.0, 2.0, 3.0, [1.0])])
def test_scales_are_evenly_spaced_with_both_ends(low, high, step, expected):
  with tf.Graph().as_default(), tf.Session() as session:
    scale = resizing.get_random_scale(low, high, step)
    drawn = {round(float(session.run(scale)), 5) for _ in range(120)}
  assert drawn == set(expected)


def test_scales_without_step_fill_the_range():
  with tf.Graph().as_default(), tf.Session() as session:
    scale = resizing.get_random_scale(0.5, 2.0, 0)
    drawn = np.array([session.run(scale) for _ in range(200)])
  assert drawn.min() >= 0.5 and drawn.max() < 2
  np.testing.assert_allclose(np.histogram(drawn, 3, (0.5, 2))[0], [67] * 3, atol=35)


def test_equal_limits_need_no_draw():
  assert resizing.get_random_scale(1, 1, 0.25) == 1.0


@pytest.mark.parametrize('low, high', [(-0.1, 1), (1.5, 1)])
def test_bad_scale_limits_are_named(low, high):
  with pytest.raises(ValueError, match='min_scale_factor=%s and max_scale_factor=%s' % (
      low, high)):
    resizing.get_random_scale(low, high, 0)


def test_scaling_by_one_builds_nothing():
  image, label = tf.zeros([2, 3, 3]), tf.zeros([2, 3, 1], tf.int32)
  assert resizing.randomly_scale_image_and_label(image, label) == (image, label)


@pytest.mark.parametrize('dynamic', [False, True])
def test_scaling_keeps_corners_and_label_values(dynamic):
  label = np.random.RandomState(0).randint(0, 9, (7, 9, 1)).astype(np.int32)
  image, scaled = run(
      lambda a, b: resizing.randomly_scale_image_and_label(a, b, tf.constant(1.7)),
      ramp(7, 9, 3), label, dynamic=dynamic)
  assert image.shape == (11, 15, 3) and image.dtype == np.float32
  assert scaled.shape == (11, 15, 1) and scaled.dtype == np.int32
  y, x = np.meshgrid(np.linspace(0, 6, 11), np.linspace(0, 8, 15), indexing='ij')
  np.testing.assert_allclose(image[..., 0], 100 * y + x, atol=1e-2)
  assert set(scaled.ravel()) <= set(label.ravel())
  np.testing.assert_array_equal(scaled[::10, ::14], label[::6, ::8])


@pytest.mark.parametrize('dtype', [np.uint8, np.int32, np.float32, np.float64])
@pytest.mark.parametrize('resize', [
    lambda image, label: resizing.randomly_scale_image_and_label(image, label, 2.5),
    lambda image, label: resizing.resize_to_range(image, label, 5)], ids=['scale', 'range'])
def test_labels_of_integers_take_the_nearest_pixel_and_shares_are_blended(dtype, resize):
  _, label = run(resize, ramp(2, 2), np.array([[[0], [4]]] * 2, dtype))
  assert label.dtype == dtype
  middle = 4 if np.issubdtype(dtype, np.integer) else 2
  assert label[0, [0, 2, 4], 0].tolist() in ([0, middle, 4], [0, 4 - middle, 4])
  with pytest.raises(ValueError, match='must hold integers or floats to be resized, got bool'):
    resize(tf.zeros([2, 2, 1]), tf.zeros([2, 2, 1], tf.bool))


def test_scaling_without_label_and_to_nothing_gives_a_pixel():
  image, label = resizing.randomly_scale_image_and_label(
      tf.constant(ramp(7, 9)), scale=0.01)
  assert label is None
  with tf.Session(graph=image.graph) as session:
    assert session.run(image).shape == (1, 1, 1)


def test_shapes_are_static_where_known():
  with tf.Graph().as_default(), tf.Session() as session:
    assert resizing.resolve_shape(tf.zeros([2, 3]), 2) == [2, 3]
    tensor = tf.placeholder(tf.float32, [None, 5])
    height, width = resizing.resolve_shape(tensor)
    assert width == 5
    assert session.run(height, {tensor: np.zeros((4, 5))}) == 4
    with pytest.raises(ValueError, match='rank'):
      resizing.resolve_shape(tensor, rank=3)


@pytest.mark.parametrize('dynamic', [False, True])
@pytest.mark.parametrize('size, limits, expected', [
    ((30, 40), (20, None, None), (20, 27)),
    ((30, 40), (60, 70, None), (53, 70)),
    ((30, 40), (20, 30, 16), (17, 17)),
    ((30, 40), (60, 70, 16), (49, 65)),
    ((30, 40), (257, 257, 16), (193, 241)),
    ((60, 40), (50, 100, None), (75, 50)),
    ((15, 30), (50, 100, None), (50, 100)),
    ((15, 50), (50, 100, None), (30, 100)),
    ((60, 40), (50, 98, 8), (81, 57)),
    ((15, 30), (50, 98, 8), (49, 97)),
    ((15, 50), (50, 98, 8), (33, 97))])
def test_resizing_to_a_range(size, limits, expected, dynamic):
  image, label = run(
      lambda a, b: resizing.resize_to_range(a, b, *limits),
      ramp(*size, channels=3), ramp(size[0], size[1], 1, np.int32), dynamic=dynamic)
  assert image.shape == expected + (3,) and image.dtype == np.float32
  assert label.shape == expected + (1,) and label.dtype == np.int32
  # Corner pixels keep their place.
  corners = [0, 0, -1, -1], [0, -1, 0, -1]
  np.testing.assert_allclose(image[corners], ramp(*size, channels=3)[corners], atol=1e-2)
  np.testing.assert_array_equal(label[corners], ramp(*size)[corners])


def test_resized_size_is_that_of_the_resized_image():
  with tf.Graph().as_default(), tf.Session() as session:
    assert session.run(resizing.resized_size(
        tf.constant([30, 40]), 60, 70, 16)).tolist() == [49, 65]


def test_resizing_takes_labels_whose_channel_is_first():
  image, label = run(
      lambda a: resizing.resize_to_range(
          a, tf.ones([1, 30, 40], tf.int32), 20, label_layout_is_chw=True), ramp(30, 40))
  assert image.shape == (20, 27, 1)
  assert label.shape == (1, 20, 27) and (label == 1).all()


def test_resizing_without_label_or_limits():
  image = tf.constant(ramp(30, 40))
  assert resizing.resize_to_range(image) == [image, None]
  resized, label = resizing.resize_to_range(image, min_size=20)
  assert label is None and resized.shape.as_list()[2] == 1


def test_largest_size_alone_is_an_error():
  with pytest.raises(ValueError, match='max_resize_value=70 needs min_resize_value'):
    resizing.resize_to_range(tf.zeros([3, 4, 3]), max_size=70)


@pytest.mark.parametrize('size, limits, side', [
    ((30, 40), (60, 70), 70), ((30, 40), (20, 30, 16), 17), ((30, 40), (20,), 27)])
def test_images_become_square_where_their_shape_is_not_kept(size, limits, side):
  with tf.Graph().as_default(), tf.Session() as session:
    image, label = session.run(resizing.resize_to_range(
        tf.zeros(size + (3,)), tf.zeros(size + (1,), tf.int32), *limits, keep_aspect_ratio=False))
  assert image.shape[:2] == label.shape[:2] == (side, side)
