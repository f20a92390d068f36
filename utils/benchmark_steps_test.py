"""Tests of timed training steps with tiny images: figures are of what they say they are."""
import pytest

from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.testing import slow
from deeplab.utils import benchmark_input, benchmark_steps

pytestmark = slow.only_if_asked

_TINY = {'variant': 'mobilenet_v2', 'batch_size': 2, 'crop': 33,
         'model': {'depth_multiplier': 0.25}}


@pytest.fixture(autouse=True)
def measure_short(monkeypatch):
  monkeypatch.setattr(benchmark_steps.median_secs, '__defaults__', (1, 0.0))


def test_speed_is_images_per_step_time():
  figures = benchmark_steps.step_speed(**_TINY)
  assert figures['images_per_sec'] == pytest.approx(2 / figures['step_secs'])
  assert figures['multiply_adds'] > 1e6


def test_speed_from_files(tmp_path):
  records = str(tmp_path / 'records')
  benchmark_input.write_records(records, (60, 80), count=4, num_shards=1)
  figures = benchmark_steps.step_speed(records=records, **_TINY)
  assert figures['images_per_sec'] > 0


@pytest.mark.skipif(not IS_TF1, reason='TensorFlow 2 has this precision')
def test_precision_that_this_tensorflow_lacks_is_told():
  with pytest.raises(ValueError, match='bfloat16 needs TensorFlow 2'):
    benchmark_steps.step_speed(training={'precision': 'bfloat16'}, **_TINY)


def test_loss_alone_takes_a_part_of_the_step(monkeypatch):
  # Of so many the median is no matter of what else the machine does meanwhile.
  monkeypatch.setattr(benchmark_steps.median_secs, '__defaults__', (31, 0.0))
  figures = benchmark_steps.loss_secs(**_TINY)
  assert 0 < figures['loss_secs'] < figures['step_secs']


def test_rate_of_matrix_products():
  assert benchmark_steps.matrix_speed(size=256)['gflops'] > 0.1


def test_multiply_adds_of_convolutions():
  with tf.Graph().as_default() as graph:
    images = tf.zeros([2, 8, 8, 3])
    net = tf.nn.conv2d(images, tf.zeros([3, 3, 3, 16]), strides=[1, 2, 2, 1], padding='SAME')
    tf.nn.depthwise_conv2d(net, tf.zeros([5, 5, 16, 1]), strides=[1] * 4, padding='SAME')
    assert benchmark_steps.multiply_adds(graph) == 2 * 4 * 4 * (3 * 3 * 3 * 16 + 5 * 5 * 16)


def test_functions_take_turns():
  calls = []
  secs = benchmark_steps.median_secs(
      [lambda: calls.append('a'), lambda: calls.append('b')], least_steps=3)
  assert calls == ['a', 'b'] * 5
  assert len(secs) == 2
