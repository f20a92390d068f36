"""The evaluation graph and the pass over a split.

    samples -> labels predicted -> confusion counts, summed over the split
"""
import typing

from deeplab.core import keys, progress
from deeplab.core.tf_compat import tf
from deeplab.datasets.record_check import readable_input_errors
from deeplab.utils import confusion_matrix, sessions


class EvalGraph(typing.NamedTuple):
  """Tensors of an evaluation step.

  Attributes:
    counts: [num_classes, num_classes] int64, rows are labels: counts of all batches so far.
    num_images: number of images of the batch.
    saver: restores the model's variables.
  """
  counts: tf.Tensor
  num_images: tf.Tensor
  saver: tf.train.Saver


def build_eval_graph(samples, dataset, model_options, predict):
  """Adds model and counting to the default graph.

  Args:
    samples: dict of a batch: image float32 [B, h, w, 3] in 0..255, label int32
      [B, h, w, 1].
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
  return EvalGraph(counts, tf.shape(samples[keys.IMAGE])[0], saver)


def count_pixels(graph, checkpoint, dataset, split, files):
  """Runs the model of a checkpoint on all records of a split.

  Args:
    graph: EvalGraph of the default graph.
    checkpoint: checkpoint prefix.
    dataset: DatasetDescriptor.
    split: name of the split, for progress and messages.
    files: the shards that are read, to name a bad record in.

  Returns:
    counts: [num_classes, num_classes] int64 array, rows are labels.
    num_images: number of images evaluated.

  Raises:
    ValueError: the checkpoint is of another model, a record is bad, or the split is empty.
  """
  num_images = 0
  counts = None
  with readable_input_errors(files, dataset), \
       sessions.restored_session(graph.saver, checkpoint) as session, \
       progress.bar('evaluating', total=dataset.splits_to_sizes.get(split)) as bar:
    for counts, batch in sessions.batches(session, (graph.counts, graph.num_images)):  # noqa: B007
      bar.update(int(batch))
      num_images += int(batch)
  if counts is None:
    raise ValueError('Split %r has no records in %s.' % (split, ', '.join(files)))
  return counts, num_images
