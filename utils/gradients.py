"""Factors on the gradients of single variables."""
from deeplab.core.tf_compat import tf

# Biases learn at twice the rate of weights (Chen et al., "DeepLab", TPAMI 2017, 4.1.1).
_BIAS_MULTIPLIER = 2.0


def get_model_gradient_multipliers(last_layers, last_layer_gradient_multiplier):
  """Returns dict, variable name -> factor on its gradient, for factors other than 1.

  Args:
    last_layers: scopes of the last layers, as substrings of variable names.
    last_layer_gradient_multiplier: factor of the last layers; their biases get twice it,
      other biases 2.
  """
  multipliers = {}
  for variable in tf.trainable_variables():
    name = variable.op.name
    factor = 1.0
    if 'biases' in name:
      factor *= _BIAS_MULTIPLIER
    if any(layer in name for layer in last_layers):
      factor *= last_layer_gradient_multiplier
    if factor != 1.0:
      multipliers[name] = factor
  return multipliers


def multiply_gradients(grads_and_vars, multipliers):
  """Returns grads_and_vars with gradients scaled by `multipliers[variable name]`."""
  return [
      (gradient * multipliers.get(variable.op.name, 1.0)
       if variable.op.name in multipliers else gradient, variable)
      for gradient, variable in grads_and_vars]


def global_norm(grads_and_vars):
  """Returns the norm of all gradients together, a float scalar."""
  return tf.global_norm([gradient for gradient, _ in grads_and_vars])


def clip_gradients(grads_and_vars, clip_norm):
  """Returns grads_and_vars of a bounded norm.

  Reference: Pascanu et al., "On the Difficulty of Training Recurrent Neural Networks", ICML
  2013.

  Args:
    grads_and_vars: list of (gradient, variable); gradients may be None.
    clip_norm: largest norm of all gradients together; 0: any.

  """
  if not clip_norm:
    return grads_and_vars
  gradients, variables = zip(*grads_and_vars)
  gradients, _ = tf.clip_by_global_norm(gradients, clip_norm,
                                        use_norm=global_norm(grads_and_vars))
  return list(zip(gradients, variables))
