"""Where the network of a graph begins: sizes taken there, graphs cut there, old readers served.

    measure_at(graph, 'MobilenetV2/MobilenetV2/input')  # what follows takes its sizes from there
    begin_at(graph, 'MobilenetV2/MobilenetV2/input')    # and this is a placeholder of pixels
"""
import numpy as np

from deeplab.core.tf_compat import tf
from deeplab.deployment.graphs import editing, ends

_SAME_SIZE = ('Add', 'AddV2', 'Cast', 'Identity', 'Mul', 'RealDiv', 'Sub')
_FULL_TYPE = 'experimental_type'
_DTYPES = ('float32', 'uint8')


def without_defaults(graph_def):
  """Returns a GraphDef whose nodes do not name attributes that have their default value.

  Other versions of TensorFlow refuse attributes that they do not know, and have defaults for those
  that they miss. The types of tensors beyond dtypes go too: 1.15 does not read them in texts.
  """
  stripped = tf.train.export_meta_graph(graph_def=graph_def, graph=tf.Graph(),
                                        strip_default_attrs=True).graph_def
  if _FULL_TYPE in tf.NodeDef.DESCRIPTOR.fields_by_name:
    for node in stripped.node:
      node.ClearField(_FULL_TYPE)
  return stripped


def measure_at(graph, name):
  """Takes the sizes of the pictures that node `name` scales from that node itself.

  Else what comes after it would need what comes before it. The graph, an EditableGraph, is changed.
  """
  same_size, tensor = set(), graph.nodes[name].input[0]
  while True:
    same_size.add(tensor)
    node = graph.producer(tensor)
    variable = [other for other in node.input if graph.constant(other) is None]
    if node.op not in _SAME_SIZE or len(variable) != 1:
      break
    tensor = variable[0]
  for node in graph.nodes.values():
    if node.op == 'Shape' and node.input[0] in same_size:
      node.input[0] = name


def is_enough(images, labels):
  """Whether a tf.Tensor `labels` needs the tensor `images` and no other that must be fed."""
  waiting, seen, is_needed = [labels.op], {images.op}, False
  while waiting:
    operation = waiting.pop()
    is_needed |= operation is images.op
    if operation in seen:
      continue
    seen.add(operation)
    if operation.type == 'Placeholder':
      return False
    waiting.extend([tensor.op for tensor in operation.inputs] + operation.control_inputs)
  return is_needed


def begin_at(graph, name):
  """Makes node `name` of an EditableGraph a placeholder of pixels, 0..255.

  What is before it goes. Where the graph does not scale pixels itself, it takes -1..1 at this node,
  and now scales. Raises ValueError if it is no tensor of images, or the outputs need more than it.
  """
  if name not in graph.nodes:
    raise ValueError('%s does not come from %s.' % (graph.output_names[0], name))
  images = graph.imported().get_tensor_by_name(name + ':0')
  shape = images.shape.as_list() if images.shape.rank is not None else [None] * 4
  if images.dtype.name not in _DTYPES or len(shape) != 4 or shape[3] not in (None, 3):
    raise ValueError('%s must be images, float32 or uint8 [1, height, width, 3], but is %s %s.'
                     % (name, images.dtype.name, images.shape))
  low, high = ends.pixel_range(images)
  if graph.nodes[name].op != 'Placeholder':
    graph.put(name, 'Placeholder', [], dtype=editing.type_attribute(images.dtype.as_numpy_dtype))
    graph.nodes[name].attr['shape'].shape.CopyFrom(images.shape.as_proto())
  if (low, high) != ends.PIXELS:
    _scale(graph, name, low, (high - low) / (ends.PIXELS[1] - ends.PIXELS[0]))
  graph.prune()
  more = sorted(node.name for node in graph.nodes.values()
                if node.op == 'Placeholder' and node.name != name)
  if more:
    raise ValueError('%s does not come from %s alone, but also from %s. Name an output that does, '
                     'such as ArgMax:0.' % (graph.output_names[0], name, ', '.join(more)))


def _scale(graph, name, low, factor):
  """Has all that read node `name`, float32, read name * factor + low."""
  dtype = editing.type_attribute(np.float32)
  readers = [node for node in graph.nodes.values() if name in node.input]
  cast = graph.put(graph.unused_name(name + '/pixels'), 'Cast', [name], SrcT=dtype, DstT=dtype)
  product = graph.put(graph.unused_name(name + '/factor'), 'Mul', [
      cast, graph.add_constant(name + '/factor/y', np.float32(factor))], T=dtype)
  scaled = graph.put(graph.unused_name(name + '/scaled'), 'AddV2', [
      product, graph.add_constant(name + '/scaled/y', np.float32(low))], T=dtype)
  for node in readers:
    node.input[:] = [scaled if tensor == name else tensor for tensor in node.input]
