"""Tests of the comparison of two evaluations."""
import warnings

import numpy as np
import pytest

from deeplab.evaluation.semantic import image_results
from deeplab.testing import forked_scripts
from deeplab.tools.runs import compare_runs

pytestmark = pytest.mark.usefixtures('shallow_network')

CLASSES = ['ground', 'tree', 'sky']


def random_counts(num_images=30, hit_rates=(0.5, 0.8), seed=0):
  """Returns counts of two runs; run B hits other shares of the pixels than run A."""
  rng = np.random.RandomState(seed)
  labels = rng.randint(50, 100, (num_images, 3))
  runs = []
  for rate in hit_rates:
    hits = (labels * np.clip(rate + 0.1 * rng.randn(num_images, 3), 0, 1)).astype(np.int64)
    runs.append(np.stack([hits, labels, hits + rng.randint(0, 30, hits.shape)], axis=1))
  return np.stack(runs)


def write_runs(folder, counts, classes=CLASSES):
  paths = []
  for name, run in zip('ab', counts):
    (folder / name).mkdir()
    image_results.write_per_image(
        [image_results.Row('image %d' % i, c) for i, c in enumerate(run)], classes,
        str(folder / name))
    paths.append(str(folder / name))
  return paths


def names_of(counts):
  return ['image %d' % i for i in range(counts.shape[1])]


def compare(counts, num_resamples):
  return compare_runs.compare(names_of(counts), counts, CLASSES, num_resamples, 0.95, seed=0)


def test_better_run_has_an_interval_above_zero_that_holds_the_difference():
  counts = random_counts()
  result = compare(counts, 300)
  difference = np.subtract(*result.ious.mean(axis=1)[::-1])
  low, high = result.miou_interval
  assert 0 < low < difference < high < 1
  assert (result.class_intervals[0] < np.subtract(*result.ious[::-1])).all()


def test_interval_is_that_of_a_plain_bootstrap():
  counts = random_counts(12)
  result = compare(counts, 3000)
  rng = np.random.RandomState(5)
  differences = []
  for _ in range(3000):
    drawn = counts[:, rng.randint(0, 12, 12)].sum(axis=1)
    ious = drawn[:, 0] / (drawn[:, 1] + drawn[:, 2] - drawn[:, 0]).astype(float)
    differences.append(ious[1].mean() - ious[0].mean())
  np.testing.assert_allclose(result.miou_interval, np.percentile(differences, [2.5, 97.5]),
                             atol=0.01)


def test_run_compared_with_itself_has_no_difference():
  counts = random_counts()
  counts[1] = counts[0]
  result = compare(counts, 50)
  assert result.miou_interval == (0, 0)
  lines = compare_runs.format_comparison(result, 'ab', 0.95, 10)
  assert lines[-1] == 'Over 30 images: the runs cannot be told apart.'
  assert not any('got' in line for line in lines)


def test_program_lists_classes_and_images(tmp_path):
  counts = random_counts()
  counts[1, 7, 0] = 0
  a, b = write_runs(tmp_path, counts)
  code, printed, log = forked_scripts.run_apart(
      'tools/runs/compare_runs.py', a, b, '--num_images=1', '--num_resamples=100')
  assert code == 0, log
  assert '95 % interval of B - A' in printed
  worse = printed.split('Images that got worse')[1].split('\n')[1]
  assert worse.endswith('image 7')
  assert 'Over 30 images: B is better.' in printed


def test_absent_class_has_a_dash():
  counts = random_counts()
  counts[..., 1] = 0
  result = compare(counts, 50)
  line, = [line for line in compare_runs.format_comparison(result, 'ab', 0.95, 0)
           if line.startswith('tree')]
  assert line.split() == ['tree', '-', '-', '-', '-']


def test_class_of_one_image_has_the_interval_of_the_resamples_that_hold_it():
  counts = random_counts(50)
  counts[:, 1:, :, 1] = 0
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    result = compare(counts, 200)
  # However often the image is drawn, the IoU of the class is that of the image.
  np.testing.assert_allclose(result.class_intervals[:, 1],
                             [np.subtract(*result.ious[::-1, 1])] * 2, atol=1e-12)
  assert np.isfinite(result.miou_interval).all()


def test_class_that_no_image_has_leads_to_no_warning():
  counts = random_counts()
  counts[..., 1] = 0
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    result = compare(counts, 50)
  assert np.isnan(result.class_intervals).tolist() == [[False, True, False]] * 2


def test_runs_that_cannot_be_compared_are_refused():
  counts = random_counts(2)
  rows = [[image_results.Row('image %d' % i, c) for i, c in enumerate(run)] for run in counts]
  cases = [
      ([(rows[0], CLASSES), (rows[1], ['a', 'b', 'c'])], 'different classes'),
      ([(rows[0], CLASSES), ([rows[1][0]._replace(name='x')], CLASSES)], 'no image in common'),
      ([(rows[0], CLASSES), ([rows[1][0]._replace(counts=counts[1, 0] + 1)], CLASSES)],
       'Image image 0 has other labels in B than in A'),
      ([(rows[0], CLASSES), (rows[1] * 2, CLASSES)], 'B has several images of one name'),
  ]
  for runs, message in cases:
    with pytest.raises(ValueError, match=message):
      compare_runs.paired_counts(runs, 'AB')


def test_two_runs_must_be_named():
  with pytest.raises(ValueError, match='Name two runs, such as RUN_A/eval RUN_B/eval; got 1.'):
    compare_runs.main(['compare_runs.py', 'a'])
