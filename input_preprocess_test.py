"""Tests of the public functions of preprocessing; `one_pass_crop_test` compares their steps."""
import numpy as np
import pytest

from deeplab import input_preprocess
from deeplab.core.images import photometric
from deeplab.core.images.augmentation import RandomSource
from deeplab.core.tf_compat import tf

_IMAGE = np.random.RandomState(0).uniform(0, 255, (12, 10, 3)).astype(np.float32)


def _run(function, *args, **kwargs):
  """Returns the value of a function of an image, drawn with a fixed seed."""
  with tf.Graph().as_default(), tf.Session() as session:
    tf.set_random_seed(5)
    return session.run(function(tf.constant(_IMAGE), *args, **kwargs))


def _random_color(image, hue, saturation, brightness, contrast):
  source = RandomSource()
  tint = photometric.random_tint(hue, saturation, source)
  return photometric.random_light(tint(image), brightness, contrast, source)


@pytest.mark.parametrize('public, own, own_arguments', [
    (input_preprocess.color, _random_color, (0.08, (0.5, 1.5), 0.2, (0.7, 1.3))),
    (input_preprocess.blur, photometric.random_blur, (0.0, 1.0)),
    (input_preprocess.noise, photometric.random_noise, (0.0, 0.01)),
])
def test_public_steps_have_the_strengths_of_forma(public, own, own_arguments):
  found = _run(public)
  np.testing.assert_array_equal(found, _run(own, *own_arguments))
  assert np.abs(found - _IMAGE).max() > 0.5


def test_strengths_of_public_steps_can_be_given():
  np.testing.assert_array_equal(
      _run(input_preprocess.color, 0.3, 0.2, 0.4, 0.1, 0.6, 0.8),
      _run(_random_color, 0.3, (0.2, 0.4), 0.1, (0.6, 0.8)))


def _preprocess(label, is_training):
  return input_preprocess.preprocess_image_and_label(
      tf.constant(_IMAGE), label, 9, 9, is_training=is_training, model_variant='mobilenet_v2')


def test_training_without_labels_is_refused():
  with tf.Graph().as_default():
    with pytest.raises(ValueError, match='Training needs labels: choose a split that has them.'):
      _preprocess(None, True)


def test_an_image_larger_than_the_crop_is_refused_outside_of_training():
  with tf.Graph().as_default():
    with pytest.raises(ValueError, match=r'An image of 12x10 \(height x width\) does not fit into '
                                         'the crop size 9,9.'):
      _preprocess(tf.zeros([12, 10, 1], tf.int32), False)
