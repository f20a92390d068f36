"""Learning rate schedules and the optimizers that follow them: a table of each."""
import typing

from deeplab.core import usage
from deeplab.core.tf_compat import tf


def _poly(step, base_learning_rate, options):
  return tf.train.polynomial_decay(
      base_learning_rate, step, options['decay_steps'],
      end_learning_rate=options['end_learning_rate'], power=options['learning_power'])


def _step(step, base_learning_rate, options):
  return tf.train.exponential_decay(
      base_learning_rate, step, options['learning_rate_decay_step'],
      options['learning_rate_decay_factor'], staircase=False)


# policy -> function (global step, base learning rate, dict of the other arguments).
LEARNING_POLICIES = {'poly': _poly, 'step': _step}


def get_model_learning_rate(
    learning_policy, base_learning_rate, learning_rate_decay_step,
    learning_rate_decay_factor, training_number_of_steps, learning_power, slow_start_step,
    slow_start_learning_rate, slow_start_burnin_type='none', decay_steps=0,
    end_learning_rate=0.0):
  """Returns the learning rate at the current global step.

  poly: (base - end) * (1 - step / N) ^ power + end (Liu et al., "ParseNet", 2015).
  step: base * factor ^ (step / decay_step).

  Args:
    learning_policy: key of LEARNING_POLICIES.
    base_learning_rate: rate at step 0.
    learning_rate_decay_step: 'step': steps per decay.
    learning_rate_decay_factor: 'step': factor per decay.
    training_number_of_steps: 'poly': step N at which it ends, if decay_steps is 0.
    learning_power: 'poly': the power.
    slow_start_step: number of first steps with a rate of their own.
    slow_start_learning_rate: that rate.
    slow_start_burnin_type: 'none': the slow start rate is constant and the policy's own
      step count runs from step 0; 'linear': it rises to base_learning_rate, and the
      policy starts after it.
    decay_steps: 'poly': step N at which it ends; 0: training_number_of_steps.
    end_learning_rate: 'poly': rate from step N on.

  Returns:
    float32 scalar tensor.

  Raises:
    ValueError: unknown policy or burn-in.
  """
  policy = usage.lookup(LEARNING_POLICIES, learning_policy, what='learning_policy')
  global_step = tf.train.get_or_create_global_step()
  if slow_start_burnin_type == 'linear' and slow_start_step > 0:
    step = tf.maximum(global_step - slow_start_step, 0)
    slow_rate = slow_start_learning_rate + (
        (base_learning_rate - slow_start_learning_rate)
        * tf.cast(global_step, tf.float32) / float(slow_start_step))
  elif slow_start_burnin_type in ('none', 'linear'):
    step = global_step
    slow_rate = tf.constant(slow_start_learning_rate, tf.float32)
  else:
    raise ValueError("slow_start_burnin_type must be 'none' or 'linear', got %r."
                     % (slow_start_burnin_type,))
  rate = policy(step, base_learning_rate, {
      'decay_steps': decay_steps or training_number_of_steps,
      'end_learning_rate': end_learning_rate,
      'learning_power': learning_power,
      'learning_rate_decay_step': learning_rate_decay_step,
      'learning_rate_decay_factor': learning_rate_decay_factor,
  })
  if slow_start_step <= 0:
    return rate
  return tf.where(global_step < slow_start_step, slow_rate, rate)


class OptimizerRow(typing.NamedTuple):
  """A row of OPTIMIZERS.

  Attributes:
    make: function (learning rate tensor, TrainOptions) -> tf.train.Optimizer.
    learning_rate_option: field of TrainOptions with the learning rate at step 0.
  """
  make: typing.Callable
  learning_rate_option: str


OPTIMIZERS = {
    # What the published DeepLab results used.
    'momentum': OptimizerRow(
        lambda rate, options: tf.train.MomentumOptimizer(rate, options.momentum),
        'base_learning_rate'),
    # Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015. Learns faster
    # in short runs from scratch.
    'adam': OptimizerRow(
        lambda rate, options: tf.train.AdamOptimizer(rate, epsilon=options.adam_epsilon),
        'adam_learning_rate'),
}
