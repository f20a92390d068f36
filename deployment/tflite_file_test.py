"""TFLite files are read as they were made."""
import pytest

from deeplab.core.tf_compat import tf
from deeplab.deployment import tflite_file, tflite_graph


@pytest.fixture(scope='module')
def content():
  """Bytes of a file: two convolutions, one of dilation (2, 3), and two ways to resize."""
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(tf.float32, [1, 9, 9, 3], name='images')
    net = tf.nn.conv2d(images, tf.ones([3, 3, 3, 4]), padding='SAME')
    net = tf.nn.conv2d(net, tf.ones([3, 3, 4, 4]), padding='SAME', dilations=[1, 2, 3, 1])
    net = tf.image.resize_bilinear(net, [17, 18], align_corners=True)
    net = tf.image.resize_bilinear(net, [20, 21])
    converter = tf.lite.TFLiteConverter.from_session(session, [images], [net])
    return tflite_graph.run_converter(converter)


def of_kind(contents, code):
  return [operator for operator in contents.operators if operator.code == code]


def test_dilations_are_read(content):
  convolutions = of_kind(tflite_file.read(content), tflite_file.CONV_2D)
  assert [operator.dilation for operator in convolutions] == [(1, 1), (2, 3)]


def test_align_corners_is_read(content):
  resizes = of_kind(tflite_file.read(content), tflite_file.RESIZE_BILINEAR)
  assert [operator.aligns_corners for operator in resizes] == [True, False]


def test_tensors_are_read(content):
  contents = tflite_file.read(content)
  images = contents.tensors[contents.operators[0].inputs[0]]
  weights = contents.tensors[contents.operators[0].inputs[1]]
  assert images == tflite_file.Tensor('images', 'float32', (1, 9, 9, 3), 0)
  assert (weights.shape, weights.num_bytes) == ((4, 3, 3, 3), 4 * 3 * 3 * 3 * 4)
  assert contents.tensors[contents.operators[-1].outputs[0]].shape == (1, 20, 21, 4)


def test_other_files_are_refused():
  with pytest.raises(ValueError, match='it is no TFLite file'):
    tflite_file.read(b'something else')


def test_files_without_their_end_are_refused(content):
  for size in range(8, len(content) - 8, len(content) // 30):
    with pytest.raises(ValueError, match='damaged or not whole'):
      tflite_file.read(content[:size])
