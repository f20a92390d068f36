"""Memory for speed: activations that are computed again instead of kept (gradient checkpointing).

    images -> forward ops -> loss -> gradients (backward ops)
    recompute([images], forward, backward)

The forward pass is cut into segments where little has to be kept. Gradients then read copies of
the operations of a segment, which run when the gradient of its end has arrived: at any time only
what crosses the cuts, and the activations of one segment, are in memory.

`recompute_cheap` only repeats batch norm and activation functions: half the memory of a network
of convolutions, for about a tenth of the speed.

References: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016; Rota Bulo et al.,
"In-Place Activated BatchNorm for Memory-Optimized Training of DNNs", CVPR 2018, section 3.
"""
import collections

import numpy as np

from deeplab.core.tf_compat import tf

SCOPE = 'recomputed'
_COPY_ATTRIBUTE = '_recomputed'
# A cut must let this many times the bytes it keeps be forgotten.
_LEAST_GAIN = 8
_BATCH_NORM_TYPES = ('FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3')
# They take little time beside the convolutions around them.
CHEAP_TYPES = _BATCH_NORM_TYPES + ('Relu', 'Relu6')
# A smaller tensor is not worth two more operations.
_LEAST_BYTES = 1 << 20
# They say where an operation is and are not part of what it does.
_PLACING_ATTRIBUTES = ('_class',)


def recompute(sources, forward, backward):
  """Has gradients read activations computed again; returns the number of operations that run twice.

  Random operations and whatever else has a state run once; gradients read their first results.
  Sources are the tensors that the network starts from; only what depends on them counts. Lists of
  tf.Operation are in the order of their creation: `forward` those of network and loss, `backward`
  those of its gradients.
  """
  # Gradients begin with the last segment: to forget it would save nothing.
  segments = _cut([operation for operation in _dependents(sources, forward)
                   if _is_repeatable(operation)])[:-1]
  segment_of = {operation: index for index, segment in enumerate(segments)
                for operation in segment}
  return _repeat_segments(segments, segment_of, backward,
                          lambda tensor: not _crosses(tensor, segment_of))


def recompute_cheap(sources, forward, backward):
  """Has gradients read results of batch norm and activation functions that are computed again.

  What convolutions return is kept: one tensor of a layer instead of two. Batch norm is repeated
  with the statistics of the first time, as a product and a sum. Arguments and result are those of
  `recompute`.
  """
  segments, segment_of = [], {}
  for operation in _dependents(sources, forward):
    if operation.type in CHEAP_TYPES and _is_repeatable(operation):
      index = segment_of.get(operation.inputs[0].op, len(segments))
      if index == len(segments):
        segments.append([])
      segments[index].append(operation)
      segment_of[operation] = index
  return _repeat_segments(segments, segment_of, backward,
                          lambda tensor: num_bytes(tensor) >= _LEAST_BYTES)


# --recompute -> function (sources, forward, backward).
LEVELS = {
    'nothing': lambda sources, forward, backward: 0,
    'batch_norm': recompute_cheap,
    'all': recompute,
}
AUTO, NOTHING, BATCH_NORM, ALL = ('auto',) + tuple(LEVELS)


def _repeat_segments(segments, segment_of, backward, is_forgotten):
  """Adds copies of segments for what gradients read that `is_forgotten`; returns their number."""
  backward_set = set(backward)
  reads = [[] for _ in segments]
  for operation in backward:
    # What reads no gradient, such as a shape, runs early and keeps nothing.
    if any(tensor.op in backward_set for tensor in operation.inputs):
      for position, tensor in enumerate(operation.inputs):
        if tensor.op in segment_of and not _is_statistic(tensor) and is_forgotten(tensor):
          reads[segment_of[tensor.op]].append((operation, position))
  return sum(_repeat(segment, segment_reads, backward_set)
             for segment, segment_reads in zip(segments, reads) if segment_reads)


def _dependents(sources, operations):
  """Returns the operations, of a list in order, that depend on tensors."""
  found = {tensor.op for tensor in sources}
  dependents = []
  for operation in operations:
    if any(tensor.op in found for tensor in operation.inputs):
      found.add(operation)
      dependents.append(operation)
  return dependents


def _is_repeatable(operation):
  """Whether an operation gives the same results a second time, in another place."""
  return (operation.op_def is not None and not operation.op_def.is_stateful
          and operation._get_control_flow_context() is None
          and not any(output.dtype._is_ref_dtype for output in operation.outputs))


def _is_statistic(tensor):
  """Whether a tensor is a mean or variance of batch norm; they are small, and kept."""
  return tensor.op.type in _BATCH_NORM_TYPES and tensor.value_index > 0


def _cut(operations):
  """Returns the operations as a list of consecutive lists."""
  place = {operation: index for index, operation in enumerate(operations)}
  last_reads = [[max([place[reader] for reader in output.consumers() if reader in place] or [-1])
                 for output in operation.outputs] for operation in operations]
  segments = [[]]
  # Bytes that later operations read, by the place of the last one that does.
  waiting = collections.Counter()
  crossing = made = 0
  for index, operation in enumerate(operations):
    segments[-1].append(operation)
    for output, last_read in zip(operation.outputs, last_reads[index]):
      size = num_bytes(output)
      made += size
      if last_read > index:
        waiting[last_read] += size
        crossing += size
    crossing -= waiting.pop(index, 0)
    if made and crossing * _LEAST_GAIN <= made:
      segments.append([])
      made = 0
  return [segment for segment in segments if segment]


def num_bytes(tensor):
  """Returns the size of a tensor; 0 where it is not known."""
  if not tensor.shape.is_fully_defined():
    return 0
  return int(np.prod(tensor.shape.as_list(), dtype=np.int64)) * tensor.dtype.size


def _crosses(tensor, segment_of):
  """Whether a later segment reads a tensor, which is kept then."""
  own = segment_of[tensor.op]
  return any(segment_of.get(reader, own) > own for reader in tensor.consumers())


def _repeat(segment, reads, backward_set):
  """Has `reads`, ordered (operation, input position), read copies; returns how many these are."""
  # All that the first read waits for: nothing of it depends on this segment's copies.
  trigger = [tensor.op for tensor in reads[0][0].inputs if tensor.op in backward_set]
  needed = _ancestors([operation.inputs[position].op for operation, position in reads],
                      set(segment))
  copies, delayed = {}, {}

  def input_of_copy(tensor):
    if tensor.op in copies:
      return copies[tensor.op].outputs[tensor.value_index]
    if tensor.dtype._is_ref_dtype or tensor.dtype == tf.resource:
      return tensor
    if tensor.name not in delayed:
      with tf.control_dependencies(trigger), tf.device(tensor.op.device):
        delayed[tensor.name] = tf.identity(tensor)
    return delayed[tensor.name]

  graph = tf.get_default_graph()
  with tf.name_scope(SCOPE), tf.control_dependencies(None):
    for operation in segment:
      if operation not in needed:
        continue
      inputs = [input_of_copy(tensor) for tensor in operation.inputs]
      inputs, attributes = _with_known_statistics(operation, inputs, {
          name: value for name, value in operation.node_def.attr.items()
          if name not in _PLACING_ATTRIBUTES})
      # Else TensorFlow would find out that both are the same.
      attributes[_COPY_ATTRIBUTE] = tf.AttrValue(b=True)
      with tf.device(operation.device):
        copies[operation] = graph.create_op(
            operation.type, inputs, [output.dtype for output in operation.outputs],
            name=operation.name, attrs=attributes, op_def=operation.op_def)
  for operation, position in reads:
    tensor = operation.inputs[position]
    operation._update_input(position, copies[tensor.op].outputs[tensor.value_index])
  return len(copies)


def _with_known_statistics(operation, inputs, attributes):
  """Returns inputs and attributes of a copy, which need not compute a batch's mean and variance."""
  shape = inputs[0].shape
  if not (operation.type in _BATCH_NORM_TYPES and attributes['is_training'].b
          and shape.is_fully_defined()):
    return inputs, attributes
  mean, variance = operation.outputs[1:3]
  count = shape.num_elements() // variance.shape.num_elements()
  # It comes unbiased, for the moving average.
  variance *= max(count - 1, 1) / count
  return (inputs[:3] + [mean, variance],
          dict(attributes, is_training=tf.AttrValue(b=False)))


def _ancestors(operations, within):
  """Returns the operations and those of a set that they depend on."""
  found, waiting = set(), list(operations)
  while waiting:
    operation = waiting.pop()
    if operation in within and operation not in found:
      found.add(operation)
      waiting.extend(tensor.op for tensor in operation.inputs)
  return found
