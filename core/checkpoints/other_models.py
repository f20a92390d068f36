"""How the variables of a checkpoint differ from those of a graph, and which option it is.

`stored` and `expected` are dicts, name -> shape, of the checkpoint and of the graph.
"""
import re

from deeplab.core import quantization

# Names of a message; the rest is counted.
MAX_NAMED = 3

# Ends of the names of what an optimizer keeps beside a weight, in its shape -> the optimizer.
_SLOTS = {'/Momentum': 'momentum', '/Adam': 'adam', '/Adam_1': 'adam'}
_SLOT_NAMES = ('beta1_power', 'beta2_power')

# Scopes that exist or not by an option -> that option. A prefix is enough.
_SCOPES_TO_OPTIONS = (
    ('decoder', '--decoder_output_stride'),
    ('image_pooling', '--add_image_level_feature'),
    ('aspp0', '--aspp_with_batch_norm'),
    ('aspp', '--atrous_rates and --aspp_with_separable_conv'),
    ('concat_projection', '--aspp_with_batch_norm and --aspp_with_concat_projection'),
    ('meta_architecture', '--dense_prediction_cell_json'),
)
# Only decoders that make the logits have them, one per class.
_BIASES_OF_DECODER = re.compile('decoder/decoder_conv0.*/biases$')
# Variables that exist or not by an option -> that option.
_NAMES_TO_OPTIONS = (
    (re.compile('image_pooling/biases$'), '--aspp_with_squeeze_and_excitation'),
    (_BIASES_OF_DECODER, '--decoder_output_is_logits'),
    (re.compile('decoder/decoder_(conv0/weights|split_sep_conv0)'), '--decoder_use_sum_merge'),
    (re.compile('.*/classification_head_conv/'), '--nas_use_classification_head'),
)
# Variables whose last dimension is that of an option -> that option.
_DEPTHS_TO_OPTIONS = (
    (re.compile('aspp0/weights$'), '--aspp_convs_filters'),
    (re.compile('decoder/decoder_(split_sep_)?conv0(_pointwise|/decoder_conv0_1)?/weights$'),
     '--decoder_filters'),
)


def differences(stored, expected):
  """Returns lists of what differs and of the options to look at; None where all is there.

  Both hold sentences without full stop. Parts of the head that only the checkpoint has differ too.
  """
  missing = sorted(name for name in expected if name not in stored)
  reshaped = sorted(name for name in expected
                    if name in stored and list(stored[name]) != expected[name])
  unused = _unused_head_scopes(stored, expected)
  if not missing and not reshaped and not unused:
    return None
  missing, reshaped = [[name for name in names if not is_slot(name)]
                       for names in (missing, reshaped)]
  problems = []
  if reshaped:
    problems.append(_some(
        ['%s is %s in the checkpoint, %s here' % (name, _text(stored[name]),
                                                  _text(expected[name]))
         for name in reshaped], 'variables of another shape', '; '))
  if missing:
    problems.append('not in the checkpoint: %s' % _some(missing, 'variables'))
  if unused:
    problems.append('only in the checkpoint: %s' % ', '.join(s + '/...' for s in unused))
  return problems, _hints(stored, expected, missing, reshaped)


def biases_of_decoder(shapes):
  """Returns list of the shapes of biases that only decoders which make the logits have."""
  return [shape for name, shape in shapes.items() if _BIASES_OF_DECODER.match(name)]


def is_slot(name):
  """Whether a variable is of an optimizer."""
  return name.endswith(tuple(_SLOTS)) or name in _SLOT_NAMES


def _some(items, what, separator=', '):
  shown = separator.join(items[:MAX_NAMED])
  rest = len(items) - MAX_NAMED
  return shown if rest <= 0 else '%s and %d more %s' % (shown, rest, what)


def _text(shape):
  return '[%s]' % ','.join(str(d) for d in shape)


def _unused_head_scopes(stored, expected):
  """Returns the scopes of the head that only the checkpoint has."""
  present = {name.split('/')[0] for name in expected}
  return [scope for scope in sorted({name.split('/')[0] for name in stored} - present)
          if _option_of(scope)]


def differing_num_classes(stored, expected):
  """Returns (number of classes of the checkpoint, that of the graph), or None where they agree."""
  for name in sorted(set(stored) & set(expected)):
    there, here = list(stored[name]), list(expected[name])
    if name.startswith('logits/') and there[:-1] == here[:-1] and there[-1] != here[-1]:
      return there[-1], here[-1]
  return None


def _hints(stored, expected, missing, reshaped):
  """Returns sentences, without full stop, on options that differ."""
  found = _optimizer_hints(stored, expected)
  if any(quantization.is_range(name) for name in missing):
    found.append('It was trained in floats: leave out --quantize_delay_step, or train with it, '
                 'starting from this checkpoint as --tf_initial_checkpoint')
  classes = differing_num_classes(stored, expected)
  if classes:
    found.append('It was trained with another number of classes, %d, and this is for %d: check '
                 'the dataset' % classes)
  scopes = {name.split('/')[0] for name in stored}
  if biases_of_decoder(stored):
    scopes.add('logits')
  absent = sorted({name.split('/')[0] for name in missing} - scopes)
  options = {_option_of(scope) for scope in absent + _unused_head_scopes(stored, expected)}
  options.update(option for names, option in _NAMES_TO_OPTIONS
                 if any(map(names.match, stored)) != any(map(names.match, expected)))
  options.update(option for name in reshaped for names, option in _DEPTHS_TO_OPTIONS
                 if names.match(name) and stored[name][-1] != expected[name][-1])
  found.extend('Check %s' % option for option in sorted(o for o in options if o))
  if any(_option_of(scope) is None for scope in absent) or any(
      not _is_of_head(name) for name in reshaped) or reshaped and not found:
    backbones = sorted(scope for scope in scopes
                       if scope not in ('global_step', 'logits') and not _option_of(scope))
    found.append('Check --model_variant, --depth_multiplier and --divisible_by; it has %s'
                 % (', '.join(s + '/...' for s in backbones[:MAX_NAMED]) or 'no backbone'))
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


def _is_of_head(name):
  return name.startswith('logits/') or _option_of(name.split('/')[0]) is not None


def _option_of(scope):
  return next((option for prefix, option in _SCOPES_TO_OPTIONS if scope.startswith(prefix)), None)
