"""Tests of the crop in one pass: it shows what one step after the other shows."""
import io

import numpy as np
import pytest
from PIL import Image

from deeplab import input_preprocess
from deeplab.core import feature_extractor, keys
from deeplab.core.images import augmentation, crop_geometry, one_pass_crop
from deeplab.core.images.augmentation import Padding, RandomSource
from deeplab.core.tf_compat import tf
from deeplab.datasets.records import example

_IGNORE = 255
_GEOMETRY_ONLY = augmentation.AUGMENTATIONS['none']._replace(
    affine_stddev=0.05, flip_probability=0.5)
_SCALES = (0.5, 2.0, 0.25)


def _smooth_picture(size):
  """Returns a smooth [h, w, 3] uint8 picture and a label map of large regions."""
  y, x = np.indices(size).astype(np.float64)
  channels = [127 + 110 * np.sin(x / 23 + k) * np.cos(y / (17 + 4 * k)) for k in range(3)]
  label = ((x // 31) + 2 * (y // 37)).astype(np.uint8) % 7
  return np.stack(channels, 2).astype(np.uint8), label[..., np.newaxis]


def _encode(image, encoding):
  stream = io.BytesIO()
  Image.fromarray(image).save(stream, encoding, **({'quality': 98, 'subsampling': 0}
                                                   if encoding == 'JPEG' else {}))
  return stream.getvalue()


def _both(image, label, crop_size, encoding='PNG', resizing=(), augment=_GEOMETRY_ONLY,
          scales=_SCALES, landmarks=None, seeds=range(6)):
  """Yields (image, label) in one pass and step by step, per seed; arrays."""
  resizing = crop_geometry.Resizing(*resizing)
  with tf.Graph().as_default(), tf.Session() as session:
    index = tf.placeholder(tf.int64, [])
    data = tf.constant(_encode(image, encoding))
    points = None if landmarks is None else tf.constant(example.serialize_landmarks(landmarks))
    sample = {keys.IMAGE: data, keys.LABELS_CLASS: tf.constant(label),
              keys.LANDMARKS: points, keys.IMAGE_NAME: tf.constant('x')}
    padding = Padding(feature_extractor.mean_pixel('mobilenet_v2'), _IGNORE)
    one_pass = one_pass_crop.crop_from_encoded(
        sample, one_pass_crop.TrainingCrops(crop_size, resizing, scales, padding, augment),
        RandomSource(7, index))
    steps = input_preprocess.preprocess_image_and_label(
        tf.image.decode_jpeg(data, channels=3), tf.constant(label), crop_size[0], crop_size[1],
        resizing.min_size, resizing.max_size, resizing.factor, scales[0], scales[1], scales[2],
        _IGNORE, True, 'mobilenet_v2', points, augment, RandomSource(7, index))[1:]
    for seed in seeds:
      yield session.run([one_pass, steps], {index: seed})


def _far_from_borders(values, distance):
  """Returns the [h, w] bool mask of pixels whose neighbourhood has one value."""
  padded = np.pad(values[..., 0].astype(np.int64), distance, mode='constant', constant_values=-1)
  height, width = values.shape[:2]
  neighbours = [padded[y:y + height, x:x + width] for y in range(2 * distance + 1)
                for x in range(2 * distance + 1)]
  return np.all(np.equal(neighbours, values[..., 0]), axis=0)


def _assert_alike(pairs, distance=2):
  for (image, label), (wanted_image, wanted_label) in pairs:
    inside = _far_from_borders(wanted_label, distance)
    np.testing.assert_array_equal(label[inside], wanted_label[inside])
    in_picture = _far_from_borders(wanted_label == _IGNORE, distance)
    assert in_picture.mean() > 0.5
    assert np.abs(image - wanted_image)[in_picture].mean() < 1.5


@pytest.mark.parametrize('encoding', ['PNG', 'JPEG'])
@pytest.mark.parametrize('size, crop_size', [
    ((120, 160), (97, 97)),   # The crop is a part, or more, of the picture.
    ((60, 50), (129, 97)),    # Much padding.
    ((300, 400), (65, 97)),   # A small part of the picture.
])
def test_one_pass_shows_what_the_steps_show(encoding, size, crop_size):
  _assert_alike(_both(*_smooth_picture(size), crop_size=crop_size, encoding=encoding))


@pytest.mark.parametrize('resizing', [(100,), (60, 90), (90, 120, 16)])
def test_resizing_before_is_part_of_the_one_pass(resizing):
  _assert_alike(_both(*_smooth_picture((200, 260)), crop_size=(65, 65), encoding='JPEG',
                      resizing=resizing))


def test_a_fixed_scale_without_chance_is_the_same_picture():
  for (image, label), (wanted_image, wanted_label) in _both(
      *_smooth_picture((65, 97)), crop_size=(65, 97), scales=(1.0, 1.0, 0),
      augment=augmentation.AUGMENTATIONS['none'], seeds=[0]):
    np.testing.assert_allclose(image, wanted_image, atol=0.02)
    np.testing.assert_array_equal(label, wanted_label)


def test_strongly_shrunk_jpeg_pictures_are_decoded_small():
  _assert_alike(_both(*_smooth_picture((800, 640)), crop_size=(97, 97), encoding='JPEG',
                      resizing=(100,)))


def test_legs_are_cut_in_both():
  landmarks = np.zeros((1, 18, 2), np.float32)
  landmarks[0, [8, 9, 11, 12]] = [[40, 60], [42, 110], [90, 70], [95, 120]]
  augment = _GEOMETRY_ONLY._replace(leg_cut_probability=1.0)
  pairs = list(_both(*_smooth_picture((160, 120)), crop_size=(129, 129), augment=augment,
                     landmarks=landmarks))
  # One pixel of the source is two of the crop at the largest scale.
  _assert_alike(pairs, distance=4)
  assert max(np.mean(label == _IGNORE) for (_, label), _ in pairs) > 0.2
