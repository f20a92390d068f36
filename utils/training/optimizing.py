"""From gradients to weights: learning rates and optimizers, factors, clipping, sums over runs.

A batch too large for the memory is trained in parts: each run of the graph (a micro-step) takes
one part, and the last of `num_steps` runs moves the weights along the mean gradient.
"""
import argparse
import typing

from deeplab.core import usage
from deeplab.core.tf_compat import tf
from deeplab.core.usage import UsageError

# Biases learn at twice the rate of weights (Chen et al., "DeepLab", TPAMI 2017, 4.1.1).
_BIAS_MULTIPLIER = 2.0
_SCOPE = 'gradient_accumulation'


def _poly(step, base_learning_rate, options):
  return tf.train.polynomial_decay(
      base_learning_rate, step, options.decay_steps or options.training_number_of_steps,
      end_learning_rate=options.end_learning_rate, power=options.learning_power)


def _step(step, base_learning_rate, options):
  return tf.train.exponential_decay(
      base_learning_rate, step, options.learning_rate_decay_step,
      options.learning_rate_decay_factor, staircase=False)


def _cosine(step, base_learning_rate, options):
  num_steps = max(1, options.training_number_of_steps - options.slow_start_step)
  return tf.train.cosine_decay(base_learning_rate, step, num_steps)


def _multi_steps(step, unused_base_learning_rate, options):
  boundaries, rates = options.boundaries or [], options.boundary_learning_rates or []
  if not boundaries or len(rates) != len(boundaries) + 1 or boundaries != sorted(set(boundaries)):
    raise UsageError(
        'learning_policy=multi_steps needs boundaries, ascending steps such as 20000,25000, and '
        'one more of boundary_learning_rates, such as 0.1,0.01,0.001; got %s and %s.'
        % (boundaries or 'none', rates or 'none'))
  return tf.train.piecewise_constant(step, boundaries, rates)


class Policy(typing.NamedTuple):
  """A row of LEARNING_POLICIES."""
  rate: typing.Callable  # Function (step, base learning rate, TrainOptions) -> learning rate.
  text: str  # What the rate does, for --help.
  # Whether its steps begin behind the slow start, whatever kind that is.
  begins_behind_slow_start: bool = False


LEARNING_POLICIES = {
    'poly': Policy(_poly, 'falls to end_learning_rate at the last step'),
    'step': Policy(_step, 'falls by learning_rate_decay_factor per learning_rate_decay_step steps, '
                          'smoothly'),
    # Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
    'cosine': Policy(_cosine, 'falls to 0 there along a cosine', True),
    'multi_steps': Policy(_multi_steps, 'is one of boundary_learning_rates', True),
}


def _constant(global_step, unused_base_learning_rate, options):
  return global_step, tf.constant(options.slow_start_learning_rate, tf.float32)


def _linear(global_step, base_learning_rate, options):
  first = options.slow_start_learning_rate
  share = tf.cast(global_step, tf.float32) / float(max(options.slow_start_step, 1))
  return (tf.maximum(global_step - options.slow_start_step, 0),
          first + (base_learning_rate - first) * share)


# slow start -> function (global step, base learning rate, TrainOptions) -> (step of the policy,
# learning rate of the slow start).
BURNIN_TYPES = {'none': _constant, 'linear': _linear}


def rate_at_step(base_learning_rate, options):
  """Returns the learning rate at the current global step, a float32 scalar tensor.

  poly: (base - end) * (1 - step / N) ^ power + end (Liu et al., "ParseNet", 2015).
  step: base * factor ^ (step / decay_step).
  cosine: base * (1 + cos(pi * step / N)) / 2.
  multi_steps: boundary_learning_rates[number of boundaries below the step].

  The base is the rate at step 0 of the policy; options are TrainOptions, or a record with its
  fields of learning rates. Raises ValueError for an unknown policy or burn-in, or numbers that a
  policy lacks.
  """
  policy = usage.lookup(
      LEARNING_POLICIES, options.learning_policy, what='learning_policy')
  burnin = usage.lookup(
      BURNIN_TYPES, options.slow_start_burnin_type, what='slow_start_burnin_type')
  global_step = tf.train.get_or_create_global_step()
  if options.slow_start_step <= 0:
    return policy.rate(global_step, base_learning_rate, options)
  step, slow_rate = burnin(global_step, base_learning_rate, options)
  if policy.begins_behind_slow_start:
    step = tf.maximum(global_step - options.slow_start_step, 0)
  return tf.where(global_step < options.slow_start_step, slow_rate,
                  policy.rate(step, base_learning_rate, options))


def get_model_learning_rate(
    learning_policy, base_learning_rate, learning_rate_decay_step,
    learning_rate_decay_factor, training_number_of_steps, learning_power, slow_start_step,
    slow_start_learning_rate, slow_start_burnin_type='none', decay_steps=0,
    end_learning_rate=0.0, boundaries=None, boundary_learning_rates=None):
  """Returns the `rate_at_step` of settings one by one, named like those of TrainOptions."""
  return rate_at_step(base_learning_rate, argparse.Namespace(**locals()))


class OptimizerRow(typing.NamedTuple):
  """A row of OPTIMIZERS."""
  make: typing.Callable  # Function (learning rate tensor, TrainOptions) -> tf.train.Optimizer.
  learning_rate_option: str  # Field of TrainOptions with the learning rate at step 0.
  text: str  # What it is good for, for --help.


OPTIMIZERS = {
    'momentum': OptimizerRow(
        lambda rate, options: tf.train.MomentumOptimizer(rate, options.momentum),
        'base_learning_rate', 'as in the DeepLab papers'),
    # Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    'adam': OptimizerRow(
        lambda rate, options: tf.train.AdamOptimizer(rate, epsilon=options.adam_epsilon),
        'adam_learning_rate', 'faster in short runs from scratch'),
}


def get_model_gradient_multipliers(last_layers, last_layer_gradient_multiplier):
  """Returns dict, variable name -> factor on its gradient, for factors other than 1.

  The last layers, scopes as substrings of variable names, have the factor that is given. Their
  biases get twice it, other biases 2.
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


def clip_gradients(grads_and_vars, clip_norm):
  """Returns grads_and_vars of a bounded norm; a gradient may be None.

  `clip_norm` is the largest norm of all gradients together; 0: any. Reference: Pascanu et al., "On
  the Difficulty of Training Recurrent Neural Networks", ICML 2013.
  """
  if not clip_norm:
    return grads_and_vars
  gradients, variables = zip(*grads_and_vars)
  gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
  return list(zip(gradients, variables))


def apply_every(num_steps, grads_and_vars, update):
  """Adds gradients up over runs; every `num_steps`-th run calls for an update with their mean.

  The sums lie in local variables, one per gradient and on its device: checkpoints do not hold
  them, and a run that is continued starts with a whole round. Moving averages of batch norm
  are not part of it, they follow each micro-batch. The mean over micro-batches is that of the
  joint batch if the loss is a mean over equally many items in each of them.

  Returns a bool scalar, whether this run has updated the weights; true after the update.

  Args:
    num_steps: runs per update, positive; 1: `update` is called as without accumulation.
    grads_and_vars: list of (gradient, variable) as of `optimizer.compute_gradients`; a
      gradient may be None, and sparse ones become dense.
    update: function of the list of (mean gradient, variable) that adds the operation that
      applies it; with sums variables without gradient are not in it. What changes with updates,
      such as the global step, or looks at the whole gradient, such as clipping, belongs in it.
      Operations that it adds run only in an updating run.
  """
  if num_steps == 1:
    with tf.control_dependencies([update(grads_and_vars)]):
      return tf.constant(True)
  grads_and_vars = [pair for pair in grads_and_vars if pair[0] is not None]
  with tf.name_scope(_SCOPE):
    num_runs, sums, adds = _add_up(grads_and_vars)
    with tf.control_dependencies(adds):
      is_last = tf.equal(tf.mod(num_runs, num_steps), 0)
  return tf.cond(is_last, lambda: _update_and_reset(num_steps, grads_and_vars, sums, update),
                 lambda: tf.constant(False))


def _add_up(grads_and_vars):
  """Returns the number of runs with this one, the sums, and adds."""
  with tf.device('/device:CPU:0'):
    num_runs = _local_variable('num_runs', [], tf.int64).assign_add(1, read_value=True)
  sums, adds = [], []
  for gradient, variable in grads_and_vars:
    with tf.device(gradient.device):
      sums.append(_local_variable(variable.op.name, variable.shape, gradient.dtype))
      adds.append(sums[-1].assign_add(tf.convert_to_tensor(gradient), read_value=False))
  return num_runs, sums, adds


def _update_and_reset(num_steps, grads_and_vars, sums, update):
  means = [total.read_value() / num_steps for total in sums]
  updated = update([(mean, variable) for mean, (_, variable) in zip(means, grads_and_vars)])
  # The sums may only be cleared when the update has read them.
  with tf.control_dependencies([updated] + means):
    resets = [total.assign(tf.zeros_like(mean), read_value=False)
              for total, mean in zip(sums, means)]
  with tf.control_dependencies(resets):
    return tf.constant(True)


def _local_variable(name, shape, dtype):
  # Its start must not wait for the loss of a batch, if callers make updates depend on one.
  with tf.init_scope():
    # A resource: its reads have a place in the order of things.
    return tf.Variable(tf.zeros(shape, dtype), trainable=False, name=name, use_resource=True,
                       collections=[tf.GraphKeys.LOCAL_VARIABLES])
