"""Panoptic quality and parsing covering inside a graph, added up over the runs of an op.

    qualities, update_op = streaming_panoptic_quality(...)
    session.run(tf.local_variables_initializer())
    for _ in range(num_batches):
      session.run(update_op)
    session.run(qualities)

Comparison and ratios are computed in Python (`tf.py_func`), on the machine of the session.
"""
import numpy as np

from deeplab.core.tf_compat import tf
from deeplab.evaluation import panoptic_quality, parsing_covering


def streaming_panoptic_quality(groundtruth_categories, groundtruth_instances,
                               predicted_categories, predicted_instances, num_classes,
                               max_instances_per_category, ignored_label, offset, name=None):
  """Returns the panoptic quality per category over all images seen.

  Args:
    groundtruth_categories, groundtruth_instances, predicted_categories, predicted_instances:
      integer tensors of ids, [height, width] of one image or [batch, height, width].
    num_classes: number of categories.
    max_instances_per_category: instances are below this.
    ignored_label: category that is not evaluated; its entries below mean nothing.
    offset: larger than all predicted segment ids, see `base_metric.SegmentationMetric`.
    name: name scope of the ops, or None.

  Returns:
    (qualities, update_op), both [6, num_classes] float64: panoptic quality, segmentation quality,
    recognition quality, and the counts of true positives, false negatives and false positives.
    `update_op` adds the images first. Sums are kept in local variables, which are in the
    collections LOCAL_VARIABLES and METRIC_VARIABLES.
  """
  def qualities(metric):
    values = metric.per_category()
    return [values[key] for key in ('pq', 'sq', 'rq', 'tp', 'fn', 'fp')]

  metric = panoptic_quality.PanopticQuality(num_classes, ignored_label,
                                            max_instances_per_category, offset)
  return _running(metric, [groundtruth_categories, groundtruth_instances, predicted_categories,
                           predicted_instances], qualities, (name, 'streaming_panoptic_quality'))


def streaming_parsing_covering(groundtruth_categories, groundtruth_instances,
                               predicted_categories, predicted_instances, num_classes,
                               max_instances_per_category, ignored_label, offset,
                               normalize_by_image_size=True, name=None):
  """Returns the parsing covering per category over all images seen.

  Arguments are those of `streaming_panoptic_quality`; with normalize_by_image_size areas are shares
  of their image rather than pixels. Returns (coverings, update_op), both [3, num_classes] float64:
  covering, sum of area * best IoU, sum of areas of the ground truth. `update_op` and sums are as
  above.
  """
  def coverings(metric):
    return [metric.per_category()['pc'], metric.weighted_iou_per_class, metric.gt_area_per_class]

  metric = parsing_covering.ParsingCovering(num_classes, ignored_label,
                                            max_instances_per_category, offset,
                                            normalize_by_image_size)
  return _running(metric, [groundtruth_categories, groundtruth_instances, predicted_categories,
                           predicted_instances], coverings, (name, 'streaming_parsing_covering'))


def _running(metric, tensors, rows, scope):
  """Returns (result so far, result once the images are added), [number of rows, num_categories].

  `metric` has no counts yet; `tensors` are four of categories and instances; `rows` is a function
  of a SegmentationMetric, its counts float64, that returns a list of [num_categories] arrays;
  `scope` is the name scope, or None, and the one in its place.
  """
  shape = [metric.num_categories]

  def count(*arrays):
    if arrays[0].ndim not in (2, 3):
      raise ValueError('Categories must be [height, width] or [batch, height, width], got %s.'
                       % (arrays[0].shape,))
    counted = metric.empty_copy()
    for image in [arrays] if arrays[0].ndim == 2 else zip(*arrays):
      counted.compare_and_accumulate(*image)
    return [np.asarray(getattr(counted, key), np.float64) for key in metric.counts]

  def rows_of(*totals):
    total = metric.empty_copy()
    for key, values in zip(metric.counts, totals):
      setattr(total, key, values)
    return np.array(rows(total), np.float64)

  totals, updated = [], []
  with tf.name_scope(*scope, tensors):
    for added in tf.py_func(count, tensors, [tf.float64] * len(metric.counts), name='counts'):
      total = tf.Variable(
          lambda: tf.zeros(shape, tf.float64), trainable=False, dtype=tf.float64,
          collections=[tf.GraphKeys.LOCAL_VARIABLES, tf.GraphKeys.METRIC_VARIABLES], name='total')
      added.set_shape(shape)
      totals.append(tf.identity(total))
      updated.append(tf.identity(tf.assign_add(total, added)))
    results = [tf.py_func(rows_of, values, tf.float64) for values in (totals, updated)]
  for result in results:
    result.set_shape([len(rows(metric))] + shape)
  return tuple(results)
