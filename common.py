"""The flags of the network, their way into the options record, and what scripts share.

Scripts do `from deeplab import common`: what they share of `command_line/` has its name here.
"""
import copy
import json

from absl import flags, logging

from deeplab.command_line import flag_groups, flag_reading, idle_flags, image_flags
from deeplab.command_line.declaring import declare, declare_one, values_of  # noqa: F401
from deeplab.command_line.ending import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_USAGE  # noqa: F401
from deeplab.command_line.flag_groups import begin as begin_flag_group  # noqa: F401
from deeplab.command_line.flag_groups import show as show_flag_groups  # noqa: F401
from deeplab.command_line.flag_reading import (  # noqa: F401
    as_given,
    refuse_flags,
    require_over_zero,
    size_list,
)
from deeplab.command_line.image_flags import (  # noqa: F401
    define_image_limit_flag,
    define_image_range_flag,
    image_range,
    resized_size_function,
)
from deeplab.command_line.running import run  # noqa: F401
from deeplab.core import backbones, dense_prediction_cell, options, usage
from deeplab.core.keys import (  # noqa: F401
    HEIGHT,
    IMAGE,
    IMAGE_NAME,
    LABEL,
    LABELS_CLASS,
    LANDMARKS,
    ORIGINAL_IMAGE,
    OUTPUT_TYPE,
    TEST_SET,
    WIDTH,
)
from deeplab.core.storage import json_text
from deeplab.core.usage import UsageError
from deeplab.datasets.flags.augmentation import define_augmentation_flags  # noqa: F401
from deeplab.datasets.flags.building import (  # noqa: F401
    build_options,
    define_builder_flags,
    define_task_flags,
    define_work_flags,
    refuse_tasks,
    work_options,
)
from deeplab.datasets.flags.records import (  # noqa: F401
    check_crop_holds_images,
    check_data,
    dataset_for_training,
    dataset_name,
    dataset_of_split,
    define_data_check_flag,
    define_dataset_flags,
)
from deeplab.utils.inference.flags import (  # noqa: F401
    define_background_flag,
    define_inference_flags,
    define_scales_flags,
    define_sizes_flags,
    define_tile_flags,
    inference_dataset,
    input_sizes,
    prediction_function,
)
from deeplab.utils.runs import run_record

FLAGS = flags.FLAGS

# Groups of flags, shown by the --help of scripts that `show_flag_groups`.
RESIZING = image_flags.RESIZING
BACKBONE, NETWORK, HEAD = options.BACKBONE, options.NETWORK, options.HEAD

image_flags.define_resizing_flags()

declare(options.NetworkOptions, BACKBONE, is_shown=False)
declare_one('image_pyramid', options.IMAGE_PYRAMID, is_shown=False)
declare(options.NetworkOptions, NETWORK, HEAD, is_shown=False)
declare_one('dense_prediction_cell_json', options.DENSE_PREDICTION_CELL_JSON, is_shown=False)


def define_model_flags(output_stride=options.OUTPUT_STRIDE, is_training=False):
  """Declares the flags that size atrous convolutions, of scripts that use the network.

  And those of the training, which --help of other scripts does not show.
  """
  flag_groups.show(RESIZING, BACKBONE, NETWORK, HEAD)
  declare(options.NetworkOptions, options.RESOLUTION, output_stride=output_stride)
  declare(options.NetworkOptions, *options.OF_TRAINING, is_shown=is_training)


class ModelOptions(options.NetworkOptions):
  """The options record, its other fields filled from flags; copies of it keep all fields."""
  __slots__ = ()

  def __new__(cls, outputs_to_num_classes, crop_size=None, atrous_rates=None,
              output_stride=8, preprocessed_images_dtype='float32'):
    """Returns a record of these fields, see NetworkOptions, and of the flags on the command line.

    Before a command line is parsed, that of the rows' defaults.

    Raises ValueError if a flag's value cannot be used.
    """
    # Flags that are not parsed yet have their defaults, and no attributes.
    usage.lookup(backbones.BACKBONES, FLAGS['model_variant'].value, what='model_variant')
    # Empty: no decoder, as in other versions of DeepLab.
    strides = FLAGS['decoder_output_stride'].value and size_list('decoder_output_stride', None)
    return cls._make(options.NetworkOptions(**dict(
        values_of(options.NetworkOptions),
        outputs_to_num_classes=outputs_to_num_classes,
        crop_size=crop_size,
        atrous_rates=atrous_rates,
        output_stride=output_stride,
        preprocessed_images_dtype=preprocessed_images_dtype,
        image_pooling_crop_size=_pooling_size('image_pooling_crop_size', None),
        image_pooling_stride=_pooling_size('image_pooling_stride', [1, 1]),
        multi_grid=flag_reading.repeated('multi_grid'),
        decoder_output_stride=strides or None,
        dense_prediction_cell_config=_read_dense_prediction_cell())))

  def __deepcopy__(self, memo):
    return self._make(copy.deepcopy(tuple(self), memo))

  def __reduce__(self):
    return type(self)._make, (tuple(self),)


def _pooling_size(name, default):
  """Returns the size that a flag is; where the flag has no effect, whatever it is, the default."""
  return default if idle_flags.is_without_effect(name) else size_list(name)


def model_options_of_flags(num_classes, crop_size=None):
  """Returns the ModelOptions of the flags for one output, the class of each pixel.

  `crop_size` is the [height, width] of the network's input in pixels, or None for any size.
  Raises ValueError if a flag's value cannot be used.
  """
  idle_flags.check(is_of_network=True)
  return ModelOptions(
      outputs_to_num_classes={OUTPUT_TYPE: num_classes},
      crop_size=crop_size,
      atrous_rates=FLAGS.atrous_rates,
      output_stride=FLAGS.output_stride)


def flag_values():
  """Returns dict of the project's own flags and values, for run records.

  The dense prediction cell is there itself, not the name of its file, which another machine may
  not have.
  """
  values = flag_reading.flag_values()
  return dict(values, dense_prediction_cell_json=_cell_text(
      FLAGS.dense_prediction_cell_json))


def _read_dense_prediction_cell(value=None):
  """Returns the cell that a value of the flag, or its own, names or is; None for ASPP."""
  value = FLAGS['dense_prediction_cell_json'].value if value is None else value
  if not value:
    return None
  flag = '--dense_prediction_cell_json:'
  if not value.lstrip().startswith('['):
    return _checked_cell(json_text.read(value, flag), '%s %s' % (flag, value))
  try:
    name = flag + ' the text'
    return _checked_cell(json_text.parse(value, name), name)
  except ValueError as error:
    raise UsageError(str(error)) from error


def _checked_cell(cell, name):
  try:
    dense_prediction_cell.check_config(cell)
  except ValueError as error:
    raise ValueError('%s: %s' % (name, error)) from error
  return cell


def _cell_text(value):
  """Returns the JSON text of the cell that a value of the flag names or is."""
  cell = _read_dense_prediction_cell(value)
  return '' if cell is None else json.dumps(cell)


def take_flags_of_run(checkpoint_path):
  """Sets the flags of the network that were not given to those a checkpoint was trained with.

  `checkpoint_path` is a folder of checkpoints, or a checkpoint in it. Returns the content of its
  run.json, or None; raises ValueError where a flag on the command line contradicts that.
  """
  record = run_record.read(checkpoint_path)
  given = {name: FLAGS[name].value for name in options.ARCHITECTURE_FLAGS
           if name in FLAGS and FLAGS[name].present}
  if 'dense_prediction_cell_json' in given:
    given['dense_prediction_cell_json'] = _cell_text(FLAGS.dense_prediction_cell_json)
  taken = run_record.resolve(given, record)
  changed = {name: value for name, value in sorted(taken.items())
             if name in FLAGS and FLAGS[name].value != value}
  for name, value in changed.items():
    FLAGS[name].value = value
  if record is None:
    logging.info('No %s beside the checkpoint: the flags say what network it is of.',
                 run_record.FILE_NAME)
  elif changed:
    logging.info('From the %s of the training: %s', run_record.FILE_NAME, ' '.join(
        '--%s=%s' % (name, ','.join(map(str, value)) if isinstance(value, list) else value)
        for name, value in changed.items()))
  return record
