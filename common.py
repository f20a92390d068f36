"""Flags that scripts share, their way into the options record, and how scripts run."""
import copy
import functools
import json
import signal
import sys
import traceback

from absl import app, flags, logging

from deeplab import model
from deeplab.core import augmentation, feature_extractor, options, preprocess_utils, registry
from deeplab.core.keys import (  # noqa: F401  (public names of this module)
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
from deeplab.core.tf_compat import tf
from deeplab.datasets import (
    bad_records,
    data_check,
    data_generator,
    dataset_info,
    forma_storage,
    shard_writer,
    user_registry,
)
from deeplab.datasets import registry as dataset_registry
from deeplab.utils import eval_batches, run_record

FLAGS = flags.FLAGS

_NOT_QUANTIZED = -1
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT

# --- preprocessing ---
flags.DEFINE_integer('min_resize_value', None,
                     'Images are scaled so that the shorter side is this, in pixels.',
                     lower_bound=1)
flags.DEFINE_integer('max_resize_value', None,
                     'After min_resize_value, the longer side is at most this, in pixels.',
                     lower_bound=1)
flags.DEFINE_integer('resize_factor', None,
                     'Resized sides become multiples of this plus one.', lower_bound=1)

# --- network ---
flags.DEFINE_string('model_variant', 'mobilenet_v2',
                    'Backbone. One of: %s.' % ', '.join(sorted(feature_extractor.BACKBONES)))
flags.DEFINE_multi_float('image_pyramid', None,
                         'Input scales whose logits are merged; repeat the flag per scale.')
flags.DEFINE_enum('merge_method', 'max', ['max', 'avg'],
                  'How the logits of an image pyramid are merged.')
flags.DEFINE_multi_integer('multi_grid', None,
                           'Unit rates of the last backbone block (ResNet, Xception); '
                           'repeat the flag per unit, e.g. 1 2 4.')
flags.DEFINE_float('depth_multiplier', 1.0, 'Factor on all channel counts of MobileNet, > 0.')
flags.DEFINE_integer('divisible_by', None,
                     'MobileNet channel counts are multiples of this. Default: 8 at '
                     'depth_multiplier 1, else 1.', lower_bound=1)
flags.DEFINE_integer('nas_stem_output_num_conv_filters', 20,
                     'Filters of the NAS stem (20 or 32 in the papers).', lower_bound=1)
flags.DEFINE_bool('use_bounded_activation', False,
                  'Bounds activations to [0, 6]; suits quantisation (Xception, head).')

# --- head ---
flags.DEFINE_boolean('add_image_level_feature', True,
                     'Adds the image pooling branch to ASPP.')
flags.DEFINE_list('image_pooling_crop_size', None,
                  'height,width of the image pooling window, in input pixels. Default: '
                  'the crop size.')
flags.DEFINE_list('image_pooling_stride', '1,1',
                  'Vertical,horizontal stride of the image pooling window.')
flags.DEFINE_boolean('aspp_with_batch_norm', True,
                     'Uses ASPP (DeepLab v3); without it logits come straight from the '
                     'backbone, one convolution per atrous rate (DeepLab v2).')
flags.DEFINE_boolean('aspp_with_separable_conv', True,
                     'Makes the 3x3 convolutions of ASPP depthwise separable.')
flags.DEFINE_list('decoder_output_stride', None,
                  'Strides refined by the decoder, descending, e.g. 4. Default: no decoder.')
flags.DEFINE_boolean('decoder_use_separable_conv', True,
                     'Makes the convolutions of the decoder depthwise separable.')
flags.DEFINE_integer('logits_kernel_size', 1,
                     'Kernel side of the logits layer; 1 unless aspp_with_batch_norm is off.',
                     lower_bound=1)
flags.DEFINE_boolean('prediction_with_upsampled_logits', True,
                     'Labels come from logits resized to the image (smooth borders) instead '
                     'of resized labels (faster).')
flags.DEFINE_string('dense_prediction_cell_json', '',
                    'JSON file of a dense prediction cell that replaces ASPP.')


class ModelOptions(options.ModelOptions):
  """The options record, its other fields filled from flags.

  Copies (`_replace`, copy, deepcopy, pickle) keep the fields as they are.
  """
  __slots__ = ()

  def __new__(cls, outputs_to_num_classes, crop_size=None, atrous_rates=None,
              output_stride=8, preprocessed_images_dtype=tf.float32):
    """Returns a record for the flags given on the command line.

    Args:
      outputs_to_num_classes: dict, output name -> number of classes.
      crop_size: (height, width) in pixels, or None.
      atrous_rates: list of ASPP rates, or None.
      output_stride: image size over feature size.
      preprocessed_images_dtype: dtype the network computes in.

    Raises:
      ValueError: a flag's value cannot be used.
    """
    registry.lookup(feature_extractor.BACKBONES, FLAGS.model_variant, what='model_variant')
    strides = size_list('decoder_output_stride', count=None)
    return cls._make(options.ModelOptions(
        outputs_to_num_classes=outputs_to_num_classes,
        crop_size=crop_size,
        atrous_rates=atrous_rates,
        output_stride=output_stride,
        preprocessed_images_dtype=preprocessed_images_dtype,
        merge_method=FLAGS.merge_method,
        add_image_level_feature=FLAGS.add_image_level_feature,
        image_pooling_crop_size=size_list('image_pooling_crop_size'),
        image_pooling_stride=size_list('image_pooling_stride'),
        aspp_with_batch_norm=FLAGS.aspp_with_batch_norm,
        aspp_with_separable_conv=FLAGS.aspp_with_separable_conv,
        multi_grid=_repeated_flag('multi_grid'),
        decoder_output_stride=strides,
        decoder_use_separable_conv=FLAGS.decoder_use_separable_conv,
        logits_kernel_size=FLAGS.logits_kernel_size,
        model_variant=FLAGS.model_variant,
        depth_multiplier=FLAGS.depth_multiplier,
        divisible_by=FLAGS.divisible_by,
        prediction_with_upsampled_logits=FLAGS.prediction_with_upsampled_logits,
        dense_prediction_cell_config=_read_dense_prediction_cell(),
        nas_stem_output_num_conv_filters=FLAGS.nas_stem_output_num_conv_filters,
        use_bounded_activation=FLAGS.use_bounded_activation,
        quantize_delay_step=(FLAGS.quantize_delay_step
                             if 'quantize_delay_step' in FLAGS else _NOT_QUANTIZED)))

  def __deepcopy__(self, memo):
    return self._make(copy.deepcopy(tuple(self), memo))

  def __reduce__(self):
    return type(self)._make, (tuple(self),)


def _repeated_flag(name):
  """Returns the list of a repeatable flag.

  absl appends to the list when arguments are parsed once more in the same process; from
  here on a new parse replaces it, as it does the value of any other flag.
  """
  value = getattr(FLAGS, name)
  FLAGS[name].present = 0
  return value


def _read_dense_prediction_cell():
  path = FLAGS.dense_prediction_cell_json
  if not path:
    return None
  if not tf.io.gfile.exists(path):
    raise ValueError('--dense_prediction_cell_json: no file %s.' % path)
  with tf.io.gfile.GFile(path) as stream:
    try:
      return json.loads(stream.read())
    except ValueError as error:
      raise ValueError('--dense_prediction_cell_json: %s is not JSON: %s.' % (path, error)
                       ) from error


# --- flags of several scripts, declared once ---------------------------------------------


def define_model_flags(output_stride=16):
  """Declares the flags that size atrous convolutions."""
  flags.DEFINE_multi_integer('atrous_rates', None,
                             'Rates of the 3x3 ASPP branches, repeat per rate: 6 12 18 at '
                             'output_stride 16, 12 24 36 at 8. Default: no such branch.')
  flags.DEFINE_integer('output_stride', output_stride,
                       'Input size over feature size: 8, 16 or 32; lower is finer, slower '
                       'and takes more memory.', lower_bound=1)
  flags.DEFINE_integer('quantize_delay_step', _NOT_QUANTIZED,
                       'Step at which 8-bit fake quantisation starts; negative: none.')


def define_dataset_flags(split_flag, split_default):
  """Declares the flags that name records to read."""
  flags.DEFINE_string('dataset', 'pascal_voc_seg',
                      'Name of a built-in dataset, or of one described by the '
                      'dataset_info.json beside its records.')
  flags.DEFINE_string(split_flag, split_default, 'Split of the dataset to read.')
  flags.DEFINE_string('dataset_dir', None,
                      'Folder of the TFRecord shards. Required, unless --dataset is a '
                      'registered name that knows its folder.')


def define_builder_flags():
  """Declares the flags of all dataset builders; `build_options` returns their values."""
  flags.DEFINE_integer('num_processes', None,
                       'Number of worker processes. Default: one per processor.',
                       lower_bound=1)
  flags.DEFINE_enum('on_error', shard_writer.STOP, shard_writer.ON_ERROR,
                    'At an image or label that cannot be used: stop, or skip it, count it in '
                    'the log and list it in skipped_<split>.txt beside the records.')


def define_storage_flag():
  """Declares the flag that says where the Forma sets are."""
  flags.DEFINE_string('storage_dir', None,
                      'Root of the stored sets. Default: $%s, or %s.'
                      % (forma_storage.ROOT_VARIABLE, forma_storage.DEFAULT_ROOT))


def build_options():
  """Returns the keyword arguments of `builder.build_dataset` that are flags."""
  return {'num_processes': FLAGS.num_processes, 'on_error': FLAGS.on_error}


def define_augmentation_flags():
  """Declares the flags of random variation; `augmentation_of` returns their values."""
  flags.DEFINE_enum('augmentation', None, sorted(augmentation.AUGMENTATIONS),
                    'Preset of the flags below. none: nothing; deeplab: flip; forma: all. '
                    'Scales have flags of their own. Default: forma for datasets of the nine '
                    'Forma classes, such as the sample people, else deeplab.')
  flags.DEFINE_float('min_scale_factor', 0.5, 'Least random scale of training images.')
  flags.DEFINE_float('max_scale_factor', 2., 'Largest random scale of training images.')
  flags.DEFINE_float('scale_factor_step_size', 0.25,
                     'Step between the scales drawn from; 0: any scale in the range.',
                     lower_bound=0)
  preset = augmentation.AUGMENTATIONS['forma']
  for name, unit in (
      ('leg_cut_probability', 'Probability, 0..1, of cutting legs off where a record has '
                              'landmarks'),
      ('affine_clip', 'Limit of the entries of the affine warp, in standard deviations'),
      ('flip_probability', 'Probability, 0..1, of mirroring left-right'),
      ('hue', 'Largest shift of the hue, in turns of the colour circle, 0..0.5'),
      ('brightness', 'Largest shift of the brightness, as a share of the full range'),
      ('blur_probability', 'Probability, 0..1, of blurring'),
      ('blur_stddev', 'Standard deviation of the blur factor over 1'),
      ('noise_stddev', 'Standard deviation of the noise, as a share of the full range')):
    flags.DEFINE_float(name, None, '%s; 0: off. With augmentation forma: %s.'
                       % (unit, getattr(preset, name)), lower_bound=0)
  flags.DEFINE_list('affine_stddev', None,
                    'Standard deviation of the entries of the affine warp [[1+a, b, tx], '
                    '[c, 1+d, ty]]: one number, or six for a,b,tx,c,d,ty (tx, ty in pixels); '
                    '0: off. With augmentation forma: %s.' % preset.affine_stddev)
  for name in ('saturation', 'contrast'):
    flags.DEFINE_list(name, None, 'Least and largest factor on the %s; 1,1: off. With '
                      'augmentation forma: %s,%s.' % ((name,) + getattr(preset, name)))
  flags.DEFINE_integer('data_seed', None,
                       'Makes the stream of training images the same in every run. Default: '
                       'another one each time.')
  flags.DEFINE_enum('on_bad_record', bad_records.STOP, bad_records.ON_BAD_RECORD,
                    'At a record that cannot be used: stop, or examine all records before they '
                    'are decoded, skip the bad ones and tell which.')
  flags.DEFINE_float('max_bad_fraction', 0.01,
                     'With on_bad_record=skip: share of bad records that is too much.',
                     lower_bound=0, upper_bound=1)
  flags.DEFINE_integer('data_threads', 0,
                       'Size of a thread pool for reading and augmenting alone; 0: that of '
                       'the process.', lower_bound=0)


def augmentation_of(descriptor):
  """Returns the Augmentation of the flags for a DatasetDescriptor.

  Raises:
    ValueError: a flag has values that cannot be; names it.
  """
  is_forma = tuple(descriptor.class_names or ()) == dataset_registry.FORMA_CLASSES
  preset = FLAGS.augmentation or ('forma' if is_forma else 'deeplab')
  values = {name: FLAGS[name].value for name in augmentation.Augmentation._fields
            if FLAGS[name].value is not None}
  for name, counts in (('affine_stddev', (1, 6)), ('saturation', (2,)), ('contrast', (2,))):
    if name in values:
      values[name] = _numbers(name, counts)
  if len(values.get('affine_stddev', ())) == 1:
    values['affine_stddev'] = values['affine_stddev'][0]
  for name in ('saturation', 'contrast'):
    if name in values and values[name][0] > values[name][1]:
      raise ValueError('--%s=%g,%g: the least factor comes first.' % ((name,) + values[name]))
  for name, limit in (('leg_cut_probability', 1), ('flip_probability', 1),
                      ('blur_probability', 1), ('hue', 0.5)):
    if values.get(name, 0) > limit:
      raise ValueError('--%s=%g must be in 0..%g.' % (name, values[name], limit))
  return augmentation.AUGMENTATIONS[preset]._replace(**values)


def _numbers(name, counts):
  """Returns the tuple of numbers from 0 up of a list flag, as many as one of `counts`."""
  words = FLAGS[name].value
  try:
    numbers = tuple(float(word) for word in words)
  except ValueError:
    numbers = ()
  if len(numbers) not in counts or min(numbers) < 0:
    raise ValueError('--%s must be %s numbers from 0 up, got %s.' % (
        name, ' or '.join(str(count) for count in counts), ','.join(words) or 'nothing'))
  return numbers


def define_data_check_flag():
  """Declares the flag that `check_data` obeys."""
  flags.DEFINE_bool('skip_data_check', False,
                    'Starts without the quick look at the first records of every shard and '
                    'at the sizes of the splits.')


def define_inference_flags():
  """Declares the flags of multi-scale inference on a dataset."""
  flags.DEFINE_string('master', '', 'TensorFlow server to run on; empty: this process.')
  flags.DEFINE_string('checkpoint_dir', None, 'Folder of the checkpoints. Required.')
  flags.DEFINE_integer('eval_interval_secs', 300,
                       'Least seconds between two looks for a new checkpoint.',
                       lower_bound=0)
  flags.DEFINE_multi_float('eval_scales', [1.0],
                           'Input scales whose probabilities are averaged; repeat the flag.')
  flags.DEFINE_bool('add_flipped_images', False,
                    'Also averages over left-right mirrored images.')
  flags.DEFINE_float('eval_timeout_secs', None,
                     'Stops with an error after so long without a new checkpoint. Default: '
                     'waits for ever.', lower_bound=0)
  flags.DEFINE_list('tile_size', None,
                    'Height,width in pixels of overlapping tiles, for images whose features do '
                    'not fit into memory; the crop size is of no use then. Default: whole '
                    'images.')
  flags.DEFINE_integer('tile_overlap', 64, 'Least pixels that neighbouring tiles share.',
                       lower_bound=0)


def define_sizes_flags(script):
  """Declares `<script>_batch_size` and `<script>_crop_size`; `input_sizes` returns them."""
  flags.DEFINE_integer('%s_batch_size' % script, 1, 'Images, or tiles, per step.',
                       lower_bound=1)
  flags.DEFINE_list('%s_crop_size' % script, '513,513',
                    'Height,width in pixels that images are padded to; must hold the largest. '
                    'Empty: each image to the least size its features need, batches of equal '
                    'sizes.')


def input_sizes(script):
  """Returns the eval_batches.InputSizes of the flags.

  Args:
    script: 'eval' or 'vis', the start of the names of its flags.

  Raises:
    ValueError: sizes cannot be.
  """
  has_crop = FLAGS.tile_size is None and FLAGS['%s_crop_size' % script].value
  sizes = eval_batches.InputSizes(
      output_stride=FLAGS.output_stride,
      batch_size=FLAGS['%s_batch_size' % script].value,
      crop_size=size_list('%s_crop_size' % script) if has_crop else None,
      tile_size=size_list('tile_size'),
      tile_overlap=FLAGS.tile_overlap,
      least_size=size_list('image_pooling_crop_size'))
  if sizes.tile_size is not None:
    eval_batches.check_tiles(sizes)
  return sizes


def inference_dataset(script, sizes):
  """Returns the data_generator.Dataset that a script runs the network on.

  Args:
    script: 'eval' or 'vis', the start of the names of its flags.
    sizes: InputSizes of `input_sizes`.

  Raises:
    ValueError: the flags do not fit each other or the records.
  """
  resized_size_function()
  split = FLAGS['%s_split' % script].value
  dataset = data_generator.Dataset(
      dataset_name=dataset_name(),
      split_name=split,
      dataset_dir=FLAGS.dataset_dir,
      batch_size=sizes.batch_size,
      crop_size=sizes.crop_size,
      min_resize_value=FLAGS.min_resize_value,
      max_resize_value=FLAGS.max_resize_value,
      resize_factor=FLAGS.resize_factor,
      model_variant=FLAGS.model_variant)
  if sizes.crop_size is not None:
    check_crop_holds_images('%s_crop_size' % script, split)
  return dataset


# Flags of eval and vis that only one value is served of so far, for `refuse_flags`.
INFERENCE_NOT_YET = {
    'master': ('', 'running on another TensorFlow server is not available yet'),
}


def prediction_function(scales_flag='eval_scales'):
  """Returns function (images, model_options) -> predictions, as the flags ask for.

  Args:
    scales_flag: name of the flag that holds the input scales.

  Raises:
    ValueError: a scale is not positive, or flags exclude each other.
  """
  scales = FLAGS[scales_flag].value
  if not scales or min(scales) <= 0:
    raise ValueError('--%s must be positive, got %s.' % (scales_flag, scales))
  if list(scales) == [1.0] and not FLAGS.add_flipped_images:
    return functools.partial(model.predict_labels, image_pyramid=FLAGS.image_pyramid)
  if FLAGS.image_pyramid:
    raise ValueError('--image_pyramid cannot be combined with --%s or --add_flipped_images: '
                     'leave one of them out.' % scales_flag)
  return functools.partial(model.predict_labels_multi_scale, eval_scales=tuple(scales),
                           add_flipped_images=FLAGS.add_flipped_images)


def resized_size_function():
  """Returns the function from the sizes of images to those they are resized to, or None.

  Raises:
    ValueError: there is a limit, but no size.
  """
  if not FLAGS.min_resize_value:
    if FLAGS.max_resize_value:
      raise ValueError('--max_resize_value=%d needs --min_resize_value too.'
                       % FLAGS.max_resize_value)
    return None
  return functools.partial(
      preprocess_utils.resized_size, min_size=FLAGS.min_resize_value,
      max_size=FLAGS.max_resize_value, factor=FLAGS.resize_factor)


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
  crop_size = size_list(crop_flag)
  largest = info.splits[split].image_sizes['max']
  if any(side > crop for side, crop in zip(largest, crop_size)):
    # Sides of k * 16 + 1 align with the features at every output stride up to 16.
    fitting = [max(crop, (side + 14) // 16 * 16 + 1) for side, crop in zip(largest, crop_size)]
    raise ValueError(
        '--%s=%d,%d is smaller than images of split %r in %s, which are up to %d high and %d '
        'wide. Pass --%s=%d,%d, or --min_resize_value and --max_resize_value.'
        % ((crop_flag,) + tuple(crop_size) + (split, FLAGS.dataset_dir) + tuple(largest)
           + (crop_flag,) + tuple(fitting)))


def check_data(dataset):
  """Stops if a quick look at the records finds what would harm, unless --skip_data_check.

  Args:
    dataset: data_generator.Dataset.

  Raises:
    ValueError: names what was found and the record.
  """
  if not FLAGS.skip_data_check:
    data_check.check(dataset.files, dataset.split_name, dataset.descriptor,
                     dataset.dataset_dir)


def dataset_name():
  """Returns --dataset; None if it was not given and the records describe themselves."""
  if not FLAGS['dataset'].present and dataset_info.read(FLAGS.dataset_dir) is not None:
    return None
  return FLAGS.dataset


def size_list(name, count=2):
  """Returns the positive integers of a list flag, e.g. a (height, width), or None.

  Args:
    name: flag name.
    count: how many integers there must be, or None for any.

  Raises:
    ValueError: the flag's value is something else; names the flag.
  """
  values = FLAGS[name].value
  if values is None:
    return None
  try:
    numbers = [int(v) for v in values]
  except ValueError:
    numbers = []
  if not numbers or min(numbers) <= 0 or count not in (None, len(numbers)):
    wanted = 'positive integers' if count is None else (
        'two positive integers height,width' if count == 2 else '%d integers' % count)
    raise ValueError('--%s must be %s such as %s; got %s.' % (
        name, wanted, '4' if count is None else '513,513',
        ','.join(str(v) for v in values) or 'nothing'))
  return numbers


def take_flags_of_run(checkpoint_path):
  """Sets the flags of the network that were not given to those a checkpoint was trained with.

  Args:
    checkpoint_path: folder of checkpoints, or a checkpoint in it.

  Returns:
    The content of the run.json that was found there, or None.

  Raises:
    ValueError: a flag on the command line contradicts the run.
  """
  record = run_record.read(checkpoint_path)
  given = {name: FLAGS[name].value for name in run_record.ARCHITECTURE_FLAGS
           if name in FLAGS and FLAGS[name].present}
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


def refuse_flags(allowed):
  """Stops on flag values that this version cannot serve.

  Args:
    allowed: dict, flag name -> (accepted value, reason).

  Raises:
    ValueError: a flag has another value; names it, the value and the reason.
  """
  for name, (value, reason) in sorted(allowed.items()):
    if FLAGS[name].value != value:
      raise ValueError('--%s=%s: %s; leave the flag at %s.'
                       % (name, FLAGS[name].value, reason, value))


def flag_values():
  """Returns dict of the project's own flags and values, for run records."""
  own = {}
  for module, module_flags in FLAGS.flags_by_module_dict().items():
    if module.startswith(('absl', 'tensorflow')):
      continue
    own.update((flag.name, flag.value) for flag in module_flags)
  return own


# --- running a script ----------------------------------------------------------------------


def run(main, required_flags=(), allows_words=False):
  """Runs `main(argv)` as a program: parses flags, turns errors into one line, exits.

  Exit codes: 0 done, 1 a user's mistake found while running (ValueError), 2 unusable
  command line, 130 interrupted. With --verbosity=1 the traceback is shown too.

  Args:
    main: function of the left-over command line.
    required_flags: names of flags that must be set.
    allows_words: whether the command line may have words that are not flags.
  """

  def parse(argv):
    try:
      rest = FLAGS(argv)
      _find_dataset_dir()
      missing = [name for name in required_flags if FLAGS[name].value is None]
      if missing:
        raise flags.ValidationError(
            'Required: %s.' % ', '.join('--%s=...' % name for name in missing))
      if len(rest) > 1 and not allows_words:
        raise flags.ValidationError(
            'Not a flag: %s. Flags are written --name=value.' % ' '.join(rest[1:]))
      return rest
    except flags.Error as error:
      _stop(error, EXIT_USAGE)
    except ValueError as error:
      _stop(error, EXIT_ERROR)

  def guarded(argv):
    _set_up_logging()
    try:
      return main(argv)
    except ValueError as error:
      if logging.get_verbosity() >= logging.DEBUG:
        traceback.print_exc()
      _stop(error, EXIT_ERROR)
    except KeyboardInterrupt as error:
      _stop(str(error) or 'interrupted.', getattr(error, 'exit_code', EXIT_INTERRUPTED))

  app.run(guarded, flags_parser=parse)


def _find_dataset_dir():
  """Sets --dataset_dir, if not given, to what --dataset is registered for."""
  if 'dataset' in FLAGS and 'dataset_dir' in FLAGS and FLAGS.dataset_dir is None:
    entry = user_registry.read(FLAGS.dataset)
    FLAGS.dataset_dir = entry and entry.dataset_dir


def _set_up_logging():
  if not FLAGS['verbosity'].present:
    logging.set_verbosity(logging.INFO)
  handler = logging.get_absl_handler()
  handler.setFormatter(logging.logging.Formatter(
      '%(asctime)s %(levelname).1s %(message)s', '%H:%M:%S'))
  tf.get_logger().setLevel('WARN')


def _stop(error, code):
  sys.stderr.write('%s: error: %s\n' % (
      sys.argv[0].rsplit('/', 1)[-1], ' '.join(str(error).split())))
  sys.stderr.flush()
  sys.exit(code)
