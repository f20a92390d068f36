"""Tests of parsing covering against the definition of the paper, and figures of other programs."""
import os

import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.evaluation import streaming_metrics, test_utils
from deeplab.evaluation.parsing_covering import ParsingCovering
from deeplab.testing import tiny_run

IGNORED = test_utils.IGNORED
# Picture of a team, its ids and classes; the figures are in a README beside it.
_SAMPLE = os.path.join(tiny_run.ROOT, os.pardir, 'shared', 'data', 'panoptic')


def by_definition(scenes, is_normalized):
  """Returns [num_categories] covering and [num_categories] area."""
  covered, areas = np.zeros([2, test_utils.NUM_CATEGORIES])
  for scene in scenes:
    size = scene.arrays[0].size if is_normalized else 1
    is_ignored = scene.arrays[0] == IGNORED
    predictions = {key: mask & ~is_ignored
                   for key, mask in test_utils.masks(*scene.arrays[2:]).items()}
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


def test_ignored_pixels_of_the_ground_truth_are_no_part_of_unions():
  metric = ParsingCovering(normalize_by_image_size=False, **test_utils.METRIC_ARGUMENTS)
  # Void, a crowd, and another segment: the last one alone makes the prediction too large.
  metric.compare_and_accumulate(np.array([1] * 6 + [0] * 5 + [2] * 2),
                                np.array([0] * 6 + [0] * 3 + [1] * 2 + [0] * 2),
                                np.full([13], 1), np.zeros([13], int))
  assert metric.weighted_iou_per_class.tolist() == [0, 6 * 6 / 8., 0, 0, 0]
  assert metric.gt_area_per_class.tolist() == [0, 6, 2, 0, 0]


def test_instances_above_the_maximum_are_taken_as_they_are():
  instances = np.full([6, 6], 2)
  instances[1:6, 1] = instances[1:5, 2] = instances[1:4, 3] = instances[1:4, 4] = 4
  metric = ParsingCovering(num_categories=3, ignored_label=2, max_instances_per_category=2,
                           offset=16, normalize_by_image_size=False)
  zeros = np.zeros([6, 6], int)
  assert metric.compare_and_accumulate(zeros, instances, zeros, instances) == 1
  assert metric.weighted_iou_per_class.tolist() == [0, 21, 0]
  assert metric.gt_area_per_class.tolist() == [0, 21, 0]


@pytest.fixture
def team():
  """The four arrays of the shared sample."""
  if not os.path.isdir(_SAMPLE):
    pytest.skip('no ../shared/data/panoptic')
  instances, categories = test_utils.panoptic_segmentation_with_class_map(
      os.path.join(_SAMPLE, 'team_gt_instance.png'),
      {0: 0, 47: 1, 97: 1, 133: 1, 150: 1, 174: 1, 198: 2, 215: 1, 244: 1, 255: 1})
  predicted = test_utils.read_segmentation_with_rgb_color_map(
      os.path.join(_SAMPLE, 'team_pred_class.png'), {(0, 0, 0): 0, (0, 0, 255): 1, (255, 0, 0): 2})
  return categories, instances, predicted, test_utils.read_test_image(
      os.path.join(_SAMPLE, 'team_pred_instance.png'), mode='L')


@pytest.mark.parametrize('is_normalized, covered, areas', [
    (False, [0, 39864.14634, 3136], [0, 56870, 5800]),
    (True, [0, 0.5002088756, 0.03935002196], [0, 0.7135955832, 0.07277746408])])
def test_shared_sample_has_the_figures_that_are_known_of_it(team, is_normalized, covered, areas):
  metric = ParsingCovering(3, 0, 256, 256 * 256, normalize_by_image_size=is_normalized)
  assert metric.compare_and_accumulate(*team) == pytest.approx(0.6208296732, abs=1e-9)
  np.testing.assert_allclose(metric.weighted_iou_per_class, covered, rtol=1e-9)
  np.testing.assert_allclose(metric.gt_area_per_class, areas, rtol=1e-9)
  per_category = [0, 0.70097, 0.54069]
  np.testing.assert_allclose(metric.result_per_category(), per_category, atol=1e-5)
  with tf.Graph().as_default(), tf.Session() as session:
    _, update_op = streaming_metrics.streaming_parsing_covering(
        *[tf.constant(array) for array in team], num_classes=3, max_instances_per_category=256,
        ignored_label=0, offset=256 * 256, normalize_by_image_size=is_normalized)
    session.run(tf.local_variables_initializer())
    np.testing.assert_allclose(session.run(update_op), [per_category, covered, areas], atol=1e-5)
