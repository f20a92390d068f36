"""Flags that name records to read, and what follows from them."""
from absl import flags

from deeplab.command_line import flag_groups, flag_reading, image_limit_flag
from deeplab.datasets import registry
from deeplab.datasets.checks import bad_records, quick_look
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
  image_limit_flag.define_image_limit_flag(_GROUP)


def define_data_check_flag():
  """Declares the flag that `check_data` obeys."""
  flag_groups.begin(_GROUP)
  flags.DEFINE_bool('skip_data_check', False,
                    'Starts without the quick look at the first records of every shard and '
                    'at the sizes of the splits.')


def find_dataset_dir():
  """Sets --dataset_dir, if not given, to what --dataset is registered for.

  Raises:
    ValueError: the file of the registered name is malformed.
  """
  if 'dataset' in FLAGS and 'dataset_dir' in FLAGS and FLAGS.dataset_dir is None:
    entry = registry.user_entry(FLAGS.dataset)
    FLAGS.dataset_dir = entry and entry.dataset_dir


def dataset_name():
  """Returns --dataset; None if it was not given and the records describe themselves."""
  if not FLAGS['dataset'].present and dataset_info.read(FLAGS.dataset_dir) is not None:
    return None
  return FLAGS.dataset


def check_data(dataset):
  """Stops if a quick look at the records finds what would harm, unless --skip_data_check.

  Args:
    dataset: data_generator.Dataset.

  Raises:
    ValueError: names what was found and the record.
  """
  if not FLAGS.skip_data_check:
    quick_look.check(dataset.files, dataset.split_name, dataset.descriptor,
                     dataset.dataset_dir, dataset.on_bad_record == bad_records.SKIP)


def check_crop_holds_images(crop_flag, split):
  """Stops if the dataset_info.json in --dataset_dir tells of images larger than a crop.

  Args:
    crop_flag: name of the flag that holds height,width of the crop.
    split: the split that is read.

  Raises:
    ValueError: names the flag, the size seen and a value that does.
  """
  info = dataset_info.read(FLAGS.dataset_dir)
  if info is None or split not in info.splits or FLAGS.min_resize_value:
    return
  crop_size = flag_reading.size_list(crop_flag)
  largest = info.splits[split].image_sizes['max']
  if any(side > crop for side, crop in zip(largest, crop_size)):
    # Sides of k * 16 + 1 align with the features at every output stride up to 16.
    fitting = [max(crop, (side + 14) // 16 * 16 + 1) for side, crop in zip(largest, crop_size)]
    raise ValueError(
        '--%s=%d,%d is smaller than images of split %r in %s, which are up to %d high and %d '
        'wide. Pass --%s=%d,%d, or --min_resize_value and --max_resize_value.'
        % ((crop_flag,) + tuple(crop_size) + (split, FLAGS.dataset_dir) + tuple(largest)
           + (crop_flag,) + tuple(fitting)))
