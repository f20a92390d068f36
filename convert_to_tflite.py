"""Converts a frozen graph to a TFLite file; see --help.

    python convert_to_tflite.py --quantized_graph_def_path=RUN/frozen_inference_graph.pb \
        --input_size=513,513 --output_tflite_path=RUN/model.tflite --test_image_path=photo.jpg

A graph of a model trained with --quantize_delay_step becomes a file of 8-bit integers; any other
one a file of floats.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os

import numpy as np
from absl import flags, logging

from deeplab import common
from deeplab.core import feature_extractor, files
from deeplab.core.tf_compat import tf
from deeplab.deployment import (
    exported,
    graph_edit,
    opened_models,
    tflite_graph,
    tflite_rewrites,
)
from deeplab.utils import picture_inputs

FLAGS = flags.FLAGS

common.begin_flag_group('files and tensors')
flags.DEFINE_string('quantized_graph_def_path', None,
                    'Frozen graph, with fake quantisation or without. Required.')
flags.DEFINE_string('input_tensor_name', exported.INPUT_NAME + ':0',
                    'Placeholder of the image, [1, height, width, 3], 0..255.')
flags.DEFINE_string('output_tflite_path', None, 'TFLite file to write. Required.')
flags.DEFINE_string('output_tensor_name', exported.OUTPUT_NAME + ':0',
                    'Labels, [1, height, width] of integers.')
flags.DEFINE_string('test_image_path', None,
                    'Picture to label with the file; the share of each class is printed. Default: '
                    'none.')
flags.DEFINE_list('input_size', None,
                  'Height,width in pixels of the images of the file, 1 or more. Default: that of '
                  'the placeholder.')
common.define_image_limit_flag('files and tensors')


def main(unused_argv):
  """Converts as the flags say."""
  image = picture_inputs.read_picture(FLAGS.test_image_path) if FLAGS.test_image_path else None
  path = FLAGS.output_tflite_path
  graph_def = _read_graph(FLAGS.quantized_graph_def_path)
  placeholder = _find_node(graph_def, 'input_tensor_name')
  output = _find_node(graph_def, 'output_tensor_name')
  size = _input_size(placeholder)
  kind = 'qat' if tflite_rewrites.has_fake_quantization(graph_def) else 'float32'
  if kind == 'float32':
    logging.info('%s has no fake quantisation: the file computes in floats.',
                 FLAGS.quantized_graph_def_path)
  content = tflite_graph.convert(graph_def, kind, placeholder.name, output.name, size)
  with exported.writing(path):
    files.make_dirs(os.path.dirname(files.absolute(path)))
    files.write_bytes(path, content)
  logging.info('%s: %s; images of %dx%d; %.1f MB.', path, tflite_graph.KINDS[kind].description,
               size[0], size[1], len(content) / 1e6)
  if image is not None:
    _print_shares(path, image)


def _read_graph(path):
  graph_def = tf.GraphDef()
  try:
    graph_def.ParseFromString(files.read_bytes(path))
  except OSError as error:
    raise ValueError('--quantized_graph_def_path: cannot read %s: %s.'
                     % (path, error.strerror)) from error
  except Exception as error:
    # Every protobuf has a DecodeError of its own.
    if type(error).__name__ != 'DecodeError':
      raise
    raise ValueError('--quantized_graph_def_path: %s is no frozen graph.' % path) from error
  return graph_def


def _find_node(graph_def, flag):
  """Returns the node of the tensor that a flag names."""
  tensor = FLAGS[flag].value
  name = tensor[:-2] if tensor.endswith(':0') else tensor
  read = {graph_edit.node_name(other) for node in graph_def.node for other in node.input}
  if flag == 'input_tensor_name':
    what, choice = 'placeholders', [node for node in graph_def.node if node.op == 'Placeholder']
    usable = choice
  else:
    what, choice = 'outputs', [node for node in graph_def.node if node.name not in read]
    usable = graph_def.node
  for node in usable:
    if node.name == name:
      return node
  raise ValueError('--%s=%s is not in the graph. Its %s: %s.' % (
      flag, tensor, what, ', '.join(node.name + ':0' for node in choice) or 'none'))


def _input_size(placeholder):
  """Returns (height, width), of the flag or of the placeholder."""
  shape = tf.TensorShape(placeholder.attr['shape'].shape)
  sides = shape.as_list() if shape.rank == 4 else [None] * 4
  size = common.size_list('input_size')
  if size is None and None in sides[1:3]:
    raise ValueError('%s takes images of any size, a TFLite file of one: give '
                     '--input_size=height,width.' % placeholder.name)
  if size and any(side not in (None, given) for side, given in zip(sides[1:3], size)):
    raise ValueError('--input_size=%d,%d: %s takes images of %s,%s.' % (
        size[0], size[1], placeholder.name, sides[1], sides[2]))
  return size or sides[1:3]


def _print_shares(path, image):
  """Prints the share of every class in the labels of an image."""
  model = opened_models.TfliteModel(path, feature_extractor.mean_pixel())
  labels, _ = model.predict(image[np.newaxis])
  counts = np.bincount(labels.ravel())
  for class_id in np.flatnonzero(counts):
    print('class %d: %.2f %%' % (class_id, 100. * counts[class_id] / labels.size))


if __name__ == '__main__':
  common.run(main, required_flags=['quantized_graph_def_path', 'output_tflite_path'])
