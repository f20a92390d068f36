"""What a person sees while training: progress lines, and a readable end when it diverges."""
import contextlib
import time

from absl import logging

from deeplab.core.tf_compat import tf
from deeplab.utils import optimizers

NOT_FINITE = 'The loss is not finite'


class ProgressHook(tf.train.SessionRunHook):
  """Logs one line every `log_steps`: step, mean loss, learning rate, speed, time left."""

  def __init__(self, graph, options):
    """Watches `graph` (TrainGraph) under `options` (TrainOptions)."""
    self._graph = graph
    self._options = options
    self._time = None
    self._losses = []

  def after_create_session(self, session, coord):
    self._time = time.time()

  def before_run(self, run_context):
    return tf.train.SessionRunArgs({
        'step': self._graph.steps_done,
        'loss': self._graph.train_op,
        'rate': self._graph.learning_rate,
    })

  def after_run(self, run_context, run_values):
    values = run_values.results
    self._losses.append(values['loss'])
    step, total = int(values['step']), self._options.training_number_of_steps
    if step % self._options.log_steps and step != total:
      return
    now = time.time()
    secs_per_step = (now - self._time) / len(self._losses)
    logging.info(
        'step %d/%d  loss %.4f  learning rate %.3g  %.1f images/s  %s left', step, total,
        sum(self._losses) / len(self._losses), values['rate'],
        self._options.train_batch_size / secs_per_step,
        format_duration((total - step) * secs_per_step))
    self._time = now
    self._losses = []


def format_duration(secs):
  """Returns seconds as '1h02m', '3m05s' or '7s'."""
  secs = int(round(secs))
  if secs >= 3600:
    return '%dh%02dm' % (secs // 3600, secs % 3600 // 60)
  if secs >= 60:
    return '%dm%02ds' % (secs // 60, secs % 60)
  return '%ds' % secs


@contextlib.contextmanager
def readable_loss_errors(options):
  """Turns the failed check of the loss into a ValueError that says what to do.

  Args:
    options: TrainOptions.
  """
  try:
    yield
  except tf.errors.InvalidArgumentError as error:
    if NOT_FINITE not in str(error):
      raise
    rate_option = optimizers.OPTIMIZERS[options.optimizer].learning_rate_option
    raise ValueError(
        'The loss became NaN or infinite; the weights in %s are those of the last '
        'checkpoint. Lower --%s (now %g) or raise --slow_start_step.'
        % (options.train_logdir, rate_option, getattr(options, rate_option))) from error
