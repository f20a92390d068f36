"""Rewrites a frozen inference graph into a smaller and faster one of the same values.

Passes, in the order of `fold`:
  constants        what depends on constants alone becomes a constant
  identities       nodes that hand on their input go
  input scaling    mean and range of the pixels go into the first convolution
  batch norm       becomes a factor of the convolution's weights and a bias
  atrous batches   bias and activation move into the batch of SpaceToBatchND, beside the
                   convolution, where runtimes fuse the three

The rounding of float32 differs; nothing else does.
"""
import numpy as np

from deeplab.core.tf_compat import tf
from deeplab.deployment.graphs import editing

CONVOLUTIONS = ('Conv2D', 'DepthwiseConv2dNative')
_FUSED_BATCH_NORMS = ('FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3')
_ACTIVATIONS = ('Relu', 'Relu6')
_IDENTITIES = ('Identity', 'StopGradient', 'PreventGradient', 'CheckNumerics')

# Constants of fewer numbers are sizes, means and scales.
_LEAST_HALVED = 16
_LARGEST_HALF = float(np.finfo(np.float16).max)
# Of a number, or of the largest one beside it.
_HALF_TOLERANCE = 1e-3

# What the zeros of a padding may be off after scaling, in units of the scaled image.
_ZERO_TOLERANCE = 1e-6


def fold(graph_def, output_names, kept_names=()):
  """Returns a GraphDef that computes what a frozen one does, with fewer operations.

  Nodes called `output_names` are kept, so are the placeholders that they need, and the identities
  in `kept_names`.
  """
  graph = editing.EditableGraph(graph_def, list(output_names) + list(kept_names))
  fold_constants(graph)
  remove_identities(graph)
  for name in kept_names:
    fold_scaling_into_identity(graph, name)
  fold_input_scaling(graph)
  fold_batch_norm(graph)
  move_activations_into_atrous_batches(graph)
  return graph.graph_def()


def halve_weights(graph_def, output_names):
  """Returns a GraphDef whose float32 constants are stored as float16 and cast where they are used.

  Small ones, and those that float16 cannot hold, stay. The nodes keep their names.
  """
  graph = editing.EditableGraph(graph_def, output_names)
  halves = {}
  for name in graph.nodes:
    value = graph.constant(name)
    if value is not None and value.dtype == np.float32 and value.size >= _LEAST_HALVED:
      half = np.clip(value, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
      if np.allclose(half, value, rtol=_HALF_TOLERANCE, atol=_HALF_TOLERANCE * np.abs(value).max()):
        halves[name] = half
  casts = {name: graph.unused_name(name + '/float32') for name in halves}
  graph.replace_inputs(casts)
  for name, half in sorted(halves.items()):
    del graph.nodes[name]
    graph.put(casts[name], 'Cast', [graph.add_constant(name, half)],
              SrcT=editing.type_attribute(np.float16), DstT=editing.type_attribute(np.float32))
  return graph.graph_def()


# --- constants and identities --------------------------------------------------------------


def fold_constants(graph):
  """Replaces tensors that depend on constants alone by constants."""
  is_constant = {}
  # They may give another value each time.
  stateful = {op.type for op in graph.imported().get_operations() if op.op_def.is_stateful}
  for name in graph.sorted_names():
    node = graph.nodes[name]
    is_constant[name] = node.op not in stateful and node.op != 'Placeholder' and all(
        not tensor.startswith('^') and is_constant.get(editing.node_name(tensor), False)
        for tensor in node.input) and (node.op == 'Const' or len(node.input) > 0)
  wanted = {tensor for name, node in graph.nodes.items() if not is_constant[name]
            for tensor in node.input
            if not tensor.startswith('^') and is_constant[editing.node_name(tensor)]
            and graph.producer(tensor).op != 'Const'}
  if not wanted:
    return
  wanted = sorted(wanted)
  part = editing.EditableGraph(
      graph.graph_def(), sorted({editing.node_name(tensor) for tensor in wanted}))
  with tf.Session(graph=part.imported()) as session:
    values = session.run([tensor if ':' in tensor else tensor + ':0' for tensor in wanted])
  graph.replace_inputs({
      tensor: graph.add_constant(tensor.replace(':', '_') + '/constant', value)
      for tensor, value in zip(wanted, values)})
  graph.prune()


def remove_identities(graph):
  """Removes nodes that hand on their input, where nothing hangs on their name."""
  named = {editing.node_name(tensor) for node in graph.nodes.values()
           for tensor in node.input if tensor.startswith('^')} | set(graph.output_names)
  graph.replace_inputs({
      name: node.input[0] for name, node in graph.nodes.items()
      if name not in named and len(node.input) == 1 and _hands_on(node)
      # The branches of a condition end at such nodes.
      and graph.producer(node.input[0]).op not in ('Switch', 'RefSwitch')})
  graph.prune()


def _hands_on(node):
  if node.op == 'Cast':
    return node.attr['SrcT'].type == node.attr['DstT'].type
  return node.op in _IDENTITIES


# --- factors and offsets per channel -------------------------------------------------------


def fold_input_scaling(graph):
  """Takes the factor of `(pad(image - mean) + mean) * a + b` into the convolution behind it.

  Padding is with zeros, so this needs that `mean * a + b` is zero: what is left is
  `pad(image - mean)` in front of a convolution with `a` times the weights.
  """
  uses = graph.num_uses()
  for name in list(graph.nodes):
    convolution = graph.nodes[name]
    if convolution.op not in CONVOLUTIONS or graph.constant(convolution.input[1]) is None:
      continue
    reader = convolution
    while graph.producer(reader.input[0]).op == 'Pad' and uses[reader.input[0]] == 1:
      reader = graph.producer(reader.input[0])
    tensor, (scale, offset) = _affine_chain(graph, reader.input[0], uses)
    if tensor == reader.input[0] or np.max(np.abs(offset)) > _ZERO_TOLERANCE:
      continue
    weights = graph.constant(convolution.input[1])
    # The third side of the weights is the input's channels, depthwise or not.
    factor = np.broadcast_to(scale, weights.shape[2:3])[:, np.newaxis]
    reader.input[0] = tensor
    convolution.input[1] = graph.add_constant(
        name + '/scaled_weights', (weights * factor).astype(weights.dtype))
  graph.prune()


def fold_scaling_into_identity(graph, name):
  """Does what `fold_input_scaling` does for an Identity that has to keep its name: it multiplies.

  Cut at such a node, the graph takes what the network takes.
  """
  node = graph.nodes[name]
  tensor, (scale, offset) = _affine_chain(graph, node.input[0], graph.num_uses())
  if tensor != node.input[0] and np.max(np.abs(offset)) <= _ZERO_TOLERANCE:
    dtype = tf.as_dtype(node.attr['T'].type).as_numpy_dtype
    graph.put(name, 'Mul', [tensor, graph.add_constant(name + '/scale', scale.astype(dtype))],
              T=editing.type_attribute(dtype))
  graph.prune()


def fold_batch_norm(graph):
  """Turns what scales and shifts the channels of a convolution into weights and a bias.

  That is batch norm with fixed statistics, fused or written out as Mul and Add, after any
  convolution with constant weights, also one between SpaceToBatchND and BatchToSpaceND.
  """
  uses = graph.num_uses()
  # Towers that share variables go on sharing their folded weights.
  shared = {}
  for name in reversed(graph.sorted_names()):
    node = graph.nodes[name]
    if _affine_of(graph, node) is None or _is_plain_bias(graph, node):
      continue
    tensor, affine = _affine_chain(graph, name, uses, is_end_shared=True)
    convolution = _convolution_behind(graph, tensor, uses)
    if convolution is not None:
      _put_into_convolution(graph, name, tensor, convolution, affine, shared)
      uses = graph.num_uses()
  graph.prune()


def _put_into_convolution(graph, name, tensor, convolution, affine, shared):
  """Replaces node `name`, an affine function of `tensor`, by new weights and a BiasAdd."""
  weights = graph.constant(convolution.input[1])
  num_channels = weights.shape[3] * (
      weights.shape[2] if convolution.op == 'DepthwiseConv2dNative' else 1)
  scale, offset = [np.broadcast_to(value, [num_channels]) for value in affine]
  key = (convolution.op, convolution.input[1], scale.tobytes(), offset.tobytes())
  if key not in shared:
    factor = scale.reshape(
        weights.shape[2:] if convolution.op == 'DepthwiseConv2dNative' else [-1])
    shared[key] = (
        graph.add_constant(convolution.name + '/folded_weights',
                           (weights * factor).astype(weights.dtype)),
        graph.add_constant(convolution.name + '/folded_bias', offset.astype(weights.dtype)))
  convolution.input[1], bias = shared[key]
  graph.put(name, 'BiasAdd', [tensor, bias], T=editing.type_attribute(weights.dtype),
            data_format=tf.AttrValue(s=b'NHWC'))


def _convolution_behind(graph, tensor, uses):
  """Returns the convolution that gives `tensor` and serves nothing else, or None."""
  node = graph.producer(tensor)
  while node.op == 'BatchToSpaceND' and uses[node.name] == 1:
    node = graph.producer(node.input[0])
  if (node.op not in CONVOLUTIONS or uses[node.name] != 1
      or node.attr['data_format'].s not in (b'', b'NHWC')
      or graph.constant(node.input[1]) is None):
    return None
  return node


def _affine_chain(graph, tensor, uses, is_end_shared=False):
  """Returns (input, (scale, offset)) of the chain of per-channel operations up to `tensor`."""
  scale, offset = np.float64(1), np.float64(0)
  is_first = True
  while ':' not in tensor and (uses[tensor] == 1 or is_first and is_end_shared):
    step = _affine_of(graph, graph.nodes[tensor])
    if step is None:
      break
    tensor, step_scale, step_offset = step
    scale, offset = scale * step_scale, scale * step_offset + offset
    is_first = False
  return tensor, (scale, offset)


def _affine_of(graph, node):
  """Returns (input, scale, offset) of input * scale + offset, float64 [] or [channels]; or None."""
  if node.op in _FUSED_BATCH_NORMS:
    return _affine_of_batch_norm(graph, node)
  if node.op not in ('Mul', 'Add', 'AddV2', 'Sub', 'RealDiv', 'BiasAdd') or len(node.input) != 2:
    return None
  tensor, other = node.input
  value = _channel_values(graph, other)
  if value is None and node.op in ('Mul', 'Add', 'AddV2'):
    tensor, other = other, tensor
    value = _channel_values(graph, other)
  if value is None or (node.op == 'RealDiv' and not value.all()):
    return None
  if node.op in ('Mul', 'RealDiv'):
    return tensor, value if node.op == 'Mul' else 1 / value, np.float64(0)
  return tensor, np.float64(1), -value if node.op == 'Sub' else value


def _affine_of_batch_norm(graph, node):
  values = [graph.constant(tensor) for tensor in node.input[1:5]]
  if (node.attr['is_training'].b or any(value is None for value in values)
      or node.attr['data_format'].s not in (b'', b'NHWC')):
    return None
  gamma, beta, mean, variance = [value.astype(np.float64) for value in values]
  scale = gamma / np.sqrt(variance + node.attr['epsilon'].f)
  return node.input[0], scale, beta - mean * scale


def _channel_values(graph, tensor):
  """Returns a float constant as float64 scalar or [channels] array, None if it is neither."""
  value = graph.constant(tensor)
  if value is None or value.dtype.kind != 'f' or value.size != (
      value.shape[-1] if value.ndim else 1):
    return None
  return value.astype(np.float64).reshape(value.shape[-1:])


def _is_plain_bias(graph, node):
  return node.op == 'BiasAdd' and graph.producer(node.input[0]).op in CONVOLUTIONS


# --- atrous convolutions as convolutions of a batch ----------------------------------------


def move_activations_into_atrous_batches(graph):
  """Turns BatchToSpaceND, BiasAdd, ReLU into BiasAdd, ReLU, BatchToSpaceND.

  All three work on every element alone, and what BatchToSpaceND crops stays cropped.
  """
  uses = graph.num_uses()
  for name in list(graph.nodes):
    node = graph.nodes[name]
    if node.op != 'BatchToSpaceND' or uses[name] != 1:
      continue
    steps = _steps_behind(graph, name, uses)
    if not steps:
      continue
    tensor = node.input[0]
    for step in steps:
      inputs = [tensor] + list(step.input[1:])
      tensor = graph.put(graph.unused_name(step.name + '/in_batch'), step.op, inputs,
                         **step.attr)
    graph.put(steps[-1].name, 'BatchToSpaceND', [tensor] + list(node.input[1:]), **node.attr)
  graph.prune()


def _steps_behind(graph, name, uses):
  """Returns the nodes of bias and activation that follow a node, each the only reader."""
  readers = {}
  for node in graph.nodes.values():
    for tensor in node.input[:1]:
      readers.setdefault(tensor, []).append(node)
  steps = []
  for ops in (('BiasAdd',), _ACTIVATIONS):
    following = readers.get(name, [])
    if len(following) != 1 or following[0].op not in ops or uses[name] != 1:
      break
    steps.append(following[0])
    name = following[0].name
  return steps
