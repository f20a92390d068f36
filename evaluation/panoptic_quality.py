"""Panoptic quality: how many segments are found, and how well they fit.

PQ = SQ * RQ per category. Segments of one category match if their IoU is above one half.

Reference: Kirillov et al., "Panoptic Segmentation", CVPR 2019, section 4.
"""
import numpy as np

from deeplab.evaluation import base_metric

_MATCH_IOU = 0.5  # Above one half, a segment has at most one partner; the paper's threshold.
# An unmatched prediction with a larger share than this on ignored ground truth is excused.
_EXCUSED_SHARE = 0.5


class PanopticQuality(base_metric.SegmentationMetric):
  """Counts of matched and unmatched segments per category, and their panoptic quality.

  Attributes, [num_categories]: iou_per_class, IoU of matched segments, summed; tp_per_class,
  matched segments; fn_per_class and fp_per_class, ground-truth and predicted segments without a
  match.
  """
  columns = ('pq', 'sq', 'rq')
  counts = {'iou_per_class': np.float64, 'tp_per_class': np.int64, 'fn_per_class': np.int64,
            'fp_per_class': np.int64}

  def per_category(self):
    """Returns dict of [num_categories] arrays: 'pq', 'sq', 'rq', 'tp', 'fp', 'fn'."""
    sq = base_metric.realdiv_maybe_zero(self.iou_per_class, self.tp_per_class)
    rq = base_metric.realdiv_maybe_zero(
        self.tp_per_class, self.tp_per_class + self.fn_per_class / 2. + self.fp_per_class / 2.)
    return {'pq': sq * rq, 'sq': sq, 'rq': rq, 'tp': self.tp_per_class,
            'fp': self.fp_per_class, 'fn': self.fn_per_class}

  def valid_categories(self):
    """Returns [num_categories] booleans: categories with segments, without the ignored."""
    return (self.tp_per_class + self.fn_per_class + self.fp_per_class > 0
            ) & self._is_not_ignored()

  def _add(self, pairs, crowd_categories):
    """See the base class. Segments that match nothing count against their category.

    Void pixels of the ground truth (instance 0 of the ignored category) are no part of
    unions. A prediction with more than half of its pixels on ignored ground truth, void or
    crowds that `crowd_categories` does not give to other categories, is not counted.
    """
    categories = self._category_of(pairs.groundtruth_ids)
    predicted_categories = self._category_of(pairs.predicted_ids)
    is_match, iou = self._match(pairs, categories, predicted_categories)
    groundtruth_index = pairs.groundtruth_index[is_match]
    matched = categories[groundtruth_index]
    self.iou_per_class += self._sum_per_category(matched, iou[is_match])
    self.tp_per_class += self._sum_per_category(matched)

    is_missed = categories != self.ignored_label
    is_missed[groundtruth_index] = False
    self.fn_per_class += self._sum_per_category(categories[is_missed])

    is_false = ~self._is_excused(pairs, predicted_categories, crowd_categories)
    is_false[pairs.predicted_index[is_match]] = False
    self.fp_per_class += self._sum_per_category(predicted_categories[is_false])

  def _match(self, pairs, categories, predicted_categories):
    """Returns ([N] booleans, [N] float64 IoU) of the pairs."""
    void_id = self.ignored_label * self.max_instances_per_category
    predicted_areas = pairs.predicted_areas_where(
        pairs.groundtruth_ids[pairs.groundtruth_index] != void_id)
    union = (pairs.groundtruth_areas[pairs.groundtruth_index]
             + predicted_areas[pairs.predicted_index] - pairs.areas)
    iou = base_metric.realdiv_maybe_zero(pairs.areas, union)
    is_same = (categories[pairs.groundtruth_index]
               == predicted_categories[pairs.predicted_index])
    return is_same & (iou > _MATCH_IOU), iou

  def _is_excused(self, pairs, predicted_categories, crowd_categories):
    """Returns [P] booleans: predicted segments that lie mostly on ignored ground truth."""
    first_id = self.ignored_label * self.max_instances_per_category
    # Per ground-truth segment: -1 excuses any prediction, c those of category c.
    excuses = np.full(len(pairs.groundtruth_ids), -1)
    for instance, category in crowd_categories.items():
      excuses[pairs.groundtruth_ids == first_id + instance] = category
    of_pair = excuses[pairs.groundtruth_index]
    is_ignored = self._category_of(
        pairs.groundtruth_ids)[pairs.groundtruth_index] == self.ignored_label
    is_ignored &= (of_pair < 0) | (of_pair == predicted_categories[pairs.predicted_index])
    return (pairs.predicted_areas_where(is_ignored)
            > _EXCUSED_SHARE * pairs.predicted_areas)
