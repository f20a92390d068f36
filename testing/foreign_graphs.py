"""Small frozen graphs as others make them, for tests: the label is the brightest channel."""
import numpy as np

from deeplab.core.tf_compat import tf

NETWORK_INPUT = 'MobilenetV2/MobilenetV2/input'
ARG_MAX = 'ArgMax'


def write(path, build):
  """Writes the graph that a function builds in the default graph; returns the path as a str."""
  with tf.Graph().as_default() as graph:
    build()
  path.write_bytes(graph.as_graph_def().SerializeToString())
  return str(path)


def published(size, is_quantized=False):
  """Builds what published archives hold: pictures up to a (height, width), padded to it."""
  image = tf.placeholder(tf.uint8, [1, None, None, 3], name='ImageTensor')
  sides = tf.shape(image)[1:3]
  padded = tf.image.pad_to_bounding_box(tf.cast(image, tf.float32) - 127.5, 0, 0, *size) + 127.5
  with tf.name_scope('MobilenetV2'), tf.name_scope('MobilenetV2'):
    net = tf.identity(padded * (2 / 255.) - 1., name='input')
  weights = tf.constant(np.eye(3)[np.newaxis, np.newaxis], tf.float32)
  if is_quantized:
    weights = tf.quantization.fake_quant_with_min_max_vars(weights, -1., 1.)
  net = tf.nn.conv2d(net, weights, padding='SAME')
  if is_quantized:
    net = tf.quantization.fake_quant_with_min_max_vars(net, -1., 1.)
  labels = tf.argmax(tf.image.resize_bilinear(net, size, align_corners=True), 3, name=ARG_MAX)
  tf.slice(labels, [0, 0, 0], [1, sides[0], sides[1]], name='SemanticPredictions')


def scores(size=(None, None), dtype='float32'):
  """Builds a graph of one input called `pixels`, -1..1 if they are floats; it ends in scores."""
  pixels = tf.placeholder(dtype, [1] + list(size) + [3], name='pixels')
  weights = tf.constant(np.eye(3)[np.newaxis, np.newaxis], tf.float32)
  net = tf.nn.conv2d(tf.cast(pixels, tf.float32), weights, padding='SAME')
  tf.nn.softmax(net, name='scores')
