"""The visualisation graph and the pass over a split that fills a folder of pictures.

    samples -> labels predicted -> padding cut off, resizing undone -> ResultWriter
"""
import typing

import numpy as np
from PIL import Image

from deeplab.core import keys, progress
from deeplab.core.tf_compat import tf
from deeplab.datasets.record_check import readable_input_errors
from deeplab.utils import sessions


class VisGraph(typing.NamedTuple):
  """Tensors of a step, all of the same batch.

  Attributes:
    images: [B, h, w, 3] uint8, as the network sees them: resized, padded.
    labels: [B, h, w] uint8 predicted class ids.
    resized_sizes: [B, 2] int32, height and width of the images without padding.
    sizes: [B, 2] int32, height and width of the images in their records.
    names: [B] strings, the names of the records.
    saver: restores the model's variables.
  """
  images: tf.Tensor
  labels: tf.Tensor
  resized_sizes: tf.Tensor
  sizes: tf.Tensor
  names: tf.Tensor
  saver: tf.train.Saver

  @property
  def fetches(self):
    """The tensors alone."""
    return self[:-1]


def build_vis_graph(samples, model_options, predict, resized_size=None):
  """Adds the model to the default graph.

  Args:
    samples: dict of a batch: image float32 [B, h, w, 3] in 0..255, height and width [B],
      image_name [B].
    model_options: ModelOptions.
    predict: function (images, model_options) -> predictions as `model.predict_labels`.
    resized_size: function from the int32 tensor (height, width) of a record to that of the
      resized image; None where images are not resized.

  Returns:
    VisGraph.
  """
  labels = predict(samples[keys.IMAGE], model_options)[keys.OUTPUT_TYPE]
  sizes = tf.cast(tf.stack([samples[keys.HEIGHT], samples[keys.WIDTH]], axis=1), tf.int32)
  return VisGraph(
      images=tf.saturate_cast(tf.round(samples[keys.IMAGE]), tf.uint8),
      labels=tf.cast(labels, tf.uint8),
      resized_sizes=tf.map_fn(resized_size, sizes) if resized_size else sizes,
      sizes=sizes,
      names=samples[keys.IMAGE_NAME],
      saver=tf.train.Saver(tf.global_variables()))


def write_pictures(graph, checkpoint, dataset, split, files, writer):
  """Runs the model of a checkpoint on all records of a split and writes what it sees.

  Args:
    graph: VisGraph of the default graph.
    checkpoint: checkpoint prefix.
    dataset: DatasetDescriptor.
    split: name of the split, for progress and messages.
    files: the shards that are read, to name a bad record in.
    writer: ResultWriter.

  Returns:
    Number of images.

  Raises:
    ValueError: the checkpoint is of another model, a record is bad, or the split is empty.
  """
  index = 0
  with readable_input_errors(files, dataset), \
       sessions.restored_session(graph.saver, checkpoint) as session, \
       progress.bar('visualising', total=dataset.splits_to_sizes.get(split)) as bar:
    for batch in sessions.batches(session, graph.fetches):
      for image, labels, resized_size, size, name in zip(*batch):
        writer.write(index, undo_resizing(image, resized_size, size),
                     undo_resizing(labels, resized_size, size), name)
        index += 1
      bar.update(len(batch[0]))
  if not index:
    raise ValueError('Split %r has no records in %s.' % (split, ', '.join(files)))
  return index


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
