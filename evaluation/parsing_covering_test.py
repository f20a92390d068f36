"""Tests of parsing covering against the definition of the paper."""
import numpy as np
import pytest

from deeplab.evaluation import test_utils
from deeplab.evaluation.parsing_covering import ParsingCovering

IGNORED = test_utils.IGNORED


def by_definition(scenes, is_normalized):
  """Returns [num_categories] covering and [num_categories] area."""
  covered, areas = np.zeros([2, test_utils.NUM_CATEGORIES])
  for scene in scenes:
    size = scene.arrays[0].size if is_normalized else 1
    predictions = test_utils.masks(*scene.arrays[2:])
    for (category, _), mask in test_utils.masks(*scene.arrays[:2]).items():
      if category == IGNORED:
        continue
      best = max([float((mask & other).sum()) / (mask | other).sum()
                  for key, other in predictions.items() if key[0] == category] or [0])
      covered[category] += best * mask.sum() / size
      areas[category] += mask.sum() / float(size)
  return np.array([c / a if a else 0 for c, a in zip(covered, areas)]), areas


@pytest.mark.parametrize('is_normalized', [True, False])
def test_fifty_random_images_equal_the_definition(is_normalized):
  metric, scenes = (ParsingCovering(normalize_by_image_size=is_normalized,
                                    **test_utils.METRIC_ARGUMENTS), [])
  for seed in range(50):
    random = np.random.RandomState(seed)
    scene = test_utils.random_scene(random, height=random.randint(12, 24))
    scenes.append(scene)
    single = ParsingCovering(normalize_by_image_size=is_normalized,
                             **test_utils.METRIC_ARGUMENTS)
    result = single.compare_and_accumulate(*scene.arrays)
    covering, areas = by_definition([scene], is_normalized)
    np.testing.assert_allclose(single.result_per_category(), covering, atol=1e-9)
    assert result == pytest.approx(covering[areas > 0].mean() if areas.any() else 0, abs=1e-9)
    metric.compare_and_accumulate(*scene.arrays)
  covering, areas = by_definition(scenes, is_normalized)
  np.testing.assert_allclose(metric.result_per_category(), covering, atol=1e-9)
  np.testing.assert_allclose(metric.gt_area_per_class, areas, rtol=1e-9)
  assert metric.result() == pytest.approx(covering[areas > 0].mean(), abs=1e-9)


def test_large_segments_weigh_more_and_poor_matches_count():
  metric = ParsingCovering(normalize_by_image_size=False, **test_utils.METRIC_ARGUMENTS)
  metric.compare_and_accumulate(
      np.array([1] * 10), np.array([0] * 8 + [1] * 2),
      np.array([1] * 6 + [2] * 3 + [1]), np.array([0] * 3 + [1] * 3 + [0] * 3 + [5]))
  # 8 pixels covered to 3/8, 2 pixels covered to 1/2.
  assert metric.weighted_iou_per_class.tolist() == [0, 4, 0, 0, 0]
  assert metric.gt_area_per_class.tolist() == [0, 10, 0, 0, 0]
  assert metric.result() == pytest.approx(0.4)


@pytest.mark.parametrize('is_normalized, expected', [(True, 0.5), (False, 0.2)])
def test_normalized_images_weigh_the_same_whatever_their_size(is_normalized, expected):
  metric = ParsingCovering(normalize_by_image_size=is_normalized,
                           **test_utils.METRIC_ARGUMENTS)
  for size, predicted in ((2, 1), (8, 2)):
    category = np.ones([size], int)
    metric.compare_and_accumulate(category, 0 * category, category * predicted, 0 * category)
  assert metric.result() == pytest.approx(expected)


def test_categories_that_are_predicted_alone_do_not_count():
  metric = ParsingCovering(**test_utils.METRIC_ARGUMENTS)
  zeros = np.zeros([4], int)
  metric.compare_and_accumulate(np.array([1, 1, 1, 0]), zeros, np.array([1, 1, 1, 3]), zeros)
  assert metric.result() == 1
  assert metric.detailed_results()['All']['n'] == 1
