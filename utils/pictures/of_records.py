"""The visualisation graph and the pass over a split that fills a folder of pictures.

    batches -> labels predicted -> padding cut off, tiles joined, resizing undone -> ResultWriter
"""
from __future__ import annotations

import typing

import numpy as np
from PIL import Image

from deeplab import model
from deeplab.core import keys
from deeplab.core.jobs import progress
from deeplab.core.tf_compat import tf
from deeplab.datasets.checks.in_graph import readable_input_errors
from deeplab.utils.inference import batches, sessions

# Fields of VisGraph that are pictures.
_PIXELS = ('images', 'labels', 'confidences', 'truths')
# Fields of VisGraph that steps do not compute.
_NOT_OF_A_STEP = ('finished', 'initializer', 'saver', 'master')


class VisGraph(typing.NamedTuple):
  """Tensors of a step, all of the same batch.

  Attributes:
    images: [B, h, w, 3] uint8, as the network sees them: resized, padded.
    labels: [B, h, w] uint8 predicted class ids.
    confidences: [B, h, w] uint8, probability of the label times 255; None where not asked for.
    truths: [B, h, w] integer labels of the records; None where there are none.
    regions: [B, 8] int32, where the samples lie in their images, see `eval_batches`.
    sizes: [B, 2] int32, height and width of the images in their records.
    names: [B] strings, the names of the records.
    indices: [B] int64, numbers of the images in the split.
    finished: placeholders of what to leave out, see `data_generator.Dataset.get_samples`.
    initializer: operation that starts the input from the first image that is not finished.
    saver: restores the model's variables.
    master: TensorFlow server that runs the graph; '': this process.
  """
  images: tf.Tensor
  labels: tf.Tensor
  confidences: typing.Optional[tf.Tensor]
  truths: typing.Optional[tf.Tensor]
  regions: tf.Tensor
  sizes: tf.Tensor
  names: tf.Tensor
  indices: tf.Tensor
  finished: typing.Tuple[tf.Tensor, tf.Tensor]
  initializer: tf.Operation
  saver: tf.train.Saver
  master: str = ''

  @property
  def fetches(self):
    """Dict of the tensors of a step, those that there are."""
    return {name: tensor for name, tensor in zip(self._fields, self)
            if name not in _NOT_OF_A_STEP and tensor is not None}


def build_vis_graph(dataset, sizes, model_options, predict, with_confidence=False):
  """Adds input and model to the default graph.

  Args:
    dataset: data_generator.Dataset.
    sizes: batches.InputSizes.
    model_options: ModelOptions.
    predict: function (images, model_options) -> predictions as `model.predict_labels`.
    with_confidence: whether to compute confidences.

  Returns:
    VisGraph.
  """
  finished = tf.placeholder(tf.int64, []), tf.placeholder(tf.int64, [None])
  iterator = tf.data.make_initializable_iterator(
      batches.make_batches(dataset, sizes, finished))
  samples = iterator.get_next()
  predictions = predict(samples[keys.IMAGE], model_options)
  labels = predictions[keys.OUTPUT_TYPE]
  confidences = truths = None
  if with_confidence:
    confidences = _confidences(predictions[keys.OUTPUT_TYPE + model.PROBABILITIES_SUFFIX],
                               tf.shape(labels)[1:3])
  if keys.LABEL in samples:
    truths = batches.compact(tf.squeeze(samples[keys.LABEL], 3), dataset.descriptor)
  return VisGraph(
      images=tf.saturate_cast(tf.round(samples[keys.IMAGE]), tf.uint8),
      labels=tf.cast(labels, tf.uint8),
      confidences=confidences,
      truths=truths,
      regions=samples[batches.REGION],
      sizes=tf.cast(tf.stack([samples[keys.HEIGHT], samples[keys.WIDTH]], axis=1), tf.int32),
      names=samples[keys.IMAGE_NAME],
      indices=samples[keys.INDEX],
      finished=finished,
      initializer=iterator.initializer,
      saver=tf.train.Saver(tf.global_variables()))


def write_pictures(graph, checkpoint, dataset, split, files, writer):
  """Runs the model of a checkpoint on all records of a split and writes what it sees.

  Args:
    graph: VisGraph of the default graph.
    checkpoint: checkpoint prefix.
    dataset: DatasetDescriptor.
    split: name of the split, for progress and messages.
    files: the shards that are read, to name a bad record in.
    writer: ResultWriter; images that it has finished are left out.

  Returns:
    Number of images seen now.

  Raises:
    ValueError: the checkpoint is of another model, a record is bad, or the split is empty.
  """
  num_images = 0
  stitcher = batches.Stitcher()
  num_first, others = writer.finished
  with readable_input_errors(files, dataset), \
       sessions.restored_session(graph.saver, checkpoint, graph.master) as session, \
       progress.bar('visualising', total=dataset.splits_to_sizes.get(split)) as bar:
    session.run(graph.initializer, dict(zip(graph.finished, (num_first, others))))
    bar.update(num_first + len(others))
    for batch in sessions.batches(session, graph.fetches):
      kinds = [kind for kind in _PIXELS if kind in batch]
      for i, region in enumerate(batch['regions']):
        whole = stitcher.add(region, [batch[kind][i] for kind in kinds])
        if whole is None:
          continue
        arrays = {kind: undo_resizing(array, batch['sizes'][i])
                  for kind, array in zip(kinds, whole)}
        writer.write(batch['indices'][i], arrays['images'], arrays['labels'],
                     batch['names'][i], arrays.get('confidences'), arrays.get('truths'))
        num_images += 1
        bar.update(1)
  if not num_images + num_first + len(others):
    raise ValueError('Split %r has no records in %s.' % (split, ', '.join(files)))
  return num_images


def _confidences(probabilities, size):
  """Returns the largest probability as uint8 [B, height, width]."""
  largest = tf.reduce_max(probabilities, axis=3, keepdims=True)
  largest = tf.image.resize_bilinear(largest, size, align_corners=True)
  return tf.saturate_cast(tf.round(255 * tf.squeeze(largest, 3)), tf.uint8)


def undo_resizing(pixels, size):
  """Returns pixels at the size they had before resizing.

  Args:
    pixels: [h, w] array of class ids (nearest, corners aligned) or [h, w, 3] uint8 image
      (bilinear), without padding.
    size: (height, width) to return.
  """
  resized_size = pixels.shape[:2]
  if resized_size == tuple(size):
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
