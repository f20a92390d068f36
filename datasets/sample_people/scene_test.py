"""Tests of rendered pictures: labels, rims, landmarks, and what there is to learn."""
import functools

import numpy as np
import pytest

from deeplab.datasets.sample_people import body, canvas, scene

_COUNT = 30


@functools.lru_cache(maxsize=None)
def _picture(index):
  return scene.render(0, 'train', index)


def _pictures():
  return [_picture(i) for i in range(_COUNT)]


def _meets_other_class(dense):
  """Returns where a pixel has a direct neighbour of another class."""
  meets = np.zeros(dense.shape, bool)
  for axis in (0, 1):
    for shift in (1, -1):
      other = np.roll(dense, shift, axis)
      edge = [slice(None), slice(None)]
      edge[axis] = 0 if shift == 1 else -1
      other[tuple(edge)] = dense[tuple(edge)]
      meets |= other != dense
  return meets


def test_labels_are_the_nine_classes_or_ignore():
  for picture in _pictures():
    assert picture.labels.dtype == np.uint8
    assert set(np.unique(picture.labels)) <= set(range(9)) | {255}
    assert picture.dense_labels.max() < 9
    assert picture.image.shape == picture.labels.shape + (3,)
    assert picture.image.dtype == np.uint8


def test_the_rim_lies_between_classes_and_only_there():
  for picture in _pictures():
    expected = _meets_other_class(picture.dense_labels)
    np.testing.assert_array_equal(picture.labels == canvas.IGNORE, expected)
    kept = ~expected
    np.testing.assert_array_equal(picture.labels[kept], picture.dense_labels[kept])


def test_rim_of_a_straight_border_is_two_pixels_wide():
  labels = np.zeros((3, 6), np.uint8)
  labels[:, 3:] = 4
  np.testing.assert_array_equal(scene.add_ignore_rim(labels), [[0, 0, 255, 255, 4, 4]] * 3)


def test_sizes_vary_between_200_and_400_pixels():
  sizes = {picture.labels.shape for picture in _pictures()}
  assert len(sizes) > _COUNT // 2
  assert min(min(size) for size in sizes) >= 200
  assert max(max(size) for size in sizes) <= 400


def test_visible_trunk_landmarks_lie_on_the_figure():
  rows = [body.LANDMARKS.index(name) for name in (
      'neck', 'right_hip', 'left_hip', 'nose')]
  checked = 0
  for picture in _pictures():
    height, width = picture.labels.shape
    assert picture.landmarks.dtype == np.float32
    assert picture.landmarks.shape[1:] == (18, 3)
    for x, y, visibility in picture.landmarks[:, rows].reshape(-1, 3):
      if visibility:
        assert 0 <= x < width and 0 <= y < height
        assert picture.dense_labels[int(y), int(x)] != canvas.BACKGROUND
        checked += 1
  assert checked > 3 * _COUNT


def test_hips_wear_clothes():
  worn = {canvas.PANTS, canvas.GARMENT}
  labels = [picture.dense_labels[int(y), int(x)] for picture in _pictures()
            for x, y, visibility in picture.landmarks[0, [8, 11]] if visibility]
  assert np.mean([label in worn for label in labels]) > 0.7


def test_every_class_is_in_many_pictures_with_enough_pixels():
  counts = np.array([np.bincount(picture.labels.ravel(), minlength=256)[:9]
                     for picture in _pictures()])
  is_there = (counts > 100).mean(axis=0)
  assert is_there.min() >= 0.4, is_there
  people = counts[:, 1:].sum(axis=1) / counts.sum(axis=1).astype(float)
  assert 0.1 < np.median(people) < 0.6
  assert counts.sum(axis=0).min() / float(counts.sum()) > 0.004


def test_pictures_follow_from_seed_split_and_index():
  again = scene.render(0, 'train', 3)
  np.testing.assert_array_equal(again.image, _picture(3).image)
  np.testing.assert_array_equal(again.labels, _picture(3).labels)
  np.testing.assert_array_equal(again.landmarks, _picture(3).landmarks)


@pytest.mark.parametrize('seed, split, index', [(1, 'train', 3), (0, 'val', 3), (0, 'train', 4)])
def test_other_seeds_splits_and_indices_give_other_pictures(seed, split, index):
  other = scene.render(seed, split, index)
  assert (other.labels.shape != _picture(3).labels.shape
          or (other.labels != _picture(3).labels).any())


def test_people_differ_from_what_stands_behind_them_by_more_than_colour():
  """The mean colours of a class vary over pictures more than classes differ on average."""
  means = np.array([[picture.image[picture.labels == label].mean(axis=0)
                     if (picture.labels == label).any() else [np.nan] * 3
                     for label in (canvas.BACKGROUND, canvas.GARMENT, canvas.PANTS)]
                    for picture in _pictures()])
  between = np.nanstd(np.nanmean(means, axis=0), axis=0).max()
  within = np.nanmean(np.nanstd(means, axis=0), axis=0).min()
  assert within > 1.5 * between
