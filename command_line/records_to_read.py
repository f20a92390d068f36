"""The datasets that flags describe: records, sizes and the random variation of training."""
from absl import flags

from deeplab.command_line import resize_flags
from deeplab.datasets import data_generator
from deeplab.datasets.flags import augmentation, records

FLAGS = flags.FLAGS


def dataset_of_split(split, batch_size, crop_size, **settings):
  """Returns the data_generator.Dataset of a split of the records that flags name.

  Args:
    split: name of the split.
    batch_size: images per batch.
    crop_size: (height, width) in pixels, or None for images of their own size.
    **settings: more arguments of data_generator.Dataset.

  Raises:
    ValueError: the split or its records are not there, or images have a limit, but no size.
  """
  resize_flags.resized_size_function()
  return data_generator.Dataset(
      dataset_name=records.dataset_name(),
      split_name=split,
      dataset_dir=FLAGS.dataset_dir,
      batch_size=batch_size,
      crop_size=crop_size,
      min_resize_value=FLAGS.min_resize_value,
      max_resize_value=FLAGS.max_resize_value,
      resize_factor=FLAGS.resize_factor,
      model_variant=FLAGS.model_variant,
      **settings)


def dataset_for_training(batch_size, crop_size, **settings):
  """Returns the endless data_generator.Dataset of --train_split, varied as flags ask for.

  Args:
    batch_size: images per batch.
    crop_size: (height, width) in pixels.
    **settings: more arguments of data_generator.Dataset.

  Raises:
    ValueError: the split or its records are not there, or a flag of the augmentation is
      outside of its range.
  """
  min_scale_factor, max_scale_factor = augmentation.scale_factors()
  dataset = dataset_of_split(
      FLAGS.train_split, batch_size, crop_size,
      min_scale_factor=min_scale_factor,
      max_scale_factor=max_scale_factor,
      scale_factor_step_size=FLAGS.scale_factor_step_size,
      is_training=True,
      should_repeat=True,
      seed=FLAGS.data_seed,
      num_threads=FLAGS.data_threads,
      on_bad_record=FLAGS.on_bad_record,
      max_bad_fraction=FLAGS.max_bad_fraction,
      **settings)
  dataset.augmentation = augmentation.augmentation_of(dataset.descriptor)
  return dataset
