"""What all layers of the segmentation head share: batch norm constants and arg scope."""
import contextlib

from deeplab.core.tf_compat import slim, tf

_BATCH_NORM_DECAY = 0.9997
_BATCH_NORM_EPSILON = 1e-5


@contextlib.contextmanager
def head_arg_scope(weight_decay, is_batch_norm_training, use_bounded_activation=False,
                   reuse=None, batch_norm_decay=None):
  """Convolution + batch norm + ReLU (ReLU6 if bounded), Xavier initialised, with L2.

  Args:
    weight_decay: L2 factor of the weights.
    is_batch_norm_training: whether batch norm uses batch statistics and adds update ops.
    use_bounded_activation: whether activations are bounded to [0, 6].
    reuse: whether to reuse variables.
    batch_norm_decay: decay of the moving averages, or None for 0.9997.
  """
  batch_norm = {
      'is_training': is_batch_norm_training,
      'decay': _BATCH_NORM_DECAY if batch_norm_decay is None else batch_norm_decay,
      'epsilon': _BATCH_NORM_EPSILON,
      'scale': True,
  }
  activation = tf.nn.relu6 if use_bounded_activation else tf.nn.relu
  with slim.arg_scope([slim.conv2d, slim.separable_conv2d],
                      weights_regularizer=slim.l2_regularizer(weight_decay),
                      activation_fn=activation, normalizer_fn=slim.batch_norm,
                      padding='SAME', stride=1, reuse=reuse), \
       slim.arg_scope([slim.batch_norm], **batch_norm):
    yield
