"""The visualisation graph and the pass over a split that fills a folder of pictures.

    samples -> labels predicted -> padding cut off, resizing undone -> ResultWriter
"""
import typing

import numpy as np
from PIL import Image

from deeplab import model
from deeplab.core import keys, progress
from deeplab.core.tf_compat import tf
from deeplab.datasets.record_check import readable_input_errors
from deeplab.utils import sessions


class VisGraph(typing.NamedTuple):
  """Tensors of a step, all of the same batch.

  Attributes:
    images: [B, h, w, 3] uint8, as the network sees them: resized, padded.
    labels: [B, h, w] uint8 predicted class ids.
    confidences: [B, h, w] uint8, probability of the label times 255; None where not asked for.
    truths: [B, h, w] int32 labels of the records; None where there are none.
    resized_sizes: [B, 2] int32, height and width of the images without padding.
    sizes: [B, 2] int32, height and width of the images in their records.
    names: [B] strings, the names of the records.
    saver: restores the model's variables.
  """
  images: tf.Tensor
  labels: tf.Tensor
  confidences: typing.Optional[tf.Tensor]
  truths: typing.Optional[tf.Tensor]
  resized_sizes: tf.Tensor
  sizes: tf.Tensor
  names: tf.Tensor
  saver: tf.train.Saver

  @property
  def fetches(self):
    """Dict of the tensors alone, those that there are."""
    return {name: tensor for name, tensor in zip(self._fields[:-1], self)
            if tensor is not None}


def build_vis_graph(samples, model_options, predict, resized_size=None,
                    with_confidence=False):
  """Adds the model to the default graph.

  Args:
    samples: dict of a batch: image float32 [B, h, w, 3] in 0..255, height and width [B],
      image_name [B]; label int32 [B, h, w, 1] if there are any.
    model_options: ModelOptions.
    predict: function (images, model_options) -> predictions as `model.predict_labels`.
    resized_size: function from the int32 tensor (height, width) of a record to that of the
      resized image; None where images are not resized.
    with_confidence: whether to compute confidences.

  Returns:
    VisGraph.
  """
  predictions = predict(samples[keys.IMAGE], model_options)
  labels = predictions[keys.OUTPUT_TYPE]
  confidences = truths = None
  if with_confidence:
    confidences = _confidences(predictions[keys.OUTPUT_TYPE + model.PROBABILITIES_SUFFIX],
                               tf.shape(labels)[1:3])
  if keys.LABEL in samples:
    truths = tf.squeeze(samples[keys.LABEL], 3)
  sizes = tf.cast(tf.stack([samples[keys.HEIGHT], samples[keys.WIDTH]], axis=1), tf.int32)
  return VisGraph(
      images=tf.saturate_cast(tf.round(samples[keys.IMAGE]), tf.uint8),
      labels=tf.cast(labels, tf.uint8),
      confidences=confidences,
      truths=truths,
      resized_sizes=tf.map_fn(resized_size, sizes) if resized_size else sizes,
      sizes=sizes,
      names=samples[keys.IMAGE_NAME],
      saver=tf.train.Saver(tf.global_variables()))


def write_pictures(graph, checkpoint, dataset, split, files, writer, batch_size=1):
  """Runs the model of a checkpoint on all records of a split and writes what it sees.

  Args:
    graph: VisGraph of the default graph.
    checkpoint: checkpoint prefix.
    dataset: DatasetDescriptor.
    split: name of the split, for progress and messages.
    files: the shards that are read, to name a bad record in.
    writer: ResultWriter; images that it has finished are left out.
    batch_size: images of a step.

  Returns:
    Number of images.

  Raises:
    ValueError: the checkpoint is of another model, a record is bad, or the split is empty.
  """
  index = 0
  with readable_input_errors(files, dataset), \
       sessions.restored_session(graph.saver, checkpoint) as session, \
       progress.bar('visualising', total=dataset.splits_to_sizes.get(split)) as bar:
    while index + batch_size <= writer.num_finished:
      # Reads on without running the network.
      session.run(graph.names)
      index += batch_size
      bar.update(batch_size)
    for batch in sessions.batches(session, graph.fetches):
      for i, name in enumerate(batch['names']):
        image, labels, confidence, truth = [
            undo_resizing(batch[key][i], batch['resized_sizes'][i], batch['sizes'][i])
            if key in batch else None
            for key in ('images', 'labels', 'confidences', 'truths')]
        writer.write(index, image, labels, name, confidence, truth)
        index += 1
      bar.update(len(batch['names']))
  if not index:
    raise ValueError('Split %r has no records in %s.' % (split, ', '.join(files)))
  return index


def _confidences(probabilities, size):
  """Returns the largest probability as uint8 [B, height, width]."""
  largest = tf.reduce_max(probabilities, axis=3, keepdims=True)
  largest = tf.image.resize_bilinear(largest, size, align_corners=True)
  return tf.saturate_cast(tf.round(255 * tf.squeeze(largest, 3)), tf.uint8)


def undo_resizing(pixels, resized_size, size):
  """Returns pixels without padding, at the size they had before resizing.

  Args:
    pixels: [h, w] array of class ids (nearest, corners aligned) or [h, w, 3] uint8 image
      (bilinear), padded below and right.
    resized_size: (height, width) without the padding.
    size: (height, width) to return.
  """
  pixels = pixels[:resized_size[0], :resized_size[1]]
  if tuple(resized_size) == tuple(size):
    return pixels
  if pixels.ndim == 3:
    return np.array(Image.fromarray(pixels).resize((int(size[1]), int(size[0])),
                                                   Image.BILINEAR))
  rows, columns = [_nearest(old, new) for old, new in zip(resized_size, size)]
  return pixels[rows[:, np.newaxis], columns]


def _nearest(old, new):
  """Returns per index of a side of `new` pixels the nearest one of `old`, ends aligned."""
  # In float32, so that halves fall to the side they fall to in the graph.
  scale = np.float32(old - 1) / np.float32(max(1, new - 1))
  return np.floor(np.arange(new, dtype=np.float32) * scale + np.float32(0.5)).astype(np.int64)
