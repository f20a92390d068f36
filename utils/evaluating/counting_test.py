"""Tests of the counts in the graph against numpy."""
import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.evaluation.semantic import segmentation_metrics
from deeplab.utils.evaluating import counting


def random_batches(num_classes, ignore_label, num_batches=3):
  rng = np.random.RandomState(1)
  for _ in range(num_batches):
    labels = rng.randint(0, num_classes, (2, 9, 7, 1)).astype(np.int32)
    labels[rng.rand(*labels.shape) < 0.3] = ignore_label
    yield labels, rng.randint(0, num_classes, (2, 9, 7)).astype(np.int64)


@pytest.mark.parametrize('num_classes, ignore_label', [(4, 255), (4, 0), (11, 11), (1, 255)])
def test_streamed_counts_equal_numpy(num_classes, ignore_label):
  expected = np.zeros([num_classes, num_classes], np.int64)
  with tf.Graph().as_default(), tf.Session() as session:
    labels = tf.placeholder(tf.int32, [None, 9, 7, 1])
    predictions = tf.placeholder(tf.int64, [None, 9, 7])
    counts = counting.streaming_confusion_matrix(
        labels, predictions, num_classes, ignore_label)
    assert not tf.global_variables()
    session.run(tf.local_variables_initializer())
    for batch in random_batches(num_classes, ignore_label):
      result = session.run(counts, dict(zip((labels, predictions), batch)))
      expected += segmentation_metrics.confusion_matrix(
          batch[0][..., 0], batch[1], num_classes, ignore_label)
  assert result.dtype == np.int64
  np.testing.assert_array_equal(result, expected)


def test_rows_are_labels():
  with tf.Graph().as_default(), tf.Session() as session:
    counts = session.run(counting.batch_confusion_matrix(
        tf.constant([0, 0, 1]), tf.constant([1, 1, 1]), 2, 255))
  np.testing.assert_array_equal(counts, [[0, 2], [0, 1]])


def test_labels_that_are_no_class_stop_the_evaluation():
  with tf.Graph().as_default(), tf.Session() as session:
    counts = counting.batch_confusion_matrix(
        tf.placeholder_with_default([0, 7], [2]), tf.constant([0, 0]), 4, 255)
    with pytest.raises(tf.errors.InvalidArgumentError, match='must be below num_classes'):
      session.run(counts)
