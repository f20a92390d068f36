"""Tests of the geometry of the input pipeline: windows, fill, image with label."""
import numpy as np
import pytest

from deeplab.core import preprocess_utils
from deeplab.core.images.augmentation import RandomSource
from deeplab.core.tf_compat import tf

_CUBE = np.arange(2 * 3 * 2, dtype=np.float32).reshape(2, 3, 2)


def ramp(height, width, channels=1, dtype=np.float32):
  """An image each pixel of which tells its place: row * 100 + column."""
  values = np.arange(height)[:, np.newaxis] * 100 + np.arange(width)
  return np.repeat(values[..., np.newaxis], channels, axis=2).astype(dtype)


def run(make, *arrays, dynamic=False, num=1):
  """Runs make(tensors) num times, with the same draws always; `dynamic` hides height and width."""
  with tf.Graph().as_default(), tf.Session() as session:
    tf.set_random_seed(1)
    tensors = [
        tf.placeholder_with_default(a, [None, None] + list(a.shape[2:])) if dynamic
        else tf.constant(a) for a in arrays]
    outputs = make(*tensors)
    results = [session.run(outputs) for _ in range(num)]
  return results[0] if num == 1 else results


@pytest.mark.parametrize('dim', [0, 1, 2])
def test_flip_takes_all_tensors_or_none(dim):
  flipped, same = [
      run(lambda a, b, prob=prob: preprocess_utils.flip_dim([a, b], prob, dim),
          _CUBE, _CUBE + 50) for prob in (1, 0)]
  np.testing.assert_array_equal(flipped[0], np.flip(_CUBE, dim))
  np.testing.assert_array_equal(flipped[1], np.flip(_CUBE, dim) + 50)
  np.testing.assert_array_equal(same[0], _CUBE)
  np.testing.assert_array_equal(same[1], _CUBE + 50)
  assert flipped[2] and not same[2]


def test_flip_is_random_and_says_so():
  results = run(lambda a, b: preprocess_utils.flip_dim([a, b]), _CUBE, _CUBE, num=40)
  for image, label, is_flipped in results:
    expected = _CUBE[:, ::-1] if is_flipped else _CUBE
    np.testing.assert_array_equal(image, expected)
    np.testing.assert_array_equal(label, expected)
  assert 8 <= sum(r[2] for r in results) <= 32


@pytest.mark.parametrize('dim', [-1, 3])
def test_flip_refuses_a_dimension_that_is_not_there(dim):
  with pytest.raises(ValueError, match='dim=%d is not a dimension' % dim):
    preprocess_utils.flip_dim([tf.constant(_CUBE)], dim=dim)


@pytest.mark.parametrize('dynamic', [False, True])
@pytest.mark.parametrize('dtype', [np.uint8, np.int32, np.int64, np.float32, np.float64])
def test_padding_is_exact_for_every_dtype(dtype, dynamic):
  image = _CUBE.astype(dtype)
  padded = run(lambda t: preprocess_utils.pad_to_bounding_box(t, 2, 1, 5, 6, 255), image,
               dynamic=dynamic)
  expected = np.full((5, 6, 2), 255, dtype)
  expected[2:4, 1:4] = image
  assert padded.dtype == dtype
  np.testing.assert_array_equal(padded, expected)


def test_padding_takes_arrays_batches_and_a_colour():
  with tf.Graph().as_default(), tf.Session() as session:
    padded = preprocess_utils.pad_to_bounding_box(
        _CUBE[np.newaxis], 0, 0, 3, 3, tf.constant([7.0, 9.0]))
    assert padded.shape.as_list() == [1, 3, 3, 2]
    padded = session.run(padded)
  np.testing.assert_allclose(padded[0, :2], _CUBE, atol=1e-5)
  np.testing.assert_array_equal(padded[0, 2], [[7, 9]] * 3)


def test_padding_to_the_same_size_changes_nothing():
  np.testing.assert_array_equal(
      run(lambda t: preprocess_utils.pad_to_bounding_box(t, 0, 0, 2, 3, 255), _CUBE), _CUBE)


@pytest.mark.parametrize('offsets, target, message', [
    ((0, 0), (1, 3), 'target_height must be >= height'),
    ((0, 0), (2, 2), 'target_width must be >= width'),
    ((3, 0), (4, 4), 'target_height must be >= height'),
    ((-1, 0), (4, 4), 'offsets not negative')])
def test_padding_that_cannot_be_is_refused(offsets, target, message):
  arguments = offsets + target + (255,)
  with pytest.raises(ValueError, match=message):
    preprocess_utils.pad_to_bounding_box(tf.constant(_CUBE), *arguments)
  with tf.Graph().as_default(), tf.Session() as session:
    unknown = tf.placeholder(tf.float32)
    padded = preprocess_utils.pad_to_bounding_box(unknown, *arguments)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
      session.run(padded, {unknown: _CUBE})


@pytest.mark.parametrize('process', [
    lambda image: preprocess_utils.pad_to_bounding_box(image, 1, 2, 9, 12, 7.0),
    lambda image: preprocess_utils.random_crop([image], 7, 9)[0],
    lambda image: preprocess_utils.centered_affine_perturbation([image], 1, 1, 4, 5)[0],
    lambda image: preprocess_utils.randomly_scale_image_and_label(image, scale=0.5)[0],
    lambda image: preprocess_utils.resize_to_range(image, min_size=5)[0],
], ids=['pad', 'crop', 'warp', 'scale', 'resize'])
def test_tensors_of_unknown_rank_are_images_and_stay_unknown_to_the_caller(process):
  with tf.Graph().as_default(), tf.Session() as session:
    tf.set_random_seed(1)
    unknown = tf.placeholder(tf.float32)
    result = process(unknown)
    tf.set_random_seed(1)
    expected = process(tf.constant(ramp(7, 9, 2)))
    assert unknown.shape.ndims is None and result.shape.ndims == 3
    actual, expected = session.run([result, expected], {unknown: ramp(7, 9, 2)})
    assert actual.shape == expected.shape
    with pytest.raises(tf.errors.InvalidArgumentError):
      session.run(result, {unknown: ramp(7, 9)[..., 0]})


def test_padding_refuses_an_image_without_channels():
  with pytest.raises(ValueError, match=r'needs a \[height, width, channels\] image'):
    preprocess_utils.pad_to_bounding_box(tf.zeros([2, 3]), 0, 0, 5, 5, 0)


@pytest.mark.parametrize('dynamic', [False, True])
def test_crop_windows_of_image_and_label_agree(dynamic):
  corners = set()
  results = run(lambda a, b: preprocess_utils.random_crop([a, b], 4, 6), ramp(7, 9, 3),
                ramp(7, 9, 1, np.int32), dynamic=dynamic, num=150)
  for image, label in results:
    assert image.shape == (4, 6, 3) and image.dtype == np.float32
    assert label.shape == (4, 6, 1) and label.dtype == np.int32
    np.testing.assert_array_equal(image, np.repeat(label, 3, axis=2))
    np.testing.assert_array_equal(label, label[0, 0] + ramp(4, 6))
    corners.add(divmod(int(label[0, 0, 0]), 100))
  # Every offset 0..H-crop, 0..W-crop is drawn.
  assert corners == {(row, column) for row in range(4) for column in range(4)}


def test_crop_of_the_whole_image_is_the_image():
  image, = run(lambda a: preprocess_utils.random_crop([a], 7, 9), ramp(7, 9))
  np.testing.assert_array_equal(image, ramp(7, 9))


@pytest.mark.parametrize('other', [(7, 10), (6, 9)])
def test_crop_refuses_images_of_different_sizes(other):
  with pytest.raises(tf.errors.InvalidArgumentError, match='images of equal size'):
    run(lambda a, b: preprocess_utils.random_crop([a, b], 2, 2), ramp(7, 9), ramp(*other),
        dynamic=True)


def test_crop_refuses_a_window_larger_than_the_image():
  with pytest.raises(ValueError, match='A crop of 8x2 does not fit an image of 7x9'):
    preprocess_utils.random_crop([tf.zeros([7, 9, 3])], 8, 2)
  with pytest.raises(tf.errors.InvalidArgumentError, match='A crop does not fit'):
    run(lambda a: preprocess_utils.random_crop([a], 8, 2), ramp(7, 9), dynamic=True)
  with pytest.raises(ValueError, match='at least one image'):
    preprocess_utils.random_crop([], 8, 2)


def test_clipped_draws_have_the_statistics_asked_for():
  with tf.Graph().as_default(), tf.Session() as session:
    tf.set_random_seed(1)
    draws = session.run(preprocess_utils.random_normal_clipped([4000]))
    half = preprocess_utils.random_normal_clipped([2], 1.0, 0.5, tf.float64, 1,
                                                  RandomSource(0))
    assert half.dtype == tf.float64
    narrow = session.run(preprocess_utils.random_normal_clipped([500], 2.0, 0.1,
                                                                clip_stddev_factor=1))
  assert abs(draws.mean()) < 0.003
  assert draws.std() == pytest.approx(0.05, rel=0.04)
  assert np.abs(draws).max() <= 0.15 + 1e-6
  assert narrow.min() == pytest.approx(1.9) and narrow.max() == pytest.approx(2.1)


def _warp(image_list, perturbation, dynamic=False, **kwargs):
  return run(lambda *tensors: preprocess_utils.centered_affine_perturbation(
      list(tensors), 3, 2, 8, 6, perturbation=tf.constant(perturbation, tf.float32),
      **kwargs), *image_list, dynamic=dynamic)


@pytest.mark.parametrize('dynamic', [False, True])
def test_no_perturbation_is_a_plain_crop(dynamic):
  image, label = _warp([ramp(20, 15, 3), ramp(20, 15, 1, np.int32)], [0] * 6, dynamic)
  np.testing.assert_allclose(image, ramp(20, 15, 3)[3:11, 2:8], atol=1e-2)
  np.testing.assert_array_equal(label, ramp(20, 15)[3:11, 2:8])
  assert label.dtype == np.int32


def test_perturbation_reads_at_the_matrix_about_the_centre():
  a, b, tx, c, d, ty = perturbation = [0.1, -0.05, 0.15, 0.04, -0.1, 0.05]
  image, label = _warp([ramp(20, 15), ramp(20, 15, 1, np.int32)], perturbation)
  y, x = np.mgrid[:8, :6].astype(np.float64)
  x, y = x - 3, y - 4
  read_x = (1 + a) * x + b * y + tx + 2 + 3
  read_y = c * x + (1 + d) * y + ty + 3 + 4
  # The ramp is linear, so bilinear reading gives it exactly.
  np.testing.assert_allclose(image[..., 0], 100 * read_y + read_x, atol=2e-2)
  np.testing.assert_array_equal(label[..., 0], 100 * np.rint(read_y) + np.rint(read_x))


def test_outside_of_the_image_is_the_fill():
  # Eight pixels to the left and above: nothing of the image is left.
  arrays = [ramp(9, 9, 3), np.ones((9, 9, 1), np.int32)]
  shift = [0, 0, -30, 0, 0, -30]
  image, label = _warp(arrays, shift, fill_values=[[123.0, 116.0, 103.0], 11])
  np.testing.assert_allclose(image, np.broadcast_to([123, 116, 103], (8, 6, 3)), atol=1e-4)
  assert (label == 11).all()
  image, label = _warp(arrays, shift)
  np.testing.assert_allclose(image, 127.5)
  assert (label == 255).all()


def test_random_perturbation_stays_near_the_window():
  image = ramp(64, 64)
  results = run(lambda a: preprocess_utils.random_crop(
      [a], 64, 64, do_affine_perturbation=True), image, num=20)
  centres = np.array([r[0][32, 32, 0] for r in results])
  # The centre of the window moves by at most 0.15 pixels each way.
  np.testing.assert_allclose(centres, image[32, 32, 0], atol=0.15 * 101 + 1e-2)
  assert len(set(centres.tolist())) > 10
