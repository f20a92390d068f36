"""Tests that the benchmark of panoptic evaluation compares what gives the same result."""
import numpy as np
import pytest

from deeplab.evaluation import panoptic_sample
from deeplab.utils import benchmark_panoptic


def test_plain_loop_finds_the_same_quality(tmp_path):
  size = panoptic_sample.SampleSize(num_images=5, height=60, width=80)
  num_segments = benchmark_panoptic.write_files(str(tmp_path), size, counts=(7,))
  assert 5 < num_segments <= size.num_segments
  loop = benchmark_panoptic.time_loop(str(tmp_path), 7)
  for num_workers in (0, 2):
    figures = benchmark_panoptic.time_evaluating(str(tmp_path), 7, num_workers)
    assert figures['pq'] == pytest.approx(loop['pq'], abs=1e-12)
    assert figures['images_per_sec'] > 0
  assert 0.1 < loop['pq'] < 0.99


def test_plain_counting_is_right_on_a_row_of_pixels():
  # Categories 1 and 2, void and a crowd; the third segment is missed, the last one excused.
  truth = np.array([256] * 4 + [512] * 2 + [257] + [0] + [1] * 2, np.uint32)
  predicted = np.array([256] * 3 + [512] * 4 + [512] + [258] * 2, np.uint32)
  iou, tp, fp, fn = benchmark_panoptic.count_plainly(truth, predicted)
  assert iou.tolist()[1:3] == [0.75, 0]
  assert tp.tolist()[1:3] == [1, 0]
  assert fp.tolist()[1:3] == [0, 1]
  assert fn.tolist()[1:3] == [1, 1]
