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
from deeplab.core.storage import files
from deeplab.core.tf_compat import tf
from deeplab.deployment import opened_models
from deeplab.deployment.exporting import comparison
from deeplab.deployment.formats import tflite_converter, tflite_rewrites, tflite_runner
from deeplab.deployment.graphs import editing, record
from deeplab.utils.pictures import of_files

FLAGS = flags.FLAGS

common.begin_flag_group('files and tensors')
flags.DEFINE_string('quantized_graph_def_path', None,
                    'Frozen graph, with fake quantisation or without. Required.')
flags.DEFINE_string('input_tensor_name', record.INPUT_NAME + ':0',
                    'Placeholder of the image, [1, height, width, 3], 0..255.')
flags.DEFINE_string('output_tflite_path', None, 'TFLite file to write. Required.')
flags.DEFINE_string('output_tensor_name', record.OUTPUT_NAME + ':0',
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
  asked_size = common.size_list('input_size')
  image = of_files.read_picture(FLAGS.test_image_path) if FLAGS.test_image_path else None
  path = FLAGS.output_tflite_path
  graph_def = opened_models.read_graph_def(FLAGS.quantized_graph_def_path)
  placeholder = _find_node(graph_def, 'input_tensor_name')
  output = _find_node(graph_def, 'output_tensor_name')
  size = _input_size(placeholder, asked_size)
  kind = 'qat' if tflite_rewrites.has_fake_quantization(graph_def) else 'float32'
  if kind == 'float32':
    logging.info('%s has no fake quantisation: the file computes in floats.',
                 FLAGS.quantized_graph_def_path)
  content = tflite_converter.convert(graph_def, kind, placeholder.name, output.name, size)
  model = tflite_runner.TfliteModel(path, content=content)
  _check_labels(model, graph_def, (placeholder.name, output.name), kind, image)
  with files.telling_of_disk(path):
    files.make_dirs(os.path.dirname(files.absolute(path)))
    files.write_bytes(path, content)
  logging.info('%s: %s; images of %dx%d; %.1f MB.', path, tflite_converter.KINDS[kind].description,
               size[0], size[1], len(content) / 1e6)
  if image is not None:
    labels, _ = model.predict(image[np.newaxis])
    counts = np.bincount(labels.ravel())
    for class_id in np.flatnonzero(counts):
      print('class %d: %.2f %%' % (class_id, 100. * counts[class_id] / labels.size))


def _find_node(graph_def, flag):
  """Returns the node of the tensor that a flag names."""
  tensor = FLAGS[flag].value
  name = tensor[:-2] if tensor.endswith(':0') else tensor
  read = {editing.node_name(other) for node in graph_def.node for other in node.input}
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


def _input_size(placeholder, size):
  """Returns the (height, width) asked for, or that of the placeholder where it is None."""
  shape = tf.TensorShape(placeholder.attr['shape'].shape)
  sides = shape.as_list() if shape.rank == 4 else [None] * 4
  if size is None and None in sides[1:3]:
    raise ValueError('%s takes images of any size, a TFLite file of one: give '
                     '--input_size=height,width.' % placeholder.name)
  if size and any(side not in (None, given) for side, given in zip(sides[1:3], size)):
    raise ValueError('--input_size=%d,%d: %s takes images of %s,%s.' % (
        size[0], size[1], placeholder.name, sides[1], sides[2]))
  return size or sides[1:3]


def _check_labels(model, graph_def, names, kind, image):
  """Stops if a TfliteModel labels an image, or else drawn ones, otherwise than its graph.

  `names` are those of the placeholder and of the node of the labels in the GraphDef.
  """
  pictures = [tflite_runner.fit(picture, model.input_size, model.mean_pixel)[0] for picture in (
      comparison.drawn_pictures(model.input_size) if image is None else [image])]
  with tf.Graph().as_default(), tf.Session() as session:
    images, labels = tf.import_graph_def(
        graph_def, name='', return_elements=[name + ':0' for name in names])
    wanted = [session.run(labels, {images: picture[np.newaxis]})[0] for picture in pictures]
  share = comparison.equal_share(
      [model.predict(picture[np.newaxis])[0][0] for picture in pictures], wanted)
  comparison.check_share(
      '%.2f %% of the pixels of %s have the label that the graph gives them' % (
          100 * share, FLAGS.test_image_path or 'drawn pictures'),
      share, comparison.TFLITE[kind], '' if FLAGS.test_image_path else '--test_image_path')


if __name__ == '__main__':
  common.run(main, required_flags=['quantized_graph_def_path', 'output_tflite_path'])
