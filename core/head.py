"""What the layers of the segmentation head share, and the last of them: class scores per pixel.

Reference: Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets,
  Atrous Convolution, and Fully Connected CRFs", TPAMI 2017, section 3.2 for several rates.
"""
import contextlib

from deeplab.core import layers
from deeplab.core.tf_compat import slim, tf
from deeplab.core.usage import UsageError

LOGITS_SCOPE_NAME = 'logits'

_LOGITS_STDDEV = 0.01
_BATCH_NORM_DECAY = 0.9997
_BATCH_NORM_EPSILON = 1e-5


@contextlib.contextmanager
def head_arg_scope(weight_decay, is_batch_norm_training, use_bounded_activation=None,
                   reuse=None, batch_norm_decay=None):
  """Convolution + batch norm + ReLU (ReLU6 if bounded), Xavier initialised, with L2.

  `is_batch_norm_training`: batch norm uses batch statistics and adds update ops, whose moving
  averages decay by `batch_norm_decay`, or None for 0.9997.
  """
  with slim.arg_scope([slim.conv2d, slim.separable_conv2d],
                      weights_regularizer=slim.l2_regularizer(weight_decay),
                      activation_fn=tf.nn.relu6 if use_bounded_activation else tf.nn.relu,
                      normalizer_fn=slim.batch_norm, padding='SAME', stride=1, reuse=reuse), \
       slim.arg_scope([slim.batch_norm], is_training=is_batch_norm_training,
                      decay=_BATCH_NORM_DECAY if batch_norm_decay is None else batch_norm_decay,
                      epsilon=_BATCH_NORM_EPSILON, scale=True):
    yield


def get_branch_logits(features, num_classes, atrous_rates=None, aspp_with_batch_norm=False,
                      kernel_size=1, weight_decay=0.0001, reuse=None, scope_suffix=''):
  """Returns the logits of one output.

  Args:
    features: [batch, height, width, channels] tensor.
    atrous_rates: one convolution per rate is summed, unless aspp_with_batch_norm.
    aspp_with_batch_norm: whether the features already went through ASPP; the logits are
      then one 1x1 convolution.
    kernel_size: side of the kernel, 1 where there is a single convolution.
    weight_decay, reuse: as in `feature_extractor.extract_features`.
    scope_suffix: name of the output, the variable scope within 'logits'.

  Returns a [batch, height, width, num_classes] tensor. Raises ValueError if kernel_size is not 1
  where it must be.
  """
  if aspp_with_batch_norm or atrous_rates is None:
    if kernel_size != 1:
      raise UsageError('logits_kernel_size must be 1 with aspp_with_batch_norm or without '
                       'atrous_rates, got %s.' % kernel_size)
    atrous_rates = [1]
  branches = []
  with slim.arg_scope([slim.conv2d],
                      weights_regularizer=slim.l2_regularizer(weight_decay),
                      weights_initializer=tf.truncated_normal_initializer(
                          stddev=_LOGITS_STDDEV),
                      activation_fn=None, normalizer_fn=None, reuse=reuse), \
       tf.variable_scope(LOGITS_SCOPE_NAME, LOGITS_SCOPE_NAME, [features]):
    for index, rate in enumerate(atrous_rates):
      branches.append(layers.conv2d(
          features, num_classes, kernel_size=kernel_size, rate=rate,
          scope='%s_%d' % (scope_suffix, index) if index else scope_suffix))
    total = tf.add_n(branches)
    return layers.quantize_sum(total) if len(branches) > 1 else total
