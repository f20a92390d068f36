"""Tests of what the benchmark of panoptic evaluation measures."""
import pytest

from deeplab.evaluation.panoptic import sample
from deeplab.testing import slow
from deeplab.tools.benchmarks import panoptic

pytestmark = slow.only_if_asked


def test_workers_find_the_same_quality(tmp_path):
  size = sample.SampleSize(num_images=5, height=60, width=80)
  num_segments = panoptic.write_files(str(tmp_path), size, counts=(7,))
  assert 5 < num_segments <= size.num_segments
  alone, together = [panoptic.time_evaluating(str(tmp_path), 7, num_workers)
                     for num_workers in (0, 2)]
  assert alone['images_per_sec'] > 0 and together['images_per_sec'] > 0
  assert together['pq'] == pytest.approx(alone['pq'], abs=1e-12)
  assert 0.1 < alone['pq'] < 0.99
