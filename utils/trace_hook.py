"""A trace of some training steps, for the profiler of TensorBoard."""
import contextlib

from absl import logging

from deeplab.core import tf_compat
from deeplab.core.tf_compat import tf

# In the first runs TensorFlow optimises the graph and fills its caches.
_NUM_RUNS_BEFORE = 5
# A step of a large network is some ten thousand events.
_NUM_RUNS = 5


class TraceHook(tf.train.SessionRunHook):
  """Traces a few runs of the graph, once per session, after those in which it starts up.

  A run that ends before leaves a trace of what it did; one that ends within the runs before
  the trace says so.

  Close the hook (`contextlib.closing`) after the session, also after a failed one.
  """

  def __init__(self, folder, num_runs_before=_NUM_RUNS_BEFORE, num_runs=_NUM_RUNS):
    """Prepares the hook.

    Args:
      folder: folder of the trace, made if absent; the --logdir of TensorBoard.
      num_runs_before: runs of the graph that are not traced.
      num_runs: runs that are.
    """
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
