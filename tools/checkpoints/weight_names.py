"""What the names and shapes of stored variables say: slots, ranges, the backbone and its width."""
import itertools
import re

from deeplab.core import backbones, mobilenet_v2, mobilenet_v3, quantization

GLOBAL_STEP = 'global_step'
_COUNTERS = (GLOBAL_STEP, 'beta1_power', 'beta2_power')
# What optimizers and averages keep beside a weight.
_SLOT = re.compile(r'/(Momentum|Adam|RMSProp|ExponentialMovingAverage)(_\d+)?$')
_SLOT_KINDS = {'ExponentialMovingAverage': 'moving averages (EMA)'}
# In the names of ranges of fake quantisation and of the helpers of their moving averages.
_QUANTISATION = re.compile(r'_quant(_\d+)?/')
_MOVING_STATISTICS = ('moving_mean', 'moving_variance')
# Last parts of the names of weights; a frozen graph has other constants too.
_WEIGHT_ENDS = ('weights', 'depthwise_weights', 'pointwise_weights', 'biases', 'beta', 'gamma',
                'min', 'max') + _MOVING_STATISTICS
# Weights of a graph that was rewritten for speed.
_FOLDED_END = '/folded_weights'
_LAYERS_OF_A_SCOPE = ('BatchNorm',)

_MAX_NAMED = 8
# Channel divisors to try for MobileNet; None is the network's own rule.
_DIVISORS = (None, 8, 4, 2, 16, 32)
# Depth multipliers are tried as multiples of 1 / step, the roundest first.
_MULTIPLIER_STEPS = (4, 20, 100, 1000)
# States that a NAS cell joins to its output.
_NAS_CELL_STATES = 5
# Scope of a NAS backbone -> factor of its first cell on the filters of the stem.
_NAS_FIRST_CELL_FACTOR = {'pnasnet': 2, 'hnasnet': 1}


def slot_shapes(shapes):
  """Returns dict, kind of slot such as 'Momentum' -> dict, names and shapes of its variables."""
  kinds = {}
  for name, shape in shapes.items():
    match = _SLOT.search(name)
    if match:
      kind = _SLOT_KINDS.get(match.group(1), match.group(1))
      kinds.setdefault(kind, {})[name] = shape
  return kinds


def model_shapes(shapes):
  """Returns the entries of the network: no slots, counters, ranges of quantisation."""
  return {name: shape for name, shape in shapes.items()
          if not _SLOT.search(name) and _last_part(name) not in _COUNTERS
          and not _QUANTISATION.search(name)}


def range_shapes(shapes):
  """Returns the entries that are ranges of quantisation."""
  return {name: shape for name, shape in shapes.items() if quantization.is_range(name)}


def weights_of_constants(shapes):
  """Returns the weights among constants of a graph; ValueError if batch norm is folded in."""
  if any(name.endswith(_FOLDED_END) for name in shapes):
    raise ValueError('this is a graph rewritten for speed, batch norm folded into its weights. '
                     'Name the checkpoint it was exported from; export.json beside the graph '
                     'has its name and the flags.')
  return {name: shape for name, shape in shapes.items() if _last_part(name) in _WEIGHT_ENDS}


def is_trainable(name):
  """Whether a variable of a network is one that training moves by gradients."""
  return _last_part(name) not in _MOVING_STATISTICS


def scope_of(name, depth=2):
  """Returns the first `depth` scopes of a name; its layer's own parts are left out."""
  parts = [part for part in name.split('/')[:-1] if part not in _LAYERS_OF_A_SCOPE]
  return '/'.join(parts[:depth]) or name


def find_variant(weights):
  """Returns the row of BACKBONES with the scope of weights and, of several, the layers.

  Raises ValueError, which lists the scopes, if there is none, or several.
  """
  scopes = sorted({name.split('/')[0] for name in weights if '/' in name})
  rows = {variant: row for variant, row in backbones.BACKBONES.items()
          if row.scope in scopes}
  found = sorted({row.scope for row in rows.values()})
  if len(found) > 1:
    raise ValueError('it holds several backbones: %s; models of this code have one.'
                     % ', '.join(found))
  if len(rows) > 1:
    rows = {variant: row for variant, row in rows.items()
            if _has_own_layers(variant, row, weights)}
  if len(rows) != 1:
    shown = scopes or sorted(weights)
    more = ' and %d more' % (len(shown) - _MAX_NAMED) if len(shown) > _MAX_NAMED else ''
    raise ValueError(
        'this is not a DeepLab checkpoint of this code. It has the scopes %s%s; a backbone has one '
        'of %s.' % (', '.join(shown[:_MAX_NAMED]) or '(none)', more, ', '.join(
            sorted({row.scope for row in backbones.BACKBONES.values()}))))
  return next(iter(rows))


def width_options(variant, weights, seen):
  """Returns dict of options that widen a backbone; adds to `seen` where channels fit no width."""
  row = backbones.BACKBONES[variant]
  if 'depth_multiplier' in row.settings:
    return _mobilenet_width(variant, weights, seen)
  if 'nas_stem_output_num_conv_filters' in row.settings:
    filters = _channels(weights, '%s/cell_0/1x1/weights' % row.scope)
    if filters:
      return {'nas_stem_output_num_conv_filters':
              filters // _NAS_FIRST_CELL_FACTOR.get(row.scope, 1)}
  return {}


def _has_own_layers(variant, row, weights):
  """Whether weights have the layers that variants of one scope differ in.

  MobileNets have another number of blocks, ResNets another root, whose end is that of stride 2.
  """
  if variant in mobilenet_v3.NETWORKS:
    count = len(mobilenet_v3.NETWORKS[variant].blocks)
    return [_channels(weights, '%s/%s/project/weights' % (row.scope, _mobilenet_block(index)))
            is None for index in (count - 1, count)] == [False, True]
  return any('%s/%s/weights' % (row.scope, name) in weights
             for name in row.decoder_end_points.get(2, ()))


def known_output_stride(variant, weights):
  """Returns the output stride of a NAS backbone, None for others: channels follow it."""
  scope = backbones.BACKBONES[variant].scope
  matches = [re.match(r'%s/cell_(\d+)/1x1/weights$' % scope, name) for name in weights]
  cells = [int(match.group(1)) for match in matches if match]
  if scope not in _NAS_FIRST_CELL_FACTOR or not cells:
    return None
  # A state has the filters of the stem at stride 4, and doubles them with the stride.
  first, last = [_channels(weights, '%s/cell_%d/1x1/weights' % (scope, cell))
                 for cell in (0, max(cells))]
  return 4 * _NAS_FIRST_CELL_FACTOR[scope] * last // first


def end_point_channels(row, name, weights):
  """Returns the channels of an entry of a Backbone's decoder_end_points, None where unknown."""
  match = re.match(r'layer_(\d+)/(depthwise|expansion)_output$', name)
  if match:
    layer = {'depthwise': 'depthwise/BatchNorm/beta', 'expansion': 'expand/weights'}
    return _channels(weights, '%s/%s/%s' % (
        row.scope, _mobilenet_block(int(match.group(1)) - 2), layer[match.group(2)]))
  match = re.match(r'Cell_(\d+)$', name)
  if match:
    filters = _channels(weights, '%s/cell_%s/1x1/weights' % (row.scope, match.group(1)))
    return filters and _NAS_CELL_STATES * filters
  layer = {'Conv1': 'conv1', 'Stem': 'conv2', 'layer_1': 'Conv'}.get(name, name)
  return _channels(weights, '%s/%s/weights' % (row.scope, layer))


def _mobilenet_width(variant, weights, seen):
  row = backbones.BACKBONES[variant]
  network = mobilenet_v3.NETWORKS.get(variant) or mobilenet_v2.Network(
      mobilenet_v2.STEM_OUTPUTS, mobilenet_v2.BLOCKS)
  layers = [('Conv', network.stem_outputs)] + [
      (_mobilenet_block(index) + '/project', block.num_outputs)
      for index, block in enumerate(network.blocks)] + [('Conv_1', network.last_outputs)]
  known = [(_channels(weights, '%s/%s/weights' % (row.scope, name)), base)
           for name, base in layers if base]
  known = [(count, base) for count, base in known if count]
  if not known:
    return {}
  divisors = _DIVISORS if 'divisible_by' in row.settings else (mobilenet_v3.DIVISOR,)
  ratio = known[-1][0] / float(known[-1][1])
  for step, divisor in itertools.product(_MULTIPLIER_STEPS, divisors):
    near = range(max(1, int((0.85 * ratio - 0.02) * step)), int((1.15 * ratio + 0.02) * step) + 2)
    for multiplier in sorted((k / float(step) for k in near), key=lambda m: abs(m - ratio)):
      if all(_mobilenet_depth(base, multiplier, divisor) == count for count, base in known):
        return {name: value for name, value in (
            ('depth_multiplier', multiplier), ('divisible_by', divisor)) if name in row.settings}
  seen.append('The channel counts of MobileNet fit no --depth_multiplier with --divisible_by '
              '%s; the one shown is that of the last layer.'
              % ', '.join(str(divisor) for divisor in divisors if divisor))
  return {'depth_multiplier': round(ratio, 3)}


def _mobilenet_depth(base, multiplier, divisor):
  usual = 8 if multiplier == 1.0 else 1
  return mobilenet_v2.make_divisible(base * multiplier, divisor or usual, usual)


def _mobilenet_block(index):
  return 'expanded_conv_%d' % index if index else 'expanded_conv'


def _last_part(name):
  return name.rsplit('/', 1)[-1]


def _channels(weights, name):
  """Returns the last dimension of a weight, or None where there is no such weight."""
  shape = weights.get(name)
  return shape[-1] if shape else None
