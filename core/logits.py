"""The last layer: class scores per pixel, of features or of several atrous rates of them.

Reference: Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets,
  Atrous Convolution, and Fully Connected CRFs", TPAMI 2017, section 3.2 for several rates.
"""
from deeplab.core import layers
from deeplab.core.tf_compat import slim, tf
from deeplab.core.usage import UsageError

LOGITS_SCOPE_NAME = 'logits'

_LOGITS_STDDEV = 0.01


def get_branch_logits(features, num_classes, atrous_rates=None, aspp_with_batch_norm=False,
                      kernel_size=1, weight_decay=0.0001, reuse=None, scope_suffix=''):
  """Returns the logits of one output.

  Args:
    features: [batch, height, width, channels] tensor.
    num_classes: number of channels of the logits.
    atrous_rates: one convolution per rate is summed, unless aspp_with_batch_norm.
    aspp_with_batch_norm: whether the features already went through ASPP; the logits are
      then one 1x1 convolution.
    kernel_size: side of the kernel, 1 where there is a single convolution.
    weight_decay: L2 factor of the weights.
    reuse: whether to reuse variables.
    scope_suffix: name of the output, the variable scope within 'logits'.

  Returns:
    [batch, height, width, num_classes] tensor.

  Raises:
    ValueError: kernel_size is not 1 where it must be.
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
