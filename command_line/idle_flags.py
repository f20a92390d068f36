"""Flags that have no effect beside the others on the command line: told, or refused.

The rows of `ROWS` are all such flags. Those that scripts for other versions of DeepLab may have
are told in a line of the log each, so that these scripts keep running; the project's own are
errors. A flag that is given its default value does no harm, and flags that come from a run.json
are not looked at. Values out of range are no errors where they have no effect.
"""
import os
import typing

from absl import flags, logging

from deeplab.command_line import flag_reading
from deeplab.core import options
from deeplab.core.usage import UsageError

FLAGS = flags.FLAGS


class Row(typing.NamedTuple):
  """A flag, and when it has an effect."""
  flag: str  # Name of the flag.
  # Names of the flags that decide; the row is for scripts that have them all.
  beside: typing.Tuple[str, ...]
  counts: typing.Callable  # Function of their values: whether `flag` has an effect.
  condition: str  # Words after 'it' on when it has one.
  is_error: bool = False  # Whether it is an error to give the flag without effect, or a warning.
  # Whether flags that a run.json brings may decide: looked at when they are known.
  is_of_network: bool = False


def _needs(name):
  """Returns what decides on a flag that needs another one: beside, counts, condition."""
  return (name,), bool, 'needs --%s' % name


def _is_for(name, value):
  """Likewise, on a flag that is for one value of another one."""
  return (name,), lambda chosen: chosen == value, 'is for --%s=%s' % (name, value)


def _is_not_for(name):
  """Likewise, on a flag that another one makes idle."""
  return (name,), lambda value: not value, 'is not for --%s' % name


def _is_padding(crop_flag):
  """Likewise, on the crop size of images that tiles are cut from."""
  # Of tiles an empty crop size says nothing else than they do.
  return ('tile_size', crop_flag), lambda tile, crop: not (tile and crop), 'is not for --tile_size'


def _is_training():
  return 'fine_tune_batch_norm' in FLAGS


def _in_cluster(worker_hosts, ps_hosts, job_name):
  return bool(worker_hosts or ps_hosts or job_name != 'worker' or os.environ.get('TF_CONFIG'))


_ADVICE = 'Leave it out, or change what it depends on.'
# What is said of flags that are left out, until `check`.
_left_out = []

_CLUSTER = ('worker_hosts', 'ps_hosts', 'job_name')
_RATE = ('optimizer', 'learning_policy')
_ASPP = ('aspp_with_batch_norm', 'dense_prediction_cell_json')
_OF_ASPP = (_ASPP, lambda aspp, cell: aspp and not cell, 'is for ASPP, which the head of the '
            'network does not have')
_POOLING = ('aspp_with_batch_norm', 'add_image_level_feature', 'dense_prediction_cell_json')
_OF_POOLING_BRANCH = (
    _POOLING, lambda aspp, image_level_feature, cell: aspp and image_level_feature and not cell,
    'is for the image pooling branch of ASPP, --add_image_level_feature')
_OF_CLUSTER = 'is for several processes: give --worker_hosts and --ps_hosts, or TF_CONFIG'
_OF_OVERLAY = (('outputs',), lambda outputs: 'overlay' in outputs, 'is for --outputs=overlay')

ROWS = (
    # --- optimizer and learning rate ---
    Row('base_learning_rate', _RATE, lambda chosen, policy: (
        chosen == 'momentum' and policy != 'multi_steps'),
        'is for --optimizer=momentum; adam goes by --adam_learning_rate, and '
        '--learning_policy=multi_steps by --boundary_learning_rates'),
    Row('momentum', *_is_for('optimizer', 'momentum')),
    Row('adam_learning_rate', _RATE, lambda chosen, policy: (
        chosen == 'adam' and policy != 'multi_steps'),
        'is for --optimizer=adam with a --learning_policy other than multi_steps'),
    Row('adam_epsilon', *_is_for('optimizer', 'adam')),
    Row('learning_power', *_is_for('learning_policy', 'poly')),
    Row('end_learning_rate', *_is_for('learning_policy', 'poly')),
    Row('decay_steps', *_is_for('learning_policy', 'poly')),
    Row('learning_rate_decay_factor', *_is_for('learning_policy', 'step')),
    Row('learning_rate_decay_step', *_is_for('learning_policy', 'step')),
    Row('boundaries', *_is_for('learning_policy', 'multi_steps'), is_error=True),
    Row('boundary_learning_rates', *_is_for('learning_policy', 'multi_steps'), is_error=True),
    Row('slow_start_learning_rate', *_needs('slow_start_step')),
    Row('slow_start_burnin_type', *_needs('slow_start_step')),
    # --- loss, weights and data of a training ---
    Row('hard_example_mining_step', ('top_k_percent_pixels',), lambda share: share < 1,
        'needs --top_k_percent_pixels below 1'),
    Row('initialize_last_layer', *_needs('tf_initial_checkpoint')),
    Row('last_layers_contain_logits_only',
        ('tf_initial_checkpoint', 'initialize_last_layer', 'last_layer_gradient_multiplier'),
        lambda start, takes_all, multiplier: (start and not takes_all) or multiplier != 1,
        'is for --noinitialize_last_layer with --tf_initial_checkpoint, and for '
        '--last_layer_gradient_multiplier'),
    Row('batch_norm_decay', (), lambda: _is_training() and FLAGS.fine_tune_batch_norm,
        'is for train.py with --fine_tune_batch_norm'),
    Row('label_weights', (), _is_training, 'is for train.py'),
    Row('max_bad_fraction', *_is_for('on_bad_record', 'skip'), is_error=True),
    # The processes of a cluster may all be given the flags of the evaluator.
    Row('eval_split', ('eval_during_training',) + _CLUSTER,
        lambda evaluates, *cluster: evaluates or _in_cluster(*cluster),
        'is for --eval_during_training and evaluators', is_error=True),
    # Several workers without hosts are an error of their own.
    Row('num_ps_tasks', ('num_replicas',) + _CLUSTER,
        lambda num_replicas, *cluster: num_replicas != 1 or _in_cluster(*cluster),
        'is for several processes, and this one holds the weights itself'),
    Row('startup_delay_steps', _CLUSTER, _in_cluster, _OF_CLUSTER),
    Row('cluster_timeout_secs', _CLUSTER, _in_cluster, _OF_CLUSTER, is_error=True),
    # --- sizes ---
    Row('resize_factor', *_needs('min_resize_value')),
    Row('keep_aspect_ratio', *_needs('min_resize_value')),
    Row('tile_overlap', *_needs('tile_size'), is_error=True),
    Row('eval_crop_size', *_is_padding('eval_crop_size')),
    Row('vis_crop_size', *_is_padding('vis_crop_size')),
    # --- evaluation and export ---
    Row('max_number_of_evaluations', *_is_not_for('eval_once')),
    Row('eval_interval_secs', *_is_not_for('eval_once')),
    Row('eval_timeout_secs', *_is_not_for('eval_once'), is_error=True),
    Row('overlay_legend', *_OF_OVERLAY, is_error=True),
    Row('overlay_opacity', *_OF_OVERLAY, is_error=True),
    Row('paint_background', *_needs('save_overlay'), is_error=True),
    Row('num_check_pictures', *_needs('dataset_dir'), is_error=True),
    # The settings of these are in the results.
    Row('normalize_by_image_size', *_is_for('metric', 'pc'), is_error=True),
    Row('crowd_excuses', *_is_for('metric', 'pq'), is_error=True),
    # --- network ---
    Row('image_pooling_crop_size', _POOLING, options.has_image_pooling,
        'is for image pooling, which the head of the network does not have', is_of_network=True),
    Row('image_pooling_stride', *_OF_POOLING_BRANCH, is_of_network=True),
    Row('aspp_convs_filters', *_OF_ASPP, is_of_network=True),
    Row('aspp_with_concat_projection', *_OF_ASPP, is_of_network=True),
    Row('aspp_with_squeeze_and_excitation', *_OF_POOLING_BRANCH, is_of_network=True),
    Row('image_se_uses_qsigmoid', *_needs('aspp_with_squeeze_and_excitation'),
        is_of_network=True),
    Row('decoder_filters', *_needs('decoder_output_stride'), is_of_network=True),
    Row('decoder_use_sum_merge', *_needs('decoder_output_stride'), is_of_network=True),
    Row('decoder_use_separable_conv', ('decoder_output_stride', 'decoder_output_is_logits'),
        lambda stride, is_logits: stride and not is_logits,
        'needs --decoder_output_stride, and is not for --decoder_output_is_logits',
        is_of_network=True),
    Row('merge_method', *_needs('image_pyramid'), is_of_network=True),
    Row('atrous_rates', *_is_not_for('dense_prediction_cell_json'), is_of_network=True),
    Row('add_image_level_feature', *_is_not_for('dense_prediction_cell_json'),
        is_of_network=True),
)


def check(is_of_network=False):
  """Warns of flags on the command line that have no effect; stops at those that are errors.

  It looks at the flags of the network with `is_of_network`, else at the others.

  Raises ValueError, which names the flags and what they are for.
  """
  errors = []
  while _left_out:
    logging.warning('%s', _left_out.pop(0))
  for row in ROWS:
    given = row.is_of_network == is_of_network and _has_no_effect(row) and (
        flag_reading.as_given(row.flag))
    if given:
      message = _message(given, row)
      if row.is_error:
        errors.append(message)
      else:
        logging.warning('%s', message)
  if errors:
    raise UsageError('%s %s' % (' '.join(errors), _ADVICE))


def set_aside(words):
  """Returns (words without, list of) those of a command line with values out of range.

  Only those of flags that may have no effect: `put_back` knows it once the others are read. Flags
  are written `--name=value`.
  """
  aside = [word for word in words if _is_out_of_range(word)]
  return [word for word in words if word not in aside], aside


def is_without_effect(name):
  """Whether the flag of a name has a Row and does nothing beside the values of the others."""
  return any(row.flag == name and _has_no_effect(row) for row in ROWS)


def put_back(aside):
  """Warns of words of `set_aside` whose flags have no effect, or stops as parsing them would.

  Raises:
    flags.Error: a flag has an effect, or the project's rules have it refused without one.
  """
  for word in aside:
    rows = [row for row in ROWS if row.flag == _name_of(word) and _has_no_effect(row)]
    if not rows:
      FLAGS(['', word])
      continue
    message = _message(word, rows[0])
    if rows[0].is_error:
      raise flags.ValidationError('%s %s' % (message, _ADVICE))
    _left_out.append(message)


def _name_of(word):
  return word[2:].split('=')[0] if word.startswith('--') else None


def _is_out_of_range(word):
  name, text = _name_of(word), word.partition('=')[2]
  if name not in FLAGS or all(row.flag != name for row in ROWS):
    return False
  flag = FLAGS[name]
  try:
    value = flag.parser.convert(text)
    return (bool(flag_reading.number_problem(value)) or flag.parser.is_outside_bounds(value)
            or not all(validator.checker(value) for validator in flag.validators))
  except (AttributeError, ValueError):
    return False  # No number.


def _has_no_effect(row):
  """Whether the flag of a Row does nothing in this script, beside the values of the others."""
  return all(name in FLAGS for name in (row.flag,) + row.beside) and not row.counts(
      *[FLAGS[name].value for name in row.beside])


def _message(given, row):
  return '%s has no effect: it %s.' % (given, row.condition)
