"""Atrous spatial pyramid pooling with the image-level feature.

Reference: Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation",
  2017, section 3.3.
"""
from deeplab.core import layers, quantization, utils
from deeplab.core.head import head_arg_scope
from deeplab.core.tf_compat import slim, tf
from deeplab.core.usage import UsageError

ASPP_SCOPE = 'aspp'
IMAGE_POOLING_SCOPE = 'image_pooling'
CONCAT_PROJECTION_SCOPE = 'concat_projection'

_DROPOUT_KEEP_PROB = 0.9
_SIGMOID_SCOPE = '%s/sigmoid/%s' % (IMAGE_POOLING_SCOPE, quantization.ACTIVATION_SCOPE)


def build_aspp(features, options, weight_decay, reuse=None, is_training=False,
               fine_tune_batch_norm=None):
  """Returns [batch, height, width, channels] ASPP features of backbone features of the same size.

  Branches of `aspp_convs_filters` channels, in their order: image pooling (if on), 1x1
  convolution, one 3x3 convolution per atrous rate; then a 1x1 projection to as many channels and
  dropout. Without `aspp_with_concat_projection` all channels of the branches go on. With
  `aspp_with_squeeze_and_excitation` image pooling is no branch, but multiplies the result. The
  arguments after `options` are those of `feature_extractor.extract_features`.

  Raises ValueError for a gate that has not the channels of the result.

  Reference for the gate: Howard et al., "Searching for MobileNetV3", ICCV 2019, section 6.4.
  """
  rates = options.atrous_rates or ()
  _check_gate(options, rates)
  depth = options.aspp_convs_filters
  with head_arg_scope(weight_decay, is_training and fine_tune_batch_norm,
                      options.use_bounded_activation, reuse, options.batch_norm_decay):
    image_level = [_image_pooling(features, options)] if options.add_image_level_feature else []
    branches = [] if options.aspp_with_squeeze_and_excitation else list(image_level)
    branches.append(layers.conv2d(features, depth, 1, scope=ASPP_SCOPE + '0'))
    for index, rate in enumerate(rates, 1):
      scope = ASPP_SCOPE + str(index)
      if options.aspp_with_separable_conv:
        branches.append(utils.split_separable_conv2d(
            features, filters=depth, rate=rate, weight_decay=weight_decay, scope=scope))
      else:
        branches.append(layers.conv2d(features, depth, 3, rate=rate, scope=scope))
    net = tf.concat(branches, 3)
    if options.aspp_with_concat_projection:
      net = layers.conv2d(net, depth, 1, scope=CONCAT_PROJECTION_SCOPE)
      net = slim.dropout(net, keep_prob=_DROPOUT_KEEP_PROB, is_training=is_training,
                         scope=CONCAT_PROJECTION_SCOPE + '_dropout')
    if options.aspp_with_squeeze_and_excitation and image_level:
      net = layers.multiply(net, image_level[0], 'mul_1')
    return net


def _check_gate(options, rates):
  if options.aspp_with_squeeze_and_excitation and options.add_image_level_feature and rates and (
      not options.aspp_with_concat_projection):
    raise UsageError(
        'aspp_with_squeeze_and_excitation: the gate has aspp_convs_filters=%d channels, and the '
        '%d branches together have %d. Leave atrous_rates out, or use aspp_with_concat_projection.'
        % (options.aspp_convs_filters, len(rates) + 1,
           options.aspp_convs_filters * (len(rates) + 1)))


def _image_pooling(features, options):
  """Returns pooled and projected features, or the gate, resized back to the feature size.

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
  activation = {}
  if options.aspp_with_squeeze_and_excitation:
    activation = {'normalizer_fn': None, 'activation_fn': (
        utils.q_sigmoid if options.image_se_uses_qsigmoid else None)}
  pooled = layers.conv2d(
      pooled, options.aspp_convs_filters, 1, scope=IMAGE_POOLING_SCOPE, **activation)
  if options.aspp_with_squeeze_and_excitation and not options.image_se_uses_qsigmoid:
    # Not in the convolution: quantised, a sigmoid needs the range of what it is given too.
    pooled = layers.quantize_result(tf.sigmoid(pooled), _SIGMOID_SCOPE)
  return utils.resize_bilinear(pooled, size, features.dtype)
