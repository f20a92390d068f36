"""The evaluation graph and the pass over a split.

    samples -> labels predicted -> confusion counts, summed over the split
"""
from __future__ import annotations

import contextlib
import typing

from deeplab.core import keys
from deeplab.core.jobs import parallel
from deeplab.core.tf_compat import tf
from deeplab.utils.inference import batches, sessions, tiles

# Of images handed to an observer that it has not looked at yet.
_MAX_WAITING_BYTES = 64 << 20
# Of EvalGraph, what an observer is shown.
_SHOWN = ('images', 'labels', 'predictions', 'regions', 'names')
_LABEL_OUT_OF_RANGE = 'label ids must be below num_classes or the ignore label'


class EvalGraph(typing.NamedTuple):
  """Tensors of an evaluation step."""
  # [num_classes, num_classes] int64, rows are labels: counts of all batches so far.
  counts: tf.Tensor
  images: tf.Tensor  # [B, h, w, 3] uint8, as the network sees them: resized, padded.
  labels: tf.Tensor  # [B, h, w] class ids, uint8 where that holds them, else int32.
  predictions: tf.Tensor  # [B, h, w] class ids likewise.
  regions: tf.Tensor  # [B, 8] int32, where the samples lie in their images, see `tiles`.
  names: tf.Tensor  # [B] strings, the names of the records.
  saver: tf.train.Saver  # Restores the model's variables.
  # TensorFlow server that runs the graph; None: this process.
  master: typing.Optional[str] = None


def build_eval_graph(dataset, sizes, model_options, predict, master=None):
  """Adds input, model and counting to the default graph; returns the EvalGraph.

  Input is a data_generator.Dataset, with labels, in batches.InputSizes. `predict` is a function
  (images, model_options) -> predictions as `model.predict_labels`, and `master` the TensorFlow
  server that runs the graph, None for this process.
  """
  samples = tf.data.make_one_shot_iterator(batches.make_batches(dataset, sizes)).get_next()
  descriptor = dataset.descriptor
  predictions = predict(samples[keys.IMAGE], model_options)[keys.OUTPUT_TYPE]
  saver = tf.train.Saver(tf.global_variables())
  counts = streaming_confusion_matrix(
      samples[keys.LABEL], predictions, descriptor.num_classes, descriptor.ignore_label)
  return EvalGraph(
      counts=counts,
      images=tf.saturate_cast(tf.round(samples[keys.IMAGE]), tf.uint8),
      labels=batches.compact(tf.squeeze(samples[keys.LABEL], 3), descriptor),
      predictions=batches.compact(predictions, descriptor),
      regions=samples[batches.REGION],
      names=samples[keys.IMAGE_NAME],
      saver=saver,
      master=master)


def count_pixels(graph, checkpoint, dataset, observe=None):
  """Runs the model of a checkpoint on all records of the split of a data_generator.Dataset.

  Returns its counts, a [num_classes, num_classes] int64 array, rows are labels, and the number of
  images evaluated.

  The EvalGraph is that of the default graph. `observe` is a function (name, image, label,
  prediction) that is called per image, without padding and in order, in a thread of its own; or
  None. Raises ValueError if the checkpoint is of another model, a record is bad, or the split is
  empty.
  """
  fetches = {name: getattr(graph, name)
             for name in ('counts', 'regions') + (() if observe is None else _SHOWN)}
  with sessions.pass_over_split(graph, checkpoint, dataset, 'evaluating') as (session, bar), \
       _observer(observe) as show:
    for batch in sessions.batches(session, fetches):
      if observe is not None:
        show(**{name: batch[name] for name in _SHOWN})
      bar.update(sum(map(tiles.is_last, batch['regions'])))
  return batch['counts'], bar.n


@contextlib.contextmanager
def _observer(observe):
  """Yields a function that hands the images of a batch to `observe` in another thread."""
  stitcher = tiles.Stitcher()
  with parallel.BackgroundWork(1, _MAX_WAITING_BYTES) as work:

    def show(images, labels, predictions, regions, names):
      for image, label, prediction, region, name in zip(images, labels, predictions, regions,
                                                        names):
        whole = stitcher.add(region, [image, label, prediction])
        if whole is not None:
          work.submit(sum(array.nbytes for array in whole), observe, name, *whole)

    yield show


def batch_confusion_matrix(labels, predictions, num_classes, ignore_label):
  """Returns the pixel counts of one batch, [num_classes, num_classes] int64, rows are labels.

  Labels, and predictions in 0..num_classes-1, are integer tensors of any shape and as many
  elements. Pixels with the label `ignore_label` are not counted; other labels that are no classes
  fail with InvalidArgumentError.
  """
  labels = tf.cast(tf.reshape(labels, [-1]), tf.int32)
  predictions = tf.cast(tf.reshape(predictions, [-1]), tf.int32)
  num_bins = num_classes * num_classes
  is_ignored = tf.equal(labels, ignore_label)
  classes = tf.where(is_ignored, tf.zeros_like(labels), labels)
  in_range = tf.assert_less(classes, num_classes, message=_LABEL_OUT_OF_RANGE)
  with tf.control_dependencies([in_range]):
    # Ids from num_bins on are not counted.
    bins = tf.where(is_ignored, tf.fill(tf.shape(labels), num_bins),
                    classes * num_classes + predictions)
  counts = tf.raw_ops.Bincount(arr=bins, size=num_bins, weights=tf.constant([], tf.int64))
  return tf.reshape(counts, [num_classes, num_classes])


def streaming_confusion_matrix(labels, predictions, num_classes, ignore_label):
  """Returns the `batch_confusion_matrix` of all batches so far, summed up in a local variable."""
  counts = tf.Variable(
      tf.zeros([num_classes, num_classes], tf.int64), trainable=False,
      collections=[tf.GraphKeys.LOCAL_VARIABLES, tf.GraphKeys.METRIC_VARIABLES],
      name='confusion_matrix')
  return tf.assign_add(
      counts, batch_confusion_matrix(labels, predictions, num_classes, ignore_label))
