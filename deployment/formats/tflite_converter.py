"""From a frozen graph to the bytes of a TFLite file, by the converter of TensorFlow.

    frozen graph --> fixed input size --> atrous convolutions spelled out --> converter

The kinds of files are the rows of `KINDS`.
"""
import contextlib
import os
import sys
import typing

import numpy as np

from deeplab.core import tf_compat, usage
from deeplab.core.tf_compat import tf
from deeplab.deployment.formats import tflite_rewrites
from deeplab.deployment.graphs import cutting, editing, ends, folding

_MAX_PIXEL = 255.


class Kind(typing.NamedTuple):
  """A kind of TFLite file."""
  description: str  # What it is, for people.
  # Function (converter, name of the placeholder, its values that stand for pixels of 0 and 255,
  # representative images or None).
  set_up: typing.Callable
  # Name of the dtype of the input of the graph that the converter is given. The file takes uint8
  # all the same.
  input_dtype: str = 'float32'
  has_8_bits: bool = False  # Whether activations are integers, the input too.
  needs_images: bool = False  # Whether representative images are needed.
  is_of_tf1: bool = True  # Whether the converter of TensorFlow 1.15 can do it.


def _float32(converter, name, unused_range, unused_images):
  take_pixels(converter, name)


def _dynamic(converter, unused_name, unused_range, unused_images):
  converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _float16(converter, unused_name, unused_range, unused_images):
  converter.optimizations = [tf.lite.Optimize.DEFAULT]
  converter.target_spec.supported_types = [tf.float16]


def _int8(converter, unused_name, pixel_range, images):
  converter.optimizations = [tf.lite.Optimize.DEFAULT]
  converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
  converter.inference_input_type = tf.uint8
  scale = (pixel_range[1] - pixel_range[0]) / _MAX_PIXEL
  converter.representative_dataset = lambda: (
      [(image[np.newaxis] * scale + pixel_range[0]).astype(np.float32)]
      for image in images)


def _qat(converter, name, pixel_range, unused_images):
  converter.inference_type = tf.uint8
  take_pixels(converter, name, *pixel_range)


KINDS = {
    'float32': Kind('float32 throughout', _float32),
    'float16': Kind('weights kept as float16, computed in float32', _float16,
                    input_dtype='uint8', is_of_tf1=False),
    'dynamic': Kind('weights of 8 bits, activations quantised as they come', _dynamic,
                    input_dtype='uint8', is_of_tf1=False),
    'int8': Kind('weights and activations of 8 bits, ranges from representative images', _int8,
                 has_8_bits=True, needs_images=True),
    'qat': Kind('weights and activations of 8 bits, ranges from the fake quantisation of the '
                'graph', _qat, has_8_bits=True),
}


def check_kind(kind):
  """Returns the row of `KINDS`; raises ValueError if there is none, or not in this TensorFlow."""
  row = usage.lookup(KINDS, kind, what='kind of TFLite file')
  if tf_compat.IS_TF1 and not row.is_of_tf1:
    raise ValueError('TFLite files of kind %r need the converter of TensorFlow 2; this is '
                     'TensorFlow %d.%d.' % ((kind,) + tf_compat.TF_VERSION))
  return row


def convert(graph_def, kind, input_name, output_name, input_size, representative_images=None):
  """Returns the bytes of a TFLite file of a frozen graph.

  Args:
    graph_def: frozen GraphDef.
    kind: key of `KINDS`.
    input_name: name of the node of the image, uint8 or float32 [1, height, width, 3]; what is
      before it is left out. See `ends.pixel_range` for floats; the file takes uint8.
    output_name: name of the node of the labels, numbers [1, h, w], or of scores, [1, h, w,
      classes].
    input_size: (height, width) of the images of the file.
    representative_images: for kind 'int8', iterable of uint8 [height, width, 3] of that size.

  Raises ValueError if the converter of this TensorFlow cannot do it.
  """
  row = check_kind(kind)
  if row.needs_images:
    representative_images = _with_full_range(representative_images, kind, input_size)
  graph = editing.EditableGraph(graph_def, [output_name])
  if kind == 'qat' and not tflite_rewrites.has_fake_quantization(graph_def):
    raise ValueError('TFLite files of kind %r need a graph with fake quantisation, as '
                     'training with --quantize_delay_step makes it.' % kind)
  cutting.begin_at(graph, input_name)
  tflite_rewrites.fix_input(graph, input_name, input_size, row.input_dtype)
  tflite_rewrites.make_labels_int32(graph)
  if row.has_8_bits:
    tflite_rewrites.check_8_bits(graph)
  tflite_rewrites.gather_resized_labels(graph)
  folding.remove_identities(graph)
  tflite_rewrites.spell_out_dilations(graph)
  pixel_range = ends.PIXELS
  if row.has_8_bits:
    pixel_range = tflite_rewrites.leave_out_scaling(graph, input_name)
  if kind == 'qat':
    tflite_rewrites.quantize_input(graph, input_name, *pixel_range)
  with tf.Graph().as_default(), tf.Session() as session:
    images, labels = tf.import_graph_def(
        graph.graph_def(), name='', return_elements=[input_name + ':0', output_name + ':0'])
    ends.labels_among('A TFLite file', [ends.of_tensor(labels)])
    converter = tf.lite.TFLiteConverter.from_session(session, [images], [labels])
    row.set_up(converter, input_name, pixel_range, representative_images)
    return run_converter(converter)


def take_pixels(converter, name, low=0., high=255.):
  """Has the file take uint8 for a float32 placeholder, 0 for its value `low`, 255 for `high`."""
  converter.inference_input_type = tf.uint8
  # The value is (pixel - mean) / standard deviation.
  deviation = _MAX_PIXEL / (high - low)
  converter.quantized_input_stats = {name: (-low * deviation, deviation)}


def run_converter(converter):
  """Returns the bytes of the file of a `tf.lite.TFLiteConverter`; raises ValueError if it fails."""
  try:
    with _tools_of_this_python():
      return converter.convert()
  except Exception as error:
    # The class stands in another module in every TensorFlow; quantisation has none of its own.
    if type(error).__name__ != 'ConverterError' and not isinstance(error, RuntimeError):
      raise
    raise ValueError('TensorFlow %d.%d cannot convert this graph to TFLite: %s' % (
        tf_compat.TF_VERSION + (_reason(str(error)),))) from error


def _with_full_range(images, kind, size):
  """Returns a list of images, the first with black and white corners: so 8 bits are its pixels.

  Raises ValueError if there are none, or one is not uint8 of a (height, width).
  """
  images = [np.array(image) for image in (() if images is None else images)]
  if not images:
    raise ValueError('TFLite files of kind %r need representative images, such as 100 of the '
                     'training set.' % kind)
  for image in images:
    if image.shape != tuple(size) + (3,) or image.dtype != np.uint8:
      raise ValueError('Representative images must be uint8 of shape %s, got %s of shape %s.'
                       % (list(size) + [3], image.dtype, list(image.shape)))
  images[0][0, 0], images[0][-1, -1] = 0, 255
  return images


def _reason(message):
  """Returns the line of a converter's message that tells the most."""
  lines = [line.strip() for line in message.splitlines() if line.strip()]
  for mark in (' F tensorflow/', 'error:', 'not supported', 'tf.'):
    for line in lines:
      if mark in line:
        return line
  return lines[0] if lines else 'it does not say why'


@contextlib.contextmanager
def _tools_of_this_python():
  """Has TensorFlow 1.15 find its converter also where the environment that has it is not active."""
  path = os.environ.get('PATH', '')
  os.environ['PATH'] = os.path.dirname(sys.executable) + os.pathsep + path
  try:
    yield
  finally:
    os.environ['PATH'] = path
