"""Runs exported graphs on numpy images."""
import json

import numpy as np
from absl import logging

from deeplab.core import colormaps
from deeplab.core.tf_compat import tf
from deeplab.deployment import exported


class Segmenter(object):
  """Labels images with a frozen graph, loaded once.

      segmenter = Segmenter('frozen_inference_graph.pb')
      masks = segmenter.run([image])

  `run` may be called from several threads at once.

  Attributes:
    class_names: list of names, or None where `export.json` does not say.
    colormap: [256 or more, 3] uint8 array, the colours of the class ids.
  """

  def __init__(self, frozen_graph_path):
    """Loads a frozen graph and, if it belongs to it, the `export.json` beside it.

    Args:
      frozen_graph_path: file as written by `export.export_frozen_graph`.

    Raises:
      ValueError: the file is absent or not such a graph.
    """
    graph_def = _read_graph_def(frozen_graph_path)
    record = _read_record(frozen_graph_path)
    self.class_names = record.get('class_names')
    self.colormap = colormaps.colormap(record.get('colormap') or 'pascal', num_entries=256)
    with tf.Graph().as_default() as graph:
      try:
        self._input, self._labels = tf.import_graph_def(
            graph_def, return_elements=[exported.INPUT_NAME + ':0', exported.OUTPUT_NAME + ':0'],
            name='')
      except (ValueError, tf.errors.OpError) as error:
        raise ValueError('%s cannot be used as an exported model: %s' % (
            frozen_graph_path, str(error).split('\n')[0])) from error
    self._session = tf.Session(graph=graph)

  def run(self, images):
    """Returns the class ids of images.

    Args:
      images: iterable of [height, width, 3] uint8 RGB arrays, of any sizes.

    Returns:
      List of [height, width] int32 arrays.

    Raises:
      ValueError: an image has another shape or dtype.
    """
    return [self._run_one(image) for image in images]

  def class_name(self, class_id):
    """Returns the name of a class, 'class <id>' where it is not known."""
    if self.class_names and class_id < len(self.class_names):
      return self.class_names[class_id]
    return 'class %d' % class_id

  def close(self):
    """Releases the memory of the graph; `run` cannot be called any more."""
    self._session.close()

  def __enter__(self):
    return self

  def __exit__(self, *unused_args):
    self.close()

  def _run_one(self, image):
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
      raise ValueError('An image must be a [height, width, 3] uint8 RGB array, got %s %s.'
                       % (list(image.shape), image.dtype))
    return self._session.run(self._labels, {self._input: image[np.newaxis]})[0]


def _read_graph_def(path):
  try:
    with open(path, 'rb') as f:
      data = f.read()
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


def _read_record(graph_path):
  """Returns the content of export.json, {} where there is none of this very graph."""
  path = exported.record_path(graph_path)
  try:
    with open(path, encoding='utf-8') as f:
      record = json.load(f)
  except OSError:
    return {}
  except ValueError as error:
    raise ValueError('%s is not JSON: %s.' % (path, error)) from error
  if record.get('sha256') != exported.sha256(graph_path):
    logging.warning('%s is of another graph than %s: class names and colours are not known.',
                    path, graph_path)
    return {}
  return record
