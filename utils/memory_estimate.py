"""Memory of a training step, from the static shapes of its graph.

    memory = of_step(graph)
    memory.num_bytes()              # of the batch and crop that the graph is built for
    memory.scaled(0.5).num_bytes()  # of half the batch, or half the pixels

The operations are gone through one after the other, in the order of their creation as far as
what they wait for allows. A tensor is there from the operation that makes it to the last one
that reads it: what the gradients read lies there from the forward pass on, and recomputed
activations only for a while.
"""
import collections
import heapq
import typing

import numpy as np

from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.utils import filter_gradients

# All of these are fitted to the memory that steps of mobilenet_v2, resnet_v1_50_beta, xception_41
# and xception_65 take on CPU, with TensorFlow 2.21 and with 1.15; see g3doc/training.md.
# Value and slots of the optimizer apart: gradients, and as much again while they are made.
_GRADIENT_COPIES = 2
# Work space of convolutions, and operations that run at the same time; the convolutions of
# TensorFlow 1.15 unfold their input.
_WORK_SHARE = 0.4 if IS_TF1 else 0.15
# Of the process beside tensors: libraries and threads, and what every operation of a graph takes.
_LIBRARY_BYTES = (240 if IS_TF1 else 600) << 20
_OPERATION_BYTES = (28 if IS_TF1 else 64) << 10

_TRAIN_OP = 'train_op'
# They return what they are given, without a copy.
_ALIASES = ('Enter', 'Exit', 'ExpandDims', 'Identity', 'PreventGradient', 'Reshape', 'Squeeze',
            'StopGradient')
# They write into what they are given, if nothing else reads it later.
_IN_PLACE = ('Add', 'AddN', 'AddV2', 'BiasAdd', 'FusedBatchNorm', 'FusedBatchNormV2',
             'FusedBatchNormV3', 'Maximum', 'Minimum', 'Mul', 'Neg', 'RealDiv', 'Relu', 'Relu6',
             'Relu6Grad', 'ReluGrad', 'Softmax', 'Sub')
# They only look at the shape of what they read, which TensorFlow does at once.
_LOOKS = ('Rank', 'Shape', 'ShapeN', 'Size')
# There from the first step to the last.
_CONSTANT = 'Const'
# The edges that make loops of a graph.
_NEXT_ITERATION = 'NextIteration'


class StepMemory(typing.NamedTuple):
  """Bytes of the tensors of a step at its peak.

  Attributes:
    weight_bytes: of variables, those of the optimizer among them, gradients and constants.
    image_bytes: of everything else: grows with the batch and with the pixels.
  """
  weight_bytes: int
  image_bytes: int

  def scaled(self, factor):
    """Returns the StepMemory of `factor` times as many pixels in all."""
    return self._replace(image_bytes=int(factor * self.image_bytes))

  def num_bytes(self):
    """Returns the bytes of both."""
    return self.weight_bytes + self.image_bytes


def of_step(graph, num_clones=1):
  """Returns the StepMemory of a training graph.

  Args:
    graph: tf.Graph with an operation train_op; what has no static shape counts nothing.
    num_clones: copies of the model in it, each with gradients of its own.
  """
  variables = (graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
               + graph.get_collection(tf.GraphKeys.LOCAL_VARIABLES))
  weights = graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
  operations = in_order(graph, graph.get_operation_by_name(_TRAIN_OP))
  constants = [operation.outputs[0] for operation in operations if operation.type == _CONSTANT]
  weight_bytes = (sum(map(_num_bytes, variables)) + sum(map(_num_bytes, constants))
                  + num_clones * _GRADIENT_COPIES * sum(map(_num_bytes, weights)))
  # Gradients and what else has the shape of weights are counted above.
  shapes = {tuple(variable.shape.as_list()) for variable in weights}
  return StepMemory(weight_bytes, int((1 + _WORK_SHARE) * peak_bytes(operations, shapes)))


def resident_bytes(graph):
  """Returns the bytes of resident memory of a process that runs a training graph on CPU."""
  return (of_step(graph).num_bytes() + _LIBRARY_BYTES
          + _OPERATION_BYTES * len(graph.get_operations()))


def _num_bytes(tensor):
  """Returns the size of a tensor or variable; 0 where it is not known."""
  if not tensor.shape.is_fully_defined():
    return 0
  return int(np.prod(tensor.shape.as_list(), dtype=np.int64)) * tensor.dtype.base_dtype.size


def in_order(graph, last):
  """Returns the operations that one needs, each after those it waits for."""
  place = {operation: 0 if _is_at_once(operation) else index
           for index, operation in enumerate(graph.get_operations())}
  waits_for, found, waiting = {}, {last}, [last]
  while waiting:
    operation = waiting.pop()
    before = {tensor.op for tensor in operation.inputs if tensor.op.type != _NEXT_ITERATION}
    waits_for[operation] = before.union(operation.control_inputs)
    waiting.extend(waits_for[operation] - found)
    found |= waits_for[operation]
  num_awaited = {operation: len(before) for operation, before in waits_for.items()}
  followers = collections.defaultdict(list)
  for operation, before in waits_for.items():
    for each in before:
      followers[each].append(operation)
  ready = [(place[operation], operation.name) for operation in found
           if not num_awaited[operation]]
  heapq.heapify(ready)
  ordered = []
  while ready:
    operation = graph.get_operation_by_name(heapq.heappop(ready)[1])
    ordered.append(operation)
    for follower in followers[operation]:
      num_awaited[follower] -= 1
      if not num_awaited[follower]:
        heapq.heappush(ready, (place[follower], follower.name))
  return ordered


def _is_at_once(operation):
  """Whether an operation runs as soon as it can, though it may be created last."""
  return operation.type in _LOOKS or '/%s' % filter_gradients.SCOPE in '/' + operation.name


class _Buffer(object):
  """Memory of one or several tensors.

  Attributes:
    num_bytes: its size, 0 once it is given back.
    num_readers: inputs of operations to come that read it.
  """

  def __init__(self, num_bytes):
    self.num_bytes = num_bytes
    self.num_readers = 0


def peak_bytes(operations, shapes_left_out):
  """Returns the most bytes of tensors that are there at once.

  Args:
    operations: list of tf.Operation in the order they run.
    shapes_left_out: set of shapes, tuples, whose tensors do not count.
  """
  num_reads = collections.Counter(
      tensor.name for operation in operations for tensor in operation.inputs)
  buffers = {}
  taken = peak = 0
  for operation in operations:
    inputs = [buffers.get(tensor.name) or _Buffer(0) for tensor in operation.inputs]
    for output in operation.outputs:
      num_bytes = 0 if _is_left_out(output, shapes_left_out) else _num_bytes(output)
      buffer = _reused(operation, inputs, num_bytes)
      if buffer is None:
        buffer = _Buffer(num_bytes)
        taken += num_bytes
      buffer.num_readers += num_reads[output.name]
      buffers[output.name] = buffer
    peak = max(peak, taken)
    for buffer in inputs:
      buffer.num_readers -= 1
    for buffer in inputs + [buffers[output.name] for output in operation.outputs]:
      if buffer.num_readers <= 0:
        taken -= buffer.num_bytes
        buffer.num_bytes = 0
  return peak


def _is_left_out(tensor, shapes_left_out):
  """Whether a tensor is no memory of its own, or counted elsewhere."""
  return (tensor.op.type == _CONSTANT or tensor.dtype._is_ref_dtype
          or not tensor.shape.is_fully_defined()
          or tuple(tensor.shape.as_list()) in shapes_left_out)


def _reused(operation, inputs, num_bytes):
  """Returns the buffer of `inputs` that an output of an operation lies in, or None."""
  if operation.type in _ALIASES and inputs:
    return inputs[0]
  if operation.type in _IN_PLACE:
    for buffer in inputs:
      if buffer.num_readers == 1 and buffer.num_bytes == num_bytes:
        return buffer
  return None
