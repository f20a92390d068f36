"""TFLite files: one RGB image of fixed size in, its labels out.

    runner = tflite_model.load('model.tflite')
    labels = runner.labels(image)  # image uint8 [H, W, 3] of runner.input_size
"""
import importlib
import os
import threading

import numpy as np

from deeplab.core import error_text, files
from deeplab.core.tf_compat import tf
from deeplab.deployment import tflite_file


class TfliteRunner(object):
  """Labels images with a TFLite file; may be called from several threads.

  Runs with `ai-edge-litert` where that is installed, else with TensorFlow's interpreter.

  Attributes:
    input_size: (height, width) that images must have.
    path: the file.
  """

  def __init__(self, path, num_threads=None):
    """Loads a file.

    Args:
      path: file with one input, uint8 [1, H, W, 3], and one output, integer [1, H, W].
      num_threads: number of threads of one run; None: that of the processors.

    Raises:
      ValueError: there is no such file, it is no TFLite model of this kind, or TensorFlow
        cannot be told the number of threads.
    """
    self.path = path
    self._lock = threading.Lock()
    content, make = _read(path), _interpreter_maker(num_threads)
    try:
      self._interpreter = make(content)
      self._interpreter.allocate_tensors()
      inputs = self._interpreter.get_input_details()
      outputs = self._interpreter.get_output_details()
    except (RuntimeError, ValueError) as error:
      raise ValueError('%s cannot be used as a TFLite model: %s' % (
          path, error_text.reason_of(error))) from error
    _check_ends(path, inputs, outputs)
    self._input, self._output = inputs[0]['index'], outputs[0]['index']
    self.input_size = tuple(int(side) for side in inputs[0]['shape'][1:3])

  def labels(self, image):
    """Returns the labels of an image, int32 [H, W].

    Args:
      image: [H, W, 3] uint8 RGB array of `input_size`.

    Raises:
      ValueError: the image has another shape or dtype.
    """
    image = np.asarray(image)
    if image.shape != self.input_size + (3,) or image.dtype != np.uint8:
      raise ValueError('%s takes a uint8 image of shape %s, got %s of shape %s.' % (
          self.path, list(self.input_size + (3,)), image.dtype, list(image.shape)))
    with self._lock:
      self._interpreter.set_tensor(self._input, image[np.newaxis])
      self._interpreter.invoke()
      return self._interpreter.get_tensor(self._output)[0].astype(np.int32)


def load(path, num_threads=None):
  """Returns the TfliteRunner of a file; arguments and errors are those of the class."""
  return TfliteRunner(path, num_threads)


def _read(path):
  try:
    content = files.read_bytes(path)
  except OSError as error:
    raise ValueError('Cannot read the TFLite model %s: %s.' % (path, error.strerror)) from error
  try:
    # Interpreters of TensorFlow 1 crash where a part is missing.
    tflite_file.read(content)
  except ValueError as error:
    raise ValueError('%s cannot be used as a TFLite model: %s.' % (path, error)) from error
  return content


def _interpreter_maker(num_threads):
  """Returns a function from a file's content to its interpreter, with XNNPACK where it is."""
  try:
    make = importlib.import_module('ai_edge_litert.interpreter').Interpreter
  except ImportError:
    make = tf.lite.Interpreter
  # Interpreters of TensorFlow 1 decide on the number of threads themselves.
  if 'num_threads' in make.__init__.__code__.co_varnames:
    num_threads = num_threads or os.cpu_count() or 1
    return lambda content: make(model_content=content, num_threads=num_threads)
  if num_threads is not None:
    raise ValueError('num_threads=%d: the TFLite interpreter of this TensorFlow has no such '
                     'setting; leave it out or install ai-edge-litert.' % num_threads)
  return lambda content: make(model_content=content)


def _check_ends(path, inputs, outputs):
  """Stops unless a model takes one uint8 image and returns one map of labels."""
  def told(ends):
    return ', '.join('%s %s' % (np.dtype(end['dtype']).name, [int(d) for d in end['shape']])
                     for end in ends)

  if (len(inputs) == 1 and inputs[0]['dtype'] == np.uint8 and len(inputs[0]['shape']) == 4
      and tuple(inputs[0]['shape'][[0, 3]]) == (1, 3)
      and len(outputs) == 1 and np.issubdtype(outputs[0]['dtype'], np.integer)
      and len(outputs[0]['shape']) == 3 and outputs[0]['shape'][0] == 1):
    return
  raise ValueError('%s must take uint8 [1, height, width, 3] and return integers '
                   '[1, height, width]; it takes %s and returns %s.'
                   % (path, told(inputs), told(outputs)))
