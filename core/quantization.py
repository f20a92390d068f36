"""8-bit fake quantisation: the rounding of integer arithmetic, simulated in floats.

A tensor that an 8-bit network keeps as integers goes through `fake_quantize`, which rounds
it to 256 levels between a minimum and a maximum and passes gradients straight through. Two
scalar variables per tensor hold that range; training learns them.

    with layers.quantize(Quantizer(is_training=True)):
      ...build the network from core/layers.py...

Reference: Jacob et al., "Quantization and Training of Neural Networks for Efficient
  Integer-Arithmetic-Only Inference", CVPR 2018, section 3.
"""
import typing

from deeplab.core.tf_compat import slim, tf
from deeplab.core.usage import UsageError

WEIGHTS_SCOPE = 'weights_quant'
ACTIVATION_SCOPE = 'act_quant'
SUM_SCOPE = 'post_activation_bypass_quant'
# Of a convolution before an activation of several steps, and of products in it.
INNER_SCOPE = 'conv_quant'
PRODUCT_SCOPE = 'activation_Mul_quant'

# A second activation of a block has a number behind it.
_KINDS = (WEIGHTS_SCOPE, ACTIVATION_SCOPE, ACTIVATION_SCOPE + '_1', SUM_SCOPE, INNER_SCOPE,
          PRODUCT_SCOPE)
_NUM_BITS = 8
# Decay of the moving averages of activation ranges after many steps.
_RANGE_DECAY = 0.999
# How the names of the backbones begin that are built from core/layers.py.
_NETWORKS = ('mobilenet_', 'resnet_')
# Share of the steps with fake quantisation after which batch norm is frozen.
_BATCH_STATISTICS_SHARE = 0.7


class Quantizer(typing.NamedTuple):
  """How a graph is quantised."""
  # Whether ranges are learnt, by ops of the collection UPDATE_OPS; else they are read, and
  # everything is quantised whatever the step.
  is_training: bool = False
  delay_step: int = 0  # Global step from which training quantises; ranges are learnt before, too.
  # Global step from which training uses the moving averages of batch norm, or None for never.
  freeze_step: typing.Optional[int] = None


def check(options, num_clones=None, scales=None, add_flipped_images=None, num_workers=None,
          precision=None):
  """Stops where `options` ask for quantisation together with what cannot have it.

  Args:
    options: ModelOptions; a negative quantize_delay_step passes.
    num_clones: copies of the model in training, or None for one.
    scales: scales the network runs at, or None for (1.0,).
    add_flipped_images: whether it also runs on mirrored images.
    num_workers: processes that train the same weights, or None for one.
    precision: key of `graph_rewrites.PRECISIONS`, of training, or None for float32.

  Raises ValueError, one line with the option at fault.
  """
  if options.quantize_delay_step < 0:
    return
  scales = [float(scale) for scale in scales or (1.0,)]
  for is_fine, needed, found in (
      (options.model_variant.startswith(_NETWORKS),
       'a MobileNet or a ResNet as --model_variant', options.model_variant),
      (num_clones in (None, 1), '--num_clones=1', num_clones),
      ((num_workers or 1) == 1, 'a single worker', '%s. Give one of --worker_hosts, or train '
       'without a cluster' % num_workers),
      (precision in (None, 'float32'), '--precision=float32', precision),
      (scales == [1.0], 'the scale 1.0 alone', '%s. Leave out --image_pyramid, --eval_scales and '
       '--inference_scales' % ', '.join(map(str, scales))),
      (not add_flipped_images, 'images as they are', 'also mirrored ones: leave out '
       '--add_flipped_images'),
      (options.preprocessed_images_dtype == tf.float32, 'preprocessed_images_dtype float32',
       tf.as_dtype(options.preprocessed_images_dtype).name)):
    if not is_fine:
      raise UsageError('quantize_delay_step=%d needs %s, got %s.'
                       % (options.quantize_delay_step, needed, found))


def make_quantizer(options, is_training):
  """Returns the Quantizer of ModelOptions, or None where they ask for none."""
  if options.quantize_delay_step < 0:
    return None
  return Quantizer(is_training, options.quantize_delay_step, options.quantize_freeze_step)


def default_freeze_step(delay_step, num_steps):
  """Returns the global step at which a training of `num_steps` steps freezes batch norm.

  Quantised weights settle best against statistics that stand still, after they have
  followed the batches for a while.

  Reference: Krishnamoorthi, "Quantizing deep convolutional networks for efficient
    inference", 2018, section 3.2.2.
  """
  return delay_step + int(_BATCH_STATISTICS_SHARE * max(0, num_steps - delay_step))


def is_range(name):
  """Returns whether a variable of this name is the minimum or maximum of a range.

  A float checkpoint has none: they start at 0, and the first step of training sets them.
  """
  parts = name.split('/')
  return len(parts) > 1 and parts[-1] in ('min', 'max') and parts[-2] in _KINDS


def fake_quantize_weights(weights, quantizer):
  """Returns weights on 255 levels, symmetric around 0, in the range `weights_quant`.

  Weights are a float32 kernel of any shape, batch norm folded in. Training takes the range from
  them. Symmetric and narrow, 0 is level 0: integer kernels need no zero point for weights.
  """
  def learn(unused_low, unused_high):
    bound = tf.reduce_max(tf.abs(weights))
    return -bound, bound

  return _fake_quantize(weights, quantizer, WEIGHTS_SCOPE, learn, narrow_range=True)


def fake_quantize(tensor, quantizer, scope=ACTIVATION_SCOPE):
  """Returns a float32 tensor of any shape on 256 levels, its range in the variable scope `scope`.

  `scope` None: ACTIVATION_SCOPE, with a number behind it where the scope around has one already.

  Training learns the range as a moving average over batches, whose decay grows with the
  global step as in `tf.train.ExponentialMovingAverage`: early ranges are forgotten soon.
  """
  def learn(low, high):
    step = tf.cast(global_step(), tf.float32)
    decay = tf.minimum(_RANGE_DECAY, (1.0 + step) / (10.0 + step))
    # A range that is still empty has nothing to be remembered.
    decay = tf.where(tf.equal(low, high), tf.zeros_like(decay), decay)
    # 0 must be a level: padding is made of it.
    batch_low = tf.minimum(tf.reduce_min(tensor), 0.0)
    batch_high = tf.maximum(tf.reduce_max(tensor), 0.0)
    return (decay * low + (1.0 - decay) * batch_low,
            decay * high + (1.0 - decay) * batch_high)

  return _fake_quantize(tensor, quantizer, scope, learn)


def global_step():
  """Returns the global step of the graph, int64.

  Raises ValueError if there is none; made here it would be named after a layer.
  """
  step = tf.train.get_global_step()
  if step is None:
    raise ValueError('Training with quantisation needs a global step: call '
                     'tf.train.get_or_create_global_step() before the network is built.')
  return step


def _fake_quantize(tensor, quantizer, scope, learn, narrow_range=False):
  """Returns the rounded tensor; in training its range is what `learn` makes of the old one.

  Adds the assignment of the learnt range to UPDATE_OPS.
  """
  with tf.variable_scope(scope, ACTIVATION_SCOPE, [tensor]):
    low, high = [slim.model_variable(name, [], initializer=tf.zeros_initializer(),
                                     trainable=False) for name in ('min', 'max')]
    if not quantizer.is_training:
      return _round(tensor, low, high, narrow_range)
    new_low, new_high = [tf.stop_gradient(bound) for bound in learn(low, high)]
    for variable, value in ((low, new_low), (high, new_high)):
      tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign(variable, value))
    if quantizer.delay_step <= 0:
      return _round(tensor, new_low, new_high, narrow_range)
    return tf.cond(global_step() >= quantizer.delay_step,
                   lambda: _round(tensor, new_low, new_high, narrow_range),
                   lambda: tf.identity(tensor))


def _round(tensor, low, high, narrow_range):
  return tf.quantization.fake_quant_with_min_max_vars(
      tensor, low, high, num_bits=_NUM_BITS, narrow_range=narrow_range)
