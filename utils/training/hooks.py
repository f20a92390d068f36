"""What a person sees while training: a line, a bar, a table, points of curves and a trace.

    step 120/3000  loss 1.2345 (semantic_merged_logits 1.1, regularization 0.1345)
      learning rate 0.05  12.3 images/s  waiting for input 3%  1h02m left
"""
import contextlib
import time

from absl import logging

from deeplab.core import tf_compat
from deeplab.core.jobs import progress
from deeplab.core.tf_compat import tf
from deeplab.utils.runs import loss_table

# Weight of the newest line in the speed that the time left is computed from.
_NEWEST_WEIGHT = 0.3
# Sessions optimise the graph in the first run, with summaries, and the second, without.
_NUM_START_UP_RUNS = 2
# Runs before a trace begins, in which TensorFlow optimises the graph and fills its caches.
_NUM_RUNS_BEFORE_TRACE = 5
# A step of a large network is some ten thousand events.
_NUM_TRACED_RUNS = 5


class ProgressHook(tf_compat.SessionRunHook):
  """Logs a line every `log_steps` and at the end; draws a progress bar on a terminal.

  Every line is also a row of losses.csv and a point of TensorBoard in the train_logdir.
  Losses, their parts and the gradient norm are means over the steps since the last line.
  The first runs, in which TensorFlow starts up, do not count for the speed; that the first takes
  long is told before and after it. A step may take several runs of the graph, which accumulate
  gradients; a run may see several steps go by, those of other workers.

  Close the hook (`contextlib.closing`) after the session, also after a failed one.
  """

  def __init__(self, graph, options, wait_secs=None):
    """Watches a TrainGraph, with TrainOptions.

    `wait_secs` is a float scalar, seconds the step waited for its input (`timed_inputs`), or None.
    """
    self._options = options
    self._parts = list(graph.parts)
    self._fetches = dict(graph.parts, step=graph.steps_done, rate=graph.learning_rate,
                         total_loss=graph.train_op, gradient_norm=graph.gradient_norm)
    if wait_secs is not None:
      self._fetches['wait_secs'] = wait_secs
    self._open_things = contextlib.ExitStack()

  def begin(self):
    self._global_step = tf.train.get_global_step()

  def after_create_session(self, session, coord):
    self.close()
    start = int(session.run(self._global_step))
    total = self._options.training_number_of_steps
    self._table = self._writer = None
    if self._options.train_logdir:
      self._table = loss_table.LossTable(self._options.train_logdir, self._parts, start)
      self._open_things.callback(self._table.flush)
      self._writer = tf.summary.FileWriterCache.get(self._options.train_logdir)
    self._open_things.enter_context(progress.log_lines_above_bars())
    self._bar = self._open_things.enter_context(progress.bar(
        'training', total=total, unit='step', initial=start, only_on_terminals=True))
    self._last_step = self._reported_step = start
    self._secs_per_step, self._has_speed = 0.0, False
    logging.info('The first step begins. It takes longer than others: TensorFlow prepares the '
                 'graph.')
    self._is_first_run, self._window = True, _Window(time.perf_counter(), _NUM_START_UP_RUNS)

  def before_run(self, run_context):
    return tf.train.SessionRunArgs(self._fetches)

  def after_run(self, run_context, run_values):
    if self._is_first_run:
      self._is_first_run = False
      logging.info('The first step took %s. A line follows every %d steps.',
                   format_duration(time.perf_counter() - self._window.times[0]),
                   self._options.log_steps)
    values = dict(run_values.results)
    previous_step, self._last_step = self._last_step, int(values.pop('step'))
    self._rate = float(values.pop('rate'))
    self._window.add(values, time.perf_counter())
    self._bar.update(self._last_step - self._bar.n)
    # With several workers that do not wait for each other, steps are passed over.
    log_steps, num_steps = self._options.log_steps, self._options.training_number_of_steps
    if (self._last_step // log_steps > previous_step // log_steps
        or previous_step < num_steps <= self._last_step):
      self._report()

  def end(self, session):
    if self._window.num_runs:
      self._report()
    if self._writer:
      self._writer.flush()
    self.close()

  def close(self):
    """Ends the progress bar and the table; more calls do nothing."""
    self._open_things.close()

  def _report(self):
    """Writes what happened since the last report to the log, the table and TensorBoard."""
    means, now = self._window.means(), time.perf_counter()
    secs_per_run, wait_share = self._window.speed(now)
    images_per_sec = self._options.train_batch_size / max(secs_per_run, 1e-9)
    secs_per_step = secs_per_run * self._window.num_runs / max(
        1, self._last_step - self._reported_step)
    if not self._has_speed:
      self._secs_per_step = secs_per_step
    self._secs_per_step += _NEWEST_WEIGHT * (secs_per_step - self._secs_per_step)
    self._has_speed = self._window.num_runs > self._window.num_skipped
    row = dict({name: means[name] for name in self._parts}, step=self._last_step,
               total_loss=means['total_loss'], learning_rate=self._rate,
               gradient_norm=means['gradient_norm'], images_per_sec=images_per_sec,
               input_wait_share=wait_share, wall_time=time.time())
    logging.info('%s', self._line(row))
    if self._table:
      self._table.append(row)
      self._writer.add_summary(tf.Summary(value=[
          tf.Summary.Value(tag='speed/' + name, simple_value=row[name])
          for name in ('images_per_sec', 'input_wait_share') if row[name] is not None]),
                               self._last_step)
    self._reported_step = self._last_step
    self._window = _Window(
        now, max(0, self._window.num_skipped - self._window.num_runs))

  def _line(self, row):
    parts = ', '.join('%s %.4g' % (name, row[name]) for name in self._parts)
    wait_share = row['input_wait_share']
    steps_left = max(0, self._options.training_number_of_steps - self._last_step)
    return '  '.join(
        ['step %d/%d' % (self._last_step, self._options.training_number_of_steps),
         'loss %.4f' % row['total_loss'] + (' (%s)' % parts if parts else ''),
         'learning rate %.3g' % self._rate,
         '%s images/s' % progress.format_rate(row['images_per_sec'])]
        + ([] if wait_share is None else ['waiting for input %.0f%%' % (100 * wait_share)])
        + ['%s left' % format_duration(steps_left * self._secs_per_step)])


class _Window(object):
  """The runs since the last report. Their speed leaves out `num_skipped`, if there are others."""

  def __init__(self, start, num_skipped=0):
    self.num_skipped = num_skipped
    # When it began and when runs ended, of the performance counter.
    self.times = [start]
    self._runs = []

  @property
  def num_runs(self):
    """Number of runs of the graph so far."""
    return len(self._runs)

  def add(self, values, now):
    """Adds the values of a run that ended now."""
    self.times.append(now)
    self._runs.append(values)

  def means(self):
    """Returns dict, name -> mean over the runs."""
    return {name: sum(float(values[name]) for values in self._runs) / self.num_runs
            for name in self._runs[0]}

  def speed(self, now):
    """Returns seconds per run, and the share of them spent waiting for input or None."""
    first = self.num_skipped if self.num_runs > self.num_skipped else 0
    secs, timed = max(now - self.times[first], 1e-9), self._runs[first:]
    wait_share = None
    if 'wait_secs' in timed[0]:
      wait_share = min(1.0, sum(values['wait_secs'] for values in timed) / secs)
    return secs / len(timed), wait_share


def timed_inputs(samples_fn):
  """Returns the samples of an input pipeline, and the seconds a step waits for them, float64.

  The clock is read right before and right after the pipeline hands out a batch, in the
  graph, so batches that wait ready in a prefetch buffer count as no time. Operations that
  need no input may run meanwhile; there are hardly any in training.

  `samples_fn()` adds the pipeline to the default graph and returns a structure of tensors.
  """
  before = tf.timestamp()
  with tf.control_dependencies([before]):
    samples = samples_fn()
  with tf.control_dependencies(tf.nest.flatten(samples)):
    after = tf.timestamp()
  return samples, after - before


def format_duration(secs):
  """Returns seconds as '1h02m', '3m05s' or '7s'."""
  secs = int(round(secs))
  if secs >= 3600:
    return '%dh%02dm' % (secs // 3600, secs % 3600 // 60)
  if secs >= 60:
    return '%dm%02ds' % (secs // 60, secs % 60)
  return '%ds' % secs


class TraceHook(tf_compat.SessionRunHook):
  """Traces a few runs of the graph, once per session, after those in which it starts up.

  A run that ends before leaves a trace of what it did; one that ends within the runs before
  the trace says so.

  Close the hook (`contextlib.closing`) after the session, also after a failed one.
  """

  def __init__(self, folder, num_runs_before=_NUM_RUNS_BEFORE_TRACE,
               num_runs=_NUM_TRACED_RUNS):
    """Traces so many runs into a folder (made if absent), the --logdir of TensorBoard."""
    self._folder = folder
    self._num_runs_before = num_runs_before
    self._num_runs = num_runs
    self._count = 0
    self._trace = contextlib.ExitStack()

  def before_run(self, run_context):
    if self._count == self._num_runs_before:
      tf.gfile.MakeDirs(self._folder)
      self._trace.enter_context(tf_compat.profiler_trace(self._folder))

  def after_run(self, run_context, run_values):
    self._count += 1
    if self._count == self._num_runs_before + self._num_runs:
      self.close()
      logging.info('Trace of %d steps: tensorboard --logdir=%s, tab Profile.', self._num_runs,
                   self._folder)

  def end(self, session):
    if self._count <= self._num_runs_before:
      logging.warning('No trace in %s: it begins after %d steps, there were %d.', self._folder,
                      self._num_runs_before, self._count)

  def close(self):
    """Ends a trace that has begun; more calls do nothing."""
    self._trace.close()
