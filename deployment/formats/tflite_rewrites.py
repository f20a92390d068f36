"""Rewrites of a frozen graph, an EditableGraph changed in place, for the converter to TFLite."""
import contextlib

import numpy as np

from deeplab.core.tf_compat import tf
from deeplab.deployment.graphs import editing, folding

_FAKE_QUANTIZATION = 'FakeQuantWithMinMaxVars'
# What may stand between an atrous convolution and the end of its batch of pixels.
_PIXELWISE = ('BiasAdd', 'Relu', 'Relu6', _FAKE_QUANTIZATION)
_SCALING = {'Add': np.add, 'AddV2': np.add, 'Mul': np.multiply, 'RealDiv': np.divide,
            'Sub': np.subtract}
# What may stand between ArgMax and the output; of one of equal shape nothing is left.
_LABEL_STEPS = ('Cast', 'Identity', 'StridedSlice', 'Squeeze')
_MAX_PIXEL = 255.


def has_fake_quantization(graph_def):
  """Returns whether a GraphDef has operations that tell ranges for 8 bits."""
  return any(node.op == _FAKE_QUANTIZATION for node in graph_def.node)


def spell_out_dilations(graph):
  """Turns convolutions between SpaceToBatchND and BatchToSpaceND into dilated ones.

  Converters know some of these patterns and lose the rate of others.
  """
  uses = graph.num_uses()
  for name in list(graph.nodes):
    end = graph.nodes[name]
    if end.op != 'BatchToSpaceND':
      continue
    steps = [graph.producer(end.input[0])]
    while steps[-1].op in _PIXELWISE:
      steps.append(graph.producer(steps[-1].input[0]))
    convolution, start = steps[-1], graph.producer(steps[-1].input[0])
    if (convolution.op not in folding.CONVOLUTIONS or start.op != 'SpaceToBatchND'
        or any(uses[step.name] != 1 for step in steps)):
      continue
    block, pads = [graph.constant(tensor) for tensor in start.input[1:3]]
    padding = _padding(_kernel_size(graph, convolution), block, pads,
                       graph.constant(end.input[2]))
    if padding:
      convolution.input[0] = start.input[0]
      convolution.attr['dilations'].list.i[:] = [1] + block.tolist() + [1]
      convolution.attr['padding'].s = padding
      graph.replace_inputs({name: steps[0].name})
  graph.prune()


def _kernel_size(graph, convolution):
  """Returns (height, width) of the weights, which may be behind fake quantisation, or None."""
  weights = graph.producer(convolution.input[1])
  while weights.op in (_FAKE_QUANTIZATION, 'Identity'):
    weights = graph.producer(weights.input[0])
  value = graph.constant(weights.name)
  return None if value is None else np.array(value.shape[:2])


def _padding(kernel_size, block, pads, crops):
  """Returns the padding of the dilated convolution, None where it has no name."""
  if any(value is None for value in (kernel_size, block, pads, crops)):
    return None
  real = pads - crops
  same = block * (kernel_size - 1)
  if not real.any() and not crops[:, 0].any():
    return b'VALID'
  if (np.array_equal(real[:, 0], same // 2) and np.array_equal(real.sum(1), same)
      and not crops[:, 0].any()):
    return b'SAME'
  return None


def fix_input(graph, name, size, dtype):
  """Gives the placeholder of the images a size and a dtype, and works out all shapes."""
  placeholder = graph.nodes[name]
  old = placeholder.attr['dtype'].type
  new = tf.as_dtype(dtype).as_datatype_enum
  placeholder.attr['dtype'].type = new
  placeholder.attr['shape'].shape.CopyFrom(
      tf.TensorShape([1] + list(size) + [3]).as_proto())
  for node in graph.nodes.values():
    if node.input and node.input[0] == name and old != new:
      node.attr['SrcT' if node.op == 'Cast' else 'T'].type = new
  folding.remove_identities(graph)
  with _kept_fake_quantization(graph):
    folding.fold_constants(graph)
    while _put_static_shapes(graph):
      folding.fold_constants(graph)


def leave_out_scaling(graph, name):
  """Moves the placeholder behind the scaling of pixels, which integers have for free.

  Returns the values of the placeholder for a pixel of 0 and of 255.
  """
  low, high = np.float32(0), np.float32(_MAX_PIXEL)
  tensor = name
  while True:
    readers = [node for node in graph.nodes.values() if tensor in node.input]
    if len(readers) != 1 or readers[0].op not in _SCALING or tensor in graph.output_names:
      break
    values = [graph.constant(other) for other in readers[0].input if other != tensor]
    if len(values) != 1 or values[0] is None or values[0].size != 1:
      break
    scaled, constant = _SCALING[readers[0].op], values[0].item()
    is_first = readers[0].input[0] == tensor
    low, high = [scaled(end, constant) if is_first else scaled(constant, end)
                 for end in (low, high)]
    tensor = readers[0].name
  graph.replace_inputs({tensor: name} if tensor != name else {})
  graph.prune()
  return float(low), float(high)


def quantize_input(graph, name, low, high):
  """Adds the fake quantisation of the placeholder, where it has none."""
  readers = [node for node in graph.nodes.values() if name in node.input]
  if all(node.op == _FAKE_QUANTIZATION for node in readers):
    return
  quantized = graph.put(
      graph.unused_name(name + '_quant'), _FAKE_QUANTIZATION,
      [name, graph.add_constant(name + '_quant/min', np.float32(low)),
       graph.add_constant(name + '_quant/max', np.float32(high))])
  graph.nodes[quantized].attr['num_bits'].i = 8
  for node in readers:
    node.input[:] = [quantized if tensor == name else tensor for tensor in node.input]


def make_labels_int32(graph):
  """Has ArgMax itself give int32, where the graph casts its labels, and drops empty cuts.

  That saves two copies, and integer converters do not know the cast.
  """
  imported = graph.imported()
  chain = [graph.nodes[graph.output_names[0]]]
  while chain[-1].op in _LABEL_STEPS:
    chain.append(graph.producer(chain[-1].input[0]))
  if chain[-1].op != 'ArgMax' or any(count != 1 for count in (
      graph.num_uses()[step.name] for step in chain)):
    return
  chain[-1].attr['output_type'].type = tf.int32.as_datatype_enum
  for step in chain[:-1]:
    operation = imported.get_operation_by_name(step.name)
    is_whole = operation.inputs[0].shape.is_fully_defined() and (
        operation.inputs[0].shape.as_list() == operation.outputs[0].shape.as_list())
    if is_whole:
      graph.put(step.name, 'Identity', step.input[:1],
                T=editing.type_attribute(np.int32))
    else:
      step.attr['T'].type = tf.int32.as_datatype_enum
  graph.prune()


def gather_resized_labels(graph):
  """Spells out labels resized to the nearest as picks of rows and columns.

  Converters know no such int32 operation, and that of TensorFlow 1 rounds down where corners
  are aligned.
  """
  imported = graph.imported()
  with tf.Session(graph=imported) as session:
    for name, node in list(graph.nodes.items()):
      if node.op != 'ResizeNearestNeighbor' or node.attr['T'].type != tf.int32.as_datatype_enum:
        continue
      operation = imported.get_operation_by_name(name)
      height, width = operation.inputs[0].shape.as_list()[1:3]
      numbers = np.arange(height * width, dtype=np.int32).reshape([1, height, width, 1])
      picked = session.run(operation.outputs[0], {operation.inputs[0]: numbers})[0, :, :, 0]
      rows = _put_gather(graph, name + '/rows', node.input[0], picked[:, 0] // width, axis=1)
      columns = _put_gather(graph, name + '/columns', rows, picked[0] % width, axis=2)
      graph.put(name, 'Identity', [columns], T=editing.type_attribute(np.int32))
  graph.prune()


def _put_gather(graph, name, params, indices, axis):
  integer = editing.type_attribute(np.int32)
  return graph.put(
      graph.unused_name(name), 'GatherV2',
      [params, graph.add_constant(name + '/indices', indices.astype(np.int32)),
       graph.add_constant(name + '/axis', np.int32(axis))],
      Tparams=integer, Tindices=integer, Taxis=integer)


def check_8_bits(graph):
  """Raises ValueError for what 8 bits are too coarse for, or converters lack; tells the option."""
  for op, what in (('Softmax', 'probabilities averaged over scales or flips: export with one '
                               'scale and without flips'),
                   ('ResizeNearestNeighbor', 'resized labels: export with '
                                             '--prediction_with_upsampled_logits')):
    if any(node.op == op for node in graph.nodes.values()):
      raise ValueError('TFLite files of 8 bits cannot have %s.' % what)


def _put_static_shapes(graph):
  """Replaces operations Shape by constants where the shape is known; returns their number."""
  imported = graph.imported()
  count = 0
  for name, node in list(graph.nodes.items()):
    if node.op == 'Shape':
      operation = imported.get_operation_by_name(name)
      if operation.inputs[0].shape.is_fully_defined():
        graph.replace_inputs({name: graph.add_constant(name + '/static', np.array(
            operation.inputs[0].shape.as_list(), operation.outputs[0].dtype.as_numpy_dtype))})
        count += 1
  graph.prune()
  return count


@contextlib.contextmanager
def _kept_fake_quantization(graph):
  """Keeps the fake quantisation of weights from being folded: it tells their range."""
  ranges = {}
  for node in graph.nodes.values():
    if node.op == _FAKE_QUANTIZATION and graph.constant(node.input[1]) is not None:
      ranges[node.input[1]] = graph.nodes[node.input[1]]
  for name, node in ranges.items():
    graph.put(name, 'Placeholder', [], dtype=node.attr['dtype'])
  yield
  graph.nodes.update({name: node for name, node in ranges.items() if name in graph.nodes})
