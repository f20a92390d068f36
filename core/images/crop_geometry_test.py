"""Tests of the map from crop pixels to source pixels."""
import numpy as np

from deeplab.core.images import augmentation, crop_geometry
from deeplab.core.images.augmentation import RandomSource
from deeplab.core.tf_compat import tf

_GEOMETRY_ONLY = augmentation.AUGMENTATIONS['none']._replace(
    affine_stddev=0.05, flip_probability=0.5)
_SCALES = (0.5, 2.0, 0.25)


def test_the_visible_box_is_where_the_source_shows():
  with tf.Graph().as_default(), tf.Session() as session:
    index = tf.placeholder(tf.int64, [])
    size, crop_size = np.array([40, 70]), (65, 97)
    for augment in (_GEOMETRY_ONLY, _GEOMETRY_ONLY._replace(affine_stddev=0.0)):
      geometry = crop_geometry.draw(tf.constant(size, tf.int32), crop_size,
                                    crop_geometry.Resizing(), _SCALES, augment,
                                    RandomSource(1, index))
      box_of = geometry.visible_box(tf.constant(size), crop_size)
      begin_of = geometry.starting_at(box_of[:2]).transform
      y, x = np.indices(crop_size)
      reach = 0.99 if geometry.is_warped else 1e-3
      for seed in range(20):
        t, box, begin = session.run([geometry.transform, box_of, begin_of], {index: seed})
        source_y, source_x = t[3] * x + t[4] * y + t[5], t[0] * x + t[1] * y + t[2]
        shows = ((source_y >= -reach) & (source_y <= size[0] - 1 + reach)
                 & (source_x >= -reach) & (source_x <= size[1] - 1 + reach))
        rows, columns = np.nonzero(shows)
        np.testing.assert_allclose(
            [box[0], box[1], box[0] + box[2], box[1] + box[3]],
            [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1],
            atol=2 if geometry.is_warped else 0)
        np.testing.assert_allclose(
            begin[[2, 5]], [source_x[box[0], box[1]], source_y[box[0], box[1]]], atol=1e-3)


def test_the_window_holds_every_pixel_that_is_read():
  with tf.Graph().as_default(), tf.Session() as session:
    index = tf.placeholder(tf.int64, [])
    size, crop_size = np.array([200, 300]), (65, 97)
    geometry = crop_geometry.draw(tf.constant(size, tf.int32), crop_size,
                                  crop_geometry.Resizing(), _SCALES, _GEOMETRY_ONLY,
                                  RandomSource(1, index))
    fetches = [geometry.transform, geometry.window(tf.constant(size), crop_size),
               geometry.net_scale]
    y, x = np.indices(crop_size)
    for seed in range(20):
      t, window, net_scale = session.run(fetches, {index: seed})
      for first, length, positions, limit in (
          (window[0], window[2], t[3] * x + t[4] * y + t[5], size[0]),
          (window[1], window[3], t[0] * x + t[1] * y + t[2], size[1])):
        assert first >= 0 and length >= 1 and first + length <= limit
        inside = positions[(positions >= 0) & (positions <= limit - 1)]
        assert np.floor(inside.min()) >= first
        assert np.ceil(inside.max()) <= first + length - 1
      assert 0.49 <= net_scale <= 2.0


def test_random_numbers_have_the_stated_distributions():
  count = 2000
  with tf.Graph().as_default(), tf.Session() as session:
    # One draw per element, from one graph: scale, warp, offsets and mirror of each crop.
    def draw(index):
      geometry = crop_geometry.draw(
          tf.constant([400, 400]), (101, 101), crop_geometry.Resizing(), (0.5, 1.5, 0),
          _GEOMETRY_ONLY, RandomSource(3, index))
      return geometry.transform, geometry.net_scale

    transforms, scales = session.run(tf.map_fn(
        draw, tf.range(count, dtype=tf.int64), (tf.float32, tf.float32)))
  assert scales.min() >= 0.495 and scales.max() <= 1.5
  np.testing.assert_allclose(scales.mean(), 1.0, atol=0.03)
  np.testing.assert_allclose(scales.std(), 1 / np.sqrt(12), atol=0.02)
  shares = 399 / (np.floor(400 * scales) - 1)
  a = transforms[:, 0] / shares
  assert abs(np.mean(a < 0) - 0.5) < 0.05
  for entries, center in ((np.abs(a), 1.0), (transforms[:, 1] / shares, 0.0),
                          (transforms[:, 3] / shares * np.sign(a), 0.0),
                          (transforms[:, 4] / shares, 1.0)):
    np.testing.assert_allclose(entries.mean(), center, atol=0.01)
    np.testing.assert_allclose(entries.std(), 0.05, atol=0.005)
    assert np.abs(entries - center).max() < 0.153
