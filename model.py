"""Builds the DeepLab graph: backbone, ASPP, decoder, logits; one scale or a pyramid.

    images --core/feature_extractor--> features, end_points
      --core/aspp--> [--core/decoder-->] --core/head--> logits --> labels

References:
  v1: Chen et al., "Semantic Image Segmentation with Deep Convolutional Nets and Fully
    Connected CRFs", ICLR 2015.
  v2: Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets,
    Atrous Convolution, and Fully Connected CRFs", TPAMI 2017.
  v3: Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017.
  v3+: Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image
    Segmentation", ECCV 2018.
"""
import itertools

from deeplab.core import aspp, feature_extractor, layers, quantization, usage, utils
from deeplab.core.aspp import ASPP_SCOPE, CONCAT_PROJECTION_SCOPE, IMAGE_POOLING_SCOPE
from deeplab.core.decoder import DECODER_SCOPE, refine_by_decoder
from deeplab.core.dense_prediction_cell import (
    META_ARCHITECTURE_SCOPE,
    DensePredictionCell,
    hparams_of,
)
from deeplab.core.head import LOGITS_SCOPE_NAME, get_branch_logits
from deeplab.core.tf_compat import tf
from deeplab.core.usage import UsageError, with_known

MERGED_LOGITS_SCOPE = 'merged_logits'

# merge_method -> function of stacked logits [batch, height, width, classes, scales].
_MERGE_METHODS = {
    'max': lambda stacked: tf.reduce_max(stacked, axis=4),
    'avg': lambda stacked: tf.reduce_mean(stacked, axis=4),
}


def get_extra_layer_scopes(last_layers_contain_logits_only=False, decoder_output_is_logits=False):
  """Returns the scopes of the layers that come after the backbone, or that of the logits alone.

  With `decoder_output_is_logits` the latter is that of the decoder, which makes them.
  """
  if last_layers_contain_logits_only:
    return [DECODER_SCOPE if decoder_output_is_logits else LOGITS_SCOPE_NAME]
  return [LOGITS_SCOPE_NAME, IMAGE_POOLING_SCOPE, ASPP_SCOPE, CONCAT_PROJECTION_SCOPE,
          DECODER_SCOPE, META_ARCHITECTURE_SCOPE]


def predict_labels(images, model_options, image_pyramid=None):
  """Predicts labels and class probabilities in one pass over the image pyramid.

  Images are [batch, height, width, 3] in 0..255; `image_pyramid` is as in `multi_scale_logits`.

  Returns a dict, per output name: labels [batch, height, width] int64. Per output name with
  PROBABILITIES_SUFFIX: softmax [batch, height, width, classes] float32, at image size with
  `prediction_with_upsampled_logits`, else at the size of the logits.
  """
  outputs_to_scales_to_logits = multi_scale_logits(
      images, model_options=model_options, image_pyramid=image_pyramid)
  size = utils.image_size(images)
  predictions = {}
  for output, scales_to_logits in sorted(outputs_to_scales_to_logits.items()):
    logits = scales_to_logits[MERGED_LOGITS_SCOPE]
    if model_options.prediction_with_upsampled_logits:
      logits = utils.resize_bilinear(logits, size, logits.dtype)
      labels = tf.argmax(logits, 3)
    else:
      labels = tf.argmax(logits, 3)
      labels = tf.image.resize_nearest_neighbor(
          tf.expand_dims(tf.cast(labels, tf.int32), 3), size, align_corners=True)
      labels = tf.cast(tf.squeeze(labels, 3), tf.int64)
    predictions[output] = labels
    predictions[output + PROBABILITIES_SUFFIX] = tf.nn.softmax(logits)
  return predictions


# Key of the probabilities in the dicts of `predict_labels*`: output name + this.
PROBABILITIES_SUFFIX = '_probabilities'


def predict_labels_multi_scale(images, model_options, eval_scales=(1.0,),
                               add_flipped_images=False):
  """Predicts labels from the mean of the softmax over scales and left-right flips.

  Each of `eval_scales` is one pass of the network, with `add_flipped_images` also one over the
  mirrored images. Images and the dict are those of `predict_labels`, everything at image size.
  """
  quantization.check(model_options, scales=eval_scales,
                     add_flipped_images=add_flipped_images)
  size = utils.image_size(images)
  outputs_to_probabilities = {
      output: [] for output in model_options.outputs_to_num_classes}
  flips = (False, True) if add_flipped_images else (False,)
  for index, (scale, is_flipped) in enumerate(itertools.product(eval_scales, flips)):
    with tf.variable_scope(tf.get_variable_scope(), reuse=True if index else None):
      outputs_to_scales_to_logits = multi_scale_logits(
          tf.reverse(images, [2]) if is_flipped else images,
          model_options=model_options, image_pyramid=[scale])
    for output, scales_to_logits in sorted(outputs_to_scales_to_logits.items()):
      logits = scales_to_logits[MERGED_LOGITS_SCOPE]
      if is_flipped:
        logits = tf.reverse(logits, [2])
      logits = utils.resize_bilinear(logits, size, logits.dtype)
      outputs_to_probabilities[output].append(tf.nn.softmax(logits))
  predictions = {}
  for output, maps in sorted(outputs_to_probabilities.items()):
    mean = tf.add_n(maps) / float(len(maps))
    predictions[output] = tf.argmax(mean, 3)
    predictions[output + PROBABILITIES_SUFFIX] = mean
  return predictions


def multi_scale_logits(images, model_options, image_pyramid, weight_decay=0.0001,
                       is_training=False, fine_tune_batch_norm=False,
                       nas_training_hyper_parameters=None):
  """Returns the logits of every scale of an image pyramid, and their merger.

  `image_pyramid` is a list of scales > 0 of the input, or None for [1.0]; arguments not described
  here are those of `feature_extractor.extract_features`.

  Returns a dict, output name -> dict from 'merged_logits', and with several scales also
  'logits_<scale>', to [batch, h, w, classes] tensors. All have the size of the largest scale (at
  least 1.0) at the decoder's, else the backbone's, output stride.

  Raises ValueError if a scale is not positive or there twice, or an option does not fit the model.
  """
  quantization.check(model_options, scales=image_pyramid)
  names_to_scales = _named_scales(image_pyramid or [1.0])
  merge = usage.lookup(_MERGE_METHODS, model_options.merge_method, what='merge_method')
  crop_size = model_options.crop_size or utils.image_size(images)
  strides = list(model_options.decoder_output_stride or ()) + [model_options.output_stride]
  if max(strides) > model_options.output_stride:
    raise UsageError('decoder_output_stride=%s: the decoder refines, its strides cannot be '
                     'larger than output_stride=%d.'
                     % (','.join(map(str, strides[:-1])), model_options.output_stride))
  largest_scale = max(1.0, *names_to_scales.values())
  logits_size = utils.scale_size(crop_size, largest_scale / float(min(strides)))

  outputs_to_scales_to_logits = {
      output: {} for output in model_options.outputs_to_num_classes}
  for index, (name, scale) in enumerate(names_to_scales.items()):
    scaled_images, scaled_options = _scale_input(images, model_options, scale)
    with layers.quantize(quantization.make_quantizer(model_options, is_training)):
      outputs_to_logits = _get_logits(
          scaled_images, scaled_options, weight_decay=weight_decay,
          reuse=True if index else None, is_training=is_training,
          fine_tune_batch_norm=fine_tune_batch_norm,
          nas_training_hyper_parameters=nas_training_hyper_parameters)
    for output, logits in sorted(outputs_to_logits.items()):
      outputs_to_scales_to_logits[output][name] = utils.resize_bilinear(
          logits, logits_size, logits.dtype)

  for scales_to_logits in outputs_to_scales_to_logits.values():
    per_scale = [tensor for _, tensor in sorted(scales_to_logits.items())]
    if len(per_scale) == 1:
      scales_to_logits.clear()
    scales_to_logits[MERGED_LOGITS_SCOPE] = (
        merge(tf.stack(per_scale, axis=4)) if len(per_scale) > 1 else per_scale[0])
  return outputs_to_scales_to_logits


def _named_scales(image_pyramid):
  """Returns dict, name of the logits of a scale -> the scale, in the order given."""
  scales = [float(scale) for scale in image_pyramid]
  if min(scales) <= 0:
    raise UsageError('image_pyramid scales must be positive, got %s.' % scales)
  named = {'logits_%.2f' % scale: scale for scale in scales}
  if len(named) < len(scales):
    raise UsageError('image_pyramid scales must differ in their first two decimals, got %s.'
                     % scales)
  return named


def extract_features(images, model_options, weight_decay=0.0001, reuse=None,
                     is_training=False, fine_tune_batch_norm=False,
                     nas_training_hyper_parameters=None):
  """Returns the features the logits (or the decoder) are computed from.

  Arguments but `model_options` are those of `feature_extractor.extract_features`.

  Returns:
    features: [batch, h, w, channels] features of ASPP or the dense prediction cell, or the
      backbone's own without `aspp_with_batch_norm`.
    end_points: dict of the backbone's end points.

  Raises ValueError if an option does not fit the backbone or the other options.
  """
  training = dict(weight_decay=weight_decay, reuse=reuse, is_training=is_training,
                  fine_tune_batch_norm=fine_tune_batch_norm)
  features, end_points = feature_extractor.features_of(
      images, model_options, nas_training_hyper_parameters=nas_training_hyper_parameters,
      **training)
  cell_config = model_options.dense_prediction_cell_config
  if model_options.aspp_with_batch_norm and cell_config is None:
    features = aspp.build_aspp(features, model_options, **training)
  elif model_options.aspp_with_batch_norm:
    settings = dict(model_options._asdict(), **training)
    cell = DensePredictionCell(cell_config, hparams_of(model_options.output_stride))
    features = with_known(cell.build_cell, settings)(features)
  elif cell_config is not None:
    raise UsageError('A dense prediction cell needs aspp_with_batch_norm.')
  return features, end_points


def _scale_input(images, model_options, scale):
  """Returns images and options for one scale of the pyramid."""
  if scale == 1.0:
    return images, model_options
  size = utils.scale_size(model_options.crop_size or utils.image_size(images), scale)
  images = utils.resize_bilinear(tf.cast(images, tf.float32), size)
  sizes = {name: utils.scale_size(getattr(model_options, name), scale)
           for name in ('crop_size', 'image_pooling_crop_size')
           if getattr(model_options, name) is not None}
  return images, model_options._replace(**sizes)


def _get_logits(images, model_options, **training):
  """Returns dict, output name -> logits of one scale; arguments as `extract_features`."""
  _check_decoder_logits(model_options)
  features, end_points = extract_features(images, model_options, **training)
  settings = dict(model_options._asdict(), **training)
  if model_options.decoder_output_stride:
    features = with_known(refine_by_decoder, settings)(features, end_points)
  if model_options.decoder_output_is_logits:
    return dict.fromkeys(model_options.outputs_to_num_classes, features)
  add_logits = with_known(get_branch_logits, settings)
  return {
      output: add_logits(features, num_classes, kernel_size=model_options.logits_kernel_size,
                         scope_suffix=output)
      for output, num_classes in sorted(model_options.outputs_to_num_classes.items())}


def _check_decoder_logits(model_options):
  """Stops where the decoder is to make logits and cannot."""
  if not model_options.decoder_output_is_logits:
    return
  filters = model_options.decoder_filters
  for is_fine, problem in [
      (model_options.decoder_output_stride, 'there is no decoder; give decoder_output_stride'),
      (model_options.logits_kernel_size == 1, 'no layer has logits_kernel_size=%d; leave it out'
       % model_options.logits_kernel_size)] + [
           (number == filters, 'decoder_filters is %d, and %r has %d classes; give '
            'decoder_filters=%d' % (filters, output, number, number))
           for output, number in sorted(model_options.outputs_to_num_classes.items())]:
    if not is_fine:
      raise UsageError('decoder_output_is_logits: %s.' % problem)
