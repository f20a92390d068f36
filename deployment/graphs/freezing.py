"""From a checkpoint to a frozen graph: one file that maps an image to its labels.

    ImageTensor uint8 [1, height, width, 3]
      --> resize (if asked) --> pad --> model
      --> RawSemanticPredictions float32 [1, padded height, padded width]
      --> SemanticPredictions int32 [1, height, width]

`record.write_record` adds what the class ids mean and how the graph was made.
"""
from deeplab import model
from deeplab.core import backbones, blocks, feature_extractor, keys, settings, utils
from deeplab.core.checkpoints import restoring
from deeplab.core.settings import NO_FLAG, Setting
from deeplab.core.tf_compat import tf
from deeplab.deployment.graphs import cutting, editing, folding
from deeplab.deployment.graphs.record import (
    INPUT_NAME,
    OUTPUT_NAME,
    PROBABILITIES_NAME,
    RAW_OUTPUT_NAME,
    RAW_PROBABILITIES_NAME,
)

GROUP = 'exported model'
TEXT_GRAPH_FILE_NAME = 'inference_graph.pbtxt'


@settings.record
class ExportOptions(object):
  """How images enter the exported graph and what leaves it."""
  export_probabilities = Setting(
      False, 'Adds the outputs SemanticProbabilities and RawSemanticProbabilities.', group=GROUP)
  # A graph with fake quantisation never is, so that converters find it.
  optimize = Setting(
      True, 'Folds constants, the scaling of pixels and batch norm into the weights of the frozen '
      'graph: the same labels, faster.')
  half_weights = Setting(
      False, 'Stores the weights as float16 and computes in float32: half the file, nearly the '
      'same labels.')
  dynamic_batch = Setting(
      False, 'The input takes any number of images of one size instead of one image.')
  resized_size = Setting(
      None, 'Function from the int32 (height, width) of an image to that it is resized to for the '
      'network, or None. Labels come at the size of the image.', group=NO_FLAG)
  input_size = Setting(None, '(height, width) that images must have, or None for any size.')

  @property
  def input_shape(self):
    """Shape of the input, None where it is free."""
    return [None if self.dynamic_batch else 1] + list(self.input_size or [None, None]) + [3]

  @property
  def output_names(self):
    """Names of the output nodes."""
    names = [OUTPUT_NAME, RAW_OUTPUT_NAME]
    if self.export_probabilities:
      names += [PROBABILITIES_NAME, RAW_PROBABILITIES_NAME]
    return names


def build_inference_graph(model_options, predict, options=None):
  """Adds the graph from `INPUT_NAME` to the outputs to the default graph.

  Images are padded with the backbone's mean pixel below and right: to the crop size, if there
  is one that holds them, else to the least k * output_stride + 1; and to the window of image
  pooling, if that has a size of its own. Options are ModelOptions and ExportOptions; `predict` is a
  function (images, model_options) -> predictions as `model.predict_labels`.

  Returns:
    dict, output name -> tensor, N images: `OUTPUT_NAME` int32 [N, height, width] at input
    size; `RAW_OUTPUT_NAME` float32 [N, h, w], the labels of the padded images;
    `PROBABILITIES_NAME` and `RAW_PROBABILITIES_NAME` float32 likewise with a last axis of
    classes, if asked.
  """
  options = options or ExportOptions()
  input_images = tf.placeholder(tf.uint8, options.input_shape, name=INPUT_NAME)
  input_size = utils.image_size(input_images)
  images = tf.cast(input_images, tf.float32)
  if options.resized_size:
    images = utils.resize_bilinear(images, options.resized_size(list(input_size)))
  size = utils.image_size(images)
  padded = _pad(images, model_options)
  predictions = predict(padded, model_options._replace(crop_size=None))

  labels = predictions[keys.OUTPUT_TYPE]
  outputs = {RAW_OUTPUT_NAME: tf.cast(labels, tf.float32, name=RAW_OUTPUT_NAME)}
  labels = tf.cast(labels[:, :size[0], :size[1]], tf.int32)
  if options.resized_size:
    labels = tf.squeeze(tf.image.resize_nearest_neighbor(
        tf.expand_dims(labels, 3), input_size, align_corners=True), 3)
  outputs[OUTPUT_NAME] = tf.identity(labels, name=OUTPUT_NAME)

  if options.export_probabilities:
    raw = utils.resize_bilinear(predictions[keys.OUTPUT_TYPE + model.PROBABILITIES_SUFFIX],
                                utils.image_size(padded))
    outputs[RAW_PROBABILITIES_NAME] = tf.identity(raw, name=RAW_PROBABILITIES_NAME)
    probabilities = raw[:, :size[0], :size[1]]
    if options.resized_size:
      probabilities = utils.resize_bilinear(probabilities, input_size)
    outputs[PROBABILITIES_NAME] = tf.identity(probabilities, name=PROBABILITIES_NAME)
  return outputs


def open_session(checkpoint, model_options, predict, options):
  """Returns a tf.Session with the weights of a checkpoint, and the outputs of its graph.

  Args and errors are those of `freeze`, the outputs those of `build_inference_graph`.
  """
  with tf.Graph().as_default():
    outputs = build_inference_graph(model_options, predict, options)
    return restoring.open_session(tf.train.Saver(tf.global_variables()), checkpoint), outputs


def freeze(checkpoint, model_options, predict, options=None):
  """Returns (frozen GraphDef, GraphDef with variables) of a checkpoint prefix.

  The other arguments are those of `build_inference_graph`. Both open in other versions of
  TensorFlow too. What follows the input of a MobileNet, `blocks.input_name`, needs that alone.
  Raises ValueError if the checkpoint is of another model; names the variables.
  """
  options = options or ExportOptions()
  session, _ = open_session(checkpoint, model_options, predict, options)
  with session:
    graph_def = session.graph.as_graph_def()
    frozen = tf.graph_util.convert_variables_to_constants(
        session, graph_def, options.output_names)
  graph = editing.EditableGraph(frozen, options.output_names)
  network_input = blocks.input_name(backbones.row(model_options.model_variant).scope)
  kept = [network_input] if network_input in graph.nodes else []
  for name in kept:
    cutting.measure_at(graph, name)
  frozen = graph.graph_def()
  if options.optimize and model_options.quantize_delay_step < 0:
    frozen = folding.fold(frozen, options.output_names, kept)
  if options.half_weights:
    frozen = folding.halve_weights(frozen, options.output_names)
  return cutting.without_defaults(frozen), cutting.without_defaults(graph_def)


def _pad(images, model_options):
  """Returns images with mean pixels added below and right; see `build_inference_graph`."""
  size = utils.image_size(images)
  stride, window = model_options.output_stride, model_options.pooling_window
  padded_size = utils.aligned_size(size, stride, window)
  if model_options.crop_size is not None:
    padded_size = [utils.larger(_crop_or(aligned, crop, side), least)
                   for aligned, crop, side, least in zip(
                       padded_size, model_options.crop_size, size, window or (1, 1))]
  missing = [padded - side for padded, side in zip(padded_size, size)]
  if missing == [0, 0]:
    return images
  mean = feature_extractor.mean_pixel(model_options.model_variant)
  # One number is added faster than one per channel.
  mean = mean[0] if len(set(mean)) == 1 else tf.constant(mean, tf.float32)
  padded = tf.pad(images - mean, [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]]) + mean
  padded.set_shape([images.shape[0]] + list(utils.static_size(padded_size)) + [3])
  return padded


def _crop_or(other, crop, side):
  """Returns the side of the crop if that holds the image's, else the other."""
  if isinstance(side, int):
    return crop if side <= crop else other
  return tf.where(side <= crop, crop, other)
