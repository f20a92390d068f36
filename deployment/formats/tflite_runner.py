"""TFLite files, of this project or of others: one RGB image of fixed size in, its labels out.

    model = tflite_runner.TfliteModel('model.tflite')
    labels, _ = model.predict(images)  # images uint8 [B, h, w, 3]
"""
import importlib
import os
import sys
import threading

import numpy as np

from deeplab.core import feature_extractor
from deeplab.core.storage import errors
from deeplab.core.tf_compat import tf
from deeplab.deployment.graphs import ends, fitting, record

SUFFIX = '.tflite'


class TfliteModel(object):
  """Labels images with a TFLite file; may be called from several threads.

  Smaller images are padded to the size of the file, larger ones scaled, and their labels back.
  Runs with `ai-edge-litert` where that is installed, else with TensorFlow's interpreter.

  Attributes:
    input_size: (height, width) of the images of the file.
    mean_pixel: RGB colour of what a fitted image leaves free.
  """
  has_probabilities = False
  takes_batches = False

  def __init__(self, path, mean_pixel=None, content=None):
    """Loads a file with one input of images and one output of labels or scores.

    Images are [1, H, W, 3] of uint8, int8, or float32 that is -1..1. Labels are numbers [1, h, w];
    scores [1, h, w, classes], of which the largest one counts; both are resized to the nearest if
    they are not H x W. The path is for messages alone where `content`, the bytes of the file, is
    given. The mean pixel is an RGB colour; None: the usual one. Raises ValueError if there is no
    such file, or it is no TFLite model of this kind.
    """
    self.mean_pixel = mean_pixel or feature_extractor.mean_pixel()
    self._lock = threading.Lock()
    content = content or record.read_model(path)
    with errors.told('%s cannot be used as a TFLite model' % path, RuntimeError, ValueError):
      self._interpreter = _prepared(content)
    self._input = ends.image_among(path, _ends(self._interpreter.get_input_details()))
    self._output = ends.labels_among(path, _ends(self._interpreter.get_output_details()))
    if None in self._input.shape[1:3]:
      raise ValueError('%s takes images of any size, %s; expected a file of one size: convert it '
                       'with a fixed input shape.' % (path, self._input))
    self.input_size = tuple(self._input.shape[1:3])

  def predict(self, images, with_probabilities=False):
    """Returns the labels, int32 [B, h, w], of uint8 RGB [B, h, w, 3] images, and None."""
    assert not with_probabilities
    return np.stack([self._labels_of(image) for image in images]), None

  def close(self):
    """Releases the memory."""
    self._interpreter = None

  def _labels_of(self, image):
    fitted, size = fitting.fit(image, self.input_size, self.mean_pixel)
    values = fitting.as_input(fitted[np.newaxis], self._input.dtype, ends.UNIT_RANGE)
    with self._lock:
      self._interpreter.set_tensor(self._input.value, values)
      self._interpreter.invoke()
      values = self._interpreter.get_tensor(self._output.value)[0]
    return fitting.unfit(fitting.as_labels(values, self.input_size), size, image.shape[:2])


def _prepared(content):
  """Returns the interpreter of a file's content, with XNNPACK where that can run it."""
  try:
    make = importlib.import_module('ai_edge_litert.interpreter').Interpreter
  except ImportError:
    make = tf.lite.Interpreter
  # Interpreters of TensorFlow 1 decide on the number of threads themselves.
  is_free = 'num_threads' in make.__init__.__code__.co_varnames
  settings = {'num_threads': os.cpu_count() or 1} if is_free else {}
  try:
    return _run_once(make(model_content=content, **settings))
  except RuntimeError:
    kinds = getattr(sys.modules[make.__module__], 'OpResolverType', None)
    if kinds is None:
      raise
    return _run_once(make(model_content=content, **dict(
        settings, experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES)))


def _run_once(interpreter):
  """Prepares an interpreter and returns it; shapes that a file works out itself are known then."""
  interpreter.allocate_tensors()
  if not all(len(each['shape']) for each in interpreter.get_output_details()):
    for each in interpreter.get_input_details():
      interpreter.set_tensor(each['index'], np.zeros(each['shape'], each['dtype']))
    interpreter.invoke()
  return interpreter


def _ends(details):
  """Returns the Ends of what an interpreter tells of its inputs or outputs; free sides are None."""
  return [ends.End(each['name'], np.dtype(each['dtype']).name,
                   [int(side) if given >= 0 else None for side, given in zip(
                       each['shape'], each.get('shape_signature', each['shape']))],
                   each['index']) for each in details]
