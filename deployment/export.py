"""From a checkpoint to a frozen graph: one file that maps an image to its labels.

    ImageTensor uint8 [1, height, width, 3]
      --> resize (if asked) --> pad to at least the crop size --> model
      --> RawSemanticPredictions float32 [1, padded height, padded width]
      --> SemanticPredictions int32 [1, height, width]

`exported.write_record` adds what the class ids mean and how the graph was made.
"""
import os
import typing

from absl import logging

from deeplab import model
from deeplab.core import checkpoints, feature_extractor, files, keys, preprocess_utils, utils
from deeplab.core.tf_compat import tf
from deeplab.deployment.exported import (
    INPUT_NAME,
    OUTPUT_NAME,
    PROBABILITIES_NAME,
    RAW_OUTPUT_NAME,
    RAW_PROBABILITIES_NAME,
    writing,
)

TEXT_GRAPH_FILE_NAME = 'inference_graph.pbtxt'


class ExportOptions(typing.NamedTuple):
  """How images enter the exported graph and what leaves it.

  Attributes:
    min_resize_value: images are scaled so that the shorter side is this, or None.
    max_resize_value: and the longer side at most this, or None.
    resize_factor: sides become multiples of this plus one, or None.
    with_probabilities: whether the graph also has the two outputs of probabilities.
  """
  min_resize_value: typing.Optional[int] = None
  max_resize_value: typing.Optional[int] = None
  resize_factor: typing.Optional[int] = None
  with_probabilities: bool = False

  @property
  def output_names(self):
    """Names of the output nodes."""
    names = [OUTPUT_NAME, RAW_OUTPUT_NAME]
    if self.with_probabilities:
      names += [PROBABILITIES_NAME, RAW_PROBABILITIES_NAME]
    return names


def build_inference_graph(model_options, predict, options=None):
  """Adds the graph from `INPUT_NAME` to the outputs to the default graph.

  The image is padded to at least `model_options.crop_size`; a larger one goes through
  whole, at its own size.

  Args:
    model_options: ModelOptions.
    predict: function (images, model_options) -> predictions as `model.predict_labels`.
    options: ExportOptions.

  Returns:
    dict, output name -> tensor: `OUTPUT_NAME` int32 [1, height, width] at input size;
    `RAW_OUTPUT_NAME` float32 [1, h, w], the labels of the padded image;
    `PROBABILITIES_NAME` and `RAW_PROBABILITIES_NAME` float32 likewise with a last axis of
    classes, if asked.
  """
  options = options or ExportOptions()
  input_image = tf.placeholder(tf.uint8, [1, None, None, 3], name=INPUT_NAME)
  image, _ = preprocess_utils.resize_to_range(
      tf.cast(tf.squeeze(input_image, 0), tf.float32), min_size=options.min_resize_value,
      max_size=options.max_resize_value, factor=options.resize_factor)
  image_size = tf.shape(image)[:2]
  padded = _pad(image, model_options)
  predictions = predict(tf.expand_dims(padded, 0), _options_of_any_size(model_options, padded))

  labels = predictions[keys.OUTPUT_TYPE]
  outputs = {RAW_OUTPUT_NAME: tf.cast(labels, tf.float32, name=RAW_OUTPUT_NAME)}
  labels = tf.cast(labels[:, :image_size[0], :image_size[1]], tf.int32)
  input_size = tf.shape(input_image)[1:3]
  if options.min_resize_value:
    labels = tf.squeeze(tf.image.resize_nearest_neighbor(
        tf.expand_dims(labels, 3), input_size, align_corners=True), 3)
  outputs[OUTPUT_NAME] = tf.identity(labels, name=OUTPUT_NAME)

  if options.with_probabilities:
    raw = utils.resize_bilinear(predictions[keys.OUTPUT_TYPE + model.PROBABILITIES_SUFFIX],
                                tf.shape(padded)[:2])
    outputs[RAW_PROBABILITIES_NAME] = tf.identity(raw, name=RAW_PROBABILITIES_NAME)
    outputs[PROBABILITIES_NAME] = tf.identity(
        utils.resize_bilinear(raw[:, :image_size[0], :image_size[1]], input_size),
        name=PROBABILITIES_NAME)
  return outputs


def export_frozen_graph(checkpoint, export_path, model_options, predict, options=None,
                        text_graph_path=None):
  """Writes the frozen graph of a checkpoint, whole or not at all.

  Args:
    checkpoint: checkpoint prefix.
    export_path: file to write; its folder is created.
    model_options: ModelOptions.
    predict: function (images, model_options) -> predictions as `model.predict_labels`.
    options: ExportOptions.
    text_graph_path: file for the graph with variables as text, or None.

  Raises:
    ValueError: the checkpoint is of another model, or the path cannot be written.
  """
  options = options or ExportOptions()
  with writing(export_path):
    os.makedirs(os.path.dirname(os.path.abspath(export_path)), exist_ok=True)
  with tf.Graph().as_default() as graph:
    build_inference_graph(model_options, predict, options)
    variables = tf.global_variables()
    checkpoints.check_restorable(checkpoint, variables)
    with tf.Session() as session:
      tf.train.Saver(variables).restore(session, checkpoint)
      graph_def = graph.as_graph_def()
      frozen = tf.graph_util.convert_variables_to_constants(
          session, graph_def, options.output_names)
  with writing(export_path):
    files.write_bytes(export_path, frozen.SerializeToString())
    if text_graph_path:
      files.write_text(text_graph_path, str(graph_def))
  logging.info('Frozen graph: %s (%.1f MB), %s -> %s.', export_path,
               os.path.getsize(export_path) / 1e6, INPUT_NAME,
               ', '.join(options.output_names))


def _pad(image, model_options):
  """Returns the image with mean pixels added right and below, up to the crop size."""
  mean = tf.constant(feature_extractor.mean_pixel(model_options.model_variant), tf.float32)
  missing = tf.maximum(0, tf.constant(list(model_options.crop_size)) - tf.shape(image)[:2])
  padded = tf.pad(image - mean, [[0, missing[0]], [0, missing[1]], [0, 0]]) + mean
  padded.set_shape([None, None, 3])
  return padded


def _options_of_any_size(model_options, image):
  """Returns options for which the network takes the size of `image` as its crop size.

  Without a crop size image pooling is global, which is what the crop size means for an image
  of that size. Only a pooling window of its own size needs the size spelled out.
  """
  if model_options.image_pooling_crop_size is None:
    return model_options._replace(crop_size=None)
  size = tf.shape(image)
  return model_options._replace(crop_size=[size[0], size[1]])
