"""Tests of batches of pictures and of tiles."""
import typing

import numpy as np
import pytest

from deeplab.core import keys
from deeplab.core.tf_compat import tf
from deeplab.utils.inference import batches as eval_batches
from deeplab.utils.inference import tiles as picture_batches


class Item(typing.NamedTuple):
  """A picture with a number."""
  index: int
  image: np.ndarray


def items(*sizes):
  return [Item(index, np.zeros(size + (3,), np.uint8)) for index, size in enumerate(sizes)]


def indices(batches):
  return [[item.index for item in batch] for batch in batches]


def test_pictures_of_one_size_go_together():
  a, b = (4, 6), (6, 4)
  pictures = items(a, b, a, a, b, a, a)
  assert indices(picture_batches.batches_of_equal_size(pictures, 2)) == [
      [0, 2], [1, 4], [3, 5], [6]]
  assert indices(picture_batches.batches_of_equal_size(pictures, 1)) == [
      [0], [1], [2], [3], [4], [5], [6]]


def test_few_pictures_wait_for_others_of_their_size():
  read = []

  def reading(pictures):
    for picture in pictures:
      read.append(picture.index)
      yield picture

  different = items(*[(2, side) for side in range(1, 40)])
  batches = picture_batches.batches_of_equal_size(reading(different), 3)
  assert [item.index for item in next(batches)] == [0]
  assert len(read) == 12
  assert [index for batch in indices(batches) for index in batch] == list(range(1, 39))


@pytest.mark.parametrize('size, tile, overlap', [
    ((50, 70), (33, 33), 8), ((33, 100), (33, 49), 0), ((34, 33), (33, 33), 32),
    ((97, 65), (33, 33), 16)])
def test_tiles_are_those_of_evaluation(size, tile, overlap):
  sample = {keys.IMAGE: np.zeros(size + (3,), np.uint8)}
  with tf.Graph().as_default(), tf.Session() as session:
    tiles = eval_batches.tile_batches(
        tf.data.Dataset.from_tensors(sample),
        eval_batches.InputSizes(16, tile_size=tile, tile_overlap=overlap), [0., 0., 0.], 255)
    region = tf.data.make_one_shot_iterator(tiles).get_next()[eval_batches.REGION]
    expected = []
    try:
      while True:
        expected.append(session.run(region)[0].tolist())
    except tf.errors.OutOfRangeError:
      pass
  assert picture_batches.tile_regions(size, tile, overlap).tolist() == expected
  assert len(expected) > 1


@pytest.mark.parametrize('batch_size', [1, 3])
@pytest.mark.parametrize('size', [(50, 70), (20, 70), (33, 33), (7, 5)])
def test_tiles_are_put_together_again(size, batch_size):
  image = np.random.RandomState(0).randint(0, 256, size + (3,)).astype(np.uint8)
  shapes = []

  def run(tiles):
    shapes.append(tiles.shape)
    return [tiles[..., 0], tiles.astype(np.float32)]

  red, copy = picture_batches.label_in_tiles(run, image, (33, 33), 8, batch_size)
  np.testing.assert_array_equal(red, image[..., 0])
  np.testing.assert_array_equal(copy, image)
  assert {shape[1:] for shape in shapes} == {(min(33, size[0]), min(33, size[1]), 3)}
  assert max(shape[0] for shape in shapes) <= batch_size


def test_overlap_is_less_than_a_tile():
  with pytest.raises(ValueError, match='overlap of tiles must be from 0 to less than their '
                                       'size 33,49, got 33'):
    picture_batches.tile_regions((99, 99), (33, 49), 33)
