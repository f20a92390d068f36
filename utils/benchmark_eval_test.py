"""Tests of what the benchmark of evaluation measures."""
from deeplab.testing import slow, tiny_run
from deeplab.utils import benchmark_eval

pytestmark = slow.only_if_asked


def test_images_of_all_sizes_are_run(tmp_path, monkeypatch):
  monkeypatch.setattr(benchmark_eval, '_SIZES', ((33, 41), (49, 65), (33, 41)))
  monkeypatch.setattr(benchmark_eval, '_OPTIONS', tiny_run.MODEL_OPTIONS)
  folder = str(tmp_path)
  benchmark_eval.write_set(folder)
  for figures in (benchmark_eval.time_eval(folder, is_own=False),
                  benchmark_eval.time_eval(folder, batch_size=2, has_report=True),
                  benchmark_eval.time_vis(folder), benchmark_eval.time_predict(folder)):
    assert figures['images_per_s'] > 0
