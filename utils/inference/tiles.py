"""Pictures of one size in batches, and large pictures as overlapping tiles: plan and joining.

The region of a tile is 8 ints: its top and left in its image, the part of the image that it decides
(top, bottom, left, right; the rest overlaps with others), height and width of the image.
"""
import collections

import numpy as np
from absl import logging

from deeplab.core.usage import UsageError

# Pictures that wait for others of their size: of so many batches, or so many pixels.
_MAX_WAITING_BATCHES = 4
_MAX_WAITING_PIXELS = 64000000


def batches_of_equal_size(pictures, batch_size):
  """Yields lists of up to `batch_size` pictures of one size; memory stays bounded.

  Where too many wait for others of their size, those that wait longest go alone. Pictures are
  records with an `image` [height, width, 3].
  """
  groups = collections.OrderedDict()
  for picture in pictures:
    size = picture.image.shape
    groups.setdefault(size, []).append(picture)
    if len(groups[size]) == batch_size:
      yield groups.pop(size)
    while groups and _is_too_much(groups, batch_size):
      yield groups.popitem(last=False)[1]
  for group in groups.values():
    yield group


def label_pictures(run, pictures, batch_size, tile_size=None, overlap=0):
  """Labels pictures of one size; those of a batch that fails one by one.

  Returns a list of (picture, its arrays), and a list of messages on pictures that fail.

  Args:
    run: see `label_in_tiles`; it may raise ValueErrors.
    pictures: list of records with `image` and `source`; with tiles, one of them.
    batch_size: most pictures, or tiles of one, that go through the network at once.
    tile_size, overlap: see `label_in_tiles`; no size (None): no tiles.
  """
  try:
    if tile_size is not None:
      picture, = pictures
      return [(picture, label_in_tiles(run, picture.image, tile_size, overlap, batch_size))], []
    arrays = run(np.stack([picture.image for picture in pictures]))
    return list(zip(pictures, zip(*arrays))), []
  except ValueError as error:
    if batch_size == 1 or (len(pictures) == 1 and tile_size is None):
      return [], ['%s: %s' % (pictures[0].source, error)]
    logging.warning('With --batch_size=%d: %s They are tried one by one.', batch_size, error)
  labelled, messages = [], []
  for picture in pictures:
    of_one = label_pictures(run, [picture], 1, tile_size, overlap)
    labelled += of_one[0]
    messages += of_one[1]
  return labelled, messages


def label_in_tiles(run, image, tile_size, overlap, batch_size):
  """Returns the arrays of an image, put together from those of overlapping tiles.

  Every pixel is decided by the tile whose middle is nearest; an image that one tile holds
  goes through whole.

  Args:
    run: function from [B, h, w, 3] uint8 tiles to a list of [B, h, w, ...] arrays.
    image: [height, width, 3] uint8 array.
    tile_size: (height, width) of the tiles in pixels.
    overlap: least pixels that neighbouring tiles share.
    batch_size: tiles per batch.
  """
  regions = tile_regions(image.shape[:2], tile_size, overlap)
  height, width = np.minimum(tile_size, image.shape[:2])
  stitcher = Stitcher()
  for start in range(0, len(regions), batch_size):
    batch = regions[start:start + batch_size]
    results = run(np.stack([image[top:top + height, left:left + width]
                            for top, left in batch[:, :2]]))
    for index, region in enumerate(batch):
      whole = stitcher.add(region, [result[index] for result in results])
  return whole


def tile_regions(size, tile_size, overlap):
  """Returns regions, [n, 8] ints, of tiles of a (height, width); ValueError if overlap >= tile."""
  check_overlap(tile_size, overlap)
  rows, columns = [list(zip(*spans(side, tile, overlap)))
                   for side, tile in zip(size, tile_size)]
  return np.array([[top, left, upper, lower, first, last, size[0], size[1]]
                   for top, upper, lower in rows for left, first, last in columns])


def check_overlap(tile_size, overlap):
  """Stops with a UsageError unless an overlap is below the (height, width) of tiles."""
  if not 0 <= overlap < min(tile_size):
    raise UsageError('The overlap of tiles must be from 0 to less than their size %d,%d, got '
                     '%d.' % (tuple(tile_size) + (overlap,)))


def spans(side, tile, overlap, ops=np):
  """Returns starts of the tiles along an axis, and start and end of what each decides.

  Tiles are spread evenly; neighbours meet in the middle of what they share. The side of the image
  is an int and the result three int [n] arrays; or, with ops=tf, an int32 scalar and tensors.
  """
  count, concatenate = (np.arange, np.concatenate) if ops is np else (ops.range, ops.concat)
  num_steps = ops.maximum(0, (side - overlap - 1) // (tile - overlap))
  starts = count(num_steps + 1) * ops.maximum(0, side - tile) // ops.maximum(1, num_steps)
  meetings = (starts[1:] + starts[:-1] + tile) // 2
  return starts, concatenate([[0], meetings], 0), concatenate([meetings, [side]], 0)


class Stitcher(object):
  """Puts the arrays of tiles together again; tiles come in order, image after image."""

  def __init__(self):
    """Starts without an image."""
    self._canvases = None

  def add(self, region, arrays):
    """Returns the arrays of the whole image if a region, [8] ints, is its last, else None.

    Those of the tile are a list of [tile height, tile width, ...] arrays.
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


def _is_too_much(groups, batch_size):
  num_pictures = sum(len(group) for group in groups.values())
  num_pixels = sum(len(group) * size[0] * size[1] for size, group in groups.items())
  return (num_pictures >= _MAX_WAITING_BATCHES * batch_size
          or num_pixels > _MAX_WAITING_PIXELS)
