"""How TensorFlow runs a training graph: precision, XLA, and gradients as matrix products.

    optimizer = scaled_optimizer(optimizer, options.precision)
    config = session_config(options)

Variables, and with them checkpoints, are float32 whatever the precision: the rewrite casts what
goes into convolutions and matrix products, and keeps sums such as batch norm and losses exact.
"""
import os
import typing

from deeplab.core import tf_compat, usage
from deeplab.core.tf_compat import tf
from deeplab.utils.speed_and_memory import recomputation

_ON = 1  # RewriterConfig.ON
_ON_LEVEL_1 = 1  # OptimizerOptions.ON_1
_XLA_FLAGS = 'TF_XLA_FLAGS'
_XLA_ON_CPU = '--tf_xla_cpu_global_jit'
# Name scope of gradients as matrix products.
FILTER_GRADIENT_SCOPE = 'filter_gradient'
_FILTER_GRADIENT_TYPE = 'Conv2DBackpropFilter'
# With more rows than this both take as long (oneDNN, 2 cores).
_MOST_ROWS = 1 << 15


class Precision(typing.NamedTuple):
  """A row of PRECISIONS."""
  # Name of the field of RewriterConfig that turns the rewrite on, or None.
  rewrite: typing.Optional[str] = None
  # 'GPU' or 'CPU' if the rewrite is for that kind of device only, or None.
  device: typing.Optional[str] = None
  # Whether gradients are too small for the format without a factor on the loss.
  scales_loss: bool = False
  memory_share: float = 1.0  # Bytes of activations as a share of those in float32.


PRECISIONS = {
    'float32': Precision(),
    # Range of float32, 8 bits of precision: processors with AVX512-BF16 or AMX.
    # Half the memory with MobileNetV2, 0.7 of it with Xception (measured).
    'bfloat16': Precision('auto_mixed_precision_onednn_bfloat16', 'CPU', memory_share=0.7),
    # Micikevicius et al., "Mixed Precision Training", ICLR 2018: tensor cores.
    'float16': Precision('auto_mixed_precision', 'GPU', scales_loss=True, memory_share=0.7),
}


def check(options, trains_on_cpu=False):
  """Checks that the rewrites of TrainOptions work here; `trains_on_cpu`: even if there are GPUs.

  Raises ValueError if the machine or TensorFlow has no such precision; tells which to use.
  """
  if options.gradient_checkpointing and options.recompute not in (
      recomputation.AUTO, recomputation.ALL):
    raise usage.UsageError('--gradient_checkpointing is --recompute=all, and --recompute=%s is '
                           'given: leave one of them out.' % options.recompute)
  row = usage.lookup(PRECISIONS, options.precision, what='precision')
  device = 'CPU' if trains_on_cpu or not tf_compat.num_gpus() else 'GPU'
  if row.device and row.device != device:
    others = [name for name, other in sorted(PRECISIONS.items())
              if other.device in (device, None)]
    raise ValueError('--precision=%s is for training on a %s, but this trains on the %s: use '
                     '--precision=%s.' % (options.precision, row.device, device,
                                          ' or '.join(others)))
  if row.rewrite and not hasattr(tf.ConfigProto().graph_options.rewrite_options, row.rewrite):
    raise ValueError('--precision=%s needs TensorFlow 2, this is %d.%d: use --precision=float32.'
                     % ((options.precision,) + tf_compat.TF_VERSION))


def scaled_optimizer(optimizer, precision):
  """Returns an optimizer whose gradients do not vanish in a precision: this one, or one around it.

  The factor on the loss grows until gradients overflow; such a step is left out and the factor
  halved. It is not in checkpoints: a run that continues finds it again within some steps.
  """
  if not PRECISIONS[precision].scales_loss:
    return optimizer

  def make_local(next_creator, **kwargs):
    return next_creator(**dict(kwargs, collections=[tf.GraphKeys.LOCAL_VARIABLES]))

  with tf.variable_creator_scope(make_local):
    return tf.train.experimental.MixedPrecisionLossScaleOptimizer(
        optimizer, tf.train.experimental.DynamicLossScale())


def session_config(options, config=None):
  """Returns the ConfigProto of a session of TrainOptions, made from another one or from none."""
  made = tf.ConfigProto(allow_soft_placement=True)
  if config is not None:
    made.CopyFrom(config)
  rewrites = made.graph_options.rewrite_options
  rewrite = PRECISIONS[options.precision].rewrite
  if rewrite:
    setattr(rewrites, rewrite, _ON)
  if options.xla:
    made.graph_options.optimizer_options.global_jit_level = _ON_LEVEL_1
    if not tf_compat.num_gpus() and _XLA_ON_CPU not in os.environ.get(_XLA_FLAGS, ''):
      # On GPUs the level above is enough. TensorFlow reads this with the first session.
      os.environ[_XLA_FLAGS] = ' '.join(filter(None, [os.environ.get(_XLA_FLAGS), _XLA_ON_CPU]))
  return made


def use_matrix_products(operations):
  """Replaces the gradients of the weights of 1x1 convolutions; none where there are GPUs.

      x [B, h, w, inputs], dy [B, h, w, outputs] -> x^T dy [1, 1, inputs, outputs]

  The same sum, which processors compute up to twice as fast as a product of two matrices than as
  the gradient of a convolution: a tenth of a training step of MobileNetV2.

  To be called when the readers of the gradients are there, and before any session. Of the list of
  tf.Operation those that are no such gradient stay as they are. Returns dict, name of a tensor ->
  tensor to use in its place. Operations that read it do so already.
  """
  # On GPUs the library of the convolutions chooses for itself.
  if tf_compat.num_gpus():
    return {}
  replaced = {}
  for operation in operations:
    if _is_matrix_product(operation):
      gradient, = operation.outputs
      readers = gradient.consumers()
      with tf.device(operation.device):
        product = _matrix_product(operation.inputs[0], operation.inputs[2], gradient.shape)
      for reader in readers:
        for position, tensor in enumerate(reader.inputs):
          if tensor is gradient:
            reader._update_input(position, product)
      replaced[gradient.name] = product
  return replaced


def _matrix_product(inputs, out_gradients, shape):
  """Returns the gradient of weights of a shape, [1, 1, inputs, outputs]."""
  _, _, num_inputs, num_outputs = shape.as_list()
  with tf.name_scope(FILTER_GRADIENT_SCOPE):
    product = tf.matmul(tf.reshape(inputs, [-1, num_inputs]),
                        tf.reshape(out_gradients, [-1, num_outputs]), transpose_a=True)
    return tf.reshape(product, shape)


def _is_matrix_product(operation):
  """Whether this is the gradient of the weights of a 1x1 convolution without stride."""
  if operation.type != _FILTER_GRADIENT_TYPE:
    return False
  weights, out_gradients = operation.outputs[0].shape, operation.inputs[2].shape
  return (weights.is_fully_defined() and weights.as_list()[:2] == [1, 1]
          and list(operation.get_attr('strides')) == [1, 1, 1, 1]
          and operation.get_attr('data_format') == b'NHWC'
          and operation.get_attr('padding') in (b'SAME', b'VALID')
          and out_gradients.is_fully_defined()
          and out_gradients.num_elements() <= _MOST_ROWS * out_gradients.as_list()[3])
