"""Models of every format behind one call: a batch of images in, labels and probabilities out.

    with unpacked('deeplabv3_pascal_trainval_2018_01_04.tar.gz') as path:  # or of no archive
      model = open_exported(path)  # frozen graph, SavedModel folder, .tflite, .onnx
    labels, probabilities = model.predict(images, with_probabilities=model.has_probabilities)

All may be called from several threads at once.
"""
import contextlib
import os
import posixpath
import shutil
import tarfile
import tempfile
import zlib

import numpy as np

from deeplab import model
from deeplab.core.storage import errors, files
from deeplab.core.tf_compat import tf
from deeplab.deployment.formats import onnx, tflite_runner
from deeplab.deployment.graphs import freezing, record

ARCHIVE_SUFFIXES = ('.tar', '.tar.gz', '.tgz')
# As all published archives call it.
_ARCHIVED_GRAPH = 'frozen_inference_graph.pb'
_GRAPH_SUFFIX = '.pb'
_MAX_NAMED = 5


class SessionModel(object):
  """A graph with an image input, in a session of its own.

  Attributes:
    has_probabilities: whether `predict` can return probabilities.
    takes_batches: whether it takes more than one image at once.
  """

  def __init__(self, session, images, labels, probabilities=None):
    """Takes over a tf.Session with a uint8 [batch, height, width, 3] placeholder of images.

    Labels are an integer tensor [batch, height, width]; probabilities float32 [batch, height,
    width, classes], or None.
    """
    self._session = session
    self._images = images
    self._labels = labels
    self._probabilities = probabilities
    self.has_probabilities = probabilities is not None
    self.takes_batches = images.shape.rank is None or images.shape.as_list()[0] != 1

  def predict(self, images, with_probabilities=False):
    """Returns labels, int32 [B, h, w], and probabilities, float32 [B, h, w, classes] or None.

    Images are a [B, h, w, 3] uint8 RGB array; the model must have probabilities that are asked for.
    Raises ValueError if the graph fails on such images.
    """
    fetches = [self._labels] + ([self._probabilities] if with_probabilities else [])
    with errors.told(record.FAILS_ON % images.shape[:3], tf.errors.InvalidArgumentError,
                     tf.errors.ResourceExhaustedError):
      values = self._session.run(fetches, {self._images: images})
    return values[0].astype(np.int32), values[1] if with_probabilities else None

  def close(self):
    """Releases the memory of the graph."""
    self._session.close()


def open_exported(path, mean_pixel=None):
  """Opens a frozen graph, a SavedModel folder, or a file that ends in .tflite or .onnx.

  Padding needs the `mean_pixel` of the backbone, an RGB colour; None: the usual one. Raises
  ValueError if there is no model of a known format; names the path.
  """
  if files.is_dir(path):
    return _open_saved_model(path)
  if path.endswith(tflite_runner.SUFFIX):
    return tflite_runner.TfliteModel(path, mean_pixel)
  if path.endswith(onnx.SUFFIX):
    return onnx.OnnxModel(path)
  return _open_frozen_graph(path)


def open_checkpoint(checkpoint, model_options, predict=model.predict_labels,
                    resized_size=None):
  """Returns the SessionModel of a checkpoint prefix, for images of any size.

  Images are padded as `freezing.build_inference_graph` does without a crop size; that of the
  ModelOptions does not matter. `predict` is as there, `resized_size` as in
  `freezing.ExportOptions`. Raises ValueError if the checkpoint is of another model, or damaged.
  """
  session, outputs = freezing.open_session(
      checkpoint, model_options._replace(crop_size=None), predict, freezing.ExportOptions(
          resized_size=resized_size, export_probabilities=True, dynamic_batch=True))
  images = session.graph.get_tensor_by_name(record.INPUT_NAME + ':0')
  return SessionModel(session, images, outputs[record.OUTPUT_NAME],
                      outputs[record.PROBABILITIES_NAME])


def read_graph_def(path):
  """Returns the GraphDef of a frozen graph; raises ValueError if there is none."""
  data, graph_def = record.read_model(path), tf.GraphDef()
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
  ends = [record.INPUT_NAME, record.OUTPUT_NAME]
  if any(node.name == record.PROBABILITIES_NAME for node in graph_def.node):
    ends.append(record.PROBABILITIES_NAME)
  with tf.Graph().as_default() as graph, errors.told(
      '%s cannot be used as an exported model' % path, ValueError, tf.errors.OpError):
    tensors = tf.import_graph_def(graph_def, name='',
                                  return_elements=[name + ':0' for name in ends])
  return SessionModel(tf.Session(graph=graph), *tensors)


def _open_saved_model(folder):
  if not files.exists(os.path.join(folder, record.SAVED_MODEL_FILE_NAME)):
    raise ValueError('%s is no SavedModel: the folder has no %s. Checkpoints are no exported '
                     'models.' % (folder, record.SAVED_MODEL_FILE_NAME))
  with tf.Graph().as_default() as graph, contextlib.ExitStack() as after_error, errors.told(
      '%s cannot be used as a SavedModel' % folder, OSError, RuntimeError, KeyError, ValueError,
      tf.errors.OpError):
    session = tf.Session(graph=graph)
    after_error.callback(session.close)
    meta_graph = tf.saved_model.loader.load(session, [record.TAG], folder)
    signature = meta_graph.signature_def[record.SIGNATURE]
    ends = [signature.inputs[record.IMAGES_KEY], signature.outputs[record.LABELS_KEY]]
    if record.PROBABILITIES_KEY in signature.outputs:
      ends.append(signature.outputs[record.PROBABILITIES_KEY])
    tensors = [graph.get_tensor_by_name(end.name) for end in ends]
    after_error.pop_all()
  return SessionModel(session, *tensors)


# --- archives ------------------------------------------------------------------------------


@contextlib.contextmanager
def unpacked(path):
  """Yields the path of a model: that of the frozen graph in an archive, others as they are.

  The graph is the member called frozen_inference_graph.pb, else the only one that ends in .pb. It
  and the `export.json` beside it are unpacked into a folder that goes at the end of the block.
  Raises ValueError if the archive cannot be read, or has not one frozen graph.
  """
  if not path.endswith(ARCHIVE_SUFFIXES):
    yield path
    return
  with tempfile.TemporaryDirectory() as folder:
    with errors.told('Cannot read the archive %s' % path, tarfile.TarError, OSError, EOFError,
                     zlib.error), \
         files.open_binary(path) as f, tarfile.open(fileobj=f) as archive:
      graph = _unpack(path, archive, folder)
    yield graph


def _unpack(path, archive, folder):
  """Returns the path of the graph of a tarfile.TarFile, written into a folder."""
  members = [member for member in archive.getmembers() if member.isfile()]
  graph = _graph_among(path, members)
  beside = posixpath.join(posixpath.dirname(graph.name), record.RECORD_FILE_NAME)
  for member in members:
    if member is graph or posixpath.normpath(member.name) == posixpath.normpath(beside):
      # Under its own name without folders, so never outside.
      target = os.path.join(folder, posixpath.basename(member.name))
      with archive.extractfile(member) as source, \
           open(target, 'wb') as stream:  # local: a temporary folder
        shutil.copyfileobj(source, stream)  # local: a temporary folder
  return os.path.join(folder, posixpath.basename(graph.name))


def _graph_among(path, members):
  graphs = [member for member in members if member.name.endswith(_GRAPH_SUFFIX)]
  named = [member for member in graphs if posixpath.basename(member.name) == _ARCHIVED_GRAPH]
  choice = named or graphs
  if len(choice) == 1:
    return choice[0]
  names = ', '.join(sorted(member.name for member in choice or members)[:_MAX_NAMED])
  raise ValueError('%s must have one %s; it has %s.' % (path, _ARCHIVED_GRAPH, names or 'no files'))
