"""The input pipeline: TFRecord shards to batches, for training and evaluation.

    files -> records --shuffle--> example.parse -> checks -> input_preprocess -> batches

For training the image stays encoded until it is known which part of it the crop shows.
"""
from deeplab import input_preprocess
from deeplab.core import feature_extractor, keys, preprocess_utils, settings, tf_compat, usage
from deeplab.core.images import crop_geometry, one_pass_crop, resizing
from deeplab.core.images.augmentation import AUGMENTATIONS, Padding, RandomSource
from deeplab.core.settings import NO_FLAG, Setting
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.datasets.checks import in_runs
from deeplab.datasets.records import example, shards

READING = 'reading of training records'

# Encoded records, so that a large buffer costs little memory.
_SHUFFLE_BUFFER = 512
_MAX_INDEX = 2 ** 62
# Values of the noise bank beyond those of one crop.
_BANK_SURPLUS = 2 ** 20
_BANK_SEED = 20
_EVAL_KEYS = (keys.IMAGE, keys.LABEL, keys.HEIGHT, keys.WIDTH, keys.IMAGE_NAME)


def get_cityscapes_dataset_name():
  """Returns the name of the Cityscapes dataset."""
  return 'cityscapes'


@settings.record
class Reading(object):
  """How the records of a Dataset are read, beside the arguments that all versions of it have."""
  data_seed = Setting(
      None, 'Any number makes the stream of training images the same in every run, somewhat '
      'slower. Default: another one each time.', int, group=READING)
  on_bad_record = Setting(
      in_runs.STOP, 'At a record that cannot be used: stop, or examine all records before they '
      'are decoded, skip the bad ones and tell which.', choices=in_runs.ON_BAD_RECORD)
  max_bad_fraction = Setting(
      0.01, 'With on_bad_record=skip: share of bad records that is too much.', at_least=0,
      at_most=1)
  data_threads = Setting(
      0, 'Threads for reading and augmenting alone; 0: those of the whole process.', at_least=0,
      at_most=1024)
  augmentation = Setting(
      AUGMENTATIONS['forma'], 'Augmentation of training images.', group=NO_FLAG)
  image_dtype = Setting(
      'float32', 'Of training images: tf.float32, or tf.uint8 for a quarter of the memory and of '
      'the traffic, rounded.')
  num_records = Setting(None, 'How many records to read, the first ones; None: all.')
  share = Setting(shards.Share(), 'Which records are those of this process.')
  num_done = Setting(
      0, 'Records at the beginning of the stream that are left out, to continue it.')


class Dataset(object):
  """A split of a dataset as batches of preprocessed samples; `files` are its shards."""

  def __init__(self, dataset_name, split_name, dataset_dir, batch_size, crop_size,
               min_resize_value=None, max_resize_value=None, resize_factor=None,
               min_scale_factor=1., max_scale_factor=1., scale_factor_step_size=0,
               model_variant=None, num_readers=1, is_training=False, should_shuffle=False,
               should_repeat=False, reading=None,
               keep_aspect_ratio=resizing.KEEP_ASPECT_RATIO.default):
    """Looks the dataset up and finds its shards.

    Args:
      dataset_name: built-in name, or any for records with a dataset_info.json.
      dataset_dir: folder of the shards.
      batch_size, num_readers: images per batch, and shards read at once.
      crop_size: (height, width) of the samples in pixels.
      min_resize_value, max_resize_value, resize_factor, min_scale_factor, max_scale_factor,
        scale_factor_step_size, model_variant, keep_aspect_ratio: see
        `input_preprocess.preprocess_image_and_label`.
      is_training, should_shuffle: whether to augment, and to shuffle shards and records.
      should_repeat: whether to go on for ever; in training, batches then have a static size.
      reading: Reading, or None for its defaults.

    Raises:
      ValueError: unknown dataset or split, missing or incomplete shards, model variant.
    """
    self.descriptor = registry.resolve(dataset_name, dataset_dir)
    self.files = registry.split_files(dataset_dir, split_name)
    registry.check_split(self.descriptor, split_name, dataset_dir)
    if is_training:
      # Labels are read whatever the split; records without them are bad records.
      self.descriptor = self.descriptor._replace(unlabelled_splits=())
    for path in self.files:
      if tf.gfile.Stat(path).length == 0:
        raise ValueError('Shard %s is empty (0 bytes): build or copy it again.' % path)
    self.split_name = split_name
    self.dataset_dir = dataset_dir
    self.batch_size = batch_size
    self.crop_size = crop_size
    self.min_resize_value = min_resize_value
    self.max_resize_value = max_resize_value
    self.resize_factor = resize_factor
    self.keep_aspect_ratio = keep_aspect_ratio
    self.min_scale_factor = min_scale_factor
    self.max_scale_factor = max_scale_factor
    self.scale_factor_step_size = scale_factor_step_size
    self.model_variant = model_variant
    self.num_readers = num_readers
    self.is_training = is_training
    self.should_shuffle = should_shuffle
    self.should_repeat = should_repeat
    self.reading = reading or Reading()
    usage.lookup(dict.fromkeys(in_runs.ON_BAD_RECORD), self.reading.on_bad_record,
                 what='on_bad_record')

  @property
  def num_of_classes(self):
    """Number of classes."""
    return self.descriptor.num_classes

  @property
  def ignore_label(self):
    """Label value that takes no part in loss and metrics."""
    return self.descriptor.ignore_label

  @property
  def has_labels(self):
    """Whether the records of the split have labels."""
    return self.descriptor.has_labels(self.split_name)

  def require_labels(self):
    """Raises ValueError for a split without labels, which nothing can be compared with."""
    if self.has_labels:
      return
    labelled = sorted(filter(self.descriptor.has_labels, self.descriptor.splits_to_sizes))
    raise ValueError(
        'Split %r in %s has no labels to evaluate on: no dataset_info.json beside the records '
        'counts label pixels of it. Splits with labels: %s. vis.py shows predictions without '
        'them.' % (self.split_name, self.dataset_dir, ', '.join(labelled) or 'none'))

  def resized_size(self, size):
    """Returns the int32 [2] (height, width) that an image of such a `size` is resized to."""
    if not self.min_resize_value:
      return size
    return preprocess_utils.resized_size(size, self.min_resize_value, self.max_resize_value,
                                         self.resize_factor, self.keep_aspect_ratio)

  def get_one_shot_iterator(self):
    """Returns an iterator over `get_dataset`."""
    return tf.data.make_one_shot_iterator(self.get_dataset())

  def get_dataset(self):
    """Returns the tf.data.Dataset of batches.

    A sample has image `image_dtype` [B, h, w, 3] in 0..255, label int32 [B, h, w, 1] (unless
    the split has none), height and width int64 [B] as recorded, image_name and landmarks strings
    [B]; outside training also original_image, padded to the crop size.
    """
    records = self._shuffled_records() if self.should_shuffle else self.reading.share.of(
        tf.data.Dataset.from_tensor_slices(self.files).flat_map(tf.data.TFRecordDataset))
    if self.reading.num_records is not None:
      records = records.take(self.reading.num_records)
    if self.reading.on_bad_record == in_runs.SKIP:
      bad_record_filter = in_runs.BadRecordFilter(
          self.descriptor, self.has_labels, self.reading.max_bad_fraction)
      records = records.filter(bad_record_filter.is_good)
    if self.should_repeat:
      records = records.repeat()
    # Reading alone passes by what an earlier start of the run has trained on.
    records = records.skip(self.reading.num_done)
    if self.is_training:
      # Numbers that no other worker has, as they are what random draws come from.
      share = self.reading.share
      records = tf.data.Dataset.zip((records, tf.data.Dataset.range(
          self.reading.num_done * share.count + share.index, _MAX_INDEX, share.count),
                                     self._noise_banks()))
    # Plain graph code; AutoGraph would wrap its errors in a trace.
    samples = records.map(tf.autograph.experimental.do_not_convert(
        self._make_crop if self.is_training else self._make_sample),
                          num_parallel_calls=tf_compat.parallel_calls())
    # Nothing is dropped: a stream that repeats has no last batch.
    is_endless = self.is_training and self.should_repeat
    batches = samples.batch(self.batch_size, drop_remainder=is_endless).prefetch(
        tf_compat.prefetched_batches())
    # Outside training the order is that of the records; so it is with a seed.
    is_deterministic = self.reading.data_seed is not None or not self.should_shuffle
    return batches.with_options(tf_compat.data_options(is_deterministic, self.reading.data_threads))

  def get_samples(self, finished=None, is_padded=False, is_parallel=True):
    """Returns the tf.data.Dataset of single samples for evaluation, in order.

    A sample has image [h, w, 3] in 0..255, label [h, w, 1] (unless the split has none), height
    and width int64 of the decoded image, whatever the record states, image_name string, and index
    int64, its number in the split. The image is as it was decoded, uint8, or resized, float32;
    padded to the crop size as float32 and int32 if asked.

    Args:
      finished: what to leave out, before it is decoded: (number of samples from the first on,
        int64 [n] indices of others), tensors; or None.
      is_padded: whether to pad, with an error on images that the crop size does not hold.
      is_parallel: whether several samples are decoded at once; else there is one in memory.
    """
    records = tf.data.Dataset.from_tensor_slices(self.files).flat_map(tf.data.TFRecordDataset)
    records = tf.data.Dataset.zip((records, tf.data.Dataset.range(_MAX_INDEX)))
    if finished is not None:
      num_first, others = finished
      records = records.skip(num_first).filter(
          lambda unused_record, index: tf.logical_not(tf.reduce_any(tf.equal(index, others))))

    @tf.autograph.experimental.do_not_convert
    def make_sample(serialized, index):
      parsed = self._parsed(serialized)
      height, width = tf.unstack(tf.shape(parsed[keys.IMAGE], out_type=tf.int64)[:2])
      sample = (self._preprocess_image(parsed) if is_padded
                else self._make_whole_image(parsed))
      return dict({key: sample[key] for key in _EVAL_KEYS if key in sample},
                  **{keys.HEIGHT: height, keys.WIDTH: width, keys.INDEX: index})

    return records.map(
        make_sample, tf_compat.parallel_calls() if is_parallel else None).with_options(
            tf_compat.data_options(True, self.reading.data_threads))

  def _shuffled_records(self):
    """Returns the Dataset of the records of this worker's share, once, in random order."""
    files = tf.data.Dataset.from_tensor_slices(self.files)
    has_shards = self.reading.share.divides_well(len(self.files))
    if has_shards:
      files = self.reading.share.of(files)
    if has_shards or self.reading.share.count == 1:
      files = files.shuffle(len(self.files), seed=self.reading.data_seed)
    records = files.interleave(
        tf.data.TFRecordDataset, cycle_length=min(self.num_readers, len(self.files)),
        block_length=1)
    if not has_shards:
      records = self.reading.share.of(records)
    return records.shuffle(_SHUFFLE_BUFFER, seed=self.reading.data_seed)

  def _noise_banks(self):
    """Returns a Dataset that repeats one tensor of normal draws, made once."""
    count = 1
    if self.reading.augmentation.noise_stddev:
      count = 3 * self.crop_size[0] * self.crop_size[1] + _BANK_SURPLUS
    seed = [_BANK_SEED, self.reading.data_seed or 0]
    return tf.data.Dataset.from_tensors(0).map(
        lambda unused: tf.random.stateless_normal([count], seed)).cache().repeat()

  def _make_crop(self, serialized, index, normal_bank):
    """Returns the training sample of a record."""
    sample = in_runs.checked_sample(example.parse_encoded(serialized), self.descriptor)
    bank = normal_bank if self.reading.augmentation.noise_stddev else None
    crops = one_pass_crop.TrainingCrops(
        tuple(self.crop_size),
        crop_geometry.Resizing(self.min_resize_value, self.max_resize_value, self.resize_factor,
                               self.keep_aspect_ratio),
        (self.min_scale_factor, self.max_scale_factor, self.scale_factor_step_size),
        Padding(feature_extractor.mean_pixel(self.model_variant), self.ignore_label),
        self.reading.augmentation)
    image, label = one_pass_crop.crop_from_encoded(
        sample, crops, RandomSource(self.reading.data_seed, index, bank))
    del sample[keys.LABELS_CLASS]
    if self.reading.image_dtype != tf.float32:
      image = tf.cast(tf.round(image), self.reading.image_dtype)
    return dict(sample, **{keys.IMAGE: image, keys.LABEL: label})

  def _make_sample(self, serialized):
    """Returns the whole image of a record as a sample."""
    return self._preprocess_image(self._parsed(serialized))

  def _parsed(self, serialized):
    return in_runs.checked_sample(
        example.parse(serialized, has_label=self.has_labels), self.descriptor)

  def _make_whole_image(self, sample):
    """Returns the parsed sample with its image and label, resized if asked."""
    image, label = sample[keys.IMAGE], sample.pop(keys.LABELS_CLASS, None)
    if self.min_resize_value or self.max_resize_value:
      image, label = preprocess_utils.resize_to_range(
          tf.cast(image, tf.float32), label, self.min_resize_value, self.max_resize_value,
          self.resize_factor, keep_aspect_ratio=self.keep_aspect_ratio)
    return _with_pixels(sample, image, label)

  def _preprocess_image(self, sample):
    """Returns the parsed sample with image and label ready for evaluation."""
    crop_height, crop_width = self.crop_size
    original_image, image, label = input_preprocess.preprocess_image_and_label(
        sample[keys.IMAGE], sample.pop(keys.LABELS_CLASS, None), crop_height, crop_width,
        self.min_resize_value, self.max_resize_value, self.resize_factor,
        ignore_label=self.ignore_label, is_training=False, model_variant=self.model_variant,
        name=sample[keys.IMAGE_NAME], keep_aspect_ratio=self.keep_aspect_ratio)
    # All of one size, so that they form batches; after the check that the crop holds it.
    with tf.control_dependencies([image]):
      original_image = tf.identity(original_image)
    return dict(_with_pixels(sample, image, label), **{
        keys.ORIGINAL_IMAGE: tf.image.pad_to_bounding_box(
            original_image, 0, 0, crop_height, crop_width)})


def _with_pixels(sample, image, label):
  """Returns the sample with this image and, unless it is None, label."""
  return dict(sample, **{keys.IMAGE: image}, **({} if label is None else {keys.LABEL: label}))
