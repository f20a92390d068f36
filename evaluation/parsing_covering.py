"""Parsing covering: how well predicted segments cover the ground truth, pixel by pixel.

Per category, the mean over ground-truth segments of the best IoU with a predicted segment,
weighted by area. Large segments count more than in panoptic quality, and nothing is cut off
at an IoU of one half. Pixels whose ground truth is ignored count nowhere.

Reference: Yang et al., "DeeperLab: Single-Shot Image Parser", 2019, section 4.
"""
import numpy as np

from deeplab.evaluation import base_metric


class ParsingCovering(base_metric.SegmentationMetric):
  """Areas and covered areas of ground-truth segments per category.

  Attributes, [num_categories], summed: weighted_iou_per_class, area * best IoU; gt_area_per_class.
  """
  columns = ('pc',)
  counts = {'weighted_iou_per_class': np.float64, 'gt_area_per_class': np.float64}

  def __init__(self, num_categories, ignored_label, max_instances_per_category, offset,
               normalize_by_image_size=True):
    """Starts with empty counts; other arguments and errors are those of the base class.

    With normalize_by_image_size areas are shares of their image rather than pixels, so that large
    images do not weigh more.
    """
    super().__init__(num_categories, ignored_label, max_instances_per_category, offset)
    self.normalize_by_image_size = normalize_by_image_size

  def per_category(self):
    """Returns dict of [num_categories] arrays: 'pc' and 'area', in images or pixels."""
    pc = base_metric.realdiv_maybe_zero(self.weighted_iou_per_class, self.gt_area_per_class)
    return {'pc': pc, 'area': self.gt_area_per_class}

  def valid_categories(self):
    """Returns [num_categories] booleans: categories with ground truth, without the ignored."""
    return (self.gt_area_per_class > 0) & self._is_not_ignored()

  def _settings(self):
    return super()._settings() + (self.normalize_by_image_size,)

  def _add(self, pairs, crowd_categories):
    """See the base class. Ignored ground truth has no part in it, crowds included.

    Its pixels are no part of the area of a predicted segment either, and so of no union.
    """
    del crowd_categories
    categories = self._category_of(pairs.groundtruth_ids)
    is_counted = categories != self.ignored_label
    is_same = (categories[pairs.groundtruth_index]
               == self._category_of(pairs.predicted_ids)[pairs.predicted_index])
    predicted_areas = pairs.predicted_areas_where(is_counted[pairs.groundtruth_index])
    union = (pairs.groundtruth_areas[pairs.groundtruth_index]
             + predicted_areas[pairs.predicted_index] - pairs.areas)
    best_iou = np.zeros(len(categories))
    np.maximum.at(best_iou, pairs.groundtruth_index,
                  is_same * base_metric.realdiv_maybe_zero(pairs.areas, union))
    areas = pairs.groundtruth_areas * is_counted
    if self.normalize_by_image_size:
      areas = base_metric.realdiv_maybe_zero(areas, pairs.areas.sum())
    self.weighted_iou_per_class += self._sum_per_category(categories, areas * best_iou)
    self.gt_area_per_class += self._sum_per_category(categories, areas)
