"""Backbones behind one interface: the table of what is known of each, and running a row of it."""
import functools
import inspect
import typing

from deeplab.core import mobilenet_v2, nas_network, resnet_v1_beta, usage, xception
from deeplab.core.tf_compat import slim, tf
from deeplab.core.usage import UsageError

# Mean of the ImageNet training images, red green blue, in 0..255.
MEAN_RGB = [123.15, 115.90, 103.06]
_MID_GREY = [127.5, 127.5, 127.5]

# Key of the decoder's rows in `networks_to_feature_maps`.
DECODER_END_POINTS = 'decoder_end_points'

# Settings that only some networks know -> the argument of these, and the value that asks for
# nothing.
_OWN_SETTINGS = {
    'multi_grid': ('multi_grid', None),
    'depth_multiplier': ('depth_multiplier', 1.0),
    'divisible_by': ('divisible_by', None),
    'nas_stem_output_num_conv_filters': ('nas_stem_output_num_conv_filters', 20),
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
    """Those of _OWN_SETTINGS that the network knows; others are refused, not ignored."""
    arguments = inspect.signature(self.network).parameters
    return [name for name, (argument, _) in _OWN_SETTINGS.items() if argument in arguments]


def _at_strides(stride_2, stride_4, stride_8, stride_16):
  """Returns the `decoder_end_points` of a network with one end point per stride."""
  return {2: [stride_2], 4: [stride_4], 8: [stride_8], 16: [stride_16]}


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


def _resnet_row(network, scope, root, last_unit):
  """Returns the row of a ResNet v1; the `_beta` variants see images in -1..1.

  `root` is the last convolution of the root, `last_unit` the last unit of block3 at stride 16:
  blocks stride in their last unit, the one before is the last one of its size.
  """
  is_beta = network.__name__.endswith('_beta')
  unit = 'block%d/unit_%d/bottleneck_v1/conv3'
  return Backbone(
      network=network,
      arg_scope=resnet_v1_beta.resnet_arg_scope,
      scope=scope,
      preprocess=(_preprocess_zero_mean_unit_range if is_beta
                  else _preprocess_subtract_imagenet_mean),
      mean_pixel=_MID_GREY if is_beta else MEAN_RGB,
      decoder_end_points=_at_strides(
          root, unit % (1, 2), unit % (2, 3), unit % (3, last_unit)))


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
    'mobilenet_v2': Backbone(
        network=mobilenet_v2.mobilenet_v2_base,
        arg_scope=mobilenet_v2.mobilenet_v2_arg_scope,
        scope='MobilenetV2',
        decoder_end_points=_at_strides(*[
            'layer_%d/depthwise_output' % number for number in (2, 4, 7, 14)])),
    'nas_hnasnet': _nas_row(nas_network.hnasnet, nas_network.HNASNET_LEVELS,
                            'Cell_2', 'Cell_5', 'Cell_7'),
    'nas_pnasnet': _nas_row(nas_network.pnasnet, nas_network.PNASNET_LEVELS,
                            nas_network.STEM, 'Cell_3', 'Cell_7'),
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


def mean_pixel(model_variant=None):
  """Returns the RGB colour, 0..255, of padding for `model_variant`; None: the ImageNet mean."""
  if model_variant is None:
    return list(MEAN_RGB)
  return list(_backbone(model_variant).mean_pixel)


def extract_features(images, output_stride=8, multi_grid=None, depth_multiplier=1.0,
                     divisible_by=None, final_endpoint=None, model_variant=None,
                     weight_decay=0.0001, reuse=None, is_training=False,
                     fine_tune_batch_norm=False, regularize_depthwise=False,
                     preprocess_images=True, preprocessed_images_dtype='float32',
                     num_classes=None, global_pool=False,
                     nas_stem_output_num_conv_filters=20,
                     nas_training_hyper_parameters=None, use_bounded_activation=False,
                     batch_norm_decay=None):
  """Runs the backbone `model_variant` on images.

  Args:
    images: [batch, height, width, 3] tensor in 0..255.
    output_stride: ratio of image size to feature size.
    multi_grid: list of unit rates of the last block (ResNet, Xception), or None.
    depth_multiplier, divisible_by: width factor, and channel divisor or None (MobileNet).
    final_endpoint: end point to stop at (MobileNet, NAS), or None.
    model_variant: key of BACKBONES.
    weight_decay, reuse: L2 factor of the weights, and whether to reuse variables.
    is_training: whether dropout and drop path are active.
    fine_tune_batch_norm: with is_training, batch norm uses batch statistics and adds its
      moving averages to the update ops; else it is frozen and adds none.
    regularize_depthwise: whether L2 covers depthwise weights (Xception).
    preprocess_images: whether to scale the images as the network expects.
    preprocessed_images_dtype: dtype the network computes in.
    num_classes: adds an image classifier when set (not MobileNet), else None.
    global_pool: whether features are averaged over the image before the classifier.
    nas_stem_output_num_conv_filters: stem width (NAS).
    nas_training_hyper_parameters: dict with 'drop_path_keep_prob' and
      'total_training_steps' (NAS), or None.
    use_bounded_activation: whether activations are bounded to [0, 6] (Xception).
    batch_norm_decay: decay of the moving averages, or None for the network's own.

  Returns:
    features: [batch, ceil(height/output_stride), ceil(width/output_stride), channels].
    end_points: dict from names to tensors.

  Raises ValueError for an unknown model_variant, or a setting the backbone cannot serve.
  """
  # By name; the is_training of a network and its arg scope is about batch norm alone.
  settings = dict(locals(), is_training=is_training and fine_tune_batch_norm)
  del settings['images']
  if batch_norm_decay is None:
    del settings['batch_norm_decay']
  backbone = _backbone(model_variant)
  _refuse_what_it_cannot_serve(model_variant, backbone, settings)
  if preprocess_images:
    images = backbone.preprocess(images, preprocessed_images_dtype)
  with slim.arg_scope(usage.with_known(backbone.arg_scope, settings)()):
    features, end_points = usage.with_known(backbone.network, settings)(
        images, scope=backbone.scope)
  # The decoder asks with the scope.
  end_points.update([('%s/%s' % (backbone.scope, name), tensor)
                     for name, tensor in end_points.items()
                     if not name.startswith(backbone.scope + '/')])
  return features, end_points


def decoder_end_points(model_variant, stride):
  """Returns the names of the end points, scope included, that the decoder takes at `stride`.

  Raises ValueError if model_variant is unknown, or the backbone has no end point at that stride.
  """
  backbone = _backbone(model_variant)
  if stride not in backbone.decoder_end_points:
    raise UsageError(
        'decoder_output_stride=%s: %s has no decoder end point there. Valid strides: %s.'
        % (stride, model_variant,
           ', '.join(str(s) for s in sorted(backbone.decoder_end_points))))
  return ['%s/%s' % (backbone.scope, name) for name in backbone.decoder_end_points[stride]]


def get_network(network_name, preprocess_images, preprocessed_images_dtype='float32',
                arg_scope=None):
  """Returns the network function of a variant, with preprocessing and arg scope built in.

  `network_name` is a key of BACKBONES; the arguments about preprocessing are those of
  `extract_features`; without `arg_scope` it is the network's own.

  Returns a function (inputs, *args, **kwargs) -> (features, end_points).
  """
  backbone = _backbone(network_name)

  @functools.wraps(backbone.network)
  def network(inputs, *args, **kwargs):
    if preprocess_images:
      inputs = backbone.preprocess(inputs, preprocessed_images_dtype)
    with slim.arg_scope(arg_scope or backbone.arg_scope()):
      return backbone.network(inputs, *args, **kwargs)

  return network


def _refuse_what_it_cannot_serve(model_variant, backbone, settings):
  values = dict(settings, **(settings['nas_training_hyper_parameters'] or {}))
  for name, (_, nothing) in sorted(_OWN_SETTINGS.items()):
    if name not in backbone.settings and values.get(name, nothing) not in (nothing, None):
      raise UsageError('%s=%s: %s does not know this setting; leave it out. It is for %s.' % (
          name, values[name], model_variant, ', '.join(
              variant for variant, row in sorted(BACKBONES.items()) if name in row.settings)))
  strides = backbone.output_strides
  if strides and settings['output_stride'] not in strides:
    raise UsageError('output_stride=%s: %s gives features at stride %s only.' % (
        settings['output_stride'], model_variant, ', '.join(map(str, sorted(strides)))))


def _backbone(model_variant):
  return usage.lookup(BACKBONES, model_variant, what='model_variant')


# The reference's public views of the table.
networks_map = {name: row.network for name, row in BACKBONES.items()}
arg_scopes_map = {name: row.arg_scope for name, row in BACKBONES.items()}
name_scope = {name: row.scope for name, row in BACKBONES.items()}
networks_to_feature_maps = {
    name: {DECODER_END_POINTS: row.decoder_end_points} for name, row in BACKBONES.items()}
