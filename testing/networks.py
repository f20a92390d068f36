"""Networks for tests: recorded weights, strides against atrous convolution, half the depth.

To build and start a training takes 7 to 8 seconds of a core with the 17 blocks of MobileNetV2,
whatever their width, and 4 to 5 with half of them. Tests that do not depend on the network say

    pytestmark = pytest.mark.usefixtures('shallow_network')

for their module, also for scripts run by `forked_scripts`; other processes have the whole network.
"""
import zlib
from unittest import mock

import numpy as np

from deeplab.core import mobilenet_v2
from deeplab.core.checkpoints import initial_weights
from deeplab.core.tf_compat import tf

# Last part of a name -> function (random state, shape) -> float64 values.
_RULES = {
    'weights': lambda rng, shape: rng.standard_normal(shape) * np.sqrt(
        2.0 / np.prod(shape[:-1])),
    'depthwise_weights': lambda rng, shape: rng.standard_normal(shape) * np.sqrt(
        1.0 / (shape[0] * shape[1])),
    'gamma': lambda rng, shape: 1.0 + 0.1 * rng.standard_normal(shape),
    'beta': lambda rng, shape: 0.1 * rng.standard_normal(shape),
    'moving_variance': lambda rng, shape: 1.0 + 0.1 * rng.uniform(size=shape),
    # Of fake quantisation.
    'min': lambda rng, shape: np.full(shape, -6.),
    'max': lambda rng, shape: np.full(shape, 6.),
}
_RULES['pointwise_weights'] = _RULES['weights']
_RULES['biases'] = _RULES['moving_mean'] = _RULES['beta']

# Batch norms that close a ResNet bottleneck are small, or the logits would explode.
_SMALL_GAMMA = '/conv3/BatchNorm/gamma'
_SMALL_GAMMA_FACTOR = 0.25

# A block per channel count, and what the decoder reads at stride 4.
_SHALLOW_BLOCKS = tuple(mobilenet_v2.BLOCKS[index] for index in (0, 1, 2, 3, 6, 10, 13, 16))


def golden_weight(name, shape):
  """Returns the float32 value of the variable `name` (without ':0')."""
  rng = np.random.RandomState(zlib.crc32(name.encode()) & 0xffffffff)
  value = _RULES[name.split('/')[-1]](rng, shape)
  if name.endswith(_SMALL_GAMMA):
    value *= _SMALL_GAMMA_FACTOR
  return value.astype(np.float32)


def golden_image(height=97, width=129):
  """Returns the [1, height, width, 3] float32 input of the recorded outputs."""
  return np.random.RandomState(0).uniform(0, 255, (1, height, width, 3)).astype(np.float32)


def load_golden_weights(session, variables):
  """Sets every variable but the global step to its golden value, in one run."""
  initial_weights.assign(session, {
      variable: golden_weight(variable.op.name, variable.shape.as_list())
      for variable in variables if variable.op.name != 'global_step'})


def strided_and_dense(network, size, output_stride):
  """Returns two [2, height, width, channels] features of random images, strided and atrous.

  `network` is a function (images, output_stride) -> (features, end points).
  """
  pixels = np.random.RandomState(0).normal(size=(2,) + tuple(size) + (3,)).astype(np.float32)
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.constant(pixels)
    strided, _ = network(images)
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
      dense, _ = network(images, output_stride=output_stride)
    load_golden_weights(session, tf.global_variables())
    return session.run([strided, dense])


def make_shallow():
  """Makes mobilenet_v2 shallow from now on in this process."""
  mobilenet_v2.BLOCKS = _SHALLOW_BLOCKS


def is_shallow():
  """Whether mobilenet_v2 is shallow."""
  return mobilenet_v2.BLOCKS is _SHALLOW_BLOCKS


def shallow():
  """Returns what makes mobilenet_v2 shallow for a `with` block."""
  return mock.patch.object(mobilenet_v2, 'BLOCKS', _SHALLOW_BLOCKS)
