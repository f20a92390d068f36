"""Which ends of a model take images and give labels, told by what they are."""
import typing

# What float inputs take of models that do not scale pixels themselves.
UNIT_RANGE = (-1., 1.)
PIXELS = (0., 255.)

_SCALING = ('Add', 'AddV2', 'Div', 'Mul', 'RealDiv', 'Sub')
# What may stand between an image and its scaling.
_BEFORE_SCALING = ('Cast', 'ExpandDims', 'Identity', 'MirrorPad', 'Pad', 'PadV2', 'Reshape',
                   'ResizeArea', 'ResizeBicubic', 'ResizeBilinear', 'ResizeNearestNeighbor',
                   'Slice', 'Squeeze', 'StridedSlice')
_INTEGERS = ('uint8', 'int8', 'int32', 'int64')


class End(typing.NamedTuple):
  """An input or output of a model."""
  name: str
  dtype: str  # Name of a numpy dtype.
  shape: typing.Optional[typing.List[typing.Optional[int]]]  # None where it is not known.
  value: typing.Any = None  # What the caller knows it by.

  @property
  def is_image(self):
    """Whether it may be an image, uint8, int8 or float32 [1, height, width, 3]."""
    return self.dtype in ('uint8', 'int8', 'float32') and (
        self.shape is None or len(self.shape) == 4
        and self.shape[0] in (1, None) and self.shape[3] in (3, None))

  @property
  def is_map(self):
    """Whether it has one number per pixel, [1, height, width] or [1, height, width, 1]."""
    return self.shape is not None and len(self.shape) in (3, 4) and (
        self.shape[0] in (1, None) and (len(self.shape) == 3 or self.shape[3] == 1))

  @property
  def is_scores(self):
    """Whether it has several numbers per pixel, [1, height, width, classes]."""
    return (self.shape is not None and len(self.shape) == 4 and self.shape[0] in (1, None)
            and self.shape[3] != 1 and self.dtype in ('float32', 'uint8', 'int8'))

  def __str__(self):
    shape = 'of unknown shape' if self.shape is None else '[%s]' % ', '.join(
        '?' if side is None else str(side) for side in self.shape)
    return '%s %s %s' % (self.name, self.dtype, shape)


def image_among(path, inputs, advice=''):
  """Returns the only End of a list that may be an image; else raises ValueError, with advice."""
  found = [end for end in inputs if end.is_image]
  if len(found) == 1:
    return found[0]
  raise ValueError((
      '%s must have one input that takes images, uint8 or float32 [1, height, width, 3]; its '
      'inputs: %s. %s' % (path, _told(inputs), advice)).rstrip())


def labels_among(path, outputs, advice=''):
  """Returns the End of a list that gives labels; else raises ValueError, with advice.

  It is the only one of integers per pixel; else of scores of classes; else of floats per pixel.
  """
  for found in ([end for end in outputs if end.is_map and end.dtype in _INTEGERS],
                [end for end in outputs if end.is_scores],
                [end for end in outputs if end.is_map and end.dtype == 'float32']):
    if len(found) == 1:
      return found[0]
    if found:
      break
  raise ValueError((
      '%s must have one output of labels, numbers [1, height, width], or of scores, [1, height, '
      'width, classes]; its outputs: %s. %s' % (path, _told(outputs), advice)).rstrip())


def of_tensor(tensor):
  """Returns the End of a tf.Tensor, its value."""
  return End(tensor.op.name, tensor.dtype.name,
             None if tensor.shape.rank is None else tensor.shape.as_list(), tensor)


def by_name(graph):
  """Returns dict, name of an operation of a tf.Graph -> End that is its first output."""
  return {operation.name: of_tensor(operation.outputs[0])
          for operation in graph.get_operations() if operation.outputs}


def last_tensors(graph):
  """Returns the Ends of a tf.Graph that nothing reads."""
  return [of_tensor(output) for operation in graph.get_operations()
          if not any(output.consumers() for output in operation.outputs)
          for output in operation.outputs if operation.type not in ('Const', 'Placeholder')]


def placeholders(graph):
  """Returns the Ends of a tf.Graph that must be fed."""
  return [of_tensor(operation.outputs[0]) for operation in graph.get_operations()
          if operation.type == 'Placeholder']


def pixel_range(images):
  """Returns the values that stand for pixels of 0 and of 255 in a tf.Tensor of images.

  Integers are pixels, and so are floats that the graph scales before anything else; other floats
  are -1..1.
  """
  if images.dtype.is_integer:
    return PIXELS
  waiting = [images]
  while waiting:
    for operation in waiting.pop().consumers():
      if operation.type in _SCALING:
        return PIXELS
      if operation.type in _BEFORE_SCALING:
        waiting.extend(operation.outputs)
  return UNIT_RANGE


def _told(found):
  return '; '.join(map(str, found)) or 'none'
