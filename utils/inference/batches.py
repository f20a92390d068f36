"""Batches of whole images or tiles for a network of any input size.

    sizes = InputSizes(output_stride=16, batch_size=4)
    batches = make_batches(data_generator.Dataset(...), sizes)

Images are padded below and right, no more than they need. Each sample has a region, see `tiles`.
"""
from deeplab.core import feature_extractor, keys, preprocess_utils, settings, utils
from deeplab.core.settings import LIST, NO_FLAG, Setting
from deeplab.core.tf_compat import tf
from deeplab.core.usage import UsageError
from deeplab.datasets.records import dataset_info
from deeplab.utils.inference import tiles

REGION = 'region'
SIZES = 'sizes of the input'

# Images sorted by size at once: more make fuller batches and take more memory.
_NUM_SORTED = 32
_MAX_SORTED_BYTES = 256 << 20
# Of an image and its label, both bytes.
_BYTES_PER_PIXEL = 4
_SIZE_LIMIT = 1 << 20
# Class ids below are kept in a byte.
_BYTE = 256


@settings.record
class InputSizes(object):
  """What size the network sees images in; sizes are (height, width) in pixels, or None."""
  output_stride = Setting(None, 'That of the network.')
  batch_size = Setting(
      1, 'Images, or tiles, of equal size per step; more is faster on GPUs and takes memory.',
      at_least=1, group=SIZES)
  # None: batches are of images of equal size, each padded to the smallest k * output_stride + 1.
  crop_size = Setting(
      None, 'Height,width in pixels, 1 or more, that images are padded to; must hold the largest. '
      'Empty: each image to the least size its features need, batches of equal sizes.', LIST)
  tile_size = Setting(
      None, 'Height,width in pixels, 1 or more, of overlapping tiles, for images whose features do '
      'not fit into memory; a crop size is of no use then. Default: whole images.', LIST)
  tile_overlap = Setting(
      64, 'Least pixels that neighbouring tiles share; more hides their borders, takes more time.',
      at_least=0)
  least_size = Setting(
      None, 'Of the smallest images the network takes, that is the window of image pooling.',
      group=NO_FLAG)

  @property
  def network_size(self):
    """(height, width) of what the network sees, None where that differs."""
    return self.crop_size if self.tile_size is None else None


def make_batches(dataset, sizes, finished=None):
  """Returns the tf.data.Dataset of batches of a split, for evaluation.

  A batch has image float32 [B, h, w, 3] in 0..255, label int32 [B, h, w, 1] if there are any,
  height and width int64 [B] of the image, image_name [B], index int64 [B], region int32 [B, 8].

  The crop size of the data_generator.Dataset must be that of the InputSizes, if these have one. For
  `finished` see `data_generator.Dataset.get_samples`. Raises ValueError if the sizes cannot be.
  """
  mean_pixel = feature_extractor.mean_pixel(dataset.model_variant)
  if sizes.tile_size is not None:
    # One decoded image at a time: those that need tiles are large.
    return tile_batches(dataset.get_samples(finished, is_parallel=False), sizes, mean_pixel,
                        dataset.ignore_label)
  if sizes.crop_size is None:
    return batches_by_size(dataset.get_samples(finished), sizes, mean_pixel,
                           dataset.ignore_label, _num_sorted(dataset, sizes.batch_size))
  resized_size = dataset.resized_size

  @tf.autograph.experimental.do_not_convert
  def with_region(sample):
    size = tf.cast(tf.stack([sample[keys.HEIGHT], sample[keys.WIDTH]]), tf.int32)
    return dict(sample, **{REGION: whole_region(resized_size(size))})

  samples = dataset.get_samples(finished, is_padded=True).map(with_region)
  return samples.batch(sizes.batch_size).prefetch(1)


def batches_by_size(samples, sizes, mean_pixel, ignore_label, num_sorted=_NUM_SORTED):
  """Returns batches of images of equal size, each as small as the features allow.

  The sides of a batch are the smallest k * output_stride + 1 that hold its images. Images are taken
  in groups of `num_sorted`, so their order changes only within these. Samples are a tf.data.Dataset
  without padding, which has the [3] mean pixel and the ignore label.
  """

  def side(sample):
    return tf.stack(utils.aligned_size(tf.shape(sample[keys.IMAGE])[:2], sizes.output_stride,
                                       sizes.least_size))

  # Plain graph code here and below; AutoGraph would wrap its errors in a trace.
  @tf.autograph.experimental.do_not_convert
  def pad(sample):
    size = tf.shape(sample[keys.IMAGE])[:2]
    padded = _padded(sample, side(sample), mean_pixel, ignore_label)
    return dict(padded, **{REGION: whole_region(size)})

  if sizes.batch_size == 1:
    return samples.map(pad).batch(1).prefetch(1)

  def key(sample):
    height, width = tf.unstack(tf.cast(side(sample), tf.int64))
    return height * _SIZE_LIMIT + width

  def group(window):
    return tf.data.Dataset.zip(window).apply(tf.data.experimental.group_by_window(
        key, lambda unused_key, same: same.map(pad).batch(sizes.batch_size),
        window_size=sizes.batch_size))

  return samples.window(num_sorted).flat_map(group).prefetch(1)


def tile_batches(samples, sizes, mean_pixel, ignore_label):
  """Returns batches of overlapping tiles; those of an image follow each other.

  Every pixel of an image has its label in the tile whose middle is nearest; in the others
  it is ignored. Tiles are no larger than the image padded as in `batches_by_size`, so that an
  image that one tile holds is seen as without tiles. A batch has tiles of one image.

  Arguments are those of `batches_by_size`, with a tile size; errors those of `check_tiles`.
  """
  tile_size = sizes.tile_size
  check_tiles(sizes)

  @tf.autograph.experimental.do_not_convert
  def cut_into_tiles(sample):
    size = tf.shape(sample[keys.IMAGE])[:2]
    height, width = [tf.minimum(side, tile_side) for side, tile_side in zip(
        utils.aligned_size(size, sizes.output_stride, sizes.least_size), tile_size)]
    rows, columns = [tiles.spans(size[axis], tile_size[axis], sizes.tile_overlap, tf)
                     for axis in (0, 1)]
    num_columns = tf.size(columns[0])

    @tf.autograph.experimental.do_not_convert
    def tile(index):
      index = tf.cast(index, tf.int32)
      top, upper, lower = [edge[index // num_columns] for edge in rows]
      left, first, last = [edge[index % num_columns] for edge in columns]
      part = dict(sample, **{
          key: sample[key][top:top + tile_size[0], left:left + tile_size[1]]
          for key in (keys.IMAGE, keys.LABEL) if key in sample})
      part = _padded(part, (height, width), mean_pixel, ignore_label)
      if keys.LABEL in part:
        y = tf.range(top, top + height)[:, tf.newaxis, tf.newaxis]
        x = tf.range(left, left + width)[tf.newaxis, :, tf.newaxis]
        is_own = (y >= upper) & (y < lower) & (x >= first) & (x < last)
        part[keys.LABEL] = tf.where(is_own, part[keys.LABEL],
                                    ignore_label * tf.ones_like(part[keys.LABEL]))
      part[REGION] = tf.stack([top, left, upper, lower, first, last, size[0], size[1]])
      return part

    num_tiles = tf.cast(tf.size(rows[0]) * num_columns, tf.int64)
    return tf.data.Dataset.range(num_tiles).map(tile).batch(sizes.batch_size)

  return samples.flat_map(cut_into_tiles).prefetch(1)


def check_tiles(sizes):
  """Raises ValueError for InputSizes of too small tiles, or an overlap not below their size."""
  tiles.check_overlap(sizes.tile_size, sizes.tile_overlap)
  if any(least > side for least, side in zip(sizes.least_size or (1, 1), sizes.tile_size)):
    raise UsageError('--tile_size=%d,%d is smaller than the window of image pooling, '
                     '--image_pooling_crop_size=%d,%d: pass tiles that hold it.'
                     % (tuple(sizes.tile_size) + tuple(sizes.least_size)))


def compact(ids, descriptor):
  """Returns ids (integers, any shape) as uint8 where that holds all of a dataset, else int32."""
  fits = 0 <= descriptor.ignore_label < _BYTE and descriptor.num_classes <= _BYTE
  return tf.cast(ids, tf.uint8 if fits else tf.int32)


def whole_region(size):
  """Returns the region, int32 [8] or [B, 8], of an image of size (height, width) [2] or [B, 2]."""
  height, width = tf.unstack(size, axis=-1)
  zero = tf.zeros_like(height)
  return tf.stack([zero, zero, zero, height, zero, width, height, width], axis=-1)


def _num_sorted(dataset, batch_size):
  """Returns how many images may be sorted at once, by the size of the largest."""
  info = dataset_info.read(dataset.dataset_dir)
  if info is None or dataset.split_name not in info.splits:
    return _NUM_SORTED
  height, width = info.splits[dataset.split_name].image_sizes['max']
  fitting = _MAX_SORTED_BYTES // (_BYTES_PER_PIXEL * height * width)
  return max(batch_size, min(_NUM_SORTED, fitting))


def _padded(sample, size, mean_pixel, ignore_label):
  """Returns the sample padded below and right, image as float32 and label as int32."""
  pads = {keys.IMAGE: (tf.float32, mean_pixel), keys.LABEL: (tf.int32, ignore_label)}
  return dict(sample, **{
      key: preprocess_utils.pad_to_bounding_box(
          tf.cast(sample[key], dtype), 0, 0, size[0], size[1], pad)
      for key, (dtype, pad) in pads.items() if key in sample})
