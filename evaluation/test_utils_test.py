"""Tests of the readers of pictures of segments, and that the random scenes vary."""
import numpy as np
import pytest
from PIL import Image

from deeplab.evaluation import test_utils


def write(folder, array):
  path = str(folder / 'picture.png')
  Image.fromarray(np.array(array, np.uint8)).save(path)
  return path


def test_picture_is_read_in_the_mode_asked_for(tmp_path):
  path = write(tmp_path, [[1, 2]])
  image = test_utils.read_test_image(path)
  assert image.dtype == np.uint8 and image.tolist() == [[1, 2]]
  assert test_utils.read_test_image(path, mode='RGB').tolist() == [[[1] * 3, [2] * 3]]
  image = test_utils.read_test_image(path, flatten=True)
  assert image.dtype == np.float32 and image.tolist() == [[1, 2]]
  path = write(tmp_path, [[[189, 188, 188, 255]]])
  assert test_utils.read_test_image(path).tolist() == [[[189, 188, 188, 255]]]
  assert test_utils.read_test_image(path, mode='L').tolist() == [[188]]


def test_palettes_are_read_as_colours_and_black_and_white_as_grey(tmp_path):
  path = str(tmp_path / 'picture.png')
  image = Image.fromarray(np.array([[0, 1]], np.uint8))
  image.putpalette([9, 8, 7, 6, 5, 4])
  image.save(path)
  assert test_utils.read_test_image(path).tolist() == [[[9, 8, 7], [6, 5, 4]]]
  assert test_utils.read_test_image(path, mode='P').tolist() == [[0, 1]]
  image.save(path, transparency=0)
  assert test_utils.read_test_image(path).tolist() == [[[9, 8, 7, 0], [6, 5, 4, 255]]]
  Image.fromarray(np.array([[False, True]])).save(path)
  assert test_utils.read_test_image(path).tolist() == [[0, 255]]


def test_colors_become_labels_and_unknown_ones_are_told(tmp_path):
  path = write(tmp_path, [[[255, 0, 0], [0, 0, 9]]])
  labels = test_utils.read_segmentation_with_rgb_color_map(
      path, {(255, 0, 0): 3, (0, 0, 9): 300}, np.uint16)
  assert labels.dtype == np.uint16 and labels.tolist() == [[3, 300]]
  with pytest.raises(ValueError, match=r'picture.png has the colour \(0, 0, 9\)'):
    test_utils.read_segmentation_with_rgb_color_map(path, {(255, 0, 0): 3})
  assert test_utils.read_segmentation_with_rgb_color_map(
      path, {(255, 0, 0): 3, (0, 0, 9): 300}).tolist() == [[3, 300]]


def test_instances_become_categories_and_unknown_ones_are_told(tmp_path):
  path = write(tmp_path, [[47, 97, 198]])
  instances, categories = test_utils.panoptic_segmentation_with_class_map(
      path, {47: 1, 97: 1, 198: 2})
  assert instances.tolist() == [[47, 97, 198]]
  assert categories.tolist() == [[1, 1, 2]]
  for ids in ((47, 97), (47, 97, 198, 200)):
    with pytest.raises(ValueError, match=r'picture.png has the ids \[47, 97, 198\], .*\[47, 97'):
      test_utils.panoptic_segmentation_with_class_map(path, dict.fromkeys(ids, 1))


def test_random_scenes_differ_and_equal_seeds_give_equal_ones():
  scenes = [test_utils.random_scene(np.random.RandomState(seed)) for seed in (1, 1, 2)]
  assert np.array_equal(scenes[0].arrays, scenes[1].arrays)
  assert not np.array_equal(scenes[0].arrays, scenes[2].arrays)
