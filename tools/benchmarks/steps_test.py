"""Tests of timed training steps with tiny images: figures are of what they say they are."""
import pytest

from deeplab.core.tf_compat import IS_TF1
from deeplab.testing import slow
from deeplab.tools.benchmarks import input_pipeline, steps

pytestmark = slow.only_if_asked

_TINY = {'variant': 'mobilenet_v2', 'batch_size': 2, 'crop': 33,
         'model': {'depth_multiplier': 0.25}}


@pytest.fixture(autouse=True)
def measure_short(monkeypatch):
  monkeypatch.setattr(steps.median_secs, '__defaults__', (1, 0.0))


def test_speed_is_images_per_step_time():
  figures = steps.step_speed(**_TINY)
  assert figures['images_per_sec'] == pytest.approx(2 / figures['step_secs'])
  assert figures['estimated_memory_mib'] > 100


def test_speed_from_files(tmp_path):
  records = str(tmp_path / 'records')
  input_pipeline.write_records(records, (60, 80), count=4, num_shards=1)
  figures = steps.step_speed(records=records, **_TINY)
  assert figures['images_per_sec'] > 0


@pytest.mark.skipif(not IS_TF1, reason='TensorFlow 2 has this precision')
def test_precision_that_this_tensorflow_lacks_is_told():
  with pytest.raises(ValueError, match='bfloat16 needs TensorFlow 2'):
    steps.step_speed(training={'precision': 'bfloat16'}, **_TINY)


def test_loss_alone_takes_a_part_of_the_step(monkeypatch):
  # Of so many the median is no matter of what else the machine does meanwhile.
  monkeypatch.setattr(steps.median_secs, '__defaults__', (31, 0.0))
  figures = steps.loss_secs(**_TINY)
  assert 0 < figures['loss_secs'] < figures['step_secs']


def test_functions_take_turns():
  calls = []
  secs = steps.median_secs(
      [lambda: calls.append('a'), lambda: calls.append('b')], least_steps=3)
  assert calls == ['a', 'b'] * 5
  assert len(secs) == 2
