"""A GraphDef that can be rewritten: nodes by name, constants as arrays, one node per edge."""
from deeplab.core.tf_compat import tf


class EditableGraph(object):
  """Nodes of a GraphDef, kept by name.

  Inputs of nodes are names of tensors: 'node' for its first output, 'node:1' for the second,
  '^node' for a control input.

  Attributes:
    nodes: dict, name -> NodeDef.
    output_names: names of the nodes that have to stay.
  """

  def __init__(self, graph_def, output_names):
    """Copies the part of a GraphDef that its outputs need."""
    self.output_names = list(output_names)
    self._rest = graph_def
    self.nodes = {}
    for node in graph_def.node:
      self.nodes[node.name] = tf.NodeDef()
      self.nodes[node.name].CopyFrom(node)
      self.nodes[node.name].input[:] = [
          name[:-2] if name.endswith(':0') else name for name in node.input]
    self.prune()

  def graph_def(self):
    """Returns the GraphDef, every node after its inputs."""
    self.prune()
    result = tf.GraphDef()
    result.versions.CopyFrom(self._rest.versions)
    result.library.CopyFrom(self._rest.library)
    result.node.extend(self.nodes[name] for name in self.sorted_names())
    return result

  def imported(self):
    """Returns a tf.Graph of the nodes, whose operations know their shapes."""
    with tf.Graph().as_default() as graph:
      tf.import_graph_def(self.graph_def(), name='')
    return graph

  def prune(self):
    """Removes the nodes that no output needs."""
    waiting, needed = list(self.output_names), set()
    while waiting:
      name = waiting.pop()
      if name not in needed:
        needed.add(name)
        waiting.extend(node_name(tensor) for tensor in self.nodes[name].input)
    self.nodes = {name: node for name, node in self.nodes.items() if name in needed}

  def sorted_names(self):
    """Returns the names of all nodes, each after its inputs (but for edges of loops)."""
    done, order = set(), []
    for start in self.nodes:
      stack = [(start, False)]
      while stack:
        name, is_expanded = stack.pop()
        if is_expanded:
          order.append(name)
        elif name not in done:
          done.add(name)
          stack.append((name, True))
          stack.extend((node_name(tensor), False)
                       for tensor in reversed(self.nodes[name].input))
    return order

  def producer(self, tensor):
    """Returns the node of a tensor name."""
    return self.nodes[node_name(tensor)]

  def num_uses(self):
    """Returns dict, name of a node -> how many inputs it is, outputs of the graph counted."""
    uses = dict.fromkeys(self.nodes, 0)
    for node in self.nodes.values():
      for tensor in node.input:
        uses[node_name(tensor)] += 1
    for name in self.output_names:
      uses[name] += 1
    return uses

  def constant(self, tensor):
    """Returns the array of a Const node, or None for any other."""
    node = self.nodes.get(tensor)
    if node is None or node.op != 'Const' or node.input:
      return None
    return tf.make_ndarray(node.attr['value'].tensor)

  def add_constant(self, name, value):
    """Adds a Const node; returns its name, which is `name` or one made from it."""
    name = self.unused_name(name)
    node = tf.NodeDef(name=name, op='Const')
    tensor = node.attr['value'].tensor
    tensor.CopyFrom(tf.make_tensor_proto(value))
    if tensor.half_val:
      # TensorFlow would store each in up to three bytes.
      tensor.ClearField('half_val')
      tensor.tensor_content = value.tobytes()
    node.attr['dtype'].type = tensor.dtype
    self.nodes[name] = node
    return name

  def put(self, name, op, inputs, **attributes):
    """Adds a node of an operation, or replaces the one of that name; returns its name.

    Inputs are names of tensors, attributes AttrValue protos to take over.
    """
    node = tf.NodeDef(name=name, op=op, input=inputs)
    for key, value in attributes.items():
      node.attr[key].CopyFrom(value)
    self.nodes[name] = node
    return name

  def unused_name(self, name):
    """Returns `name`, with a number where there is such a node already."""
    unused, number = name, 1
    while unused in self.nodes:
      unused, number = '%s_%d' % (name, number), number + 1
    return unused

  def replace_inputs(self, replacements):
    """Makes every node read `replacements[tensor]` in place of `tensor`."""
    def final(tensor):
      while tensor in replacements:
        tensor = replacements[tensor]
      return tensor

    for node in self.nodes.values():
      node.input[:] = [final(tensor) for tensor in node.input]


def node_name(tensor):
  """Returns the name of the node that a tensor or control input comes from."""
  return tensor.lstrip('^').split(':')[0]


def type_attribute(dtype):
  """Returns the AttrValue of a numpy dtype."""
  return tf.AttrValue(type=tf.as_dtype(dtype).as_datatype_enum)
