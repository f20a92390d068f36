"""Tests of what the benchmark of evaluation measures."""
import numpy as np

from deeplab.utils import benchmark_eval, tiny_run


def test_median_and_largest_size_are_those_it_speaks_of():
  areas = sorted(height * width for height, width in benchmark_eval._SIZES)
  assert areas[len(areas) // 2] == 600 * 450
  assert areas[-1] == np.prod(benchmark_eval._LARGEST)


def test_images_of_all_sizes_are_evaluated(tmp_path, monkeypatch):
  sizes = ((33, 41), (49, 65), (33, 41))
  samples = tiny_run.make_samples(sizes)
  tiny_run.write_records(str(tmp_path), samples)
  tiny_run.write_checkpoint(tmp_path, samples[0].image)
  monkeypatch.setattr(benchmark_eval, '_SIZES', sizes)
  monkeypatch.setattr(benchmark_eval, '_OPTIONS', tiny_run.MODEL_OPTIONS)
  for batch_size in (0, 2):
    figures = benchmark_eval.time_mixed_sizes(str(tmp_path), batch_size)
    assert figures['images_per_s'] > 0
