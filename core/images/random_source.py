"""Random numbers for augmentation: repeatable per record, or free."""
from deeplab.core.tf_compat import tf

# Apart, so that the draws of neighbouring records never share a seed.
_STRIDE = 7919


class RandomSource(object):
  """Draws one number after the other while a graph is built.

  With a seed every draw is a function of (seed, index of the record, index of the draw),
  whatever the order and the parallelism records are processed in.
  """

  def __init__(self, seed=None, index=0, normal_bank=None):
    """Starts at draw 0.

    Args:
      seed: int, or None for draws that differ from run to run.
      index: int or int64 scalar tensor that tells records apart.
      normal_bank: [count] float32 tensor of standard normal draws that `noise` may take its
        values from, or None.
    """
    self._seed = seed
    self._normal_bank = normal_bank
    self._index = tf.cast(index, tf.int64)
    self._num_draws = 0

  def uniform(self, minval=0.0, maxval=1.0, shape=()):
    """Returns float32 draws from [minval, maxval)."""
    if self._seed is None:
      return tf.random.uniform(shape, minval, maxval)
    return tf.random.stateless_uniform(shape, self._next_seed(), minval, maxval)

  def integer(self, limit):
    """Returns an int32 draw from 0..limit-1."""
    draw = tf.cast(self.uniform() * tf.cast(limit, tf.float32), tf.int32)
    # The product may round up to the limit.
    return tf.minimum(draw, tf.cast(limit, tf.int32) - 1)

  def normal(self, mean=0.0, stddev=1.0, shape=()):
    """Returns float32 draws from the normal distribution."""
    if self._seed is None:
      return tf.random.normal(shape, mean, stddev)
    return tf.random.stateless_normal(shape, self._next_seed(), mean, stddev)

  def noise(self, stddev, shape):
    """Returns float32 draws from the normal distribution of mean 0, many at once.

    With a bank they are a random stretch of it: drawing each value anew would take as long as
    all other steps of augmentation together.

    Args:
      stddev: standard deviation.
      shape: int32 [rank] tensor or list of ints.
    """
    count = tf.reduce_prod(shape)
    if self._normal_bank is None:
      return self.normal(0.0, stddev, shape)
    begin = self.integer(tf.size(self._normal_bank) - count + 1)
    return stddev * tf.reshape(self._normal_bank[begin:begin + count], shape)

  def _next_seed(self):
    self._num_draws += 1
    return tf.stack([tf.constant(self._seed, tf.int64),
                     self._index * _STRIDE + self._num_draws])
