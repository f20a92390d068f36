"""The table of backbones: what is known of each."""
import inspect
import typing

from deeplab.core import mobilenet_v2, mobilenet_v3, nas_network, resnet_v1_beta, usage, xception
from deeplab.core.tf_compat import tf
from deeplab.core.usage import UsageError

# Mean of the ImageNet training images, red green blue, in 0..255.
MEAN_RGB = [123.15, 115.90, 103.06]
_MID_GREY = [127.5, 127.5, 127.5]
_LITE_CONVOLUTION = 'lite_bottleneck_v1/conv2'

# Settings that only some networks know -> the argument of these, and the value that asks for
# nothing.
OWN_SETTINGS = {
    'multi_grid': ('multi_grid', None),
    'depth_multiplier': ('depth_multiplier', 1.0),
    'divisible_by': ('divisible_by', None),
    'nas_stem_output_num_conv_filters': ('nas_stem_output_num_conv_filters', 20),
    'nas_use_classification_head': ('nas_use_classification_head', False),
    'nas_remove_os32_stride': ('nas_remove_os32_stride', False),
    'drop_path_keep_prob': ('nas_training_hyper_parameters', 1.0),
}


def _preprocess_subtract_imagenet_mean(inputs, dtype='float32'):
  """Returns inputs minus the ImageNet mean; channels beyond RGB are left as they are."""
  num_channels = inputs.shape.as_list()[-1]
  mean = MEAN_RGB + [0.0] * (num_channels - len(MEAN_RGB))
  return tf.cast(tf.cast(inputs, tf.float32) - tf.reshape(mean, [1, 1, 1, -1]), dtype)


def _preprocess_zero_mean_unit_range(inputs, dtype='float32'):
  """Returns inputs mapped from 0..255 to -1..1."""
  return tf.cast((2.0 / 255.0) * tf.cast(inputs, tf.float32) - 1.0, dtype)


class Backbone(typing.NamedTuple):
  """A row of BACKBONES."""
  # Function (images, scope, and what it knows of the settings of `extract_features`) -> (features,
  # end_points); is_training says whether batch norm uses batch statistics.
  network: typing.Callable
  # Function of some of these settings that returns the arg scope of the network.
  arg_scope: typing.Callable
  scope: str  # Variable scope of the network in checkpoints.
  decoder_end_points: dict  # Dict, stride -> list of end points the decoder may refine with.
  # The only ones that the network gives, or None: it looks itself.
  output_strides: typing.Optional[typing.Collection[int]] = None
  # Function (float images in 0..255, dtype) -> network input.
  preprocess: typing.Callable = _preprocess_zero_mean_unit_range
  # RGB in 0..255 that preprocessing maps to about 0; the colour of padding.
  mean_pixel: typing.Sequence[float] = _MID_GREY

  @property
  def settings(self):
    """Those of OWN_SETTINGS that the network knows; others are refused, not ignored."""
    arguments = inspect.signature(self.network).parameters
    return [name for name, (argument, _) in OWN_SETTINGS.items() if argument in arguments]


def _at_strides(stride_2, stride_4, stride_8, stride_16):
  """Returns the `decoder_end_points` of a network with one end point per stride."""
  return {2: [stride_2], 4: [stride_4], 8: [stride_8], 16: [stride_16]}


def _mobilenet_row(network, scope, *end_points):
  """Returns the row of a MobileNet; `end_points` are those of strides 2, 4, 8 and 16."""
  return Backbone(
      network=network,
      arg_scope=mobilenet_v2.mobilenet_v2_arg_scope,
      scope=scope,
      decoder_end_points=_at_strides(*end_points))


def _depthwise(*numbers):
  """Returns the end points of the depthwise convolutions of the layers of a MobileNet."""
  return ['layer_%d/depthwise_output' % number for number in numbers]


def _xception_row(network, stride_4, stride_8):
  """Returns the row of an Xception; strides as blocks of the entry flow.

  Modules stride in their third convolution: their second one is the last of its size.
  """
  module = '%s/unit_1/xception_module/separable_conv2_pointwise'
  return Backbone(
      network=network,
      arg_scope=xception.xception_arg_scope,
      scope=network.__name__,
      decoder_end_points=_at_strides(
          'entry_flow/conv1_2', module % stride_4, module % stride_8,
          module % 'exit_flow/block1'))


def _resnet_row(network, scope, root, last_units, convolution='bottleneck_v1/conv3'):
  """Returns the row of a ResNet v1; the `_beta` variants see images in -1..1.

  `root` is the last convolution of the root, `convolution` that of a unit. `last_units` are the
  last ones of block1, 2 and 3 before the one that strides.
  """
  is_beta = network.__name__.endswith('_beta')
  unit = 'block%d/unit_%d/' + convolution
  return Backbone(
      network=network,
      arg_scope=resnet_v1_beta.resnet_arg_scope,
      scope=scope,
      preprocess=(_preprocess_zero_mean_unit_range if is_beta
                  else _preprocess_subtract_imagenet_mean),
      mean_pixel=_MID_GREY if is_beta else MEAN_RGB,
      decoder_end_points=_at_strides(
          root, *[unit % numbers for numbers in enumerate(last_units, 1)]))


def _nas_row(network, levels, stride_4, stride_8, stride_16):
  """Returns the row of a searched network; strides as outputs of the stem or a cell."""
  return Backbone(
      network=network,
      arg_scope=nas_network.nas_arg_scope,
      scope=network.__name__,
      decoder_end_points=_at_strides(
          nas_network.STEM_STRIDE_2, stride_4, stride_8, stride_16),
      output_strides=levels)


BACKBONES = {
    # The last convolutions at a stride, with most channels.
    'mobilenet_edgetpu': _mobilenet_row(
        mobilenet_v3.mobilenet_edgetpu, 'MobilenetEdgeTPU',
        'layer_1', 'layer_6/expansion_output', 'layer_10/expansion_output', *_depthwise(18)),
    'mobilenet_v2': _mobilenet_row(
        mobilenet_v2.mobilenet_v2_base, 'MobilenetV2', *_depthwise(2, 4, 7, 14)),
    'mobilenet_v3_large_seg': _mobilenet_row(
        mobilenet_v3.mobilenet_v3_large_seg, 'MobilenetV3', *_depthwise(2, 4, 7, 13)),
    'mobilenet_v3_small_seg': _mobilenet_row(
        mobilenet_v3.mobilenet_v3_small_seg, 'MobilenetV3', 'layer_1', *_depthwise(2, 4, 9)),
    'nas_hnasnet': _nas_row(nas_network.hnasnet, nas_network.HNASNET_LEVELS,
                            'Cell_2', 'Cell_5', 'Cell_7'),
    'nas_pnasnet': _nas_row(nas_network.pnasnet, nas_network.PNASNET_LEVELS,
                            nas_network.STEM, 'Cell_3', 'Cell_7'),
    'resnet_v1_18': _resnet_row(
        resnet_v1_beta.resnet_v1_18, 'resnet_v1_18', 'conv1', (1, 1, 1), _LITE_CONVOLUTION),
    'resnet_v1_18_beta': _resnet_row(
        resnet_v1_beta.resnet_v1_18_beta, 'resnet_v1_18', 'conv1_3', (1, 1, 1),
        _LITE_CONVOLUTION),
    'resnet_v1_50': _resnet_row(resnet_v1_beta.resnet_v1_50, 'resnet_v1_50', 'conv1', (2, 3, 5)),
    'resnet_v1_50_beta': _resnet_row(
        resnet_v1_beta.resnet_v1_50_beta, 'resnet_v1_50', 'conv1_3', (2, 3, 5)),
    'resnet_v1_101': _resnet_row(
        resnet_v1_beta.resnet_v1_101, 'resnet_v1_101', 'conv1', (2, 3, 22)),
    'resnet_v1_101_beta': _resnet_row(
        resnet_v1_beta.resnet_v1_101_beta, 'resnet_v1_101', 'conv1_3', (2, 3, 22)),
    'xception_41': _xception_row(
        xception.xception_41, 'entry_flow/block2', 'entry_flow/block3'),
    'xception_65': _xception_row(
        xception.xception_65, 'entry_flow/block2', 'entry_flow/block3'),
    'xception_71': _xception_row(
        xception.xception_71, 'entry_flow/block3', 'entry_flow/block5'),
}


def mean_pixel(model_variant=None):
  """Returns the RGB colour, 0..255, of padding for `model_variant`; None: the ImageNet mean."""
  if model_variant is None:
    return list(MEAN_RGB)
  return list(row(model_variant).mean_pixel)


def decoder_end_points(model_variant, stride):
  """Returns the names of the end points, scope included, that the decoder takes at `stride`.

  Raises ValueError if model_variant is unknown, or the backbone has no end point at that stride.
  """
  backbone = row(model_variant)
  if stride not in backbone.decoder_end_points:
    raise UsageError(
        'decoder_output_stride=%s: %s has no decoder end point there. Valid strides: %s.'
        % (stride, model_variant,
           ', '.join(str(s) for s in sorted(backbone.decoder_end_points))))
  return ['%s/%s' % (backbone.scope, name) for name in backbone.decoder_end_points[stride]]


def row(model_variant):
  """Returns the Backbone of that name; raises UsageError for an unknown one."""
  return usage.lookup(BACKBONES, model_variant, what='model_variant')
