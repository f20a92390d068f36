"""The evaluation graph and the pass over a split.

    samples -> labels predicted -> confusion counts, summed over the split
"""
import contextlib
import typing

from deeplab.core import keys, progress
from deeplab.core.tf_compat import tf
from deeplab.datasets.record_check import readable_input_errors
from deeplab.utils import background, confusion_matrix, eval_batches, sessions

# Of images handed to an observer that it has not looked at yet.
_MAX_WAITING_BYTES = 64 << 20
# Of EvalGraph, what an observer is shown.
_SHOWN = ('images', 'labels', 'predictions', 'regions', 'names')


class EvalGraph(typing.NamedTuple):
  """Tensors of an evaluation step.

  Attributes:
    counts: [num_classes, num_classes] int64, rows are labels: counts of all batches so far.
    images: [B, h, w, 3] uint8, as the network sees them: resized, padded.
    labels: [B, h, w] class ids, uint8 where that holds them, else int32.
    predictions: [B, h, w] class ids likewise.
    regions: [B, 8] int32, where the samples lie in their images, see `eval_batches`.
    names: [B] strings, the names of the records.
    saver: restores the model's variables.
    master: TensorFlow server that runs the graph; '': this process.
  """
  counts: tf.Tensor
  images: tf.Tensor
  labels: tf.Tensor
  predictions: tf.Tensor
  regions: tf.Tensor
  names: tf.Tensor
  saver: tf.train.Saver
  master: str = ''


def build_eval_graph(samples, dataset, model_options, predict):
  """Adds model and counting to the default graph.

  Args:
    samples: dict of a batch as `eval_batches.make_batches` makes them, with labels.
    dataset: DatasetDescriptor.
    model_options: ModelOptions.
    predict: function (images, model_options) -> predictions as `model.predict_labels`.

  Returns:
    EvalGraph.
  """
  predictions = predict(samples[keys.IMAGE], model_options)[keys.OUTPUT_TYPE]
  saver = tf.train.Saver(tf.global_variables())
  _, counts = confusion_matrix.streaming_confusion_matrix(
      samples[keys.LABEL], predictions, dataset.num_classes, dataset.ignore_label)
  return EvalGraph(
      counts=counts,
      images=tf.saturate_cast(tf.round(samples[keys.IMAGE]), tf.uint8),
      labels=eval_batches.compact(tf.squeeze(samples[keys.LABEL], 3), dataset),
      predictions=eval_batches.compact(predictions, dataset),
      regions=samples[eval_batches.REGION],
      names=samples[keys.IMAGE_NAME],
      saver=saver)


def count_pixels(graph, checkpoint, dataset, split, files, observe=None):
  """Runs the model of a checkpoint on all records of a split.

  Args:
    graph: EvalGraph of the default graph.
    checkpoint: checkpoint prefix.
    dataset: DatasetDescriptor.
    split: name of the split, for progress and messages.
    files: the shards that are read, to name a bad record in.
    observe: function (name, image, label, prediction) that is called per image, without
      padding and in order, in a thread of its own; or None.

  Returns:
    counts: [num_classes, num_classes] int64 array, rows are labels.
    num_images: number of images evaluated.

  Raises:
    ValueError: the checkpoint is of another model, a record is bad, or the split is empty.
  """
  num_images = 0
  counts = None
  fetches = {name: getattr(graph, name)
             for name in ('counts', 'regions') + (() if observe is None else _SHOWN)}
  with readable_input_errors(files, dataset), \
       sessions.restored_session(graph.saver, checkpoint, graph.master) as session, \
       _observer(observe) as show, \
       progress.bar('evaluating', total=dataset.splits_to_sizes.get(split)) as bar:
    for batch in sessions.batches(session, fetches):
      counts = batch['counts']
      if observe is not None:
        show(**{name: batch[name] for name in _SHOWN})
      num_ended = sum(map(eval_batches.is_last, batch['regions']))
      bar.update(num_ended)
      num_images += num_ended
  if counts is None:
    raise ValueError('Split %r has no records in %s.' % (split, ', '.join(files)))
  return counts, num_images


@contextlib.contextmanager
def _observer(observe):
  """Yields a function that hands the images of a batch to `observe` in another thread."""
  stitcher = eval_batches.Stitcher()
  with background.BackgroundWork(1, _MAX_WAITING_BYTES) as work:

    def show(images, labels, predictions, regions, names):
      for image, label, prediction, region, name in zip(images, labels, predictions, regions,
                                                        names):
        whole = stitcher.add(region, [image, label, prediction])
        if whole is not None:
          work.submit(sum(array.nbytes for array in whole), observe, name, *whole)

    yield show
