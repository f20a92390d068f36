"""Weights that follow from variable names alone, for tests against recorded outputs."""
import zlib

import numpy as np

from deeplab.core.checkpoints import initial_weights

# Last part of a name -> function (random state, shape) -> float64 values.
_RULES = {
    'weights': lambda rng, shape: rng.standard_normal(shape) * np.sqrt(
        2.0 / np.prod(shape[:-1])),
    'depthwise_weights': lambda rng, shape: rng.standard_normal(shape) * np.sqrt(
        1.0 / (shape[0] * shape[1])),
    'gamma': lambda rng, shape: 1.0 + 0.1 * rng.standard_normal(shape),
    'beta': lambda rng, shape: 0.1 * rng.standard_normal(shape),
    'moving_variance': lambda rng, shape: 1.0 + 0.1 * rng.uniform(size=shape),
}
_RULES['pointwise_weights'] = _RULES['weights']
_RULES['biases'] = _RULES['moving_mean'] = _RULES['beta']

# Batch norms that close a ResNet bottleneck are small, or the logits would explode.
_SMALL_GAMMA = '/conv3/BatchNorm/gamma'
_SMALL_GAMMA_FACTOR = 0.25


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
