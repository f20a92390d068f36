"""TFLite files: one RGB image of fixed size in, its labels out.

    model = tflite_runner.TfliteModel('model.tflite')
    labels, _ = model.predict(images)  # images uint8 [B, h, w, 3]
"""
import importlib
import os
import threading

import numpy as np
from PIL import Image

from deeplab.core import feature_extractor
from deeplab.core.storage import errors
from deeplab.core.tf_compat import tf
from deeplab.deployment.graphs import record

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
    """Loads a file with one input, uint8 [1, H, W, 3], and one output, integer [1, H, W].

    The path is for messages alone where `content`, the bytes of the file, is given. The mean pixel
    is an RGB colour; None: the usual one. Raises ValueError if there is no such file, or it is no
    TFLite model of this kind.
    """
    self.mean_pixel = mean_pixel or feature_extractor.mean_pixel()
    self._lock = threading.Lock()
    content = content or record.read_model(path)
    with errors.told('%s cannot be used as a TFLite model' % path, RuntimeError, ValueError):
      self._interpreter = _make_interpreter(content)
      self._interpreter.allocate_tensors()
      inputs = self._interpreter.get_input_details()
      outputs = self._interpreter.get_output_details()
    _check_ends(path, inputs, outputs)
    self._input, self._output = inputs[0]['index'], outputs[0]['index']
    self.input_size = tuple(int(side) for side in inputs[0]['shape'][1:3])

  def predict(self, images, with_probabilities=False):
    """Returns the labels, int32 [B, h, w], of uint8 RGB [B, h, w, 3] images, and None."""
    assert not with_probabilities
    return np.stack([self._labels_of(image) for image in images]), None

  def close(self):
    """Releases the memory."""
    self._interpreter = None

  def _labels_of(self, image):
    fitted, size = fit(image, self.input_size, self.mean_pixel)
    with self._lock:
      self._interpreter.set_tensor(self._input, fitted[np.newaxis])
      self._interpreter.invoke()
      labels = self._interpreter.get_tensor(self._output)[0].astype(np.int32)
    return unfit(labels, size, image.shape[:2])


def fit(image, size, mean_pixel):
  """Returns a [h, w, 3] uint8 image padded to a (height, width), and its own size in that.

  What is left below and right gets the mean pixel, an RGB colour. A larger image is scaled to fit
  first, its shape kept.
  """
  if image.shape[:2] == tuple(size):
    return image, tuple(size)
  scale = min(1., size[0] / float(image.shape[0]), size[1] / float(image.shape[1]))
  height, width = [min(limit, max(1, int(round(side * scale))))
                   for side, limit in zip(image.shape, size)]
  fitted = np.empty(tuple(size) + (3,), np.uint8)
  fitted[:] = np.rint(mean_pixel)
  if scale < 1:
    image = np.asarray(Image.fromarray(image).resize((width, height), Image.BILINEAR))
  fitted[:height, :width] = image
  return fitted, (height, width)


def unfit(labels, scaled_size, size):
  """Returns the [h, w] labels of a fitted image at its own (height, width), by nearest pixel.

  The image took the part `scaled_size` of them, as `fit` returned it.
  """
  labels = labels[:scaled_size[0], :scaled_size[1]]
  if labels.shape == tuple(size):
    return labels
  rows, columns = [(2 * np.arange(new) + 1) * old // (2 * new)
                   for old, new in zip(scaled_size, size)]
  return labels[rows[:, np.newaxis], columns]


def _make_interpreter(content):
  """Returns the interpreter of a file's content, with XNNPACK where it is."""
  try:
    make = importlib.import_module('ai_edge_litert.interpreter').Interpreter
  except ImportError:
    make = tf.lite.Interpreter
  # Interpreters of TensorFlow 1 decide on the number of threads themselves.
  is_free = 'num_threads' in make.__init__.__code__.co_varnames
  return make(model_content=content, **({'num_threads': os.cpu_count() or 1} if is_free else {}))


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
