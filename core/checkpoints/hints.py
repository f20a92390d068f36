"""What a checkpoint that does not fit a graph was made with, by the names and shapes in it."""
from deeplab.core import quantization

# Scopes of a message.
_MAX_NAMED = 3
_GLOBAL_STEP = 'global_step'

# Ends of the names of what an optimizer keeps beside a weight, in its shape -> the optimizer.
_SLOTS = {'/Momentum': 'momentum', '/Adam': 'adam', '/Adam_1': 'adam'}
_SLOT_NAMES = ('beta1_power', 'beta2_power')

# Scopes that exist or not by an option -> that option. A prefix is enough.
_SCOPES_TO_OPTIONS = (
    ('decoder', '--decoder_output_stride'),
    ('image_pooling', '--add_image_level_feature'),
    ('aspp0', '--aspp_with_batch_norm'),
    ('aspp', '--atrous_rates and --aspp_with_separable_conv'),
    ('concat_projection', '--aspp_with_batch_norm'),
    ('meta_architecture', '--dense_prediction_cell_json'),
)


def is_slot(name):
  """Whether a variable is of an optimizer."""
  return name.endswith(tuple(_SLOTS)) or name in _SLOT_NAMES


def unused_head_scopes(stored, expected):
  """Returns the scopes of the head that only the checkpoint has."""
  present = {name.split('/')[0] for name in expected}
  return [scope for scope in sorted({name.split('/')[0] for name in stored} - present)
          if _option_of(scope)]


def num_classes(stored, expected):
  """Returns (number of classes of the checkpoint, that of the graph), or None where they agree."""
  for name in sorted(set(stored) & set(expected)):
    there, here = list(stored[name]), list(expected[name])
    if name.startswith('logits/') and there[:-1] == here[:-1] and there[-1] != here[-1]:
      return there[-1], here[-1]
  return None


def hints(stored, expected, missing, reshaped):
  """Returns sentences, without full stop, that say which options differ.

  Args:
    stored: dict, name of a variable -> its shape in the checkpoint.
    expected: dict, name of a variable -> its shape in the graph.
    missing: names of the weights that the checkpoint lacks.
    reshaped: names of those that have another shape there.
  """
  found = _optimizer_hints(stored, expected)
  if any(quantization.is_range(name) for name in missing):
    found.append('It was trained in floats: leave out --quantize_delay_step, or train with it, '
                 'starting from this checkpoint as --tf_initial_checkpoint')
  classes = num_classes(stored, expected)
  if classes:
    found.append('It was trained with another number of classes, %d, and this is for %d: check '
                 'the dataset' % classes)
  scopes = {name.split('/')[0] for name in stored}
  absent = sorted({name.split('/')[0] for name in missing} - scopes)
  options = {_option_of(scope) for scope in absent + unused_head_scopes(stored, expected)}
  found.extend('Check %s' % option for option in sorted(o for o in options if o))
  if any(_option_of(scope) is None for scope in absent) or any(
      not name.startswith('logits/') for name in reshaped) or reshaped and not found:
    backbones = sorted(scope for scope in scopes
                       if scope not in (_GLOBAL_STEP, 'logits') and not _option_of(scope))
    found.append('Check --model_variant, --depth_multiplier and --divisible_by; it has %s'
                 % (', '.join(s + '/...' for s in backbones[:_MAX_NAMED]) or 'no backbone'))
  return found


def _optimizer_hints(stored, expected):
  trained, here = [{_SLOTS[end] for name in names for end in _SLOTS if name.endswith(end)}
                   for names in (stored, expected)]
  if not here or here == trained:
    return []
  if not trained:
    return ['It holds weights alone: start from it as --tf_initial_checkpoint, in another '
            '--train_logdir']
  return ['It was trained with --optimizer=%s, and this is %s' % (
      ' and '.join(sorted(trained)), ' and '.join(sorted(here)))]


def _option_of(scope):
  for prefix, option in _SCOPES_TO_OPTIONS:
    if scope.startswith(prefix):
      return option
  return None
