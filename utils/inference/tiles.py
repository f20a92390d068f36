"""Batches of pictures of one size, and large pictures as overlapping tiles."""
import collections

import numpy as np

from deeplab.utils.inference import batches

# Pictures that wait for others of their size: of so many batches, or so many pixels.
_MAX_WAITING_BATCHES = 4
_MAX_WAITING_PIXELS = 64000000


def batches_of_equal_size(pictures, batch_size):
  """Yields lists of up to `batch_size` pictures of one size; memory stays bounded.

  Where too many wait for others of their size, those that wait longest go alone.

  Args:
    pictures: iterable of records with an `image` [height, width, 3].
    batch_size: most pictures of a list.
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


def label_in_tiles(run, image, tile_size, overlap, batch_size=1):
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
  stitcher = batches.Stitcher()
  for start in range(0, len(regions), batch_size):
    batch = regions[start:start + batch_size]
    results = run(np.stack([image[top:top + height, left:left + width]
                            for top, left in batch[:, :2]]))
    for index, region in enumerate(batch):
      whole = stitcher.add(region, [result[index] for result in results])
  return whole


def tile_regions(size, tile_size, overlap):
  """Returns the regions of the tiles of an image, [n, 8] ints as in `eval_batches`.

  Args:
    size: (height, width) of the image.
    tile_size: (height, width) of the tiles.
    overlap: least pixels that neighbouring tiles share.

  Raises:
    ValueError: the overlap is not below the size of the tile.
  """
  if not 0 <= overlap < min(tile_size):
    raise ValueError('The overlap of tiles must be from 0 to less than their size %d,%d, got '
                     '%d.' % (tuple(tile_size) + (overlap,)))
  rows, columns = [_spans(side, tile, overlap) for side, tile in zip(size, tile_size)]
  return np.array([[top, left, upper, lower, first, last, size[0], size[1]]
                   for top, upper, lower in rows for left, first, last in columns])


def _spans(side, tile, overlap):
  """Returns per tile along an axis its start, and start and end of what it decides."""
  num_steps = -(-max(0, side - tile) // (tile - overlap))
  starts = [index * max(0, side - tile) // max(1, num_steps) for index in range(num_steps + 1)]
  meetings = [(after + before + tile) // 2 for before, after in zip(starts, starts[1:])]
  return list(zip(starts, [0] + meetings, meetings + [side]))


def _is_too_much(groups, batch_size):
  num_pictures = sum(len(group) for group in groups.values())
  num_pixels = sum(len(group) * size[0] * size[1] for size, group in groups.items())
  return (num_pictures >= _MAX_WAITING_BATCHES * batch_size
          or num_pixels > _MAX_WAITING_PIXELS)
