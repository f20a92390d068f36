"""The optimizers to choose from, in one table."""
from deeplab.core.tf_compat import tf


def _momentum(learning_rate, options):
  return tf.train.MomentumOptimizer(learning_rate, options.momentum)


def _adam(learning_rate, options):
  return tf.train.AdamOptimizer(learning_rate, epsilon=options.adam_epsilon)


# name -> function (learning rate tensor, TrainOptions) -> tf.train.Optimizer.
OPTIMIZERS = {
    # What the published DeepLab results used.
    'momentum': _momentum,
    # Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015. Learns faster
    # in short runs from scratch.
    'adam': _adam,
}
