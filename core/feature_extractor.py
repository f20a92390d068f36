"""Backbones behind one interface: running a row of their table.

The reference's names of that table are here too.
"""
import functools

from deeplab.core import backbones, nas_network, usage
from deeplab.core.options import NetworkOptions
from deeplab.core.tf_compat import slim
from deeplab.core.usage import UsageError


def extract_features(images, output_stride=8, multi_grid=None, depth_multiplier=1.0,
                     divisible_by=None, final_endpoint=None, model_variant=None,
                     weight_decay=0.0001, reuse=None, is_training=False,
                     fine_tune_batch_norm=False, regularize_depthwise=False,
                     preprocess_images=True, preprocessed_images_dtype='float32',
                     num_classes=None, global_pool=False,
                     nas_stem_output_num_conv_filters=20,
                     nas_training_hyper_parameters=None, use_bounded_activation=False,
                     batch_norm_decay=None, nas_architecture_options=None):
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
    nas_architecture_options: dict of settings of searched networks, see NetworkOptions, or None.

  Returns:
    features: [batch, ceil(height/output_stride), ceil(width/output_stride), channels].
    end_points: dict from names to tensors.

  Raises ValueError for an unknown model_variant, or a setting the backbone cannot serve.
  """
  settings = dict(locals())
  settings.update(settings.pop('nas_architecture_options') or {})
  fields = {name: settings.pop(name) for name in NetworkOptions.SETTINGS if name in settings}
  return features_of(settings.pop('images'), NetworkOptions(**fields), **settings)


def features_of(images, options, is_training, fine_tune_batch_norm, preprocess_images=True,
                **settings):
  """Runs the backbone of ModelOptions on images.

  All other arguments, the result and the errors are those of `extract_features`.
  """
  backbone = backbones.row(options.model_variant)
  _refuse_what_it_cannot_serve(options, backbone, settings.get('nas_training_hyper_parameters'))
  if preprocess_images:
    images = backbone.preprocess(images, options.preprocessed_images_dtype)
  # Networks have defaults of their own for the image classifier, which is not asked for.
  settings = dict({'num_classes': None, 'global_pool': False}, **settings)
  # By name; the is_training of a network and its arg scope is about batch norm alone.
  settings.update(options._asdict(), is_training=is_training and fine_tune_batch_norm)
  if options.batch_norm_decay is None:
    del settings['batch_norm_decay']
  with slim.arg_scope(usage.with_known(backbone.arg_scope, settings)()):
    features, end_points = usage.with_known(backbone.network, settings)(
        images, scope=backbone.scope)
  # The decoder asks with the scope.
  end_points.update([('%s/%s' % (backbone.scope, name), tensor)
                     for name, tensor in end_points.items()
                     if not name.startswith(backbone.scope + '/')])
  return features, end_points


def get_network(network_name, preprocess_images, preprocessed_images_dtype='float32',
                arg_scope=None):
  """Returns the network function of a variant, with preprocessing and arg scope built in.

  `network_name` is a key of BACKBONES; the arguments about preprocessing are those of
  `extract_features`; without `arg_scope` it is the network's own.

  Returns a function (inputs, *args, **kwargs) -> (features, end_points).
  """
  backbone = backbones.row(network_name)

  @functools.wraps(backbone.network)
  def network(inputs, *args, **kwargs):
    if preprocess_images:
      inputs = backbone.preprocess(inputs, preprocessed_images_dtype)
    with slim.arg_scope(arg_scope or backbone.arg_scope()):
      return backbone.network(inputs, *args, **kwargs)

  return network


def _refuse_what_it_cannot_serve(options, backbone, nas_training_hyper_parameters):
  values = dict(options._asdict(), **(nas_training_hyper_parameters or {}))
  for name, (_, nothing) in sorted(backbones.OWN_SETTINGS.items()):
    if name not in backbone.settings and values.get(name, nothing) not in (nothing, None):
      raise UsageError('%s=%s: %s does not know this setting; leave it out. It is for %s.' % (
          name, values[name], options.model_variant, ', '.join(
              variant for variant, other in sorted(backbones.BACKBONES.items())
              if name in other.settings)))
  if options.sync_batch_norm_method != 'None':
    raise UsageError("sync_batch_norm_method=%r: each clone has batch norm of its own, 'None' is "
                     'the only value.' % (options.sync_batch_norm_method,))
  strides = (nas_network.CLASSIFICATION_HEAD if options.nas_use_classification_head
             else backbone.output_strides)
  if strides and options.output_stride not in strides:
    raise UsageError('output_stride=%s: %s gives features at stride %s only.' % (
        options.output_stride, options.model_variant, ', '.join(map(str, sorted(strides)))))


# The reference's names of the table.
mean_pixel = backbones.mean_pixel
networks_map = {name: row.network for name, row in backbones.BACKBONES.items()}
arg_scopes_map = {name: row.arg_scope for name, row in backbones.BACKBONES.items()}
name_scope = {name: row.scope for name, row in backbones.BACKBONES.items()}
DECODER_END_POINTS = 'decoder_end_points'
networks_to_feature_maps = {
    name: {DECODER_END_POINTS: row.decoder_end_points}
    for name, row in backbones.BACKBONES.items()}
