"""Batches of whole images or tiles for a network of any input size.

    samples = data_generator.Dataset(..., batch_size=1).get_dataset()
    batches = batches_by_size(samples, batch_size=4, output_stride=16)
    batches = tile_batches(samples, (769, 769), overlap=64, batch_size=1, ...)

Samples come padded below and right to one size; here they are cut to what they need. Each has
'region' int32 [8]: top and left of the sample in its image, the part of the image that counts
(top, bottom, left, right; the others overlap with it), height and width of the image.
"""
import numpy as np

from deeplab.core import keys, preprocess_utils, utils
from deeplab.core.tf_compat import tf
from deeplab.datasets import dataset_info

REGION = 'region'

# Images sorted by size at once: more make fuller batches and take more memory.
_NUM_SORTED = 32
_SIZE_LIMIT = 1 << 20
_KEPT = (keys.IMAGE, keys.LABEL, keys.HEIGHT, keys.WIDTH, keys.IMAGE_NAME)


def size_that_holds(dataset_dir, split, output_stride, least_size=None):
  """Returns (height, width) that holds all images of a split, or None where that is not known.

  Args:
    dataset_dir: folder of the records; its dataset_info.json tells the largest image.
    split: name of the split.
    output_stride: of the network.
    least_size: (height, width) it must hold too, or None.
  """
  info = dataset_info.read(dataset_dir)
  if info is None or split not in info.splits:
    return None
  return list(utils.aligned_size(info.splits[split].image_sizes['max'], output_stride,
                                 least_size))


def batches_by_size(samples, batch_size, output_stride, resized_size=None, least_size=None):
  """Returns batches of images of equal size, each as small as the features allow.

  The sides of a batch are the smallest k * output_stride + 1 that hold its images. Images
  are taken in groups of 32, so their order changes only within these.

  Args:
    samples: tf.data.Dataset of batches of one sample, as data_generator makes them.
    batch_size: most images of a batch.
    output_stride: of the network.
    resized_size: function from the size of a record to that of the image, or None.
    least_size: (height, width) of the smallest images the network takes, or None.
  """

  # Plain graph code here and below; AutoGraph would wrap its errors in a trace.
  @tf.autograph.experimental.do_not_convert
  def cut(sample):
    size = _image_size(sample, resized_size)
    side = tf.stack(utils.aligned_size(size, output_stride, least_size))
    return dict(_cut(sample, side), **{REGION: whole_region(size)})

  samples = samples.map(_single).map(cut)
  if batch_size == 1:
    return samples.batch(1).prefetch(1)

  def group(window):
    return tf.data.Dataset.zip(window).apply(tf.data.experimental.group_by_window(
        lambda sample: _size_key(sample[keys.IMAGE]),
        lambda unused_key, same: same.batch(batch_size), window_size=batch_size))

  return samples.window(_NUM_SORTED).flat_map(group).prefetch(1)


def tile_batches(samples, tile_size, overlap, batch_size, mean_pixel, ignore_label,
                 resized_size=None):
  """Returns batches of overlapping tiles; those of an image follow each other.

  Every pixel of an image has its label in the tile whose middle is nearest; in the others
  it is ignored. An image that one tile holds is padded to the tile.

  Args:
    samples: tf.data.Dataset of batches of one sample, as data_generator makes them.
    tile_size: (height, width) of the tiles in pixels.
    overlap: least pixels that neighbouring tiles share.
    batch_size: tiles per batch.
    mean_pixel: [3] colour of padding.
    ignore_label: label of padding and of what another tile decides.
    resized_size: function from the size of a record to that of the image, or None.

  Raises:
    ValueError: the overlap is not below the size of the tile.
  """
  if not 0 <= overlap < min(tile_size):
    raise ValueError('The overlap of tiles must be from 0 to less than their size %d,%d, got '
                     '%d.' % (tuple(tile_size) + (overlap,)))

  @tf.autograph.experimental.do_not_convert
  def cut_into_tiles(sample):
    size = _image_size(sample, resized_size)
    sample = _padded(_cut(sample, size), tf.maximum(size, tile_size), mean_pixel,
                     ignore_label)
    rows, columns = [_tile_starts(size[axis], tile_size[axis], overlap) for axis in (0, 1)]
    num_columns = tf.size(columns[0])

    @tf.autograph.experimental.do_not_convert
    def tile(index):
      index = tf.cast(index, tf.int32)
      top, upper, lower = [edge[index // num_columns] for edge in rows]
      left, first, last = [edge[index % num_columns] for edge in columns]
      part = _cut(sample, tile_size, top, left)
      if keys.LABEL in part:
        y = tf.range(top, top + tile_size[0])[:, tf.newaxis, tf.newaxis]
        x = tf.range(left, left + tile_size[1])[tf.newaxis, :, tf.newaxis]
        is_own = (y >= upper) & (y < lower) & (x >= first) & (x < last)
        part[keys.LABEL] = tf.where(is_own, part[keys.LABEL],
                                    ignore_label * tf.ones_like(part[keys.LABEL]))
      part[REGION] = tf.stack([top, left, upper, lower, first, last, size[0], size[1]])
      return part

    num_tiles = tf.cast(tf.size(rows[0]) * num_columns, tf.int64)
    return tf.data.Dataset.range(num_tiles).map(tile)

  return samples.map(_single).flat_map(cut_into_tiles).batch(batch_size).prefetch(1)


def whole_region(size):
  """Returns the region of an image that is one sample, int32 [8] or [B, 8].

  Args:
    size: int32 (height, width) of the image, [2] or [B, 2].
  """
  height, width = tf.unstack(size, axis=-1)
  zero = tf.zeros_like(height)
  return tf.stack([zero, zero, zero, height, zero, width, height, width], axis=-1)


class Stitcher(object):
  """Puts the arrays of tiles together again; tiles come in order, image after image."""

  def __init__(self):
    """Starts without an image."""
    self._canvases = None

  def add(self, region, arrays):
    """Returns the arrays of the whole image if `region` is its last, else None.

    Args:
      region: [8] ints, see the head of this file.
      arrays: list of [tile height, tile width, ...] arrays.
    """
    top, left, upper, lower, first, last, height, width = [int(edge) for edge in region]
    if is_last(region) and not upper and not first:
      return [array[:height, :width] for array in arrays]
    if not upper and not first:
      self._canvases = [np.empty((height, width) + array.shape[2:], array.dtype)
                        for array in arrays]
    for canvas, array in zip(self._canvases, arrays):
      canvas[upper:lower, first:last] = array[upper - top:lower - top,
                                              first - left:last - left]
    if not is_last(region):
      return None
    canvases, self._canvases = self._canvases, None
    return canvases


def is_last(region):
  """Returns whether a region is the last one of its image."""
  return bool(region[3] == region[6] and region[5] == region[7])


def _tile_starts(size, tile, overlap):
  """Returns starts of the tiles along an axis, and start and end of what each decides.

  Args:
    size: int32 scalar, length of the image.
    tile: length of a tile.
    overlap: least overlap.

  Returns:
    Three int32 [n] tensors. Tiles are spread evenly; neighbours meet in the middle of what
    they share.
  """
  num_steps = tf.maximum(0, (size - tile + tile - overlap - 1) // (tile - overlap))
  starts = (tf.range(num_steps + 1) * tf.maximum(0, size - tile)
            // tf.maximum(1, num_steps))
  meetings = (starts[1:] + starts[:-1] + tile) // 2
  return starts, tf.concat([[0], meetings], 0), tf.concat([meetings, [size]], 0)


def _single(batch):
  """Returns the only sample of a batch, without what evaluation has no use for."""
  return {key: batch[key][0] for key in _KEPT if key in batch}


def _image_size(sample, resized_size):
  size = tf.cast(tf.stack([sample[keys.HEIGHT], sample[keys.WIDTH]]), tf.int32)
  return resized_size(size) if resized_size else size


def _cut(sample, size, top=0, left=0):
  """Returns the sample with a part of image and label."""
  return dict(sample, **{
      key: sample[key][top:top + size[0], left:left + size[1]]
      for key in (keys.IMAGE, keys.LABEL) if key in sample})


def _padded(sample, size, mean_pixel, ignore_label):
  pads = {keys.IMAGE: mean_pixel, keys.LABEL: ignore_label}
  return dict(sample, **{
      key: preprocess_utils.pad_to_bounding_box(sample[key], 0, 0, size[0], size[1], pad)
      for key, pad in pads.items() if key in sample})


def _size_key(image):
  size = tf.cast(tf.shape(image), tf.int64)
  return size[0] * _SIZE_LIMIT + size[1]
