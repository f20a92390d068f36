"""Tests of what a person sees while training, and of the trace of some steps."""
import fcntl
import glob
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
import types

import numpy as np
import pytest
from absl import logging

from deeplab.core import keys
from deeplab.core.tf_compat import IS_TF1, tf
from deeplab.datasets import data_generator
from deeplab.testing import tiny_run
from deeplab.utils.runs import loss_table
from deeplab.utils.training import hooks

LINE = re.compile(
    r'step (\d+)/(\d+)  loss (\S+) \(ce (\S+), L2 0.25\)  learning rate 0.05  '
    r'(\S+) images/s  waiting for input (\d+)%  (\S+) left')
_TRACES = 'plugins/profile/*/*%s' % ('.trace' if IS_TF1 else '.xplane.pb')


def make_options(folder, num_steps, log_steps):
  return types.SimpleNamespace(train_logdir=folder, training_number_of_steps=num_steps,
                               gradient_accumulation_steps=1,
                               log_steps=log_steps, train_batch_size=4)


def train(folder, num_steps, log_steps=2, wait_secs=0.0, sleep=time.sleep):
  """Counts to num_steps in a session with the hook; the loss is the step plus 0.25."""
  options = make_options(str(folder), num_steps, log_steps)
  with tf.Graph().as_default():
    step = tf.train.get_or_create_global_step()
    slow_step = tf.py_func(lambda: np.float64(sleep(wait_secs) or wait_secs), [],
                           tf.float64)
    with tf.control_dependencies([slow_step]):
      step_done = tf.assign_add(step, 1)
    ce = tf.cast(step_done, tf.float32)
    graph = types.SimpleNamespace(
        train_op=ce + 0.25, learning_rate=tf.constant(0.05), steps_done=step_done,
        parts={'ce': ce, 'L2': tf.constant(0.25)}, gradient_norm=2 * ce)
    hook = hooks.ProgressHook(graph, options, slow_step)
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=str(folder), log_step_count_steps=None, save_summaries_steps=None,
        save_summaries_secs=None,
        hooks=[tf.train.StopAtStepHook(last_step=num_steps), hook]) as session:
      while not session.should_stop():
        session.run(graph.train_op)


class Clock(object):
  """A clock that moves only when it is told to."""

  def __init__(self):
    self.now = 1000.0

  def sleep(self, secs):
    self.now += secs


@pytest.fixture(name='clock')
def use_clock(monkeypatch):
  clock = Clock()
  monkeypatch.setattr(hooks.time, 'perf_counter', lambda: clock.now)
  return clock


class Steps(tf.train.SessionRunHook):
  """Lets the clock move by the seconds that steps take; the last holds for all that follow."""

  def __init__(self, clock, *secs):
    self._clock, self._secs = clock, list(secs)

  def before_run(self, run_context):
    self._clock.sleep(self._secs[0] if len(self._secs) == 1 else self._secs.pop(0))


@pytest.fixture(name='lines')
def collect_lines(monkeypatch, starts):
  """The lines of the log but those on the first step, which `starts` has."""
  lines = []

  def note(text, *args):
    line = text % args
    (starts if line.startswith('The first step') else lines).append(line)

  monkeypatch.setattr(logging, 'info', note)
  return lines


@pytest.fixture
def starts():
  return []


def count(options, steps, num_runs, step_size=1):
  """Runs the hook without all that it can do without; the loss is the step."""
  with tf.Graph().as_default():
    step_done = tf.assign_add(tf.train.get_or_create_global_step(), step_size)
    graph = types.SimpleNamespace(train_op=tf.cast(step_done, tf.float32),
                                  learning_rate=tf.constant(0.5), steps_done=step_done,
                                  parts={}, gradient_norm=tf.constant(1.0))
    hook = hooks.ProgressHook(graph, options)
    with tf.train.MonitoredSession(hooks=[steps, hook]) as session:
      for _ in range(num_runs):
        session.run(step_done)


def read_points(folder):
  """Returns dict, tag -> [(step, value)] of the events in a folder."""
  points = {}
  for path in sorted(glob.glob(os.path.join(str(folder), 'events*'))):
    for event in tf.train.summary_iterator(path):
      for value in event.summary.value:
        points.setdefault(value.tag, []).append((event.step, value.simple_value))
  return points


def test_a_line_every_log_steps_and_at_the_end_tells_means(tmp_path, lines):
  train(tmp_path, num_steps=5)
  found = [LINE.match(line).groups() for line in lines]
  assert [(f[0], f[1], float(f[2]), float(f[3])) for f in found] == [
      ('2', '5', 1.75, 1.5), ('4', '5', 3.75, 3.5), ('5', '5', 5.25, 5.0)]
  assert found[-1][-1] == '0s'


def test_the_first_step_is_told_of_before_and_after_it(lines, starts, clock):
  count(make_options('', 50, 10), Steps(clock, 61, 1), num_runs=3)
  assert not lines[1:] and starts == [
      'The first step begins. It takes longer than others: TensorFlow prepares the graph.',
      'The first step took 1m01s. A line follows every 10 steps.']


def test_steps_of_other_workers_are_counted_and_none_is_waited_for(lines, clock):
  """With two steps of others between its own, one sees each third number, each second."""
  count(make_options('', 50, 10), Steps(clock, 1), num_runs=17, step_size=3)
  assert lines == [
      'step 12/50  loss 7.5000  learning rate 0.5  4.0 images/s  13s left',
      'step 21/50  loss 18.0000  learning rate 0.5  4.0 images/s  10s left',
      'step 30/50  loss 27.0000  learning rate 0.5  4.0 images/s  7s left',
      'step 42/50  loss 37.5000  learning rate 0.5  4.0 images/s  3s left',
      'step 51/50  loss 48.0000  learning rate 0.5  4.0 images/s  0s left']


def test_parts_and_wait_are_optional(lines, clock):
  count(make_options('', 9, 3), Steps(clock, 0.05), num_runs=4)
  # The last, unfinished window is told when the session ends.
  assert lines == [
      'step 3/9  loss 2.0000  learning rate 0.5  80.0 images/s  0s left',
      'step 4/9  loss 4.0000  learning rate 0.5  80.0 images/s  0s left']


def test_speed_and_wait_share_leave_the_start_out():
  window = hooks._Window(100.0, num_skipped=2)
  window.add({'wait_secs': 15.0, 'total_loss': 4.0}, 110.0)
  window.add({'wait_secs': 4.0, 'total_loss': 4.0}, 120.0)
  assert window.speed(120.0) == (10.0, 0.95)
  window.add({'wait_secs': 0.5, 'total_loss': 2.0}, 121.0)
  window.add({'wait_secs': 1.0, 'total_loss': 2.0}, 124.0)
  assert window.speed(124.0) == (2.0, 0.375)
  assert window.means()['total_loss'] == 3.0
  later = hooks._Window(10.0)
  later.add({}, 12.0)
  assert later.speed(12.0) == (2.0, None)


@pytest.mark.parametrize('log_steps', [1, 3])
def test_time_left_is_not_told_from_the_start(lines, clock, log_steps):
  with tf.Graph().as_default():
    step_done = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    graph = types.SimpleNamespace(train_op=tf.constant(1.0), steps_done=step_done,
                                  learning_rate=tf.constant(0.5), parts={},
                                  gradient_norm=tf.constant(1.0))
    hook = hooks.ProgressHook(graph, make_options('', 9, log_steps))
    with tf.train.MonitoredSession(hooks=[Steps(clock, 50.0, 50.0, 1.0), hook]) as session:
      for _ in range(6):
        session.run(step_done)
  told = [line.split('learning rate 0.5  ')[1] for line in lines]
  assert told == {
      1: ['0.08 images/s  6m40s left', '0.08 images/s  5m50s left'] + [
          '4.0 images/s  %ds left' % n for n in (6, 5, 4, 3)],
      3: ['4.0 images/s  6s left', '4.0 images/s  3s left']}[log_steps]


def test_speed_is_images_over_time_and_reaches_table_and_tensorboard(tmp_path, lines, clock):
  train(tmp_path, num_steps=6, wait_secs=1.0, sleep=lambda secs: clock.sleep(secs + 0.25))
  columns = loss_table.read(str(tmp_path / 'losses.csv'))
  assert columns['step'].tolist() == [2, 4, 6]
  np.testing.assert_allclose(columns['total_loss'], [1.75, 3.75, 5.75])
  np.testing.assert_allclose(columns['gradient_norm'], [3.0, 7.0, 11.0])
  # Four images in 1.25 s, of which 1 is waiting.
  np.testing.assert_allclose(columns['images_per_sec'], 3.2)
  np.testing.assert_allclose(columns['input_wait_share'], 0.8)
  points = read_points(tmp_path)
  assert [step for step, _ in points['speed/images_per_sec']] == [2, 4, 6]
  np.testing.assert_allclose([value for _, value in points['speed/images_per_sec']],
                             columns['images_per_sec'], rtol=1e-4)
  assert len(points['speed/input_wait_share']) == 3
  assert 'waiting for input' in lines[0]


def test_a_resumed_run_continues_the_table(tmp_path, lines):
  train(tmp_path, num_steps=4)
  with open(str(tmp_path / 'losses.csv'), 'a') as f:
    f.write('6' + ',1' * 8 + '\n')
  train(tmp_path, num_steps=8)
  columns = loss_table.read(str(tmp_path / 'losses.csv'))
  assert columns['step'].tolist() == [2, 4, 6, 8]
  np.testing.assert_allclose(columns['ce'], [1.5, 3.5, 5.5, 7.5])
  np.testing.assert_allclose(columns['gradient_norm'], [3, 7, 11, 15])
  assert len(lines) == 4


@pytest.mark.parametrize('secs, text', [
    (0.4, '0s'), (59.4, '59s'), (59.6, '1m00s'), (3599.6, '1h00m'), (3725, '1h02m')])
def test_durations(secs, text):
  assert hooks.format_duration(secs) == text


# --- waiting for input ---------------------------------------------------------------------


def slow_samples(produce, num_batches, prefetch):
  """Returns a samples_fn whose batches are what `produce` returns of their number."""
  def make():
    samples = tf.data.Dataset.range(num_batches).map(lambda i: {'index': tf.py_func(
        produce, [i], tf.int64)})
    return tf.data.make_one_shot_iterator(samples.prefetch(prefetch)).get_next()
  return make


def test_a_slow_pipeline_is_waited_for():
  with tf.Graph().as_default(), tf.Session() as session:
    samples, wait_secs = hooks.timed_inputs(
        slow_samples(lambda n: time.sleep(0.1) or n, 4, prefetch=0))
    for _ in range(4):
      start = time.time()
      _, secs = session.run([samples, wait_secs])
      assert 0.09 < secs < time.time() - start + 0.01


def test_batches_ready_in_the_buffer_take_no_time(monkeypatch, clock):
  """On a clock that only the pipeline moves."""
  made, num_batches = [], 8

  def produce(number):
    clock.sleep(1.0)
    made.append(number)
    return number

  monkeypatch.setattr(tf, 'timestamp', lambda: tf.py_func(
      lambda: np.float64(clock.now), [], tf.float64))
  with tf.Graph().as_default(), tf.Session() as session:
    samples, wait_secs = hooks.timed_inputs(
        slow_samples(produce, num_batches, prefetch=num_batches))
    assert session.run([samples, wait_secs])[1] >= 1.0
    deadline = time.monotonic() + 60
    while len(made) < num_batches and time.monotonic() < deadline:
      time.sleep(0.01)
    for number in range(1, num_batches):
      values, secs = session.run([samples, wait_secs])
      assert (values['index'], secs) == (number, 0.0)


def test_samples_of_real_records_are_timed_and_unchanged(tmp_path):
  tiny_run.write_records(str(tmp_path), tiny_run.make_samples(), split='train')
  dataset = data_generator.Dataset(
      None, 'train', str(tmp_path), batch_size=2, crop_size=[33, 33], is_training=True,
      should_repeat=True)
  with tf.Graph().as_default(), tf.Session() as session:
    samples, wait_secs = hooks.timed_inputs(
        lambda: dataset.get_one_shot_iterator().get_next())
    values, secs = session.run([samples, wait_secs])
  assert values[keys.IMAGE].shape == (2, 33, 33, 3)
  assert {name.decode() for name in values[keys.IMAGE_NAME]} < {
      sample.name for sample in tiny_run.make_samples()}
  assert 0 < secs < 60


# --- a terminal ----------------------------------------------------------------------------

_PROGRAM = """
import sys, time
from deeplab import common
from deeplab.utils.training import hooks_test as train_hooks_test
common.run(lambda argv: train_hooks_test.train(argv[1], 12, log_steps=4, wait_secs=0.2),
           allows_words=True)
"""


def screen_of(text):
  """Returns the lines a terminal shows: carriage returns overwrite."""
  rows = []
  for line in text.replace('\r\n', '\n').split('\n'):
    row = ''
    for piece in re.sub(r'\x1b\[[\d;]*[A-Za-z]', '', line).split('\r'):
      row = piece + row[len(piece):]
    rows.append(row.rstrip())
  return rows


def test_a_terminal_shows_a_bar_and_whole_lines(tmp_path):
  reader, writer = pty.openpty()
  fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack('HHHH', 50, 200, 0, 0))
  process = subprocess.Popen([sys.executable, '-c', _PROGRAM, str(tmp_path)], stderr=writer)
  os.close(writer)
  text = b''
  try:
    while True:
      text += os.read(reader, 4096)
  except OSError:  # The end of a terminal.
    pass
  assert process.wait() == 0, text
  text = text.decode('utf-8')
  assert re.search(r'training: +\d+%.* [1-9]\d?/12 ', text), text
  lines = [row for row in screen_of(text) if 'step ' in row and 'loss' in row]
  assert len(lines) == 3, text
  for line in lines:
    assert re.match(r'\d\d:\d\d:\d\d I ' + LINE.pattern + '$', line), line


def test_a_log_file_gets_no_bar(tmp_path, capfd, lines):
  train(tmp_path, num_steps=2)
  assert 'training' not in capfd.readouterr().err


def _traces(folder, num_steps, **kwargs):
  with tf.Graph().as_default():
    # Random: constants would be multiplied before the first step.
    matrix = tf.random.uniform([64, 64])
    product = tf.matmul(matrix, matrix, name='traced_product')
    hook = hooks.TraceHook(str(folder), **kwargs)
    with tf.train.MonitoredSession(hooks=[hook]) as session:
      for _ in range(num_steps):
        session.run(product)
    hook.close()
  return [open(path, 'rb').read()
          for path in glob.glob(os.path.join(str(folder), _TRACES))]


def test_the_steps_after_the_start_are_traced(tmp_path):
  trace, = _traces(tmp_path / 'profile', 6, num_runs_before=2, num_runs=3)
  assert b'traced_product' in trace


def test_a_run_that_ends_within_the_trace_leaves_it(tmp_path):
  trace, = _traces(tmp_path / 'profile', 2, num_runs_before=1, num_runs=100)
  assert b'traced_product' in trace


def test_a_run_too_short_says_so(tmp_path, caplog):
  assert not _traces(tmp_path / 'profile', 2, num_runs_before=2)
  assert 'it begins after 2 steps, there were 2' in caplog.text
  assert not (tmp_path / 'profile').exists()
