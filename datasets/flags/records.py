"""Flags that name records to read, and what follows from them."""
from absl import flags

from deeplab.command_line import (
    declaring,
    flag_groups,
    flag_reading,
    image_flags,
    running,
)
from deeplab.core import utils
from deeplab.datasets import data_generator, registry
from deeplab.datasets.checks import in_runs
from deeplab.datasets.flags import augmentation
from deeplab.datasets.records import dataset_info

FLAGS = flags.FLAGS

_GROUP = 'records to read'


def define_dataset_flags(split_flag, split_default):
  """Declares the flags that name records to read."""
  flag_groups.begin(_GROUP)
  flags.DEFINE_string('dataset', 'pascal_voc_seg',
                      'Name of a built-in or registered dataset. Not given: what the '
                      'dataset_info.json beside the records describes, if there is one.')
  flags.DEFINE_string(split_flag, split_default, 'Split of the dataset to read.%s'
                      % (' Default: all.' if split_default is None else ''))
  flags.DEFINE_string('dataset_dir', None,
                      'Folder of the TFRecord shards. Required, unless --dataset is a '
                      'registered name that knows its folder.')
  image_flags.define_image_limit_flag(_GROUP)
  running.after_parsing(find_dataset_dir)


def define_data_check_flag():
  """Declares the flag that `check_data` obeys."""
  flag_groups.begin(_GROUP)
  flags.DEFINE_bool('skip_data_check', False,
                    'Starts without the quick look at the first records of every shard and '
                    'at the sizes of the splits.')


def find_dataset_dir():
  """Sets --dataset_dir, unless given, to that of --dataset; ValueError if its file is malformed."""
  if 'dataset' in FLAGS and 'dataset_dir' in FLAGS and FLAGS.dataset_dir is None:
    entry = registry.user_entry(FLAGS.dataset)
    FLAGS.dataset_dir = entry and entry.dataset_dir


def dataset_name():
  """Returns --dataset; None if it was not given and the records describe themselves."""
  if not FLAGS['dataset'].present and dataset_info.read(FLAGS.dataset_dir) is not None:
    return None
  return FLAGS.dataset


def check_data(dataset):
  """Raises ValueError if a quick look finds harm, unless --skip_data_check; names the record."""
  if not FLAGS.skip_data_check:
    in_runs.quick_look(dataset.files, dataset.split_name, dataset.descriptor,
                       dataset.dataset_dir, dataset.reading.on_bad_record == in_runs.SKIP)


def check_crop_holds_images(crop_flag, split):
  """Raises ValueError if the dataset_info.json in --dataset_dir tells of images larger than a crop.

  It names the flag of the crop, the size seen and a value that does.
  """
  info = dataset_info.read(FLAGS.dataset_dir)
  if info is None or split not in info.splits or FLAGS.min_resize_value:
    return
  crop_size = flag_reading.size_list(crop_flag)
  largest = info.splits[split].image_sizes['max']
  if any(side > crop for side, crop in zip(largest, crop_size)):
    # Sides of k * 16 + 1 align with the features at every output stride up to 16.
    fitting = utils.aligned_size(largest, 16, crop_size)
    raise ValueError(
        '--%s=%d,%d is smaller than images of split %r in %s, which are up to %d high and %d '
        'wide. Pass --%s=%d,%d, or --min_resize_value and --max_resize_value.'
        % ((crop_flag,) + tuple(crop_size) + (split, FLAGS.dataset_dir) + tuple(largest)
           + (crop_flag,) + fitting))


def dataset_of_split(split, batch_size, crop_size, **settings):
  """Returns the data_generator.Dataset of a split of the records that flags name.

  `crop_size` may be None, for images of their own size; `settings` are more arguments of Dataset.
  Raises ValueError if split or records are not there, or images have a limit, but no size.
  """
  image_flags.resized_size_function()
  return data_generator.Dataset(
      dataset_name=dataset_name(),
      split_name=split,
      dataset_dir=FLAGS.dataset_dir,
      batch_size=batch_size,
      crop_size=crop_size,
      min_resize_value=FLAGS.min_resize_value,
      max_resize_value=FLAGS.max_resize_value,
      resize_factor=FLAGS.resize_factor,
      keep_aspect_ratio=FLAGS.keep_aspect_ratio,
      model_variant=FLAGS.model_variant,
      **settings)


def dataset_for_training(batch_size, crop_size, num_readers=1, should_shuffle=True, **reading):
  """Returns the endless data_generator.Dataset of --train_split, varied as flags ask for.

  `reading` are fields of data_generator.Reading that are no flags. Raises ValueError if split or
  records are not there, or a flag of the augmentation is outside of its range.
  """
  min_scale_factor, max_scale_factor = augmentation.scale_factors()
  return dataset_of_split(
      FLAGS.train_split, batch_size, crop_size,
      min_scale_factor=min_scale_factor,
      max_scale_factor=max_scale_factor,
      scale_factor_step_size=FLAGS.scale_factor_step_size,
      num_readers=num_readers,
      is_training=True,
      should_shuffle=should_shuffle,
      should_repeat=True,
      reading=data_generator.Reading(
          augmentation=augmentation.augmentation_of(
              registry.resolve(dataset_name(), FLAGS.dataset_dir)),
          **dict(declaring.values_of(data_generator.Reading), **reading)))
