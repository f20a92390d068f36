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
from deeplab.core import feature_extractor
from deeplab.core.storage import errors, files
from deeplab.core.tf_compat import tf
from deeplab.deployment.formats import onnx, tflite_runner
from deeplab.deployment.graphs import ends, fitting, freezing, record

ARCHIVE_SUFFIXES = ('.tar', '.tar.gz', '.tgz')
# As all published archives call it.
_ARCHIVED_GRAPH = 'frozen_inference_graph.pb'
_GRAPH_SUFFIX = '.pb'
_MAX_NAMED = 5
_NAME_TENSORS = ('convert_to_tflite.py takes tensors by name, --input_tensor_name and '
                 '--output_tensor_name, and makes a file that opens here.')


class SessionModel(object):
  """A graph with an image input, in a session of its own.

  Attributes:
    has_probabilities: whether `predict` can return probabilities.
    takes_batches: whether it takes more than one image at once.
  """

  def __init__(self, session, images, labels, probabilities=None, mean_pixel=None):
    """Takes over a tf.Session with a placeholder of images, uint8 or float32 [batch, h, w, 3].

    Floats are as `ends.pixel_range` says. Labels are a tensor of numbers [batch, height, width], or
    of scores, [batch, height, width, classes]; probabilities float32 of that shape, or None. Of the
    mean pixel, an RGB colour, is what is left of images of fixed size; None: the usual colour.
    """
    self._session = session
    self._images = images
    self._fetches = [labels] + ([] if probabilities is None else [probabilities])
    self._mean_pixel = mean_pixel or feature_extractor.mean_pixel()
    self._pixel_range = ends.pixel_range(images)
    sides = [None] * 4 if images.shape.rank is None else images.shape.as_list()
    self._fixed_size = sides[1:3]
    # Graphs that pad to one size fail on what is larger, unless they resize it first.
    self._padded_size, self._takes_larger = _padded_size(labels), True
    self.has_probabilities = probabilities is not None
    self.takes_batches = sides[0] != 1

  def predict(self, images, with_probabilities=False):
    """Returns labels, int32 [B, h, w], and probabilities, float32 [B, h, w, classes] or None.

    Images are a [B, h, w, 3] uint8 RGB array; the model must have probabilities that are asked for.
    Where its graph takes one size, or up to one size, they are fitted to that as for a TFLite file.
    Raises ValueError if the graph fails on such images.
    """
    fetches = self._fetches[:1 + with_probabilities]
    sides = images.shape[1:3]
    fixed = [known or side for known, side in zip(self._fixed_size, sides)]
    is_larger = self._padded_size and any(
        side > limit for side, limit in zip(sides, self._padded_size))
    with errors.told(record.FAILS_ON % images.shape[:3], tf.errors.InvalidArgumentError,
                     tf.errors.ResourceExhaustedError):
      if is_larger and self._takes_larger:
        try:
          return self._run(fetches, images, fixed)
        except tf.errors.InvalidArgumentError:
          self._takes_larger = False
      return self._run(fetches, images, self._padded_size if is_larger else fixed)

  def _run(self, fetches, images, size):
    """Returns what `predict` does, of images that are fitted to a (height, width)."""
    fitted, parts = zip(*[fitting.fit(image, size, self._mean_pixel) for image in images])
    # Sides that are free are not padded.
    height, width = [known or side for known, side in zip(self._fixed_size, parts[0])]
    values = self._session.run(fetches, {self._images: fitting.as_input(
        np.stack(fitted)[:, :height, :width], self._images.dtype.name, self._pixel_range)})
    sides = images.shape[1:3]
    labels = np.stack([fitting.unfit(fitting.as_labels(each, (height, width)), parts[0], sides)
                       for each in values[0]])
    probabilities = [fitting.unfit(each, parts[0], sides)
                     for value in values[1:] for each in value]
    return labels, np.stack(probabilities) if probabilities else None

  def close(self):
    """Releases the memory of the graph."""
    self._session.close()


def open_exported(path, mean_pixel=None):
  """Opens a frozen graph, a SavedModel folder, or a file that ends in .tflite or .onnx.

  Padding needs the `mean_pixel` of the backbone, an RGB colour; None: the usual one. Raises
  ValueError if there is no model of a known format; names the path.
  """
  if files.is_dir(path):
    return _open_saved_model(path, mean_pixel)
  if path.endswith(tflite_runner.SUFFIX):
    return tflite_runner.TfliteModel(path, mean_pixel)
  if path.endswith(onnx.SUFFIX):
    return onnx.OnnxModel(path)
  return _open_frozen_graph(path, mean_pixel)


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


def _open_frozen_graph(path, mean_pixel):
  with tf.Graph().as_default() as graph, errors.told(
      '%s cannot be used as an exported model' % path, ValueError, tf.errors.OpError):
    tf.import_graph_def(read_graph_def(path), name='')
  known = ends.by_name(graph)
  images = known.get(record.INPUT_NAME) or ends.image_among(
      path, ends.placeholders(graph), _NAME_TENSORS)
  labels = known.get(record.OUTPUT_NAME) or ends.labels_among(
      path, ends.last_tensors(graph), _NAME_TENSORS)
  probabilities = known.get(record.PROBABILITIES_NAME)
  return SessionModel(tf.Session(graph=graph), images.value, labels.value,
                      probabilities and probabilities.value, mean_pixel)


def _open_saved_model(folder, mean_pixel):
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
  return SessionModel(session, *tensors, mean_pixel=mean_pixel)


def _padded_size(labels):
  """Returns the (height, width) of the ArgMax behind a tensor of labels, None where it is free."""
  operation, seen = labels.op, set()
  while operation.type != 'ArgMax' and operation.inputs and operation not in seen:
    seen.add(operation)
    operation = operation.inputs[0].op
  shape = operation.outputs[0].shape if operation.type == 'ArgMax' else None
  sides = shape.as_list()[1:3] if shape is not None and shape.rank == 3 else [None]
  return None if None in sides else tuple(sides)


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
