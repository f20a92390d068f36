"""Panoptic quality and parsing covering inside a graph, added up over the runs of an op.

    qualities, update_op = streaming_panoptic_quality(...)
    session.run(tf.local_variables_initializer())
    for _ in range(num_batches):
      session.run(update_op)
    session.run(qualities)

The comparison itself runs in Python (`tf.py_func`), on the machine of the session.
"""
import numpy as np

from deeplab.core.tf_compat import tf
from deeplab.evaluation import panoptic_quality, parsing_covering

_EPSILON = 1e-10


def _realdiv_maybe_zero(x, y):
  """Returns the float tensor x / y elementwise, 0 where |y| < 1e-10."""
  is_zero = tf.less(tf.abs(y), _EPSILON)
  return tf.where(is_zero, tf.zeros_like(x), x / tf.where(is_zero, tf.ones_like(y), y))


def _running_total(value, shape, name=None):
  """Makes a local variable that sums up a tensor over runs.

  Adds the variable to the collections LOCAL_VARIABLES and METRIC_VARIABLES.

  Args:
    value: float64 tensor.
    shape: its shape.
    name: of the ops, or None.

  Returns:
    (tensor of the total so far, tensor that adds `value` and holds the new total).
  """
  with tf.name_scope(name, 'running_total', [value]):
    total = tf.Variable(
        lambda: tf.zeros(shape, value.dtype), trainable=False, dtype=value.dtype,
        collections=[tf.GraphKeys.LOCAL_VARIABLES, tf.GraphKeys.METRIC_VARIABLES],
        name='total')
    return tf.identity(total), tf.identity(tf.assign_add(total, value))


def _panoptic_quality_helper(groundtruth_category_array, groundtruth_instance_array,
                             predicted_category_array, predicted_instance_array, num_classes,
                             max_instances_per_category, ignored_label, offset):
  """Returns the counts of a batch: IoU sums, TP, FN and FP, each [num_classes] float64."""
  metric = panoptic_quality.PanopticQuality(num_classes, ignored_label,
                                            max_instances_per_category, offset)
  _add_images(metric, groundtruth_category_array, groundtruth_instance_array,
              predicted_category_array, predicted_instance_array)
  return [np.asarray(counts, np.float64) for counts in (
      metric.iou_per_class, metric.tp_per_class, metric.fn_per_class, metric.fp_per_class)]


def streaming_panoptic_quality(groundtruth_categories, groundtruth_instances,
                               predicted_categories, predicted_instances, num_classes,
                               max_instances_per_category, ignored_label, offset, name=None):
  """Returns the panoptic quality per category over all images seen.

  Args:
    groundtruth_categories: integer tensor of category ids, [height, width] of one image or
      [batch, height, width].
    groundtruth_instances: instance ids, same shape.
    predicted_categories: the same for the prediction.
    predicted_instances: the same for the prediction.
    num_classes: number of categories.
    max_instances_per_category: instances are below this.
    ignored_label: category that is not evaluated; its entries below mean nothing.
    offset: larger than all predicted segment ids, see `base_metric.SegmentationMetric`.
    name: name scope of the ops, or None.

  Returns:
    (qualities, update_op), both [6, num_classes] float64: panoptic quality, segmentation
    quality, recognition quality, and the counts of true positives, false negatives and false
    positives. `update_op` adds the images first. Sums are kept in local variables.
  """
  tensors = [groundtruth_categories, groundtruth_instances, predicted_categories,
             predicted_instances]
  with tf.name_scope(name, 'streaming_panoptic_quality', tensors):
    counts = tf.py_func(
        _panoptic_quality_helper,
        tensors + [num_classes, max_instances_per_category, ignored_label, offset],
        [tf.float64] * 4, name='panoptic_quality')
    return _ratios_of_totals(counts, num_classes, _qualities)


def _qualities(iou, tp, fn, fp):
  sq = _realdiv_maybe_zero(iou, tp)
  rq = _realdiv_maybe_zero(tp, tp + fn / 2 + fp / 2)
  return tf.stack([sq * rq, sq, rq, tp, fn, fp])


def _parsing_covering_helper(groundtruth_category_array, groundtruth_instance_array,
                             predicted_category_array, predicted_instance_array, num_classes,
                             max_instances_per_category, ignored_label, offset,
                             normalize_by_image_size):
  """Returns the sums of a batch: weighted IoU and areas, each [num_classes] float64."""
  metric = parsing_covering.ParsingCovering(num_classes, ignored_label,
                                            max_instances_per_category, offset,
                                            normalize_by_image_size)
  _add_images(metric, groundtruth_category_array, groundtruth_instance_array,
              predicted_category_array, predicted_instance_array)
  return [metric.weighted_iou_per_class, metric.gt_area_per_class]


def streaming_parsing_covering(groundtruth_categories, groundtruth_instances,
                               predicted_categories, predicted_instances, num_classes,
                               max_instances_per_category, ignored_label, offset,
                               normalize_by_image_size=True, name=None):
  """Returns the parsing covering per category over all images seen.

  Args:
    groundtruth_categories: integer tensor of category ids, [height, width] of one image or
      [batch, height, width].
    groundtruth_instances: instance ids, same shape.
    predicted_categories: the same for the prediction.
    predicted_instances: the same for the prediction.
    num_classes: number of categories.
    max_instances_per_category: instances are below this.
    ignored_label: category that is not evaluated.
    offset: larger than all predicted segment ids, see `base_metric.SegmentationMetric`.
    normalize_by_image_size: areas are shares of their image rather than pixels.
    name: name scope of the ops, or None.

  Returns:
    (coverings, update_op), both [3, num_classes] float64: covering, sum of area * best IoU,
    sum of areas of the ground truth. `update_op` adds the images first. Sums are kept in
    local variables.
  """
  tensors = [groundtruth_categories, groundtruth_instances, predicted_categories,
             predicted_instances]
  with tf.name_scope(name, 'streaming_parsing_covering', tensors):
    sums = tf.py_func(
        _parsing_covering_helper,
        tensors + [num_classes, max_instances_per_category, ignored_label, offset,
                   normalize_by_image_size],
        [tf.float64] * 2, name='parsing_covering')
    return _ratios_of_totals(
        sums, num_classes,
        lambda weighted, areas: tf.stack([_realdiv_maybe_zero(weighted, areas), weighted, areas]))


def _add_images(metric, *arrays):
  """Adds the counts of [height, width] or [batch, height, width] arrays to a metric."""
  if arrays[0].ndim not in (2, 3):
    raise ValueError('Categories must be [height, width] or [batch, height, width], got %s.'
                     % (arrays[0].shape,))
  for image in [arrays] if arrays[0].ndim == 2 else zip(*arrays):
    metric.compare_and_accumulate(*image)


def _ratios_of_totals(counts, num_classes, ratios):
  """Returns `ratios` of the running totals of [num_classes] counts, before and after adding."""
  for count in counts:
    count.set_shape([num_classes])
  totals, updated = zip(*[_running_total(count, [num_classes]) for count in counts])
  return ratios(*totals), ratios(*updated)
