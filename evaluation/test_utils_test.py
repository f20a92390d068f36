"""Tests of the readers of pictures of segments, and that the random scenes vary."""
import numpy as np
import pytest
from PIL import Image

from deeplab.evaluation import test_utils


def write(folder, array):
  path = str(folder / 'picture.png')
  Image.fromarray(np.array(array, np.uint8)).save(path)
  return path


def test_picture_is_read_with_the_type_asked_for(tmp_path):
  path = write(tmp_path, [[1, 2]])
  assert test_utils.read_test_image(path).dtype == np.uint8
  image = test_utils.read_test_image(path, dtype=np.float32)
  assert image.dtype == np.float32 and image.tolist() == [[1, 2]]


def test_colors_become_labels_and_unknown_ones_are_told(tmp_path):
  path = write(tmp_path, [[[255, 0, 0], [0, 0, 9]]])
  labels = test_utils.read_segmentation_with_rgb_color_map(
      path, {(255, 0, 0): 3, (0, 0, 9): 300}, np.uint16)
  assert labels.dtype == np.uint16 and labels.tolist() == [[3, 300]]
  with pytest.raises(ValueError, match=r'picture.png has the colour \(0, 0, 9\)'):
    test_utils.read_segmentation_with_rgb_color_map(path, {(255, 0, 0): 3})


def test_instances_become_categories_and_unknown_ones_are_told(tmp_path):
  path = write(tmp_path, [[47, 97, 198]])
  instances, categories = test_utils.panoptic_segmentation_with_class_map(
      path, {47: 1, 97: 1, 198: 2})
  assert instances.tolist() == [[47, 97, 198]]
  assert categories.tolist() == [[1, 1, 2]]
  with pytest.raises(ValueError, match='picture.png has the id 198'):
    test_utils.panoptic_segmentation_with_class_map(path, {47: 1, 97: 1})


def test_random_scenes_differ_and_equal_seeds_give_equal_ones():
  scenes = [test_utils.random_scene(np.random.RandomState(seed)) for seed in (1, 1, 2)]
  assert np.array_equal(scenes[0].arrays, scenes[1].arrays)
  assert not np.array_equal(scenes[0].arrays, scenes[2].arrays)
