"""Tests of what the benchmark of evaluation measures."""
from deeplab.testing import slow, tiny_run
from deeplab.tools.benchmarks import evaluation

pytestmark = slow.only_if_asked


def test_images_of_all_sizes_are_run(tmp_path, monkeypatch):
  monkeypatch.setattr(evaluation, '_SIZES', ((33, 41), (49, 65), (33, 41)))
  monkeypatch.setattr(evaluation, '_OPTIONS', tiny_run.MODEL_OPTIONS)
  folder = str(tmp_path)
  evaluation.write_set(folder)
  for figures in (evaluation.time_eval(folder, is_own=False),
                  evaluation.time_eval(folder, batch_size=2, has_report=True),
                  evaluation.time_vis(folder), evaluation.time_predict(folder)):
    assert figures['images_per_s'] > 0
