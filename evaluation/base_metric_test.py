"""Tests of what the panoptic metrics share: counting pairs, checks, means, merging."""
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplab.evaluation import base_metric, test_utils
from deeplab.evaluation.base_metric import realdiv_maybe_zero
from deeplab.evaluation.panoptic_quality import PanopticQuality
from deeplab.evaluation.parsing_covering import ParsingCovering

METRICS = [PanopticQuality, ParsingCovering]
EITHER = pytest.mark.parametrize('metric_class', METRICS)
ONES = np.ones([2, 3], int)


def make(metric_class, **changes):
  return metric_class(**dict(test_utils.METRIC_ARGUMENTS, **changes))


def add_all(metric, scenes):
  for scene in scenes:
    metric.compare_and_accumulate(*scene.arrays, crowd_categories=scene.crowds)
  return metric


def scenes_of(seeds):
  return [test_utils.random_scene(np.random.RandomState(seed)) for seed in seeds]


def assert_same_counts(one, other):
  for name, values in one.per_category().items():
    np.testing.assert_allclose(other.per_category()[name], values, atol=1e-12, err_msg=name)
  assert other.result() == pytest.approx(one.result(), abs=1e-12)


def test_metrics_import_no_tensorflow():
  code = ('import sys; import deeplab.evaluation.panoptic_quality, '
          'deeplab.evaluation.parsing_covering; '
          'sys.exit(sorted(m for m in sys.modules if m.startswith("tensorflow")) or 0)')
  done = subprocess.run([sys.executable, '-c', code], stderr=subprocess.PIPE)
  assert done.returncode == 0, done.stderr


def test_division_by_almost_zero_gives_zero():
  np.testing.assert_array_equal(
      realdiv_maybe_zero([1, 1, -6, 0], [0, 9e-11, 3, 5]), [0, 0, -2, 0])
  assert realdiv_maybe_zero(1, 1e-10) == 1e10


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 1, 7, 2 ** 32 - 1]),
                          st.sampled_from([0, 3, 2 ** 31, 2 ** 32 - 1])), max_size=40))
def test_pairs_are_those_of_the_pixels(pixels):
  ids = np.array(pixels, np.uint32).reshape(-1, 2)
  (first, second), lengths = base_metric.joint_runs(ids[:, 0], ids[:, 1])
  assert lengths.sum() == len(pixels)
  found = base_metric.count_pairs(first, second, lengths)
  counts = {(int(found.groundtruth_ids[g]), int(found.predicted_ids[p])): int(area)
            for g, p, area in zip(found.groundtruth_index, found.predicted_index,
                                  found.areas)}
  assert counts == {pair: pixels.count(pair) for pair in set(pixels)}
  for column, (segments, areas) in enumerate((
      (found.groundtruth_ids, found.groundtruth_areas),
      (found.predicted_ids, found.predicted_areas))):
    of_column = [pixel[column] for pixel in pixels]
    assert dict(zip(segments.tolist(), areas.tolist())) == {
        i: of_column.count(i) for i in set(of_column)}


@EITHER
@settings(max_examples=25, deadline=None)
@given(seeds=st.lists(st.integers(0, 1000), min_size=1, max_size=3),
       shuffle=st.randoms(use_true_random=False))
def test_order_of_images_and_numbering_of_instances_change_nothing(metric_class, seeds,
                                                                   shuffle):
  scenes = scenes_of(seeds)
  expected = add_all(make(metric_class), scenes)
  renumbered = [list(range(test_utils.MAX_INSTANCES)) for _ in range(2)]
  for numbers in renumbered:
    shuffle.shuffle(numbers)
  # Void keeps instance 0: it is told from crowds by its number.
  new = np.array(renumbered)
  new[0] = [0] + [n for n in new[0] if n]
  other = []
  for scene in scenes:
    categories, instances, predicted, predicted_instances = scene.arrays
    other.append(test_utils.Scene(
        (categories, new[0][instances], predicted, new[1][predicted_instances]),
        {int(new[0][i]): category for i, category in scene.crowds.items()}))
  shuffle.shuffle(other)
  assert_same_counts(expected, add_all(make(metric_class), other))


@EITHER
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10000))
def test_perfect_prediction_gives_one_and_a_wrong_category_everywhere_zero(metric_class, seed):
  scene, = scenes_of([seed])
  categories, instances = scene.arrays[:2]
  metric = make(metric_class)
  perfect = metric.compare_and_accumulate(categories, instances, categories, instances)
  has_segments = bool(set(np.unique(categories)) - {test_utils.IGNORED})
  assert perfect == pytest.approx(1. if has_segments else 0., abs=1e-12)
  metric.reset()
  other = np.where(categories == test_utils.IGNORED, test_utils.IGNORED,
                   categories % (test_utils.NUM_CATEGORIES - 1) + 1)
  assert metric.compare_and_accumulate(categories, instances, other, instances) == 0


@EITHER
@settings(max_examples=25, deadline=None)
@given(seeds=st.lists(st.integers(0, 1000), max_size=5), cut=st.integers(0, 5))
def test_merged_parts_equal_the_whole(metric_class, seeds, cut):
  scenes = scenes_of(seeds)
  whole, first, second = (add_all(make(metric_class), part)
                          for part in (scenes, scenes[:cut], scenes[cut:]))
  first.merge(second)
  assert_same_counts(whole, first)
  first.reset()
  assert first.result() == 0
  assert not any(values.any() for values in first.per_category().values())


@EITHER
def test_merging_keeps_the_other_metric_as_it_is(metric_class):
  one, other = (add_all(make(metric_class), scenes_of([seed])) for seed in (1, 2))
  before = {name: values.copy() for name, values in other.per_category().items()}
  one.merge(other)
  add_all(one, scenes_of([3]))
  for name, values in before.items():
    np.testing.assert_array_equal(other.per_category()[name], values)


@EITHER
def test_metrics_of_other_kinds_do_not_merge(metric_class):
  with pytest.raises(ValueError, match='same kind.*5.*6'):
    make(metric_class).merge(make(metric_class, num_categories=6))
  with pytest.raises(ValueError, match='PanopticQuality.*ParsingCovering'):
    make(PanopticQuality).merge(make(ParsingCovering))
  with pytest.raises(ValueError, match='True.*False'):
    make(ParsingCovering).merge(make(ParsingCovering, normalize_by_image_size=False))


@EITHER
def test_no_segments_give_zero_over_no_categories(metric_class):
  metric = make(metric_class)
  assert metric.result() == 0
  assert metric.compare_and_accumulate(*[np.zeros([0, 0], int)] * 4) == 0
  assert metric.compare_and_accumulate(*[0 * ONES] * 4) == 0
  details = metric.detailed_results(is_thing=[False] * test_utils.NUM_CATEGORIES)
  assert [details[name]['n'] for name in ('All', 'Things', 'Stuff')] == [0, 0, 0]


@EITHER
def test_means_are_split_into_things_and_stuff(metric_class):
  categories = np.array([[1, 2, 3, 0]])
  metric = make(metric_class)
  metric.compare_and_accumulate(categories, 0 * categories, np.array([[1, 2, 2, 0]]),
                                0 * categories)
  main = metric.columns[0]
  details = metric.detailed_results(is_thing=[True, False, True, False, True])
  assert list(details) == ['All', 'Things', 'Stuff']
  # Category 1 is found; half of category 2's union is: no match, half covered; 3 is missed.
  second = 0.5 if main == 'pc' else 0.
  assert details['All'][main] == pytest.approx((1 + second) / 3)
  assert details['Things'][main] == pytest.approx(second)
  assert details['Stuff'][main] == pytest.approx(0.5)
  assert [details[name]['n'] for name in details] == [3, 1, 2]
  assert list(metric.detailed_results()) == ['All']
  with pytest.raises(ValueError, match=r'is_thing has shape \(2,\).*5 categories'):
    metric.detailed_results(is_thing=[True, False])


def test_table_has_a_line_per_set_and_the_digits_asked_for(capsys):
  metric = make(PanopticQuality)
  metric.compare_and_accumulate(ONES, ONES, ONES, ONES)
  metric.print_detailed_results(is_thing=[True, False, True, False, False], print_digits=2)
  lines = capsys.readouterr().out.splitlines()
  assert [line.split() for line in lines] == [
      ['PQ', 'SQ', 'RQ', 'categories'], ['All', '1.00', '1.00', '1.00', '1'],
      ['Things', '0.00', '0.00', '0.00', '0'], ['Stuff', '1.00', '1.00', '1.00', '1']]
  make(ParsingCovering).print_detailed_results()
  assert capsys.readouterr().out.split()[:4] == ['PC', 'categories', 'All', '0.000']


@EITHER
@pytest.mark.parametrize('arrays, message', [
    ([ONES, ONES, ONES, np.ones([3, 2], int)], r'\(2, 3\).*\(3, 2\)'),
    ([ONES * 5, ONES, ONES, ONES], r'ground truth category id 5 is not in 0\.\.4'),
    ([ONES, ONES, -ONES, ONES], r'prediction category id -1 is not in 0\.\.4'),
    ([ONES, ONES * 64, ONES, ONES],
     r'ground truth: instances are not below max_instances_per_category=16, .*: pass a larger '
     r'number; category id 5 is not in 0\.\.4'),
    ([ONES, ONES, ONES, -ONES], 'prediction instance id -1 is not in 0'),
    ([ONES, ONES, ONES * .5, ONES], 'prediction category ids must be integers.*float64'),
])
def test_arrays_that_do_not_fit_are_told_and_not_counted(metric_class, arrays, message):
  metric = make(metric_class)
  with pytest.raises(ValueError, match=message):
    metric.compare_and_accumulate(*arrays)
  assert not any(values.any() for values in metric.per_category().values())


@EITHER
def test_instances_above_the_maximum_count_for_the_next_category_with_one_warning(metric_class,
                                                                                  caplog):
  base_metric._warn_once.cache_clear()
  metric = make(metric_class)
  for _ in range(2):
    metric.compare_and_accumulate(ONES, ONES * 16, 2 * ONES, 0 * ONES)
  # 1 * 16 + 16 is what instance 0 of category 2 is called.
  assert metric.result_per_category().tolist() == [0, 0, 1, 0, 0]
  assert metric.valid_categories().tolist() == [False, False, True, False, False]
  assert caplog.text.count('ground truth: instances are not below') == 1
  assert caplog.text.count('WARNING') == 1


@EITHER
@pytest.mark.parametrize('changes, message', [
    ({'num_categories': 0}, 'num_categories must be positive, got 0'),
    ({'max_instances_per_category': -1}, 'max_instances_per_category must be positive'),
    ({'offset': 0}, 'offset must be positive'),
    ({'max_instances_per_category': 2 ** 30}, 'do not fit 32 bits'),
])
def test_numbers_that_do_not_fit_are_told(metric_class, changes, message):
  with pytest.raises(ValueError, match=message):
    make(metric_class, **changes)


@EITHER
def test_offset_below_a_predicted_id_is_told(metric_class):
  with pytest.raises(ValueError, match='offset is 20.*go up to 31'):
    make(metric_class, offset=20).compare_and_accumulate(ONES, ONES, ONES, ONES * 15)


@EITHER
@pytest.mark.parametrize('ignored_label', [255, 0, -1])
def test_ignored_label_may_be_any_number(metric_class, ignored_label):
  metric = make(metric_class, ignored_label=ignored_label, offset=2 ** 16)
  categories = ONES * [1, 1, max(0, ignored_label)]
  metric.compare_and_accumulate(categories, 0 * ONES, ONES, 0 * ONES)
  # Ignored pixels are no part of unions; else 4 of 6 pixels are covered.
  is_ignored = ignored_label >= 0
  value = 1. if is_ignored else 2. / 3
  assert metric.result_per_category()[1] == pytest.approx(value)
  assert metric.result() == pytest.approx(value / (1 if is_ignored else 2))


@pytest.mark.parametrize('dtype', [bool, np.uint8, np.uint16, np.uint32, np.int64])
def test_any_integer_type_counts_the_same(dtype):
  metric = make(PanopticQuality)
  metric.compare_and_accumulate(*[array.astype(dtype) for array in (ONES, ONES, ONES, ONES)])
  assert metric.tp_per_class.tolist() == [0, 1, 0, 0, 0]
