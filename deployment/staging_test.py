"""Tests of batches that wait on a device."""
import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.deployment import staging


def _samples(limit):
  batches = tf.data.Dataset.range(limit).map(
      lambda i: {'image': tf.fill([2, 3], tf.cast(i, tf.float32)), 'name': tf.as_string(i)})
  return tf.data.make_one_shot_iterator(batches).get_next()


def _read(samples, count):
  values = []
  with tf.train.MonitoredSession(hooks=[staging.StagingHook()]) as session:
    for _ in range(count):
      values.append(session.run(samples))
  return values


def test_batches_come_in_order_and_whole():
  with tf.Graph().as_default():
    samples = staging.to_device(_samples(9), '/device:CPU:0')
    assert samples['image'].shape.as_list() == [2, 3]
    values = _read(samples, 5)
  assert [value['name'] for value in values] == [b'0', b'1', b'2', b'3', b'4']
  for index, value in enumerate(values):
    np.testing.assert_array_equal(value['image'], np.full([2, 3], index, np.float32))


def test_parts_of_a_batch_stay_together():
  with tf.Graph().as_default():
    samples = _samples(9)
    parts = [staging.to_device({'image': half, 'name': samples['name']}, '/device:CPU:0')
             for half in tf.split(samples['image'], 2)]
    values = _read(parts, 3)
  for index, (first, second) in enumerate(values):
    assert first['name'] == second['name'] == str(index).encode()
    assert first['image'][0, 0] == second['image'][0, 0] == index


def test_an_error_of_the_input_ends_the_run():
  with tf.Graph().as_default():
    samples = _samples(3)
    samples['image'] = tf.check_numerics(1.0 / (1.0 - samples['image']), 'bad picture')
    staged = staging.to_device(samples, '/device:CPU:0')
    with pytest.raises(tf.errors.InvalidArgumentError, match='bad picture'):
      _read(staged, 3)


def test_without_staging_the_hook_does_nothing():
  with tf.Graph().as_default():
    assert [value['name'] for value in _read(_samples(3), 2)] == [b'0', b'1']
