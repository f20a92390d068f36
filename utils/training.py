"""The loop around the training graph: where it starts, what it leaves, how it ends."""
import contextlib

from absl import logging

from deeplab import model
from deeplab.core import checkpoints, initial_weights, staging
from deeplab.core.tf_compat import tf
from deeplab.datasets.record_check import readable_input_errors
from deeplab.utils import (
  graph_rewrites,
  stop_on_signal,
  trace_hook,
  train_errors,
  train_graph,
  train_hooks,
)


def train(dataset, samples_fn, files, model_options, options, on_start=None, deployment=None,
          input_device=None, on_saved=None):
  """Trains from the newest checkpoint of `train_logdir`, or from a start.

  Args:
    dataset: DatasetDescriptor.
    samples_fn: function that adds the input pipeline to the default graph and returns the
      samples of a batch.
    files: the shards that are read, to name a bad record in.
    model_options: ModelOptions.
    options: TrainOptions.
    on_start: function of the first step, called once the run is sure to begin, or None.
    deployment: `model_deploy.SplitBatch` of several clones, or None for one model.
    input_device: device that batches are brought to ahead of their step, or None; clones of a
      deployment have theirs.
    on_saved: function of the prefix of a new checkpoint, or None.

  Returns:
    Path of the newest checkpoint.

  Raises:
    ValueError: the checkpoint is of another model, a record is bad, or the loss is not
      finite.
  """
  newest = checkpoints.resolve_checkpoint(options.train_logdir)
  with tf.Graph().as_default():
    samples, wait_secs = train_hooks.timed_inputs(samples_fn)
    if input_device:
      samples = staging.to_device(samples, input_device)
    graph = train_graph.build_train_graph(samples, dataset, model_options, options,
                                          deployment)
    start, step = None, 0
    if newest:
      checkpoints.check_restorable(newest, tf.global_variables())
      step = checkpoints.global_step(newest)
      logging.info('Continuing at %s.', newest)
      if step >= options.training_number_of_steps:
        logging.info('Nothing to do: step %d of %d is reached already.', step,
                     options.training_number_of_steps)
        return newest
    elif options.tf_initial_checkpoint:
      start = _plan_start(graph, options)
    tf.gfile.MakeDirs(options.train_logdir)
    if on_start:
      on_start(step)
    stop = stop_on_signal.StopOnSignal(options.train_logdir)
    progress = train_hooks.ProgressHook(graph, options, graph.parts, wait_secs,
                                        graph.gradient_norm)
    hooks, listeners = [stop, progress, staging.StagingHook()], []
    trace = contextlib.ExitStack()
    if options.profile_logdir:
      hooks.append(trace_hook.TraceHook(options.profile_logdir))
      trace.enter_context(contextlib.closing(hooks[-1]))
    if on_saved:
      listeners.append(_SavedListener(options.train_logdir, on_saved, step, stop))
    with stop, contextlib.closing(progress), trace, \
         train_errors.readable_memory_errors(options, model_options.crop_size,
                                             output_stride=model_options.output_stride), \
         readable_input_errors(files, dataset), train_errors.readable_loss_errors(options), \
         _session(graph, options, start, hooks, listeners, deployment) as session:
      while not session.should_stop():
        session.run(graph.train_op)
  return checkpoints.resolve_checkpoint(options.train_logdir)


class _SavedListener(tf.train.CheckpointSaverListener):
  """Tells of the checkpoints of a run, but that of its start and that of a run that is stopped."""

  def __init__(self, train_logdir, on_saved, start_step, stop):
    self._train_logdir = train_logdir
    self._on_saved = on_saved
    self._start_step = start_step
    self._stop = stop

  def after_save(self, session, global_step_value):
    if global_step_value != self._start_step and not self._stop.is_requested:
      self._on_saved(checkpoints.resolve_checkpoint(self._train_logdir))


def _plan_start(graph, options):
  """Returns the initial_weights.Plan of tf_initial_checkpoint."""
  last_layers = model.get_extra_layer_scopes(options.last_layers_contain_logits_only)
  return initial_weights.plan_restore(
      initial_weights.read_weights(options.tf_initial_checkpoint, 'tf_initial_checkpoint'),
      graph.model_variables, [] if options.initialize_last_layer else last_layers,
      model.get_extra_layer_scopes())


def _session(graph, options, start, hooks, listeners, deployment):
  saver = tf.train.Saver(max_to_keep=options.keep_checkpoint_max)
  scaffold = tf.train.Scaffold(
      saver=saver,
      init_fn=None if start is None else lambda unused_scaffold, session: start.load(session))
  hooks = [tf.train.StopAtStepHook(last_step=options.training_number_of_steps)] + hooks
  return tf.train.MonitoredTrainingSession(
      checkpoint_dir=options.train_logdir,
      scaffold=scaffold,
      hooks=hooks,
      chief_only_hooks=[tf.train.CheckpointSaverHook(
          options.train_logdir, save_secs=options.save_interval_secs, scaffold=scaffold,
          listeners=listeners)],
      config=graph_rewrites.session_config(options, deployment and deployment.session_config),
      save_checkpoint_secs=None,
      save_checkpoint_steps=None,
      save_summaries_secs=options.save_summaries_secs,
      log_step_count_steps=None)
