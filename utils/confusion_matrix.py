"""Counts labels against predictions in the graph, over all batches of an evaluation."""
from deeplab.core.tf_compat import tf

# Part of the message of labels that are no class; kept in one place for those who look for it.
LABEL_OUT_OF_RANGE = 'label ids must be below num_classes or the ignore label'


def batch_confusion_matrix(labels, predictions, num_classes, ignore_label):
  """Returns the pixel counts of one batch.

  Args:
    labels: integer tensor of class ids, any shape.
    predictions: integer tensor with as many elements, values in 0..num_classes-1.
    num_classes: number of classes.
    ignore_label: pixels with this label are not counted.

  Returns:
    [num_classes, num_classes] int64 tensor, rows are labels, columns are predictions. It
    fails with InvalidArgumentError on labels that are neither classes nor ignored.
  """
  labels = tf.cast(tf.reshape(labels, [-1]), tf.int32)
  predictions = tf.cast(tf.reshape(predictions, [-1]), tf.int32)
  num_bins = num_classes * num_classes
  is_ignored = tf.equal(labels, ignore_label)
  classes = tf.where(is_ignored, tf.zeros_like(labels), labels)
  in_range = tf.assert_less(classes, num_classes, message=LABEL_OUT_OF_RANGE)
  with tf.control_dependencies([in_range]):
    # Ids from num_bins on are not counted.
    bins = tf.where(is_ignored, tf.fill(tf.shape(labels), num_bins),
                    classes * num_classes + predictions)
  counts = tf.raw_ops.Bincount(arr=bins, size=num_bins, weights=tf.constant([], tf.int64))
  return tf.reshape(counts, [num_classes, num_classes])


def streaming_confusion_matrix(labels, predictions, num_classes, ignore_label):
  """Adds up the counts of all batches in a local variable.

  Args:
    labels: integer tensor of class ids, any shape.
    predictions: integer tensor with as many elements, values in 0..num_classes-1.
    num_classes: number of classes.
    ignore_label: pixels with this label are not counted.

  Returns:
    counts: [num_classes, num_classes] int64 local variable (initialised by
      `tf.local_variables_initializer`), rows are labels, columns are predictions.
    update_op: adds the batch at hand and returns the new counts.
  """
  counts = tf.Variable(
      tf.zeros([num_classes, num_classes], tf.int64), trainable=False,
      collections=[tf.GraphKeys.LOCAL_VARIABLES, tf.GraphKeys.METRIC_VARIABLES],
      name='confusion_matrix')
  return counts, tf.assign_add(
      counts, batch_confusion_matrix(labels, predictions, num_classes, ignore_label))
