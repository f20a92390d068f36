"""How training images are varied: strengths and presets, random numbers, and padding."""
import typing

from deeplab.core import settings
from deeplab.core.settings import LIST, Setting
from deeplab.core.tf_compat import tf

GROUP = 'augmentation'

# Apart, so that the draws of neighbouring records never share a seed.
_STRIDE = 7919


@settings.record
class RandomScale(object):
  """What training images are scaled by; not part of the presets below."""
  min_scale_factor = Setting(
      0.5, 'Least random scale of training images, over 0; a wide range of scales needs longer '
      'training. With augmentation none, no scaling unless this or the largest is given.',
      is_over_zero=True, group=GROUP)
  max_scale_factor = Setting(
      2.0, 'Largest random scale of training images, min_scale_factor or more.', is_over_zero=True)
  scale_factor_step_size = Setting(
      0.25, 'Least distance between the scales drawn from, which are evenly spaced from the least '
      'to the largest; 0: any scale in the range.', at_least=0)


@settings.record
class Augmentation(object):
  """Strengths of the random steps, in the order they are taken; zero turns a step off."""
  leg_cut_probability = Setting(
      0.2, 'Probability, 0..1, of cutting legs off where a record has landmarks; 0: off.',
      at_least=0, at_most=1, group=GROUP)
  affine_stddev = Setting(
      0.05, 'Standard deviation of the entries of the affine warp [[1+a, b, tx], [c, 1+d, ty]]: '
      'one number, or six for a,b,tx,c,d,ty (tx, ty in pixels); 0 or more; 0: off.', LIST)
  affine_clip = Setting(
      3.0, 'Limit of the entries of the affine warp, in standard deviations; 0: off.', at_least=0)
  flip_probability = Setting(
      0.5, 'Probability, 0..1, of mirroring left-right; 0: off.', at_least=0, at_most=1)
  hue = Setting(
      0.08, 'Largest shift of the hue, in turns of the colour circle, 0..0.5; 0: off.', at_least=0,
      at_most=0.5)
  saturation = Setting(
      (0.5, 1.5), 'Least and largest factor on the saturation, 0 or more; 0, or 1,1: off.', LIST)
  brightness = Setting(
      0.2, 'Largest shift of the brightness, as a share of the full range; 0: off.', at_least=0)
  contrast = Setting(
      (0.7, 1.3), 'Least and largest factor on the contrast, 0 or more; 0, or 1,1: off.', LIST)
  blur_probability = Setting(
      0.1, 'Probability, 0..1, of blurring; 0: off.', at_least=0, at_most=1)
  blur_stddev = Setting(
      1.0, 'Standard deviation of the blur factor over 1; 0: off.', at_least=0)
  noise_stddev = Setting(
      0.01, 'Standard deviation of the noise, as a share of the full range; 0: off.', at_least=0)

  @property
  def affine_stddevs(self):
    """Standard deviations of the six entries of the warp."""
    if isinstance(self.affine_stddev, (tuple, list)):
      return tuple(self.affine_stddev)
    return (self.affine_stddev,) * 6


_NONE = Augmentation(
    leg_cut_probability=0.0, affine_stddev=0.0, flip_probability=0.0, hue=0.0,
    saturation=(1.0, 1.0), brightness=0.0, contrast=(1.0, 1.0), blur_probability=0.0,
    noise_stddev=0.0)

AUGMENTATIONS = {
    'none': _NONE,
    # Scale, crop and flip: what the published DeepLab results used.
    'deeplab': _NONE._replace(flip_probability=0.5),
    # For pictures of people in all kinds of light.
    'forma': Augmentation(),
}


class Padding(typing.NamedTuple):
  """Colour and label of pixels that are not of the image."""
  # RGB in 0..255, three numbers, that the network's scaling maps to about 0.
  mean_pixel: typing.Sequence[float]
  ignore_label: int  # Label that does not count.


class RandomSource(object):
  """Draws one number after the other while a graph is built, repeatable per record or free.

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
