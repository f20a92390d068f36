"""Backbones behind one interface: runs a row of the table."""
import functools

from deeplab.core import usage
from deeplab.core.backbones import BACKBONES, MEAN_RGB, OWN_SETTINGS, BackboneSettings
from deeplab.core.tf_compat import slim
from deeplab.core.usage import UsageError

# Key of the decoder's rows in `networks_to_feature_maps`.
DECODER_END_POINTS = 'decoder_end_points'


def mean_pixel(model_variant=None):
  """Returns the RGB colour, 0..255, that padding must have for `model_variant`.

  None stands for the ImageNet mean.
  """
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
    depth_multiplier: width factor (MobileNet).
    divisible_by: channel divisor (MobileNet), or None.
    final_endpoint: end point to stop at (MobileNet, NAS), or None.
    model_variant: key of BACKBONES.
    weight_decay: L2 factor of the weights.
    reuse: whether to reuse variables.
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

  Raises:
    ValueError: unknown model_variant or a setting the backbone cannot serve.
  """
  backbone = _backbone(model_variant)
  settings = BackboneSettings(
      output_stride=output_stride, multi_grid=multi_grid, depth_multiplier=depth_multiplier,
      divisible_by=divisible_by, final_endpoint=final_endpoint, weight_decay=weight_decay,
      reuse=reuse, is_training=is_training, fine_tune_batch_norm=fine_tune_batch_norm,
      regularize_depthwise=regularize_depthwise, num_classes=num_classes,
      global_pool=global_pool,
      nas_stem_output_num_conv_filters=nas_stem_output_num_conv_filters,
      nas_training_hyper_parameters=nas_training_hyper_parameters,
      use_bounded_activation=use_bounded_activation, batch_norm_decay=batch_norm_decay)
  _refuse_unknown_settings(model_variant, backbone, settings)
  if preprocess_images:
    images = backbone.preprocess(images, preprocessed_images_dtype)
  return backbone.build(backbone, images, settings)


def decoder_end_points(model_variant, stride):
  """Returns the names of the end points, scope included, that the decoder takes at `stride`.

  Raises:
    ValueError: unknown model_variant, or the backbone has no end point at that stride.
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

  Args:
    network_name: key of BACKBONES.
    preprocess_images: whether the function scales images in 0..255 first.
    preprocessed_images_dtype: dtype the network computes in.
    arg_scope: arg scope to run within, or None for the network's own.

  Returns:
    Function (inputs, *args, **kwargs) -> (features, end_points).
  """
  backbone = _backbone(network_name)

  @functools.wraps(backbone.network)
  def network(inputs, *args, **kwargs):
    if preprocess_images:
      inputs = backbone.preprocess(inputs, preprocessed_images_dtype)
    with slim.arg_scope(arg_scope or backbone.arg_scope()):
      return backbone.network(inputs, *args, **kwargs)

  return network


def _refuse_unknown_settings(model_variant, backbone, settings):
  values = dict(settings._asdict(), **(settings.nas_training_hyper_parameters or {}))
  for name, nothing in sorted(OWN_SETTINGS.items()):
    if name not in backbone.settings and values.get(name, nothing) not in (nothing, None):
      raise UsageError('%s=%s: %s does not know this setting; leave it out. It is for %s.' % (
          name, values[name], model_variant, ', '.join(
              variant for variant, row in sorted(BACKBONES.items()) if name in row.settings)))


def _backbone(model_variant):
  return usage.lookup(BACKBONES, model_variant, what='model_variant')


# The reference's public views of the table.
networks_map = {name: row.network for name, row in BACKBONES.items()}
arg_scopes_map = {name: row.arg_scope for name, row in BACKBONES.items()}
name_scope = {name: row.scope for name, row in BACKBONES.items()}
networks_to_feature_maps = {
    name: {DECODER_END_POINTS: row.decoder_end_points} for name, row in BACKBONES.items()}
