"""How TensorFlow runs a training graph: precision, XLA, and memory of the processor.

    optimizer = scaled_optimizer(optimizer, options.precision)
    config = session_config(options)

Variables, and with them checkpoints, are float32 whatever the precision: the rewrite casts what
goes into convolutions and matrix products, and keeps sums such as batch norm and losses exact.
"""
import os
import typing

from deeplab.core import tf_compat, usage
from deeplab.core.tf_compat import tf
from deeplab.utils.speed_and_memory import free_memory

_ON = 1  # RewriterConfig.ON
_ON_LEVEL_1 = 1  # OptimizerOptions.ON_1
_XLA_FLAGS = 'TF_XLA_FLAGS'
_XLA_ON_CPU = '--tf_xla_cpu_global_jit'
# TensorFlow's pool of memory for tensors on the processor, as it has one on GPUs.
_CPU_POOL = 'TF_CPU_ALLOCATOR_USE_BFC'
_CPU_POOL_LIMIT = 'TF_CPU_BFC_MEM_LIMIT_IN_MB'


class Precision(typing.NamedTuple):
  """A row of PRECISIONS.

  Attributes:
    rewrite: name of the field of RewriterConfig that turns the rewrite on, or None.
    device: 'GPU' or 'CPU' if the rewrite is for that kind of device only, or None.
    scales_loss: whether gradients are too small for the format without a factor on the loss.
    memory_share: bytes of activations as a share of those in float32.
  """
  rewrite: typing.Optional[str] = None
  device: typing.Optional[str] = None
  scales_loss: bool = False
  memory_share: float = 1.0


PRECISIONS = {
    'float32': Precision(),
    # Range of float32, 8 bits of precision: processors with AVX512-BF16 or AMX.
    # Half the memory with MobileNetV2, 0.7 of it with Xception (measured).
    'bfloat16': Precision('auto_mixed_precision_onednn_bfloat16', 'CPU', memory_share=0.7),
    # Micikevicius et al., "Mixed Precision Training", ICLR 2018: tensor cores.
    'float16': Precision('auto_mixed_precision', 'GPU', scales_loss=True, memory_share=0.7),
}


def check(options, trains_on_cpu=False):
  """Checks that the rewrites of TrainOptions work here.

  Args:
    options: TrainOptions.
    trains_on_cpu: whether the model is put on the CPU even if there are GPUs.

  Raises:
    ValueError: the machine or TensorFlow has no such precision; tells which to use.
  """
  row = usage.lookup(PRECISIONS, options.precision, what='precision')
  device = 'CPU' if trains_on_cpu or not tf_compat.num_gpus() else 'GPU'
  if row.device and row.device != device:
    others = [name for name, other in sorted(PRECISIONS.items())
              if other.device in (device, None)]
    raise ValueError('--precision=%s is for training on a %s, but this trains on the %s: use '
                     '--precision=%s.' % (options.precision, row.device, device,
                                          ' or '.join(others)))
  if row.rewrite and row.rewrite not in _rewriter_fields():
    raise ValueError('--precision=%s needs TensorFlow 2, this is %d.%d: use --precision=float32.'
                     % ((options.precision,) + tf_compat.TF_VERSION))


def scaled_optimizer(optimizer, precision):
  """Returns an optimizer whose gradients do not vanish in a precision; `optimizer` if they don't.

  The factor on the loss grows until gradients overflow; such a step is left out and the factor
  halved. It is not in checkpoints: a run that continues finds it again within some steps.

  Args:
    optimizer: tf.train.Optimizer.
    precision: key of PRECISIONS.
  """
  if not PRECISIONS[precision].scales_loss:
    return optimizer

  def make_local(next_creator, **kwargs):
    return next_creator(**dict(kwargs, collections=[tf.GraphKeys.LOCAL_VARIABLES]))

  with tf.variable_creator_scope(make_local):
    return tf.train.experimental.MixedPrecisionLossScaleOptimizer(
        optimizer, tf.train.experimental.DynamicLossScale())


def session_config(options, config=None):
  """Returns the ConfigProto of a session that trains; has this process use a pool of memory.

  Args:
    options: TrainOptions.
    config: ConfigProto to start from, or None.
  """
  pool_cpu_memory()
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


def pool_cpu_memory():
  """Has TensorFlow keep and reuse the memory of tensors on the processor; before any session.

  Without, each of the large tensors of a step is mapped, filled with zeros and given back by the
  system, and small ones leave gaps: slower, and more memory. The pool ends where the memory of
  the machine does, so that too large a batch is an error and not the end of the process by the
  system. Environment variables that are set already are left as they are.
  """
  os.environ.setdefault(_CPU_POOL, 'true')
  free = free_memory.free_bytes()
  if free:
    os.environ.setdefault(_CPU_POOL_LIMIT, str(max(1, free >> 20)))


def cpu_memory_limit_bytes():
  """Returns the bytes that tensors on the processor may take in all, or None where not known."""
  if os.environ.get(_CPU_POOL, '').lower() not in ('true', '1'):
    return free_memory.free_bytes()
  try:
    return int(os.environ[_CPU_POOL_LIMIT]) << 20
  except (KeyError, ValueError):
    return None


def _rewriter_fields():
  return [field.name for field in
          tf.ConfigProto().graph_options.rewrite_options.DESCRIPTOR.fields]
