"""The DeepLab v3+ decoder: sharpens features with earlier, finer ones of the backbone.

Reference: Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic
  Image Segmentation", ECCV 2018, section 3.1.
"""
import typing

from deeplab.core import backbones, layers, quantization, utils
from deeplab.core.head import head_arg_scope
from deeplab.core.tf_compat import slim, tf
from deeplab.core.usage import UsageError

DECODER_SCOPE = 'decoder'

# Few channels, so that low-level features do not outweigh the encoder's (section 4.2).
_LOW_LEVEL_DEPTH = 48


def refine_by_decoder(features, end_points, crop_size=None, decoder_output_stride=None,
                      decoder_use_separable_conv=False, model_variant=None,
                      weight_decay=0.0001, reuse=None, is_training=False,
                      fine_tune_batch_norm=False, use_bounded_activation=False,
                      batch_norm_decay=None, decoder_use_sum_merge=False, decoder_filters=256,
                      decoder_output_is_logits=False):
  """Refines features stride by stride with low-level features of the backbone.

  Args:
    features: [batch, height, width, channels] encoder features.
    crop_size: (height, width) of the network input, or None: sizes then follow the
      low-level features.
    decoder_output_stride: list of strides, descending, the last one being that of the result.
    decoder_use_separable_conv: whether the 3x3 convolutions are depthwise separable.
    model_variant: key of BACKBONES, to find the low-level features.
    batch_norm_decay: decay of the moving averages, or None for the head's own.
    decoder_use_sum_merge: whether features are added after one convolution each, instead of being
      concatenated before two more.
    decoder_filters: channels of the convolutions and of the result.
    decoder_output_is_logits: whether the result is logits: all convolutions are then linear, with
      bias; that of the encoder features is 1x1 with a sum.
    The others are those of `feature_extractor.extract_features`.

  Returns a [batch, crop_height/stride, crop_width/stride, decoder_filters] tensor (aligned sizes,
  see `scale_dimension`). Raises ValueError for no or ascending strides, or a stride without end
  point.
  """
  strides = list(decoder_output_stride or ())
  if not strides or strides != sorted(strides, reverse=True):
    raise UsageError('decoder_output_stride must be descending strides such as 4 or 16,4; '
                     'got %s.' % (decoder_output_stride,))
  is_separable = decoder_use_separable_conv and not decoder_output_is_logits
  refine = _Refinement(
      decoder_filters, decoder_use_sum_merge, is_separable, weight_decay,
      kernel_size=1 if decoder_use_sum_merge and decoder_output_is_logits else 3)
  linear = dict(normalizer_fn=None, activation_fn=None) if decoder_output_is_logits else {}
  with head_arg_scope(weight_decay, is_training and fine_tune_batch_norm,
                      use_bounded_activation, reuse, batch_norm_decay), \
       slim.arg_scope([slim.conv2d], **linear), \
       tf.variable_scope(DECODER_SCOPE, DECODER_SCOPE, [features]):
    for index, stride in enumerate(strides):
      low_level = [end_points[name]
                   for name in backbones.decoder_end_points(model_variant, stride)]
      if crop_size is None:
        size = utils.image_size(low_level[0])
      else:
        size = utils.scale_size(crop_size, 1.0 / stride)
      features = refine.stage(features, low_level, size, '_%d' % index if index else '')
  return features


class _Refinement(typing.NamedTuple):
  """How a stage makes features of those of the encoder and low-level ones."""
  filters: int  # Channels of the result.
  is_sum: bool  # Whether features are added, else concatenated.
  is_separable: bool  # Whether the convolutions of the encoder features are depthwise separable.
  weight_decay: float
  kernel_size: int  # Of the convolutions that are not.

  def stage(self, features, low_level, size, suffix):
    """Returns features at a size, of the encoder and a list of low-level ones."""
    depth = self.filters if self.is_sum else _LOW_LEVEL_DEPTH
    inputs = [features] + [
        layers.conv2d(tensor, depth, 1, scope='feature_projection%d%s' % (index, suffix))
        for index, tensor in enumerate(low_level)]
    inputs = [utils.resize_bilinear(net, size, features.dtype) for net in inputs]
    if self.is_sum:
      return self._sum(inputs, suffix)
    return self._convolve_twice(tf.concat(inputs, 3), suffix)

  def _sum(self, inputs, suffix):
    if self.is_separable:
      net = utils.split_separable_conv2d(
          inputs[0], filters=self.filters, rate=1, weight_decay=self.weight_decay,
          scope='decoder_split_sep_conv0' + suffix)
    else:
      net = layers.conv2d(
          inputs[0], self.filters, self.kernel_size, scope='decoder_conv0' + suffix)
    for low_level in inputs[1:]:
      net = net + low_level
    # Each sum has a range of its own.
    scope = quantization.ACTIVATION_SCOPE
    return layers.quantize_result(net, 'sum%s/%s' % (suffix, scope) if suffix else scope)

  def _convolve_twice(self, features, suffix):
    if not self.is_separable:
      return slim.repeat(features, 2, layers.conv2d, self.filters, self.kernel_size,
                         scope='decoder_conv0' + suffix)
    for index in range(2):
      features = utils.split_separable_conv2d(
          features, filters=self.filters, rate=1, weight_decay=self.weight_decay,
          scope='decoder_conv%d%s' % (index, suffix))
    return features
