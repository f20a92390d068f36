"""Tests of the metrics against sets of pixels, counted one by one."""
import json

import numpy as np
import pytest

from deeplab.evaluation.semantic import segmentation_metrics as metrics

# Rows are labels, columns predictions; class 3 is absent, class 2 is never right.
COUNTS = np.array([[6, 2, 0, 0],
                   [1, 3, 1, 0],
                   [0, 4, 0, 0],
                   [0, 0, 0, 0]], np.int64)


def random_maps(seed=0, num_classes=5, ignore_label=255):
  rng = np.random.RandomState(seed)
  labels = rng.randint(0, num_classes, (3, 20, 30))
  labels[rng.rand(*labels.shape) < 0.2] = ignore_label
  predictions = np.where(rng.rand(*labels.shape) < 0.6, np.minimum(labels, num_classes - 1),
                         rng.randint(0, num_classes, labels.shape))
  return labels, predictions


def test_metrics_of_a_small_matrix_are_those_worked_out_by_hand():
  np.testing.assert_allclose(metrics.iou_per_class(COUNTS), [6 / 9., 3 / 11., 0, np.nan])
  np.testing.assert_allclose(metrics.dice_per_class(COUNTS), [12 / 15., 6 / 14., 0, np.nan])
  np.testing.assert_allclose(metrics.accuracy_per_class(COUNTS), [6 / 8., 3 / 5., 0, np.nan])
  assert metrics.mean_iou(COUNTS) == pytest.approx((6 / 9. + 3 / 11.) / 3)
  assert metrics.summarize(COUNTS)['mean_dice'] == pytest.approx((12 / 15. + 6 / 14.) / 3)
  assert metrics.pixel_accuracy(COUNTS) == pytest.approx(9 / 17.)
  assert metrics.summarize(COUNTS)['mean_class_accuracy'] == pytest.approx((0.75 + 0.6) / 3)
  assert metrics.frequency_weighted_iou(COUNTS) == pytest.approx(
      (8 * 6 / 9. + 5 * 3 / 11.) / 17)


def test_iou_is_intersection_over_union_of_pixel_sets():
  labels, predictions = random_maps()
  counts = metrics.confusion_matrix(labels, predictions, 5)
  counted = labels != 255
  for class_id, iou in enumerate(metrics.iou_per_class(counts)):
    has_label = counted & (labels == class_id)
    has_prediction = counted & (predictions == class_id)
    assert iou == pytest.approx(
        (has_label & has_prediction).sum() / float((has_label | has_prediction).sum()))


def test_counts_of_parts_add_up_and_ignored_pixels_are_left_out():
  labels, predictions = random_maps()
  whole = metrics.confusion_matrix(labels, predictions, 5)
  parts = sum(metrics.confusion_matrix(*pair, num_classes=5)
              for pair in zip(labels, predictions))
  np.testing.assert_array_equal(whole, parts)
  assert whole.sum() == (labels != 255).sum()
  assert whole.dtype == np.int64
  flipped = np.where(labels == 255, (predictions + 1) % 5, predictions)
  np.testing.assert_array_equal(whole, metrics.confusion_matrix(labels, flipped, 5))


def test_counts_equal_those_of_scikit_learn():
  sklearn_metrics = pytest.importorskip('sklearn.metrics')
  labels, predictions = random_maps(seed=3, ignore_label=2)
  counted = labels != 2
  np.testing.assert_array_equal(
      metrics.confusion_matrix(labels, predictions, 5, ignore_label=2),
      sklearn_metrics.confusion_matrix(labels[counted], predictions[counted],
                                       labels=range(5)))


def test_foreground_leaves_class_0_and_absent_classes_out():
  counts = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]], np.int64)
  assert metrics.summarize(counts)['foreground_miou'] == 0.5
  assert metrics.summarize(np.diag([4, 0]))['foreground_miou'] is None


def test_ids_out_of_range_are_refused():
  with pytest.raises(ValueError, match='label ids range from 0 to 5, expected 0..4'):
    metrics.confusion_matrix([0, 5], [0, 0], 5)
  with pytest.raises(ValueError, match='prediction ids range from 0 to 9'):
    metrics.confusion_matrix([0, 0], [0, 9], 5)
  with pytest.raises(ValueError, match='labels have shape'):
    metrics.confusion_matrix([0, 0], [0], 5)


def test_nothing_counted_gives_no_numbers():
  summary = metrics.summarize(np.zeros([2, 2], np.int64))
  assert summary['miou'] is None
  assert summary['pixel_accuracy'] is None
  assert summary['frequency_weighted_iou'] is None
  assert summary['classes'][1]['iou'] is None
  assert metrics.format_table(summary)[1].split() == ['0', 'class', '0', '-', '-', '-',
                                                      '0.00%']


def test_large_counts_keep_their_precision():
  counts = np.array([[2 ** 40, 1], [0, 2 ** 40]], np.int64)
  assert 1 - metrics.iou_per_class(counts)[0] == pytest.approx(2. ** -40, rel=1e-3)


def test_table_has_names_percentages_and_means():
  lines = metrics.format_table(metrics.summarize(COUNTS, ['sky', 'road', 'pole', 'car']))
  assert lines[1].split() == ['0', 'sky', '66.67', '75.00', '80.00', '47.06%']
  assert lines[4].split() == ['3', 'car', '-', '-', '-', '0.00%']
  assert lines[5].split() == ['mean', '31.31', '45.00', '40.95']
  assert lines[-1].split() == ['pixel', 'accuracy', '52.94']


def test_table_of_a_file_is_printed(tmp_path, capsys):
  path = tmp_path / 'metrics.json'
  content = metrics.summarize(COUNTS, ['sky', 'road', 'pole', 'car'])
  content.update(dataset='streets', split='val', num_examples=4, checkpoint='model.ckpt-9')
  path.write_text(json.dumps(content))
  metrics.main(['', str(path)])
  printed = capsys.readouterr().out
  assert printed.startswith('streets, split val, 4 images, model.ckpt-9\n')
  assert '66.67' in printed


@pytest.mark.parametrize('content, says', [
    (None, 'cannot be read as JSON: No such file or directory.'),
    ('{"miou"', 'cannot be read as JSON: '), ('[1]', 'is no metrics.json as eval.py writes it'),
    ('{"miou": 1}', 'is no metrics.json as eval.py writes it'),
    ('{"dataset": "x", "split": "y", "num_examples": 1, "checkpoint": "z", "classes": 3}',
     'is no metrics.json as eval.py writes it'),
])
def test_other_files_are_one_line(tmp_path, capsys, content, says):
  path = tmp_path / 'metrics.json'
  if content is not None:
    path.write_text(content)
  assert metrics.main(['', str(path)]) == 1
  error = capsys.readouterr().err
  assert error.startswith('segmentation_metrics.py: error: %s %s' % (path, says))
  assert error.count('\n') == 1


def test_without_a_file_the_usage_is_printed(capsys):
  assert metrics.main(['']) == 2
  assert capsys.readouterr().err.startswith('usage: ')
