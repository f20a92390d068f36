"""What the names of stored variables say: weights, slots of optimizers, averages, ranges."""
import re

GLOBAL_STEP = 'global_step'
# Ranges of fake quantisation; the same with the helpers that moving averages of them may have.
_RANGE = re.compile(r'_quant/(min|max)$')
_RANGE_OR_HELPER = re.compile(r'_quant/(.*/)?(min|max)(/|$)')

# What is kept beside a weight -> ends of names.
_SLOTS = (
    ('Momentum', re.compile(r'/Momentum(_\d+)?$')),
    ('Adam', re.compile(r'/Adam(_\d+)?$')),
    ('RMSProp', re.compile(r'/RMSProp(_\d+)?$')),
    ('moving averages (EMA)', re.compile(r'/ExponentialMovingAverage$')),
)
_COUNTERS = (GLOBAL_STEP, 'beta1_power', 'beta2_power')
_MOVING_STATISTICS = ('moving_mean', 'moving_variance')
# Last parts of the names of weights; a frozen graph has other constants too.
_WEIGHT_ENDS = ('weights', 'depthwise_weights', 'pointwise_weights', 'biases', 'beta', 'gamma',
                'min', 'max') + _MOVING_STATISTICS
# Weights of a graph that was rewritten for speed.
_FOLDED_END = '/folded_weights'
_LAYERS_OF_A_SCOPE = ('BatchNorm',)


def slot_kind(name):
  """Returns the kind of slot that a variable is, such as 'Momentum', or None."""
  for kind, pattern in _SLOTS:
    if pattern.search(name):
      return kind
  return None


def slot_shapes(shapes):
  """Returns dict, kind of slot -> dict of the names and shapes of its variables."""
  kinds = {}
  for name, shape in shapes.items():
    kind = slot_kind(name)
    if kind:
      kinds.setdefault(kind, {})[name] = shape
  return kinds


def model_shapes(shapes):
  """Returns the entries of the network: no slots, counters, ranges of quantisation."""
  return {name: shape for name, shape in shapes.items()
          if name.rsplit('/', 1)[-1] not in _COUNTERS and slot_kind(name) is None
          and not _RANGE_OR_HELPER.search(name)}


def range_shapes(shapes):
  """Returns the entries that are ranges of quantisation."""
  return {name: shape for name, shape in shapes.items() if _RANGE.search(name)}


def weights_of_constants(shapes):
  """Returns the entries of a frozen graph's constants that are named like weights.

  Raises:
    ValueError: batch norm is folded into the weights.
  """
  if any(name.endswith(_FOLDED_END) for name in shapes):
    raise ValueError('is a graph rewritten for speed, with batch norm folded into its weights. '
                     'Name the checkpoint it was exported from; export.json beside the graph '
                     'has its name and the flags.')
  return {name: shape for name, shape in shapes.items()
          if name.rsplit('/', 1)[-1] in _WEIGHT_ENDS}


def is_trainable(name):
  """Whether a variable of a network is one that training moves by gradients."""
  return name.rsplit('/', 1)[-1] not in _MOVING_STATISTICS


def scope_of(name, depth=2):
  """Returns the first `depth` scopes of a name; its layer's own parts are left out."""
  parts = [part for part in name.split('/')[:-1] if part not in _LAYERS_OF_A_SCOPE]
  return '/'.join(parts[:depth]) or name
