"""Tests of batches by size and of tiles, without a network."""
import numpy as np
import pytest

from deeplab.core import keys
from deeplab.core.tf_compat import tf
from deeplab.utils.inference import batches as eval_batches
from deeplab.utils.inference import tiles

TYPES = {keys.IMAGE: tf.uint8, keys.LABEL: tf.uint8, keys.HEIGHT: tf.int64,
         keys.WIDTH: tf.int64, keys.IMAGE_NAME: tf.string, keys.INDEX: tf.int64}
SHAPES = {key: [None, None, {keys.IMAGE: 3, keys.LABEL: 1}[key]]
          if key in (keys.IMAGE, keys.LABEL) else [] for key in TYPES}
IGNORE = 255
MEAN = (1., 2., 3.)
SIZES = [(20, 30), (33, 33), (18, 33), (64, 80), (30, 20), (65, 81), (17, 17), (33, 17)]


def make_images():
  rng = np.random.RandomState(0)
  return [(rng.randint(0, 256, size + (3,)), rng.randint(0, 4, size)) for size in SIZES]


def make_samples():
  """Returns the images as a Dataset of samples."""
  def samples():
    for index, (image, label) in enumerate(make_images()):
      yield dict(zip(TYPES, (image.astype(np.uint8), label[..., np.newaxis].astype(np.uint8))
                     + SIZES[index] + ('image %d' % index, index)))

  return tf.data.Dataset.from_generator(samples, TYPES, SHAPES)


def run_batches(make_batches):
  with tf.Graph().as_default(), tf.Session() as session:
    sample = tf.data.make_one_shot_iterator(make_batches(make_samples())).get_next()
    batches = []
    while True:
      try:
        batches.append(session.run(sample))
      except tf.errors.OutOfRangeError:
        return batches


@pytest.mark.parametrize('batch_size, num_batches', [(1, 8), (3, 5)])
def test_images_of_one_size_form_batches(batch_size, num_batches):
  batches = run_batches(lambda samples: eval_batches.batches_by_size(
      samples, eval_batches.InputSizes(16, batch_size), MEAN, IGNORE))
  assert len(batches) == num_batches
  seen = {}
  for batch in batches:
    assert batch[keys.LABEL].shape[1:3] == batch[keys.IMAGE].shape[1:3]
    for name, image, region in zip(batch[keys.IMAGE_NAME], batch[keys.IMAGE],
                                   batch[eval_batches.REGION]):
      seen[int(name.split()[1])] = image, region
  for index, (image, _) in enumerate(make_images()):
    height, width = SIZES[index]
    found, region = seen[index]
    assert found.shape[:2] == ((height + 14) // 16 * 16 + 1, (width + 14) // 16 * 16 + 1)
    np.testing.assert_array_equal(found[:height, :width], image)
    assert (found[height:] == MEAN).all()
    assert region.tolist() == [0, 0, 0, height, 0, width, height, width]


@pytest.mark.parametrize('tile, overlap, batch_size', [
    ((17, 17), 0, 1), ((33, 33), 8, 3), ((33, 17), 16, 2), ((65, 81), 10, 4), ((90, 40), 5, 1)])
def test_tiles_put_together_are_the_images(tile, overlap, batch_size):
  batches = run_batches(lambda samples: eval_batches.tile_batches(
      samples, eval_batches.InputSizes(16, batch_size, tile_size=tile, tile_overlap=overlap),
      MEAN, IGNORE))
  stitcher = tiles.Stitcher()
  wholes, counted = [], [np.zeros(size, int) for size in SIZES]
  for batch in batches:
    # No larger than the image needs.
    height, width = batch[eval_batches.REGION][0, 6:]
    assert batch[keys.IMAGE].shape[1:] == tuple(
        min(side, (length + 14) // 16 * 16 + 1)
        for side, length in zip(tile, (height, width))) + (3,)
    for image, label, region, name in zip(batch[keys.IMAGE], batch[keys.LABEL],
                                          batch[eval_batches.REGION], batch[keys.IMAGE_NAME]):
      top, left = region[:2]
      is_counted = (label[..., 0] != IGNORE).nonzero()
      counted[int(name.split()[1])][is_counted[0] + top, is_counted[1] + left] += 1
      whole = stitcher.add(region, [image, label[..., 0]])
      if whole is not None:
        wholes.append(whole)
  assert len(wholes) == len(SIZES)
  for (image, label), (found_image, found_label) in zip(make_images(), wholes):
    np.testing.assert_array_equal(found_image, image)
    np.testing.assert_array_equal(found_label, label)
  assert all((count == 1).all() for count in counted)


def test_a_tile_that_holds_an_image_is_the_image_without_tiles():
  whole = run_batches(lambda samples: eval_batches.batches_by_size(
      samples, eval_batches.InputSizes(16), MEAN, IGNORE))
  tiled = run_batches(lambda samples: eval_batches.tile_batches(
      samples, eval_batches.InputSizes(16, tile_size=(129, 129), tile_overlap=8), MEAN, IGNORE))
  assert len(whole) == len(tiled) == len(SIZES)
  for batch, tile in zip(whole, tiled):
    assert sorted(batch) == sorted(tile)
    for key in batch:
      np.testing.assert_array_equal(batch[key], tile[key], err_msg=key)


def test_neighbouring_tiles_share_at_least_the_overlap():
  with tf.Graph().as_default(), tf.Session() as session:
    size = tf.placeholder(tf.int32, [])
    edges = tiles.spans(size, 33, 8, tf)
    for length in range(1, 200):
      starts, firsts, lasts = session.run(edges, {size: length})
      assert starts[0] == 0
      assert max(33, length) == starts[-1] + 33
      assert (np.diff(starts) <= 25).all()
      assert (firsts - starts)[1:].min(initial=4) >= 4
      assert (starts + 33 - lasts)[:-1].min(initial=4) >= 4
      assert len(starts) == max(1, -(-(length - 8) // 25))


@pytest.mark.parametrize('sizes, message', [
    (eval_batches.InputSizes(16, tile_size=(33, 17), tile_overlap=17),
     'overlap of tiles must be from 0 to less than'),
    (eval_batches.InputSizes(16, tile_size=(33, 65), tile_overlap=8, least_size=(49, 49)),
     '--tile_size=33,65 is smaller than the window of image pooling')])
def test_tiles_that_cannot_be_are_refused(sizes, message):
  with pytest.raises(ValueError, match=message):
    eval_batches.tile_batches(None, sizes, MEAN, IGNORE)
