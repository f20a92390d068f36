"""Tests of boundary metrics against counts over every neighbourhood."""
import numpy as np
import pytest

from deeplab.evaluation.semantic import boundary_metrics, segmentation_metrics

IGNORE = 255


def blobs(seed, size=(23, 31), num_classes=4):
  rng = np.random.RandomState(seed)
  small = rng.randint(0, num_classes, (size[0] // 6 + 1, size[1] // 6 + 1))
  return np.kron(small, np.ones((6, 6), np.int64))[:size[0], :size[1]]


def differs_within(ids, distance, is_edge_boundary):
  height, width = ids.shape
  result = np.zeros(ids.shape, bool)
  for y in range(height):
    for x in range(width):
      window = ids[max(0, y - distance):y + distance + 1,
                   max(0, x - distance):x + distance + 1]
      is_cut = window.size < (2 * distance + 1) ** 2
      result[y, x] = (window != ids[y, x]).any() or (is_edge_boundary and is_cut)
  return result


@pytest.mark.parametrize('distance', [1, 2, 3, 5, 40])
@pytest.mark.parametrize('is_edge_boundary', [False, True])
@pytest.mark.parametrize('dtype', [np.uint8, np.int32])
def test_near_boundary_is_where_the_window_has_another_id(distance, is_edge_boundary, dtype):
  ids = blobs(0).astype(dtype)
  np.testing.assert_array_equal(
      boundary_metrics.near_boundary(ids, distance, is_edge_boundary),
      differs_within(ids, distance, is_edge_boundary))


def test_counts_are_those_of_the_pixels_in_each_band(monkeypatch):
  monkeypatch.setattr(boundary_metrics, 'TRIMAP_WIDTHS_PX', (1, 3))
  labels, predictions = blobs(1), blobs(2)
  labels[3:5, 4:20] = IGNORE
  counts = boundary_metrics.image_counts(labels, predictions, 4, IGNORE)
  np.testing.assert_array_equal(
      counts.all, segmentation_metrics.confusion_matrix(labels, predictions, 4, IGNORE))
  for width, found in zip((1, 3), counts.trimaps):
    in_band = np.where(differs_within(labels, width, False), labels, IGNORE)
    np.testing.assert_array_equal(
        found, segmentation_metrics.confusion_matrix(in_band, predictions, 4, IGNORE))


def test_boundary_iou_is_that_of_the_inner_boundaries():
  labels, predictions = blobs(3, (60, 80)), blobs(4, (60, 80))
  labels[10:14] = IGNORE
  counts = boundary_metrics.image_counts(labels, predictions, 4, IGNORE)
  assert boundary_metrics.boundary_thickness((60, 80)) == 2
  is_ignored = labels == IGNORE
  for c in range(4):
    masks = []
    for ids in (labels, np.where(is_ignored, IGNORE, predictions)):
      masks.append((ids == c) & differs_within(ids, 2, True))
    iou = np.sum(masks[0] & masks[1]) / float(np.sum(masks[0] | masks[1]))
    assert boundary_metrics.boundary_iou_per_class(counts)[c] == pytest.approx(iou)


def test_counts_add_up_and_divide_last():
  counts = [boundary_metrics.image_counts(blobs(s), blobs(s + 1), 4) for s in (5, 7)]
  total = counts[0].plus(counts[1])
  summary = boundary_metrics.summarize(total)
  expected = [segmentation_metrics.mean_iou(counts[0].trimaps[i] + counts[1].trimaps[i])
              for i in range(len(boundary_metrics.TRIMAP_WIDTHS_PX))]
  assert [row['miou'] for row in summary['trimap_miou']] == pytest.approx(expected)
  assert [row['width_px'] for row in summary['trimap_miou']] == [1, 2, 4, 8, 16, 32]


def test_perfect_prediction_has_iou_one_and_absent_classes_none():
  labels = np.zeros((20, 20), np.int64)
  labels[5:12, 5:12] = 2
  summary = boundary_metrics.summarize(boundary_metrics.image_counts(labels, labels, 3))
  assert summary['boundary_iou'] == 1
  assert summary['boundary_iou_per_class'] == [1, None, 1]
  assert {row['miou'] for row in summary['trimap_miou']} == {1}


def test_image_of_one_class_has_no_trimap():
  labels = np.zeros((9, 9), np.int64)
  summary = boundary_metrics.summarize(boundary_metrics.image_counts(labels, labels, 2))
  assert {row['miou'] for row in summary['trimap_miou']} == {None}


def test_different_shapes_are_told():
  with pytest.raises(ValueError, match=r'labels have shape \(2, 2\), predictions \(2, 3\)'):
    boundary_metrics.image_counts(np.zeros((2, 2)), np.zeros((2, 3)), 2)


@pytest.mark.parametrize('height', [30, 47, 60])
def test_counts_do_not_depend_on_the_strips(height, monkeypatch):
  labels, predictions = blobs(5, (height, 80)), blobs(6, (height, 80))
  labels[10:14] = IGNORE
  monkeypatch.setattr(boundary_metrics, 'TRIMAP_WIDTHS_PX', (1, 3))
  whole = boundary_metrics.image_counts(labels, predictions, 4, IGNORE)
  monkeypatch.setattr(boundary_metrics, '_STRIP_ROWS', 7)
  for expected, found in zip(whole, boundary_metrics.image_counts(
      labels, predictions, 4, IGNORE)):
    np.testing.assert_array_equal(found, expected)
