"""What the convolutions of a frozen graph say: at which stride a backbone's features are.

    strides of convolutions and pooling, multiplied along the way from the image
"""
import functools

from deeplab.deployment.graphs import editing

_STRIDING = ('AvgPool', 'Conv2D', 'DepthwiseConv2dNative', 'MaxPool')
_CONVOLUTIONS = ('Conv2D', 'DepthwiseConv2dNative')
# What may stand between weights and their convolution.
_OF_WEIGHTS = ('Cast', 'FakeQuantWithMinMaxVars', 'Identity', 'Mul', 'Reshape')


def output_stride(graph_def, scope):
  """Returns the largest stride of a convolution whose weights have a scope; None without any.

  The GraphDef is that of a frozen graph, the scope that of a backbone.
  """
  graph = editing.EditableGraph(graph_def, [node.name for node in graph_def.node])
  strides, found = {}, []
  for name in graph.sorted_names():
    node = graph.nodes[name]
    before = [strides.get(editing.node_name(tensor), 1) for tensor in node.input]
    own = list(node.attr['strides'].list.i)[1:3] if node.op in _STRIDING else []
    strides[name] = functools.reduce(int.__mul__, own[:1], max(before or [1]))
    if node.op in _CONVOLUTIONS and _is_of_scope(graph, node.input[1], scope):
      found.append(strides[name])
  return max(found) if found else None


def _is_of_scope(graph, tensor, scope):
  """Whether a tensor is a weight of a scope, as it is stored or on its way from there."""
  waiting = [tensor]
  while waiting:
    node = graph.producer(waiting.pop())
    if node.op == 'Const' and node.name.startswith(scope + '/'):
      return True
    if node.op in _OF_WEIGHTS:
      waiting.extend(node.input)
  return False
