"""Guesses the backbone, and its width, from the names and shapes of weights."""
import itertools
import re

from deeplab.core import feature_extractor, mobilenet_v2

_MAX_NAMED = 8
# Channel divisors to try for MobileNet; None is the network's own rule.
_DIVISORS = (None, 8, 4, 2, 16, 32)
# Depth multipliers are tried as multiples of 1 / step, the roundest first.
_MULTIPLIER_STEPS = (4, 20, 100, 1000)
# States that a NAS cell joins to its output.
_NAS_CELL_STATES = 5
# Scope of a NAS backbone -> factor of its first cell on the filters of the stem.
_NAS_FIRST_CELL_FACTOR = {'pnasnet': 2, 'hnasnet': 1}


def find_variant(weights):
  """Returns the row of BACKBONES that has the scope and, of several, the root.

  Args:
    weights: dict, name -> shape, without slots.

  Raises:
    ValueError: there is none, or several; lists the scopes.
  """
  scopes = sorted({name.split('/')[0] for name in weights if '/' in name})
  rows = [(variant, row) for variant, row in sorted(feature_extractor.BACKBONES.items())
          if row.scope in scopes]
  if len({row.scope for _, row in rows}) > 1:
    raise ValueError('holds several backbones: %s; models of this code have one.' % ', '.join(
        sorted({row.scope for _, row in rows})))
  if len(rows) > 1:
    # Variants of one scope differ in their root, whose end is the end point of stride 2.
    rows = [(variant, row) for variant, row in rows if any(
        '%s/%s/weights' % (row.scope, name) in weights
        for name in row.decoder_end_points.get(2, ()))]
  if len(rows) != 1:
    shown = scopes or sorted(weights)
    raise ValueError(
        'is not a DeepLab checkpoint of this code. It has the scopes %s%s; a backbone has one '
        'of %s.' % (', '.join(shown[:_MAX_NAMED]) or '(none)',
                    ' and %d more' % (len(shown) - _MAX_NAMED) if len(shown) > _MAX_NAMED
                    else '', ', '.join(sorted(
                        {row.scope for row in feature_extractor.BACKBONES.values()}))))
  return rows[0][0]


def width_options(variant, weights, seen):
  """Returns dict of the options that widen the backbone.

  Args:
    variant: key of BACKBONES.
    weights: dict, name -> shape, without slots.
    seen: list that a sentence is added to where the channels fit no width.
  """
  row = feature_extractor.BACKBONES[variant]
  if 'depth_multiplier' in row.settings:
    return _mobilenet_width(row.scope, weights, seen)
  if 'nas_stem_output_num_conv_filters' in row.settings:
    filters = _channels(weights, '%s/cell_0/1x1/weights' % row.scope)
    if filters:
      return {'nas_stem_output_num_conv_filters':
              filters // _NAS_FIRST_CELL_FACTOR.get(row.scope, 1)}
  return {}


def known_output_stride(variant, weights):
  """Returns the output stride of a NAS backbone, None for others: channels follow it."""
  scope = feature_extractor.BACKBONES[variant].scope
  cells = [int(match.group(1)) for match in (
      re.match(r'%s/cell_(\d+)/1x1/weights$' % scope, name) for name in weights) if match]
  if scope not in _NAS_FIRST_CELL_FACTOR or not cells:
    return None
  # A state has the filters of the stem at stride 4, and doubles them with the stride.
  last = _channels(weights, '%s/cell_%d/1x1/weights' % (scope, max(cells)))
  first = _channels(weights, '%s/cell_0/1x1/weights' % scope)
  return 4 * _NAS_FIRST_CELL_FACTOR[scope] * last // first


def end_point_channels(row, name, weights):
  """Returns the channels of a decoder end point of a backbone, None where unknown.

  Args:
    row: Backbone.
    name: entry of its decoder_end_points.
    weights: dict, name -> shape.
  """
  match = re.match(r'layer_(\d+)/depthwise_output$', name)
  if match:
    block = _mobilenet_block(int(match.group(1)) - 2)
    return _channels(weights, '%s/%s/depthwise/BatchNorm/beta' % (row.scope, block))
  match = re.match(r'Cell_(\d+)$', name)
  if match:
    filters = _channels(weights, '%s/cell_%s/1x1/weights' % (row.scope, match.group(1)))
    return filters and _NAS_CELL_STATES * filters
  layer = {'Conv1': 'conv1', 'Stem': 'conv2'}.get(name, name)
  return _channels(weights, '%s/%s/weights' % (row.scope, layer))


def _mobilenet_width(scope, weights, seen):
  names = ['Conv'] + ['%s/project' % _mobilenet_block(index)
                      for index in range(len(mobilenet_v2.BLOCKS))]
  counts = [_channels(weights, '%s/%s/weights' % (scope, name)) for name in names]
  bases = [mobilenet_v2.STEM_OUTPUTS] + [block.num_outputs for block in mobilenet_v2.BLOCKS]
  known = [(count, base) for count, base in zip(counts, bases) if count]
  if not known:
    return {}
  ratio = known[-1][0] / float(known[-1][1])
  for step, divisor in itertools.product(_MULTIPLIER_STEPS, _DIVISORS):
    near = range(max(1, int((0.85 * ratio - 0.02) * step)), int((1.15 * ratio + 0.02) * step) + 2)
    for multiplier in sorted((k / float(step) for k in near), key=lambda m: abs(m - ratio)):
      if all(_mobilenet_depth(base, multiplier, divisor) == count for count, base in known):
        return {'depth_multiplier': multiplier, 'divisible_by': divisor}
  seen.append('The channel counts of MobileNet fit no --depth_multiplier with --divisible_by '
              '%s; the one shown is that of the last layer.'
              % ', '.join(str(divisor) for divisor in _DIVISORS[1:]))
  return {'depth_multiplier': round(ratio, 3)}


def _mobilenet_depth(base, multiplier, divisor):
  is_full_width = multiplier == 1.0
  return mobilenet_v2.make_divisible(base * multiplier, divisor or (8 if is_full_width else 1),
                                     8 if is_full_width else 1)


def _mobilenet_block(index):
  return 'expanded_conv_%d' % index if index else 'expanded_conv'


def _channels(weights, name):
  """Returns the last dimension of a weight, or None where there is no such weight."""
  shape = weights.get(name)
  return shape[-1] if shape else None
