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
from deeplab.core.storage import errors, files
from deeplab.core.tf_compat import tf
from deeplab.deployment import opened_models
from deeplab.deployment.exporting import comparison
from deeplab.deployment.formats import tflite_converter, tflite_rewrites, tflite_runner
from deeplab.deployment.graphs import cutting, editing, ends, fitting, record
from deeplab.utils.pictures import of_files

FLAGS = flags.FLAGS

common.begin_flag_group('files and tensors')
flags.DEFINE_string('quantized_graph_def_path', None,
                    'Frozen graph, with fake quantisation or without. Required.')
flags.DEFINE_string('input_tensor_name', None,
                    'Images, [1, height, width, 3]; the graph is cut there. uint8, or float32: '
                    '0..255 where the graph scales them, else -1..1. Default: ImageTensor:0, else '
                    'the only placeholder of images.')
flags.DEFINE_string('output_tflite_path', None, 'TFLite file to write. Required.')
flags.DEFINE_string('output_tensor_name', 'ArgMax:0',
                    'Labels, numbers [1, height, width], or scores, [1, height, width, classes]. '
                    'Where it is not given, SemanticPredictions:0 is taken if it needs no more '
                    'than the input, and without both the only such tensor at the end.')
flags.DEFINE_string('test_image_path', None,
                    'Picture to label with the file; the share of each class is printed. Default: '
                    'none.')
flags.DEFINE_list('input_size', None,
                  'Height,width in pixels of the images of the file, 1 or more. Default: that of '
                  'the input in the graph, or where that is cut, of the labels.')
common.define_image_limit_flag('files and tensors')


def main(unused_argv):
  """Converts as the flags say."""
  asked_size = common.size_list('input_size')
  image = of_files.read_picture(FLAGS.test_image_path) if FLAGS.test_image_path else None
  path = FLAGS.output_tflite_path
  graph_def = opened_models.read_graph_def(FLAGS.quantized_graph_def_path)
  images, labels = _find_ends(graph_def)
  size = _input_size(images, labels, asked_size)
  kind = 'qat' if tflite_rewrites.has_fake_quantization(graph_def) else 'float32'
  if kind == 'float32':
    logging.info('%s has no fake quantisation: the file computes in floats.',
                 FLAGS.quantized_graph_def_path)
  content = tflite_converter.convert(graph_def, kind, images.op.name, labels.op.name, size)
  model = tflite_runner.TfliteModel(path, content=content)
  _check_labels(model, images, labels, kind, image)
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


def _find_ends(graph_def):
  """Returns the tensors of images and labels in a graph of its own, by the flags or by kind."""
  path = FLAGS.quantized_graph_def_path
  with tf.Graph().as_default() as graph, errors.told(
      '%s cannot be used as a graph' % path, ValueError, tf.errors.OpError):
    tf.import_graph_def(graph_def, name='')
  known = ends.by_name(graph)
  placeholders, last = ends.placeholders(graph), ends.last_tensors(graph)
  images = (_named_end(known, 'input_tensor_name', 'placeholders', placeholders)
            or known.get(record.INPUT_NAME) or ends.image_among(path, placeholders)).value
  labels = _named_end(known, 'output_tensor_name', 'outputs', last)
  for name in (record.OUTPUT_NAME, editing.node_name(FLAGS.output_tensor_name)):
    if not labels and name in known and cutting.is_enough(images, known[name].value):
      labels = known[name]
  return images, (labels or ends.labels_among(path, last)).value


def _named_end(known, flag, what, choice):
  """Returns the End that a given flag names, or None; `choice` is what it could name."""
  name = FLAGS[flag].value
  if not FLAGS[flag].present:
    return None
  end = known.get(name[:-2] if name.endswith(':0') else name)
  if end is None:
    raise ValueError('--%s=%s is not in the graph. Its %s: %s.' % (
        flag, name, what, ', '.join(other.name + ':0' for other in choice) or 'none'))
  return end


def _input_size(images, labels, size):
  """Returns the (height, width) asked for, or that of the tensors where it is None."""
  sides = images.shape.as_list() if images.shape.rank == 4 else [None] * 4
  if None in sides[1:3] and images.op.type != 'Placeholder' and labels.shape.rank == 3:
    # Published graphs lose the size that they pad to, and upsample to it.
    sides = labels.shape.as_list()
  if size is None and None in sides[1:3]:
    raise ValueError('%s takes images of any size, a TFLite file of one: give '
                     '--input_size=height,width.' % images.op.name)
  if size and any(side not in (None, given) for side, given in zip(sides[1:3], size)):
    raise ValueError('--input_size=%d,%d: %s takes images of %s,%s.' % (
        size[0], size[1], images.op.name, sides[1], sides[2]))
  return size or sides[1:3]


def _check_labels(model, images, labels, kind, image):
  """Stops if a TfliteModel labels an image, or else drawn ones, otherwise than its graph.

  `images` and `labels` are the tensors of the graph.
  """
  size = model.input_size
  pictures = [fitting.fit(picture, size, model.mean_pixel)[0] for picture in (
      comparison.drawn_pictures(size) if image is None else [image])]
  with tf.Session(graph=images.graph) as session:
    wanted = [fitting.as_labels(session.run(labels, {images: fitting.as_input(
        picture[np.newaxis], images.dtype.name, ends.pixel_range(images))})[0], size)
              for picture in pictures]
  share = comparison.equal_share(
      [model.predict(picture[np.newaxis])[0][0] for picture in pictures], wanted)
  comparison.check_share(
      '%.2f %% of the pixels of %s have the label that the graph gives them' % (
          100 * share, FLAGS.test_image_path or 'drawn pictures'),
      share, comparison.TFLITE[kind], '' if FLAGS.test_image_path else '--test_image_path')


if __name__ == '__main__':
  common.run(main, required_flags=['quantized_graph_def_path', 'output_tflite_path'])
