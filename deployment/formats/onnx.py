"""ONNX files: written from a frozen graph with tf2onnx, run with onnxruntime.

Both are optional: pip install "deeplab[onnx]".
"""
import importlib
import logging

from deeplab.core.storage import errors, files
from deeplab.deployment.graphs import record

SUFFIX = '.onnx'
INPUT_NAME = 'images'
OUTPUT_NAME = 'labels'

# ArgMax, Resize with aligned corners and SpaceToBatchND of sizes known at run time all are in
# it, and onnxruntime runs it since 1.8.
_OPSET = 13


class OnnxModel(object):
  """Labels images with an ONNX file; may be called from several threads."""
  has_probabilities = False
  takes_batches = False

  def __init__(self, path):
    """Loads a file of `write`; raises ValueError if it is unreadable or onnxruntime is missing."""
    onnxruntime = _require('onnxruntime')
    content = record.read_model(path)
    # onnxruntime has a class of its own per kind of error.
    with errors.told('%s cannot be used as an ONNX model' % path, Exception):
      self._session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])

  def predict(self, images, with_probabilities=False):
    """Returns labels, int32 [B, h, w], of uint8 RGB images, [B, h, w, 3], and None.

    Raises ValueError if the model fails on them.
    """
    assert not with_probabilities
    with errors.told(record.FAILS_ON % images.shape[:3], Exception):
      return self._session.run([OUTPUT_NAME], {INPUT_NAME: images})[0], None

  def close(self):
    """Releases the memory."""
    self._session = None


def check_installed():
  """Raises a ValueError that says what to install, unless all that is needed is there."""
  for name in ('tf2onnx', 'onnx', 'onnxruntime'):
    _require(name)


def write(graph_def, path):
  """Writes a frozen graph, as of `freezing.freeze`, with input `images` and output `labels`.

  Raises ValueError if an operation has no counterpart in ONNX, or tf2onnx is not installed.
  """
  check_installed()
  convert = importlib.import_module('tf2onnx.convert')
  # It tells of every pass.
  logging.getLogger('tf2onnx').setLevel(logging.ERROR)
  names = {record.INPUT_NAME + ':0': INPUT_NAME, record.OUTPUT_NAME + ':0': OUTPUT_NAME}
  # tf2onnx raises what its passes happen to meet.
  with errors.told('The graph cannot be converted to ONNX', Exception):
    proto, _ = convert.from_graph_def(
        graph_def, name='deeplab', opset=_OPSET, input_names=[record.INPUT_NAME + ':0'],
        output_names=[record.OUTPUT_NAME + ':0'], tensors_to_rename=names)
  _check_operations(proto)
  with files.telling_of_disk(path):
    files.write_bytes(path, proto.SerializeToString())


def _check_operations(proto):
  """Stops if operations were left as they are in TensorFlow, which nothing else runs."""
  definitions = importlib.import_module('onnx').defs
  foreign = sorted({node.op_type for node in proto.graph.node
                    if not definitions.has(node.op_type, node.domain)})
  if foreign:
    raise ValueError('The graph has operations that ONNX lacks: %s.' % ', '.join(foreign))


def _require(name):
  try:
    return importlib.import_module(name)
  except ImportError as error:
    raise ValueError('ONNX files need the package %s (%s): pip install "deeplab[onnx]", on '
                     'TensorFlow 2.' % (name, error)) from error
