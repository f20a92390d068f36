"""Tests of the trace of training steps: which steps, and that it can be read."""
import glob
import os
import re

from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.utils import trace_hook

_PATTERN = 'plugins/profile/*/*%s' % ('.trace' if IS_TF1 else '.xplane.pb')


def _run(folder, num_steps, **kwargs):
  with tf.Graph().as_default():
    # Random: constants would be multiplied before the first step.
    matrix = tf.random.uniform([64, 64])
    product = tf.matmul(matrix, matrix, name='traced_product')
    hook = trace_hook.TraceHook(str(folder), **kwargs)
    with tf.train.MonitoredSession(hooks=[hook]) as session:
      for _ in range(num_steps):
        session.run(product)
    hook.close()
  return [open(path, 'rb').read()
          for path in glob.glob(os.path.join(str(folder), _PATTERN))]


def _fields(message):
  """Yields (number, value) of the fields of a serialised message; raises if it is none."""
  def varint(position):
    value = shift = 0
    while True:
      byte = message[position]
      value |= (byte & 127) << shift
      position, shift = position + 1, shift + 7
      if byte < 128:
        return value, position

  position = 0
  while position < len(message):
    key, position = varint(position)
    kind = key & 7
    if kind == 0:
      value, position = varint(position)
    else:
      size = {1: 8, 5: 4}.get(kind)
      if size is None:
        assert kind == 2, kind
        size, position = varint(position)
      assert position + size <= len(message)
      value, position = message[position:position + size], position + size
    yield key >> 3, value


def test_the_steps_after_the_start_are_traced(tmp_path):
  trace, = _run(tmp_path / 'profile', 6, num_runs_before=2, num_runs=3)
  assert all(number for number, _ in _fields(trace))
  # Events of the operation: by name, or once in the table of names of a plane.
  assert b'traced_product' in trace
  if not IS_TF1:
    # XSpace: planes = 1, and a plane's name = 2.
    names = [value for number, plane in _fields(trace) if number == 1
             for field, value in _fields(plane) if field == 2]
    assert any(re.match(b'/host:CPU', name) for name in names)


def test_a_run_that_ends_within_the_trace_leaves_it(tmp_path):
  trace, = _run(tmp_path / 'profile', 2, num_runs_before=1, num_runs=100)
  assert b'traced_product' in trace


def test_a_run_too_short_says_so(tmp_path, caplog):
  assert not _run(tmp_path / 'profile', 2, num_runs_before=2)
  assert 'it begins after 2 steps, there were 2' in caplog.text
  assert not (tmp_path / 'profile').exists()
