"""Tests of an image beside what is predicted on it, and of the names of classes."""
import numpy as np
import pytest

from deeplab.utils.pictures import drawing

COLORS = np.array([[0, 0, 0], [200, 0, 100], [0, 50, 250]], np.uint8)
NAMES = ['background', 'b', 'c']
IMAGE = np.full((60, 240, 3), 100, np.uint8)
STEP = 246


def shown(picture, color):
  return (picture.reshape(-1, 3) == color).all(axis=1).any()


def test_image_label_prediction_and_errors_stand_side_by_side():
  labels = np.ones((60, 240), np.int32)
  labels[:, :20] = 0
  truth = np.full((60, 240), 2)
  truth[:30] = 255
  truth[:, :10] = 0
  picture = np.array(drawing.side_by_side(IMAGE, labels, COLORS, NAMES, truth, 255))
  assert picture.shape[1] == 4 * STEP - 6
  image, label, prediction, errors = [picture[:60, i * STEP:i * STEP + 240] for i in range(4)]
  np.testing.assert_array_equal(image, IMAGE)
  # Background and what is ignored are not painted.
  assert (label[:, :10] == 100).all() and (label[:30] == 100).all()
  assert (label[30:, 10:] == [50, 75, 175]).all()
  assert (prediction[:, :20] == 100).all() and (prediction[:, 20:] == [150, 50, 100]).all()
  assert (errors[30:, 10:] == [230, 0, 60]).all()
  assert (errors[:, :10] == 120).all() and (errors[:30, 10:] == 255).all()
  legend = picture[60:]
  assert shown(legend, COLORS[1]) and shown(legend, COLORS[2])


def test_without_a_label_there_are_image_and_prediction_and_only_their_classes():
  picture = np.array(drawing.side_by_side(IMAGE, np.ones((60, 240), int), COLORS, None))
  assert picture.shape[1] == 2 * STEP - 6
  assert (picture[:60, STEP:] == [150, 50, 100]).all()
  assert shown(picture[60:], COLORS[1]) and not shown(picture[60:], COLORS[2])


def test_background_is_painted_where_that_is_asked():
  labels = np.zeros((60, 240), int)
  for clear_ids, value in ((None, 100), ((), 50)):
    picture = np.array(drawing.side_by_side(IMAGE, labels, COLORS, NAMES, clear_ids=clear_ids))
    assert (picture[:60, STEP:] == value).all()


def test_the_first_class_of_a_dataset_without_background_is_painted():
  labels = np.zeros((60, 240), int)
  picture = np.array(drawing.side_by_side(IMAGE, labels, COLORS, ['road', 'car', 'sky']))
  assert (picture[:60, STEP:] == 50).all()


def test_classes_by_name_or_id():
  names = ['sky', 'road', 'car']
  assert drawing.class_ids(['car', '0', '2'], names) == [0, 2]
  assert drawing.class_ids(['7'], None) == [7]
  with pytest.raises(ValueError, match="No class 'cat'. The classes: 0 sky, 1 road, 2 car."):
    drawing.class_ids(['cat'], names)
  with pytest.raises(ValueError, match="No class '3'. The classes: 0 sky"):
    drawing.class_ids(['3'], names)
  with pytest.raises(ValueError, match='Names are not known; give ids 0..4'):
    drawing.class_ids(['car'], None, 5)
