"""Tests of colour augmentation against numpy, and of the strengths drawn."""
import colorsys

import numpy as np
import pytest

from deeplab.core.images import photometric
from deeplab.core.tf_compat import tf

_OFF = {'hue': 0, 'saturation': (1.0, 1.0), 'brightness': 0, 'contrast': (1.0, 1.0)}


class FixedSource(object):
  """A random source that gives numbers written down, and records what was asked."""

  def __init__(self, *draws):
    self.draws = list(draws)
    self.asked = []

  def uniform(self, minval=0.0, maxval=1.0, shape=()):
    self.asked.append((minval, maxval))
    return tf.constant(self.draws.pop(0), tf.float32, shape)

  def normal(self, mean=0.0, stddev=1.0, shape=()):
    self.asked.append((mean, stddev))
    return mean + stddev * tf.fill(shape, float(self.draws.pop(0)))


def _image(height=6, width=8):
  return np.random.RandomState(0).uniform(0, 255, (height, width, 3)).astype(np.float32)


def _run(function, image, *args, **kwargs):
  with tf.Graph().as_default(), tf.Session() as session:
    return session.run(function(tf.constant(image), *args, **kwargs))


def _random_color(image, hue, saturation, brightness, contrast, random_source=None):
  tint = photometric.random_tint(hue, saturation, random_source)
  return photometric.random_light(tint(image), brightness, contrast, random_source)


def _color(image, source, **options):
  return _run(_random_color, image, random_source=source, **dict(_OFF, **options))


def _in_hsv(image, change):
  pixels = [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*(p / 255.0))))
            for p in image.reshape(-1, 3).astype(np.float64)]
  return 255 * np.array(pixels).reshape(image.shape)


def test_color_off_builds_nothing():
  with tf.Graph().as_default():
    image = tf.constant(_image())
    assert _random_color(image, **_OFF) is image


def test_hue_turns_the_colour_circle():
  source = FixedSource(0.07)
  actual = _color(_image(), source, hue=0.08)
  assert source.asked == [(-0.08, 0.08)]
  np.testing.assert_allclose(
      actual, _in_hsv(_image(), lambda h, s, v: ((h + 0.07) % 1, s, v)), atol=0.05)


def test_saturation_is_scaled_and_limited():
  source = FixedSource(1.4)
  actual = _color(_image(), source, saturation=(0.5, 1.5))
  assert source.asked == [(0.5, 1.5)]
  np.testing.assert_allclose(
      actual, _in_hsv(_image(), lambda h, s, v: (h, min(1.4 * s, 1), v)), atol=0.05)


def test_brightness_is_a_share_of_the_full_range():
  source = FixedSource(-0.2)
  np.testing.assert_allclose(_color(_image(), source, brightness=0.2), _image() - 51,
                             atol=1e-3)
  assert source.asked == [(-0.2, 0.2)]


def test_contrast_scales_about_the_mean_of_each_channel():
  source = FixedSource(0.7)
  mean = _image().mean(axis=(0, 1))
  np.testing.assert_allclose(_color(_image(), source, contrast=(0.7, 1.3)),
                             (_image() - mean) * 0.7 + mean, atol=1e-3)
  assert source.asked == [(0.7, 1.3)]


def test_steps_are_taken_in_order():
  source = FixedSource(0.05, 0.8, 0.1, 1.2)
  actual = _color(_image(), source, hue=0.08, saturation=(0.5, 1.5), brightness=0.2,
                  contrast=(0.7, 1.3))
  expected = _in_hsv(_image(), lambda h, s, v: ((h + 0.05) % 1, s * 0.8, v)) + 25.5
  mean = expected.mean(axis=(0, 1))
  np.testing.assert_allclose(actual, (expected - mean) * 1.2 + mean, atol=0.05)
  assert source.asked == [(-0.08, 0.08), (0.5, 1.5), (-0.2, 0.2), (0.7, 1.3)]


def test_blur_by_two_averages_blocks_of_two_pixels():
  image = np.kron(_image(3, 4), np.ones((2, 2, 1))).astype(np.float32)
  noisy = image + np.tile([[3.0], [-3.0]], (3, 8))[..., np.newaxis]
  # The factor is 1 + |-1|; means of blocks lie at even pixels, halves between them.
  actual = _run(photometric.random_blur, noisy.astype(np.float32),
                random_source=FixedSource(-1.0))
  np.testing.assert_allclose(actual[::2, ::2], image[::2, ::2], atol=1e-3)
  np.testing.assert_allclose(
      actual[1:-1:2, ::2], (image[:-2:2, ::2] + image[2::2, ::2]) / 2, atol=1e-3)


def test_strong_blur_of_a_small_image_keeps_its_size():
  actual = _run(photometric.random_blur, _image(2, 3), random_source=FixedSource(9.0))
  np.testing.assert_allclose(actual, np.broadcast_to(_image(2, 3).mean((0, 1)), (2, 3, 3)),
                             rtol=1e-5)


def test_noise_is_drawn_per_value_in_shares_of_the_full_range():
  image = np.full((60, 70, 3), 100, np.float32)
  noise = _run(photometric.random_noise, image, stddev=0.01) - image
  assert abs(noise.mean()) < 0.1
  assert noise.std() == pytest.approx(2.55, rel=0.05)
