"""What stands in a TFLite file, read from its bytes without an interpreter.

A TFLite file is a FlatBuffer. A table begins with the distance back to its vtable, which has
the place of every field within the table, 0 for absent ones; other tables, texts and vectors
are given by the distance to them. The numbers of fields and operations below are those of
TensorFlow's schema of TFLite files, version 3.
"""
import struct
import typing

_FILE_IDENTIFIER = b'TFL3'

# Fields of tables.
_MODEL_OPERATOR_CODES, _MODEL_SUBGRAPHS, _MODEL_BUFFERS = 1, 2, 4
_CODE_OLD_BUILTIN, _CODE_BUILTIN = 0, 3
_SUBGRAPH_TENSORS, _SUBGRAPH_OPERATORS = 0, 3
_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_BUFFER, _TENSOR_NAME = 0, 1, 2, 3
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS, _OPERATOR_OPTIONS = 0, 1, 2, 4
_BUFFER_DATA = 0

CONV_2D, DEPTHWISE_CONV_2D, RESIZE_BILINEAR = 3, 4, 23
SPACE_TO_BATCH_ND = 38
# Operation -> fields (height, width) of its options.
_DILATION_FIELDS = {CONV_2D: (5, 4), DEPTHWISE_CONV_2D: (6, 5)}
_ALIGN_CORNERS_FIELDS = {RESIZE_BILINEAR: 2}

_TENSOR_TYPES = {0: 'float32', 1: 'float16', 2: 'int32', 3: 'uint8', 4: 'int64', 6: 'bool',
                 7: 'int16', 9: 'int8'}


class Tensor(typing.NamedTuple):
  """A tensor of a TFLite file.

  Attributes:
    name: its name.
    dtype: name of its type, such as 'int8', or its number where it is an unusual one.
    shape: tuple of ints.
    num_bytes: size of its constant value, 0 if it is computed.
  """
  name: str
  dtype: typing.Union[str, int]
  shape: tuple
  num_bytes: int


class Operator(typing.NamedTuple):
  """A step of a TFLite file.

  Attributes:
    code: number of the operation, such as CONV_2D.
    inputs: numbers of the tensors it reads, -1 for absent ones.
    outputs: numbers of the tensors it writes.
    dilation: (height, width) of a convolution, else None.
    aligns_corners: of a RESIZE_BILINEAR, else None.
  """
  code: int
  inputs: tuple
  outputs: tuple
  dilation: typing.Optional[tuple]
  aligns_corners: typing.Optional[bool]


class Contents(typing.NamedTuple):
  """The first subgraph of a TFLite file.

  Attributes:
    tensors: list of Tensor.
    operators: list of Operator, in the order they run.
  """
  tensors: list
  operators: list


def read(content):
  """Returns the Contents of a TFLite file.

  Args:
    content: bytes of the file.

  Raises:
    ValueError: this is no TFLite file, or a part of it is missing.
  """
  if content[4:8] != _FILE_IDENTIFIER:
    raise ValueError('it is no TFLite file')
  try:
    model = _Table(content, _distance(content, 0))
    buffers = [len(table.vector(_BUFFER_DATA)) for table in model.tables(_MODEL_BUFFERS)]
    codes = [max(table.number(_CODE_OLD_BUILTIN, 'b'), table.number(_CODE_BUILTIN, 'i'))
             for table in model.tables(_MODEL_OPERATOR_CODES)]
    subgraph = model.tables(_MODEL_SUBGRAPHS)[0]
    return Contents(
        [_tensor(table, buffers) for table in subgraph.tables(_SUBGRAPH_TENSORS)],
        [_operator(table, codes) for table in subgraph.tables(_SUBGRAPH_OPERATORS)])
  except (struct.error, IndexError, UnicodeDecodeError) as error:
    raise ValueError('the file is damaged or not whole') from error


def _tensor(table, buffers):
  number = table.number(_TENSOR_TYPE, 'B')
  return Tensor(name=bytes(table.vector(_TENSOR_NAME, 'B')).decode('utf-8'),
                dtype=_TENSOR_TYPES.get(number, number),
                shape=tuple(table.vector(_TENSOR_SHAPE, 'i')),
                num_bytes=buffers[table.number(_TENSOR_BUFFER, 'I')])


def _operator(table, codes):
  code = codes[table.number(_OPERATOR_CODE, 'I')]
  options = table.table(_OPERATOR_OPTIONS)
  dilation = aligns_corners = None
  if code in _DILATION_FIELDS:
    dilation = tuple(options.number(field, 'i', default=1) for field in _DILATION_FIELDS[code])
  if code in _ALIGN_CORNERS_FIELDS:
    aligns_corners = bool(options.number(_ALIGN_CORNERS_FIELDS[code], 'B'))
  return Operator(code, tuple(table.vector(_OPERATOR_INPUTS, 'i')),
                  tuple(table.vector(_OPERATOR_OUTPUTS, 'i')), dilation, aligns_corners)


class _Table(object):
  """A table of a FlatBuffer; None in place of its position makes all fields absent."""

  def __init__(self, content, position):
    self._content = content
    self._position = position
    if position is not None:
      self._fields = position - struct.unpack_from('<i', content, position)[0]
      if self._fields < 0:
        raise IndexError(self._fields)

  def number(self, field, kind, default=0):
    """Returns a number; `kind` is its letter in module struct."""
    position = self._place(field)
    if position is None:
      return default
    return struct.unpack_from('<' + kind, self._content, position)[0]

  def vector(self, field, kind='B'):
    """Returns a vector of numbers as sequence, empty where it is absent."""
    start, count = self._vector(field)
    width = struct.calcsize('<' + kind)
    part = memoryview(self._content)[start:start + count * width]
    if len(part) != count * width:
      raise IndexError(start)
    return part if kind == 'B' else struct.unpack('<%d%s' % (count, kind), part)

  def tables(self, field):
    """Returns a vector of tables as list."""
    start, count = self._vector(field)
    if start + 4 * count > len(self._content):
      raise IndexError(start)
    return [_Table(self._content, position + _distance(self._content, position))
            for position in range(start, start + 4 * count, 4)]

  def table(self, field):
    """Returns the table of a field, one without fields where it is absent."""
    position = self._place(field)
    return _Table(self._content,
                  position and position + _distance(self._content, position))

  def _vector(self, field):
    position = self._place(field)
    if position is None:
      return 0, 0
    position += _distance(self._content, position)
    return position + 4, _distance(self._content, position)

  def _place(self, field):
    """Returns the position of a field, None where it is absent."""
    if self._position is None:
      return None
    size = struct.unpack_from('<H', self._content, self._fields)[0]
    place = 4 + 2 * field
    if place >= size:
      return None
    offset = struct.unpack_from('<H', self._content, self._fields + place)[0]
    return self._position + offset if offset else None


def _distance(content, position):
  return struct.unpack_from('<I', content, position)[0]
