"""A network with strides against the same weights with atrous convolution, for tests of both."""
import numpy as np

from deeplab.core.tf_compat import tf
from deeplab.testing import golden_weights


def strided_and_dense(network, size, output_stride):
  """Returns the features of random images, with strides and with atrous convolution.

  Args:
    network: function (images, **arguments) -> (features, end points); it takes output_stride.
    size: (height, width) in pixels.
    output_stride: of the dense features.

  Returns:
    Two [2, height, width, channels] arrays.
  """
  pixels = np.random.RandomState(0).normal(size=(2,) + tuple(size) + (3,)).astype(np.float32)
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.constant(pixels)
    strided, _ = network(images)
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
      dense, _ = network(images, output_stride=output_stride)
    golden_weights.load_golden_weights(session, tf.global_variables())
    return session.run([strided, dense])
