"""Tests of panoptic quality against the definition of the paper, pixel set by pixel set."""
import numpy as np
import pytest

from deeplab.evaluation import test_utils
from deeplab.evaluation.panoptic_quality import PanopticQuality

IGNORED = test_utils.IGNORED


def by_definition(scenes, is_crowd_of_same_category):
  """Returns [num_categories] IoU sums, TP, FN and FP from the paper's definition."""
  counts = np.zeros([4, test_utils.NUM_CATEGORIES])
  for scene in scenes:
    truth = test_utils.masks(*scene.arrays[:2])
    predictions = test_utils.masks(*scene.arrays[2:])
    void = truth.pop((IGNORED, 0), np.zeros(scene.arrays[0].shape, bool))
    crowds = {key[1]: truth.pop(key) for key in list(truth) if key[0] == IGNORED}
    matched_truth, matched_predictions = set(), set()
    for key, mask in truth.items():
      for other, predicted in predictions.items():
        union = ((mask | predicted) & ~void).sum()
        iou = float((mask & predicted).sum()) / union
        if key[0] == other[0] and iou > 0.5:
          counts[:2, key[0]] += iou, 1
          matched_truth.add(key)
          matched_predictions.add(other)
    for key in set(truth) - matched_truth:
      counts[2, key[0]] += 1
    for key in set(predictions) - matched_predictions:
      if key[0] == IGNORED:
        continue
      excused = void.copy()
      for instance, mask in crowds.items():
        if not is_crowd_of_same_category or scene.crowds[instance] == key[0]:
          excused |= mask
      if float((predictions[key] & excused).sum()) / predictions[key].sum() <= 0.5:
        counts[3, key[0]] += 1
  return counts


def quality(counts):
  iou, tp, fn, fp = counts
  total = tp + fn / 2 + fp / 2
  pq = np.array([i / t if t else 0 for i, t in zip(iou, total)])
  has_segments = (total > 0) & (np.arange(len(total)) != IGNORED)
  return pq, pq[has_segments].mean() if has_segments.any() else 0


@pytest.mark.parametrize('is_crowd_of_same_category', [False, True])
def test_fifty_random_images_equal_the_definition(is_crowd_of_same_category):
  whole, scenes = PanopticQuality(**test_utils.METRIC_ARGUMENTS), []
  for seed in range(50):
    scene = test_utils.random_scene(np.random.RandomState(seed))
    scenes.append(scene)
    metric = PanopticQuality(**test_utils.METRIC_ARGUMENTS)
    crowds = scene.crowds if is_crowd_of_same_category else None
    result = metric.compare_and_accumulate(*scene.arrays, crowd_categories=crowds)
    pq, mean = quality(by_definition([scene], is_crowd_of_same_category))
    np.testing.assert_allclose(metric.result_per_category()[1:], pq[1:], atol=1e-9)
    assert result == metric.result() == pytest.approx(mean, abs=1e-9)
    whole.compare_and_accumulate(*scene.arrays, crowd_categories=crowds)
  expected = by_definition(scenes, is_crowd_of_same_category)
  for values, of_definition in zip((whole.iou_per_class, whole.tp_per_class,
                                    whole.fn_per_class, whole.fp_per_class), expected):
    np.testing.assert_allclose(values[1:], of_definition[1:], atol=1e-9)
  # The random images have what they are there for.
  assert expected[1:, 1:].min() > 0


def test_random_images_tell_the_two_uses_of_crowds_apart():
  scenes = [test_utils.random_scene(np.random.RandomState(seed)) for seed in range(50)]
  assert by_definition(scenes, True)[3].sum() > by_definition(scenes, False)[3].sum()


def count(truth, prediction, crowd_categories=None):
  """Returns the metric of one row of pixels, each (category, instance)."""
  metric = PanopticQuality(**test_utils.METRIC_ARGUMENTS)
  arrays = [np.array(row)[:, i] for row in (truth, prediction) for i in range(2)]
  metric.compare_and_accumulate(*arrays, crowd_categories=crowd_categories)
  return metric


def test_iou_of_one_half_is_no_match():
  metric = count([(1, 0)] * 3 + [(2, 0)], [(1, 0)] * 2 + [(2, 0)] * 2)
  # Category 1: 2 of 3 pixels. Category 2: 1 of 2 pixels.
  np.testing.assert_allclose(metric.iou_per_class, [0, 2 / 3., 0, 0, 0])
  assert metric.tp_per_class.tolist() == [0, 1, 0, 0, 0]
  assert metric.fn_per_class.tolist() == metric.fp_per_class.tolist() == [0, 0, 1, 0, 0]


def test_ratios_are_segmentation_and_recognition_quality():
  metric = count([(1, 0)] * 3 + [(1, 1)] * 3 + [(1, 2)],
                 [(1, 0)] * 3 + [(1, 1)] * 2 + [(1, 3)] + [(2, 0)])
  values = metric.per_category()
  # Two matches of IoU 1 and 2/3; instance 2 missed; instance 3 made up.
  assert values['sq'][1] == pytest.approx(5 / 6.)
  assert values['rq'][1] == pytest.approx(2 / 3.)
  assert values['pq'][1] == pytest.approx(5 / 9.)
  assert metric.result() == pytest.approx(5 / 18.)


@pytest.mark.parametrize('ignored, false_positives', [(2, 1), (3, 0)])
def test_prediction_is_excused_above_half_of_it_on_ignored_pixels(ignored, false_positives):
  truth = [(0, 0)] * (ignored - 1) + [(0, 7)] + [(2, 0)] * (4 - ignored) + [(2, 0)] * 8
  metric = count(truth, [(1, 0)] * 4 + [(2, 0)] * 8)
  assert metric.fp_per_class[1] == false_positives


@pytest.mark.parametrize('crowd_categories, false_positives', [
    (None, 0), ({}, 0), ({3: 1}, 0), ({3: 4}, 1)])
def test_crowd_of_a_known_category_excuses_that_one_alone(crowd_categories, false_positives):
  metric = count([(0, 3)] * 4 + [(2, 0)], [(1, 0)] * 4 + [(2, 0)], crowd_categories)
  assert metric.fp_per_class[1] == false_positives


def test_crowd_pixels_stay_in_the_union_and_void_pixels_do_not():
  void, crowd = (count([(1, 0)] * 3 + [(0, instance)], [(1, 0)] * 4)
                 for instance in (0, 1))
  assert void.iou_per_class[1] == 1
  assert crowd.iou_per_class[1] == 0.75


def test_missed_crowd_or_void_is_no_false_negative():
  metric = count([(0, 0), (0, 1), (1, 0)], [(2, 0), (2, 0), (1, 0)])
  assert metric.fn_per_class.sum() == 0 and metric.fp_per_class.sum() == 0
  assert metric.result() == 1
