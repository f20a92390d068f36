"""TFLite files compute what their frozen graph computes, and keep its atrous rates."""
import numpy as np
import pytest

from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.deployment.formats import tflite_converter, tflite_runner

SIZE = (33, 49)
RATES = (2, 3)
KINDS = [kind for kind, row in sorted(tflite_converter.KINDS.items())
         if row.is_of_tf1 or not IS_TF1]


def random_images(count, seed=0):
  """Smooth uint8 images, [count, height, width, 3]."""
  coarse = np.random.RandomState(seed).randint(0, 256, [count, 5, 7, 3])
  return np.clip(np.repeat(np.repeat(coarse, 7, 1), 7, 2)[:, :SIZE[0], :SIZE[1]], 0,
                 255).astype(np.uint8)


def make_graph(is_quantized=False, size=SIZE, align_corners=True, rates=RATES):
  """Returns a GraphDef with scaling, two atrous convolutions, resizing and labels."""
  random = np.random.RandomState(1)

  def quantize(tensor, low, high):
    if not is_quantized:
      return tensor
    return tf.quantization.fake_quant_with_min_max_vars(tensor, low, high)

  def convolution(net, filters, **kwargs):
    weights = random.uniform(-1, 1, [3, 3, net.shape.as_list()[3], filters])
    return tf.nn.relu6(tf.nn.conv2d(
        net, quantize(tf.constant(weights, tf.float32), -1., 1.), padding='SAME', **kwargs))

  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.uint8, (1,) + tuple(size) + (3,), name='ImageTensor')
    net = tf.cast(images, tf.float32) * (2 / 255.) - 1.
    net = quantize(convolution(net, 8, strides=[1, 4, 4, 1]), 0., 6.)
    for rate in rates:
      weights = tf.constant(random.uniform(-1, 1, [3, 3, 8, 1]), tf.float32)
      net = quantize(tf.nn.relu6(tf.nn.depthwise_conv2d(
          net, quantize(weights, -1., 1.), [1, 1, 1, 1], 'SAME', rate=[rate, rate])), 0., 6.)
    net = quantize(convolution(net, 4), 0., 6.)
    net = tf.image.resize_bilinear(net, tf.shape(images)[1:3], align_corners=align_corners)
    tf.identity(tf.cast(tf.argmax(net, 3), tf.int32), name='SemanticPredictions')
  return graph.as_graph_def()


def run_graph(graph_def, images):
  with tf.Graph().as_default(), tf.Session() as session:
    inputs, labels = tf.import_graph_def(
        graph_def, return_elements=['ImageTensor:0', 'SemanticPredictions:0'])
    return np.concatenate([session.run(labels, {inputs: image[np.newaxis]})
                           for image in images])


def convert(graph_def, kind, images=None):
  return tflite_converter.convert(graph_def, kind, 'ImageTensor', 'SemanticPredictions', SIZE,
                                  images)


def label(content, images):
  """Returns the labels that a TFLite file gives images of its size."""
  return tflite_runner.TfliteModel('model.tflite', content=content).predict(images)[0]


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_labels_like_its_graph(kind):
  graph_def = make_graph(is_quantized=kind == 'qat')
  images = random_images(4)
  expected = run_graph(graph_def, images)
  assert len(np.unique(expected)) == 4
  labels = label(convert(graph_def, kind, random_images(8, seed=2)), images)
  limit = 0.95 if tflite_converter.KINDS[kind].has_8_bits or kind == 'dynamic' else 0.999
  assert np.mean(labels == expected) > limit


@pytest.mark.parametrize('other', [{'rates': (1, 1)}, {'rates': (2, 2)}, {'align_corners': False}])
def test_rates_and_corners_tell_in_the_labels(other):
  images = random_images(4)
  expected = run_graph(make_graph(), images)
  assert np.mean(label(convert(make_graph(**other), 'float32'), images) == expected) < 0.98


@pytest.mark.parametrize('kind', ['int8', 'qat'])
def test_everything_within_8_bit_files_is_of_8_bits(kind):
  content = convert(make_graph(is_quantized=kind == 'qat'), kind, random_images(2))
  tensors = tf.lite.Interpreter(model_content=content).get_tensor_details()
  assert {np.dtype(tensor['dtype']).name for tensor in tensors} <= {'int8', 'uint8', 'int32'}


def test_graphs_of_any_size_get_one():
  images = random_images(4)
  np.testing.assert_array_equal(*[
      label(convert(make_graph(size=size), 'float32'), images) for size in ((None, None), SIZE)])


@pytest.mark.parametrize('images, message', [
    (None, "kind 'int8' need representative images"),
    ([], "kind 'int8' need representative images"),
    ([np.zeros([33, 33, 3], np.uint8)], r'uint8 of shape \[33, 49, 3\], got uint8 of shape'),
    ([np.zeros([33, 49, 3])], 'got float64 of shape')])
def test_representative_images_must_fit(images, message):
  with pytest.raises(ValueError, match=message):
    convert(make_graph(), 'int8', images)


def test_kinds_that_cannot_be_are_refused():
  with pytest.raises(ValueError, match='float33'):
    convert(make_graph(), 'float33')
  with pytest.raises(ValueError, match="kind 'qat' need a graph with fake quantisation"):
    convert(make_graph(), 'qat')
  if IS_TF1:
    with pytest.raises(ValueError, match="kind 'float16' need the converter of TensorFlow 2; "
                                         "this is TensorFlow 1.15"):
      convert(make_graph(), 'float16')


def test_what_the_converter_does_not_know_is_told():
  graph_def = make_graph()
  for node in graph_def.node:
    if node.op == 'Relu6':
      node.op = 'Digamma'
  with pytest.raises(ValueError, match='cannot convert this graph to TFLite: .*Digamma'):
    convert(graph_def, 'float32')


def test_scores_may_be_the_output():
  graph_def, images = make_graph(), random_images(2)
  name = [node.name for node in graph_def.node if node.op == 'ResizeBilinear'][0]
  content = tflite_converter.convert(graph_def, 'float32', 'ImageTensor', name, SIZE)
  labels, _ = tflite_runner.TfliteModel('m', content=content).predict(images)
  assert np.mean(labels == run_graph(graph_def, images)) > 0.999


def test_outputs_other_than_labels_are_refused():
  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.uint8, (1,) + SIZE + (3,), name='ImageTensor')
    tf.reduce_sum(tf.cast(images, tf.float32), [1, 2], name='sum')
  with pytest.raises(ValueError, match=r'must have one output of labels.*: sum float32 \[1, 3\]'):
    tflite_converter.convert(graph.as_graph_def(), 'float32', 'ImageTensor', 'sum', SIZE)
