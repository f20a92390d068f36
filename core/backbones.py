"""The table of backbones: what is known of each, and how its family is called.

`feature_extractor` runs a row of it.
"""
import typing

from deeplab.core import mobilenet_v2, nas_network, resnet_v1_beta, xception
from deeplab.core.tf_compat import slim, tf

# Mean of the ImageNet training images, red green blue, in 0..255.
MEAN_RGB = [123.15, 115.90, 103.06]
_MID_GREY = [127.5, 127.5, 127.5]


class BackboneSettings(typing.NamedTuple):
  """What is asked of a backbone; each family uses the fields it knows.

  The fields are those of `feature_extractor.extract_features`, where they are described.
  """
  output_stride: int = 8
  multi_grid: typing.Optional[typing.Sequence[int]] = None
  depth_multiplier: float = 1.0
  divisible_by: typing.Optional[int] = None
  final_endpoint: typing.Optional[str] = None
  weight_decay: float = 0.0001
  reuse: typing.Optional[bool] = None
  is_training: bool = False
  fine_tune_batch_norm: bool = False
  regularize_depthwise: bool = False
  num_classes: typing.Optional[int] = None
  global_pool: bool = False
  nas_stem_output_num_conv_filters: int = 20
  nas_training_hyper_parameters: typing.Optional[dict] = None
  use_bounded_activation: bool = False
  batch_norm_decay: typing.Optional[float] = None

  @property
  def is_batch_norm_training(self):
    """Whether batch norm uses batch statistics."""
    return self.is_training and self.fine_tune_batch_norm

  @property
  def batch_norm_arguments(self):
    """Arguments for an arg scope: batch_norm_decay where it is not the network's own."""
    return {} if self.batch_norm_decay is None else {
        'batch_norm_decay': self.batch_norm_decay}


class Backbone(typing.NamedTuple):
  """A row of BACKBONES.

  Attributes:
    network: the network function of the variant.
    arg_scope: function that returns the arg scope of the network.
    build: function (row, preprocessed images, settings) -> (features, end_points) that
      translates BackboneSettings to the arguments of `network` and `arg_scope`.
    scope: variable scope of the network in checkpoints.
    preprocess: function (float images in 0..255, dtype) -> network input.
    mean_pixel: RGB in 0..255 that preprocessing maps to about 0; the colour of padding.
    decoder_end_points: dict, stride -> list of end points the decoder may refine with.
    settings: which of OWN_SETTINGS the family knows; others are refused, not ignored.
  """
  network: typing.Callable
  arg_scope: typing.Callable
  build: typing.Callable
  scope: str
  preprocess: typing.Callable
  mean_pixel: typing.Sequence[float]
  decoder_end_points: dict
  settings: typing.Sequence[str] = ()


# Settings that only some families know -> the value that asks for nothing.
OWN_SETTINGS = {
    'multi_grid': None,
    'depth_multiplier': 1.0,
    'divisible_by': None,
    'nas_stem_output_num_conv_filters': 20,
    'drop_path_keep_prob': 1.0,
}


# --- input scaling ---------------------------------------------------------------------


def _preprocess_subtract_imagenet_mean(inputs, dtype='float32'):
  """Returns inputs minus the ImageNet mean; channels beyond RGB are left as they are."""
  num_channels = inputs.shape.as_list()[-1]
  mean = MEAN_RGB + [0.0] * (num_channels - len(MEAN_RGB))
  return tf.cast(tf.cast(inputs, tf.float32) - tf.reshape(mean, [1, 1, 1, -1]), dtype)


def _preprocess_zero_mean_unit_range(inputs, dtype='float32'):
  """Returns inputs mapped from 0..255 to -1..1."""
  return tf.cast((2.0 / 255.0) * tf.cast(inputs, tf.float32) - 1.0, dtype)


# --- families: BackboneSettings -> arguments of the network ----------------------------


def _build_mobilenet(row, images, settings):
  with slim.arg_scope(row.arg_scope(is_training=settings.is_batch_norm_training,
                                    weight_decay=settings.weight_decay,
                                    **settings.batch_norm_arguments)):
    features, end_points = row.network(
        images, depth_multiplier=settings.depth_multiplier,
        output_stride=settings.output_stride, divisible_by=settings.divisible_by,
        final_endpoint=settings.final_endpoint, reuse=settings.reuse, scope=row.scope)
  return features, {'%s/%s' % (row.scope, name): tensor
                    for name, tensor in end_points.items()}


def _build_xception(row, images, settings):
  with slim.arg_scope(row.arg_scope(weight_decay=settings.weight_decay,
                                    regularize_depthwise=settings.regularize_depthwise,
                                    use_bounded_activation=settings.use_bounded_activation,
                                    **settings.batch_norm_arguments)):
    return row.network(
        images, num_classes=settings.num_classes,
        is_training=settings.is_batch_norm_training, global_pool=settings.global_pool,
        output_stride=settings.output_stride,
        regularize_depthwise=settings.regularize_depthwise, multi_grid=settings.multi_grid,
        reuse=settings.reuse, scope=row.scope)


def _build_resnet(row, images, settings):
  with slim.arg_scope(row.arg_scope(weight_decay=settings.weight_decay,
                                    **settings.batch_norm_arguments)):
    return row.network(
        images, num_classes=settings.num_classes,
        is_training=settings.is_batch_norm_training, global_pool=settings.global_pool,
        output_stride=settings.output_stride, multi_grid=settings.multi_grid,
        reuse=settings.reuse, scope=row.scope)


def _build_nas(row, images, settings):
  nas_network.check_output_stride(row.scope, settings.output_stride)
  with slim.arg_scope(row.arg_scope(weight_decay=settings.weight_decay,
                                    **settings.batch_norm_arguments)):
    features, end_points = row.network(
        images, num_classes=settings.num_classes,
        is_training=settings.is_batch_norm_training, global_pool=settings.global_pool,
        output_stride=settings.output_stride,
        nas_stem_output_num_conv_filters=settings.nas_stem_output_num_conv_filters,
        nas_training_hyper_parameters=settings.nas_training_hyper_parameters,
        reuse=settings.reuse, scope=row.scope, final_endpoint=settings.final_endpoint)
  # The decoder asks with the scope.
  end_points.update([('%s/%s' % (row.scope, name), end_points[name])
                     for names in row.decoder_end_points.values() for name in names
                     if name in end_points])
  return features, end_points


def _xception_row(network, stride_4, stride_8):
  """Returns the row of an Xception; strides as blocks of the entry flow.

  Modules stride in their third convolution: their second one is the last of its size.
  """
  module = '%s/unit_1/xception_module/separable_conv2_pointwise'
  return Backbone(
      network=network,
      arg_scope=xception.xception_arg_scope,
      build=_build_xception,
      scope=network.__name__,
      preprocess=_preprocess_zero_mean_unit_range,
      mean_pixel=_MID_GREY,
      decoder_end_points={
          2: ['entry_flow/conv1_2'],
          4: [module % stride_4],
          8: [module % stride_8],
          16: [module % 'exit_flow/block1'],
      },
      settings=('multi_grid',))


def _resnet_row(network, scope, root, last_unit):
  """Returns the row of a ResNet v1; the `_beta` variants see images in -1..1.

  Args:
    network: function of resnet_v1_beta.
    scope: variable scope.
    root: last convolution of the root.
    last_unit: last unit of block3 at stride 16. Blocks stride in their last unit: the
      unit before is the last one of its size.
  """
  is_beta = network.__name__.endswith('_beta')
  unit = 'block%d/unit_%d/bottleneck_v1/conv3'
  return Backbone(
      network=network,
      arg_scope=resnet_v1_beta.resnet_arg_scope,
      build=_build_resnet,
      scope=scope,
      preprocess=(_preprocess_zero_mean_unit_range if is_beta
                  else _preprocess_subtract_imagenet_mean),
      mean_pixel=_MID_GREY if is_beta else MEAN_RGB,
      decoder_end_points={
          2: [root],
          4: [unit % (1, 2)],
          8: [unit % (2, 3)],
          16: [unit % (3, last_unit)],
      },
      settings=('multi_grid',))


def _nas_row(network, stride_4, stride_8, stride_16):
  """Returns the row of a searched network; strides as outputs of the stem or a cell."""
  return Backbone(
      network=network,
      arg_scope=nas_network.nas_arg_scope,
      build=_build_nas,
      scope=network.__name__,
      preprocess=_preprocess_zero_mean_unit_range,
      mean_pixel=_MID_GREY,
      decoder_end_points={
          2: [nas_network.STEM_STRIDE_2],
          4: [stride_4],
          8: [stride_8],
          16: [stride_16],
      },
      settings=('nas_stem_output_num_conv_filters', 'drop_path_keep_prob'))


# --- the table -------------------------------------------------------------------------

BACKBONES = {
    'mobilenet_v2': Backbone(
        network=mobilenet_v2.mobilenet_v2_base,
        arg_scope=mobilenet_v2.mobilenet_v2_arg_scope,
        build=_build_mobilenet,
        scope='MobilenetV2',
        preprocess=_preprocess_zero_mean_unit_range,
        mean_pixel=_MID_GREY,
        decoder_end_points={
            2: ['layer_2/depthwise_output'],
            4: ['layer_4/depthwise_output'],
            8: ['layer_7/depthwise_output'],
            16: ['layer_14/depthwise_output'],
        },
        settings=('depth_multiplier', 'divisible_by')),
    'nas_hnasnet': _nas_row(nas_network.hnasnet, 'Cell_2', 'Cell_5', 'Cell_7'),
    'nas_pnasnet': _nas_row(nas_network.pnasnet, nas_network.STEM, 'Cell_3', 'Cell_7'),
    'resnet_v1_50': _resnet_row(resnet_v1_beta.resnet_v1_50, 'resnet_v1_50', 'conv1', 5),
    'resnet_v1_50_beta': _resnet_row(
        resnet_v1_beta.resnet_v1_50_beta, 'resnet_v1_50', 'conv1_3', 5),
    'resnet_v1_101': _resnet_row(resnet_v1_beta.resnet_v1_101, 'resnet_v1_101', 'conv1', 22),
    'resnet_v1_101_beta': _resnet_row(
        resnet_v1_beta.resnet_v1_101_beta, 'resnet_v1_101', 'conv1_3', 22),
    'xception_41': _xception_row(
        xception.xception_41, 'entry_flow/block2', 'entry_flow/block3'),
    'xception_65': _xception_row(
        xception.xception_65, 'entry_flow/block2', 'entry_flow/block3'),
    'xception_71': _xception_row(
        xception.xception_71, 'entry_flow/block3', 'entry_flow/block5'),
}
