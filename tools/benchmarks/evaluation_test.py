"""Tests of what the benchmarks of evaluation measure."""
import pytest

from deeplab.evaluation.panoptic import make_sample
from deeplab.testing import slow, tiny_run
from deeplab.tools.benchmarks import evaluation

pytestmark = slow.only_if_asked


def test_images_of_all_sizes_are_run(tmp_path, monkeypatch):
  monkeypatch.setattr(evaluation, '_SIZES', ((33, 41), (49, 65), (33, 41)))
  monkeypatch.setattr(evaluation, '_OPTIONS', tiny_run.MODEL_OPTIONS)
  folder = str(tmp_path)
  evaluation.write_set(folder)
  for figures in (evaluation.time_eval(folder, 1, is_own=False),
                  evaluation.time_eval(folder, batch_size=2, has_report=True),
                  evaluation.time_vis(folder), evaluation.time_predict(folder)):
    assert figures['images_per_s'] > 0


def test_workers_find_the_same_quality(tmp_path):
  size = make_sample.SampleSize(num_images=5, image_height=60, image_width=80)
  num_segments = evaluation.write_panoptic(str(tmp_path), size, counts=(7,))
  assert 5 < num_segments <= size.num_segments
  alone, together = [evaluation.time_panoptic(str(tmp_path), 7, num_workers)
                     for num_workers in (0, 2)]
  assert alone['images_per_sec'] > 0 and together['images_per_sec'] > 0
  assert together['pq'] == pytest.approx(alone['pq'], abs=1e-12)
  assert 0.1 < alone['pq'] < 0.99
