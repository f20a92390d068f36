"""Atrous spatial pyramid pooling with the image-level feature.

Reference: Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation",
  2017, section 3.3.
"""
from deeplab.core import layers, utils
from deeplab.core.head import head_arg_scope
from deeplab.core.tf_compat import slim, tf

ASPP_SCOPE = 'aspp'
IMAGE_POOLING_SCOPE = 'image_pooling'
CONCAT_PROJECTION_SCOPE = 'concat_projection'

_DEPTH = 256
_DROPOUT_KEEP_PROB = 0.9


def build_aspp(features, options, weight_decay, reuse=None, is_training=False,
               fine_tune_batch_norm=None):
  """Returns [batch, height, width, 256] ASPP features of backbone features of the same size.

  Branches, in the order of their channels: image pooling (if on), 1x1 convolution, one
  3x3 convolution per atrous rate; then a 1x1 projection and dropout. The arguments after `options`
  are those of `feature_extractor.extract_features`.
  """
  with head_arg_scope(weight_decay, is_training and fine_tune_batch_norm,
                      options.use_bounded_activation, reuse, options.batch_norm_decay):
    branches = []
    if options.add_image_level_feature:
      branches.append(_image_pooling(features, options))
    branches.append(layers.conv2d(features, _DEPTH, 1, scope=ASPP_SCOPE + '0'))
    for index, rate in enumerate(options.atrous_rates or (), 1):
      scope = ASPP_SCOPE + str(index)
      if options.aspp_with_separable_conv:
        branches.append(utils.split_separable_conv2d(
            features, filters=_DEPTH, rate=rate, weight_decay=weight_decay, scope=scope))
      else:
        branches.append(layers.conv2d(features, _DEPTH, 3, rate=rate, scope=scope))
    net = tf.concat(branches, 3)
    net = layers.conv2d(net, _DEPTH, 1, scope=CONCAT_PROJECTION_SCOPE)
    return slim.dropout(net, keep_prob=_DROPOUT_KEEP_PROB, is_training=is_training,
                        scope=CONCAT_PROJECTION_SCOPE + '_dropout')


def _image_pooling(features, options):
  """Returns pooled and projected features, resized back to the feature size.

  The window is `image_pooling_crop_size` (else `crop_size`) at feature resolution, so an
  image of crop size gives one global average; with neither it is global. Without a crop size
  an image may be of any size that holds the window.
  """
  scale = 1.0 / options.output_stride
  window_size = options.image_pooling_crop_size or options.crop_size
  if options.crop_size is None:
    size = utils.image_size(features)
  else:
    size = utils.scale_size(options.crop_size, scale)
  if window_size is None:
    pooled = tf.reduce_mean(features, axis=[1, 2], keepdims=True)
  else:
    pooled = utils.pool_windows(
        features, utils.scale_size(window_size, scale), options.image_pooling_stride)
  pooled = layers.conv2d(pooled, _DEPTH, 1, scope=IMAGE_POOLING_SCOPE)
  return utils.resize_bilinear(pooled, size, features.dtype)
