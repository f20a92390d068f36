"""The optimizers to choose from, in one table."""
import typing

from deeplab.core.tf_compat import tf


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
