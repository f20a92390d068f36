"""Models of every format behind one call: a batch of images in, labels and probabilities out.

    model = open_exported('frozen_inference_graph.pb')  # SavedModel folder, .tflite, .onnx
    labels, probabilities = model.predict(images, with_probabilities=model.has_probabilities)

All may be called from several threads at once.
"""
import os

import numpy as np

from deeplab import model
from deeplab.core.storage import errors, files
from deeplab.core.tf_compat import tf
from deeplab.deployment.formats import onnx, saved_model, tflite_runner
from deeplab.deployment.graphs import freezing, record


class SessionModel(object):
  """A graph with an image input, in a session of its own.

  Attributes:
    has_probabilities: whether `predict` can return probabilities.
    takes_batches: whether it takes more than one image at once.
  """

  def __init__(self, session, images, labels, probabilities=None):
    """Takes over a session.

    Args:
      session: tf.Session.
      images: uint8 [batch, height, width, 3] placeholder.
      labels: integer [batch, height, width] tensor.
      probabilities: float32 [batch, height, width, classes] tensor, or None.
    """
    self._session = session
    self._images = images
    self._labels = labels
    self._probabilities = probabilities
    self.has_probabilities = probabilities is not None
    self.takes_batches = images.shape.rank is None or images.shape.as_list()[0] != 1

  def predict(self, images, with_probabilities=False):
    """Returns labels, int32 [B, h, w], and probabilities, float32 [B, h, w, classes] or None.

    Args:
      images: [B, h, w, 3] uint8 RGB array.
      with_probabilities: whether to return the latter; the model must have them.

    Raises:
      ValueError: the graph fails on such images.
    """
    fetches = [self._labels] + ([self._probabilities] if with_probabilities else [])
    try:
      values = self._session.run(fetches, {self._images: images})
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError) as error:
      raise ValueError('The model fails on %d image(s) of %dx%d: %s' % (
          images.shape[:3] + (errors.reason_of(error),))) from error
    return values[0].astype(np.int32), values[1] if with_probabilities else None

  def close(self):
    """Releases the memory of the graph."""
    self._session.close()


def open_exported(path, mean_pixel=None):
  """Opens an exported model by what the path is.

  Args:
    path: frozen graph, SavedModel folder, or file that ends in .tflite or .onnx.
    mean_pixel: RGB colour that padding needs, of the backbone; None: the usual one.

  Raises:
    ValueError: there is no model of a known format; names the path.
  """
  if files.is_dir(path):
    return _open_saved_model(path)
  if not files.exists(path):
    raise ValueError('Cannot read the model %s: no such file or folder.' % path)
  if path.endswith(tflite_runner.SUFFIX):
    return tflite_runner.load(path, mean_pixel)
  if path.endswith(onnx.SUFFIX):
    return onnx.OnnxModel(path)
  return _open_frozen_graph(path)


def open_checkpoint(checkpoint, model_options, predict=model.predict_labels,
                    resized_size=None):
  """Builds the graph of a checkpoint for images of any size.

  Images are padded as `freezing.build_inference_graph` does without a crop size.

  Args:
    checkpoint: checkpoint prefix.
    model_options: ModelOptions; the crop size does not matter.
    predict: function (images, model_options) -> predictions as `model.predict_labels`.
    resized_size: function from int32 [2], the (height, width) of an image, to the size it is
      resized to for the network, or None. Labels come at the size of the image.

  Returns:
    SessionModel.

  Raises:
    ValueError: the checkpoint is of another model, or damaged.
  """
  session, outputs = freezing.open_session(
      checkpoint, model_options._replace(crop_size=None), predict, freezing.ExportOptions(
          resized_size=resized_size, with_probabilities=True, batch_size=None))
  images = session.graph.get_tensor_by_name(record.INPUT_NAME + ':0')
  return SessionModel(session, images, outputs[record.OUTPUT_NAME],
                      outputs[record.PROBABILITIES_NAME])


def read_graph_def(path):
  """Returns the GraphDef of a frozen graph.

  Raises:
    ValueError: there is none.
  """
  try:
    data = files.read_bytes(path)
  except OSError as error:
    raise ValueError('Cannot read the model %s: %s.' % (path, error.strerror)) from error
  graph_def = tf.GraphDef()
  try:
    graph_def.ParseFromString(data)
  except Exception as error:
    # Implementations of protobuf each have a DecodeError of their own.
    if type(error).__name__ != 'DecodeError':
      raise
    raise ValueError('%s is not a frozen graph (a file as export_model.py writes it).'
                     % path) from error
  return graph_def


def _open_frozen_graph(path):
  graph_def = read_graph_def(path)
  names = {node.name for node in graph_def.node}
  outputs = [record.OUTPUT_NAME]
  if record.PROBABILITIES_NAME in names:
    outputs.append(record.PROBABILITIES_NAME)
  with tf.Graph().as_default() as graph:
    try:
      tensors = tf.import_graph_def(
          graph_def, name='',
          return_elements=[name + ':0' for name in [record.INPUT_NAME] + outputs])
    except (ValueError, tf.errors.OpError) as error:
      raise ValueError('%s cannot be used as an exported model: %s' % (
          path, errors.reason_of(error))) from error
  return SessionModel(tf.Session(graph=graph), *tensors)


def _open_saved_model(folder):
  if not files.exists(os.path.join(folder, saved_model.FILE_NAME)):
    raise ValueError('%s is no SavedModel: the folder has no %s. Checkpoints are no exported '
                     'models.' % (folder, saved_model.FILE_NAME))
  with tf.Graph().as_default() as graph:
    session = tf.Session(graph=graph)
    try:
      meta_graph = tf.saved_model.loader.load(session, [saved_model.TAG], folder)
      signature = meta_graph.signature_def[saved_model.SIGNATURE]
      images = signature.inputs[saved_model.INPUT_KEY].name
      labels = signature.outputs[saved_model.LABELS_KEY].name
    except (OSError, RuntimeError, KeyError, ValueError, tf.errors.OpError) as error:
      session.close()
      raise ValueError('%s cannot be used as a SavedModel: %s' % (
          folder, errors.reason_of(error))) from error
    probabilities = signature.outputs.get(saved_model.PROBABILITIES_KEY)
    tensor = graph.get_tensor_by_name
    return SessionModel(session, tensor(images), tensor(labels),
                        tensor(probabilities.name) if probabilities is not None else None)
