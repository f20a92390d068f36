"""Flags of running networks on datasets and pictures, and what they ask for."""
import functools

from absl import flags

from deeplab import model
from deeplab.command_line import declaring, flag_reading
from deeplab.core import options
from deeplab.core.images import painting
from deeplab.core.usage import UsageError
from deeplab.datasets.flags import records
from deeplab.deployment.cluster import tasks
from deeplab.utils.inference import batches

FLAGS = flags.FLAGS


def define_inference_flags():
  """Declares the flags of multi-scale inference on a dataset."""
  declaring.declare_one('master', tasks.MASTER._replace(group='checkpoints'))
  flags.DEFINE_string('checkpoint_dir', None,
                      'Folder of checkpoints, or the prefix of one, such as '
                      'run/train/model.ckpt-1000. Required.')
  flags.DEFINE_integer('eval_interval_secs', 300,
                       'Least seconds between two looks for a new checkpoint.',
                       lower_bound=0)
  flags.DEFINE_float('eval_timeout_secs', None,
                     'Stops with an error after so many seconds without a new checkpoint. '
                     'Default: waits for ever.', lower_bound=0)
  define_scales_flags()
  define_tile_flags()


def define_scales_flags(scales_flag='eval_scales'):
  """Declares the flags of averaging over passes of the network; see `prediction_function`."""
  rows = options.Averaging.SETTINGS
  declaring.declare_one(scales_flag, rows['eval_scales'])
  declaring.declare_one('add_flipped_images', rows['add_flipped_images'])


def define_tile_flags():
  """Declares the flags of cutting images into tiles."""
  for name in ('tile_size', 'tile_overlap'):
    declaring.declare_one(name, batches.InputSizes.SETTINGS[name])


def define_background_flag(group):
  """Declares `paint_background` in the group of a title."""
  declaring.declare_one('paint_background', painting.PAINT_BACKGROUND._replace(group=group))


def define_sizes_flags(script):
  """Declares `<script>_batch_size` and `<script>_crop_size`; `input_sizes` returns them."""
  rows = batches.InputSizes.SETTINGS
  declaring.declare_one('%s_batch_size' % script, rows['batch_size'])
  declaring.declare_one('%s_crop_size' % script, rows['crop_size']._replace(
      default=options.CROP_SIZE))


def input_sizes(script):
  """Returns the batches.InputSizes of flags of 'eval' or 'vis'; ValueError if they cannot be."""
  has_crop = FLAGS.tile_size is None and FLAGS['%s_crop_size' % script].value
  has_pooling = options.has_image_pooling(
      FLAGS.aspp_with_batch_norm, FLAGS.add_image_level_feature, FLAGS.dense_prediction_cell_json)
  sizes = batches.InputSizes(
      output_stride=FLAGS.output_stride,
      batch_size=FLAGS['%s_batch_size' % script].value,
      crop_size=flag_reading.size_list('%s_crop_size' % script) if has_crop else None,
      tile_size=flag_reading.size_list('tile_size'),
      tile_overlap=FLAGS.tile_overlap,
      least_size=flag_reading.size_list('image_pooling_crop_size') if has_pooling else None)
  if sizes.tile_size is not None:
    batches.check_tiles(sizes)
  return sizes


def inference_dataset(script, sizes):
  """Returns the data_generator.Dataset that a script runs on, in the sizes of `input_sizes`.

  Raises ValueError if the flags do not fit each other or the records.
  """
  split = FLAGS['%s_split' % script].value
  dataset = records.dataset_of_split(split, sizes.batch_size, sizes.crop_size)
  if sizes.crop_size is not None:
    records.check_crop_holds_images('%s_crop_size' % script, split)
  return dataset


def prediction_function(scales_flag='eval_scales'):
  """Returns function (images, model_options) -> predictions, as the flags ask for.

  Raises ValueError if a scale is not positive, or flags exclude each other.
  """
  scales = FLAGS[scales_flag].value
  if not scales or min(scales) <= 0:
    raise UsageError('--%s must be positive, got %s.' % (scales_flag, scales))
  if list(scales) == [1.0] and not FLAGS.add_flipped_images:
    return functools.partial(model.predict_labels, image_pyramid=FLAGS.image_pyramid)
  if FLAGS.image_pyramid:
    raise UsageError('--image_pyramid cannot be combined with --%s or --add_flipped_images: '
                     'leave one of them out.' % scales_flag)
  return functools.partial(model.predict_labels_multi_scale, eval_scales=tuple(scales),
                           add_flipped_images=FLAGS.add_flipped_images)
