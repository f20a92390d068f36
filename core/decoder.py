"""The DeepLab v3+ decoder: sharpens features with earlier, finer ones of the backbone.

Reference: Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic
  Image Segmentation", ECCV 2018, section 3.1.
"""
from deeplab.core import backbones, layers, utils
from deeplab.core.head import head_arg_scope
from deeplab.core.tf_compat import slim, tf
from deeplab.core.usage import UsageError

DECODER_SCOPE = 'decoder'

_DEPTH = 256
# Few channels, so that low-level features do not outweigh the encoder's (section 4.2).
_LOW_LEVEL_DEPTH = 48


def refine_by_decoder(features, end_points, crop_size=None, decoder_output_stride=None,
                      decoder_use_separable_conv=False, model_variant=None,
                      weight_decay=0.0001, reuse=None, is_training=False,
                      fine_tune_batch_norm=False, use_bounded_activation=False,
                      batch_norm_decay=None):
  """Refines features stride by stride with low-level features of the backbone.

  Args:
    features: [batch, height, width, channels] encoder features.
    crop_size: (height, width) of the network input, or None: sizes then follow the
      low-level features.
    decoder_output_stride: list of strides, descending, the last one being that of the result.
    decoder_use_separable_conv: whether the 3x3 convolutions are depthwise separable.
    model_variant: key of BACKBONES, to find the low-level features.
    batch_norm_decay: decay of the moving averages, or None for the head's own.
    The others are those of `feature_extractor.extract_features`.

  Returns a [batch, crop_height/stride, crop_width/stride, 256] tensor (aligned sizes, see
  `scale_dimension`). Raises ValueError for no or ascending strides, or a stride without end point.
  """
  strides = list(decoder_output_stride or ())
  if not strides or strides != sorted(strides, reverse=True):
    raise UsageError('decoder_output_stride must be descending strides such as 4 or 16,4; '
                     'got %s.' % (decoder_output_stride,))
  with head_arg_scope(weight_decay, is_training and fine_tune_batch_norm,
                      use_bounded_activation, reuse, batch_norm_decay), \
       tf.variable_scope(DECODER_SCOPE, DECODER_SCOPE, [features]):
    for index, stride in enumerate(strides):
      suffix = '_%d' % index if index else ''
      low_level = [end_points[name]
                   for name in backbones.decoder_end_points(model_variant, stride)]
      if crop_size is None:
        size = utils.image_size(low_level[0])
      else:
        size = utils.scale_size(crop_size, 1.0 / stride)
      features = _fuse(features, low_level, size, suffix)
      features = _refine(features, decoder_use_separable_conv, weight_decay, suffix)
  return features


def _fuse(features, low_level, size, suffix):
  """Returns encoder and projected low-level features, concatenated at `size`."""
  inputs = [features] + [
      layers.conv2d(tensor, _LOW_LEVEL_DEPTH, 1,
                    scope='feature_projection%d%s' % (index, suffix))
      for index, tensor in enumerate(low_level)]
  return tf.concat([utils.resize_bilinear(net, size, features.dtype) for net in inputs], 3)


def _refine(features, use_separable_conv, weight_decay, suffix):
  """Applies two 3x3 convolutions of 256 channels."""
  if not use_separable_conv:
    return slim.repeat(features, 2, layers.conv2d, _DEPTH, 3, scope='decoder_conv0' + suffix)
  for index in range(2):
    features = utils.split_separable_conv2d(
        features, filters=_DEPTH, rate=1, weight_decay=weight_decay,
        scope='decoder_conv%d%s' % (index, suffix))
  return features
