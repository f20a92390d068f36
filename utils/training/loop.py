"""The loop around the training graph: where it starts, what it leaves, how it ends."""
import contextlib
import types
import typing

from absl import logging

from deeplab import model
from deeplab.core.checkpoints import folder, initial_weights, restoring
from deeplab.core.tf_compat import tf
from deeplab.datasets.checks.in_runs import readable_input_errors
from deeplab.deployment import staging
from deeplab.utils.speed_and_memory import memory
from deeplab.utils.training import graph as train_graph
from deeplab.utils.training import hooks as train_hooks
from deeplab.utils.training import losses
from deeplab.utils.training import session as train_session


class Data(typing.NamedTuple):
  """What a training reads."""
  dataset: typing.Any  # DatasetDescriptor.
  # Function that adds the input pipeline to the default graph and returns the samples of a batch.
  samples_fn: typing.Callable
  files: typing.Sequence[str]  # The shards that are read, to name a bad record in.


class Placement(typing.NamedTuple):
  """On which devices and machines a training is, and in whose folder."""
  clones: typing.Any = None  # `model_deploy.SplitBatch` of several clones, or None for one model.
  # Device that batches are brought to ahead of their step, or None; clones have theirs.
  input_device: typing.Optional[str] = None
  replica: typing.Any = None  # `replica.Replica` of one of several processes, or None.
  # TensorFlow server of a single process that trains; None: in this process.
  master: typing.Optional[str] = None
  lock: typing.Any = None  # `run_lock.Lock` of train_logdir, or None.

  @property
  def is_chief(self):
    """Whether this process writes checkpoints and summaries."""
    return self.replica is None or self.replica.is_chief


# One model in this process.
_HERE = Placement()


def train(data, model_options, options, on_start=None, on_saved=None, placement=_HERE):
  """Trains from the newest checkpoint of `train_logdir`, or from a start.

  Returns the path of the newest checkpoint. The chief calls `on_start`, a function of the first
  step, once the run is sure to begin, and `on_saved`, one of the prefix of a new checkpoint. Both
  may be None.

  Raises ValueError if the checkpoint is damaged or of another model, a record is bad, the loss is
  not finite, a process of the cluster is missing, or another one has the folder.
  """
  # The chief alone may change the folder; others may look while it does.
  newest = (folder.newest_to_continue if placement.is_chief
            else restoring.resolve_checkpoint)(options.train_logdir)
  step = restoring.global_step(newest) if newest else 0
  with tf.Graph().as_default(), (
      placement.replica.device() if placement.replica else contextlib.ExitStack()):
    graph, wait_secs = _build_graph(data, model_options, options, placement)
    if newest and placement.is_chief:
      restoring.check_restorable(newest, tf.global_variables())
      logging.info('Continuing at %s.', newest)
    if step >= options.training_number_of_steps:
      logging.info('Nothing to do: step %d of %d is reached already. For more steps, give a higher '
                   '--training_number_of_steps; to begin anew, another --train_logdir.', step,
                   options.training_number_of_steps)
      return newest
    start = _plan_start(graph, model_options, options) if (
        placement.is_chief and not newest) else None
    if placement.is_chief:
      _begin(options.train_logdir, placement, on_start, step)
    with contextlib.ExitStack() as around:
      stop = around.enter_context(
          train_session.StopOnSignal(options.train_logdir, placement.is_chief))
      hooks = [stop] + _hooks(graph, options, wait_secs, placement, around)
      listeners = [_saved_listener(options.train_logdir, on_saved, step, stop)
                   ] if on_saved and placement.is_chief else []
      around.enter_context(memory.readable_memory_errors(
          model_options.crop_size, options, placement.clones))
      around.enter_context(readable_input_errors(data.files, data.dataset))
      around.enter_context(losses.readable_loss_errors(options))
      opener = train_session.TrainSession(options, placement, start)
      if placement.replica:
        hooks.append(around.enter_context(
            placement.replica.watch(lambda: stop.number, opener.save)))
      session = around.enter_context(opener.open(hooks, listeners))
      while not session.should_stop():
        session.run(graph.train_op)
  newest = restoring.resolve_checkpoint(options.train_logdir)
  if placement.is_chief:
    _check_complete(newest, options, data.files)
  return newest


def _begin(folder_of_run, placement, on_start, step):
  tf.gfile.MakeDirs(folder_of_run)
  if placement.lock:
    folder.remove_unfinished(folder_of_run)
  if on_start:
    on_start(step)


def _build_graph(data, model_options, options, placement):
  """Adds input and training; returns the TrainGraph and the seconds waited, see `timed_inputs`."""
  logging.info('Building the graph of %s and of its gradients.', model_options.model_variant)
  samples, wait_secs = train_hooks.timed_inputs(data.samples_fn)
  if placement.input_device:
    samples = staging.to_device(samples, placement.input_device)
  return train_graph.build_train_graph(
      samples, data.dataset, model_options, options, placement.clones,
      placement.replica), wait_secs


def _check_complete(newest, options, files):
  """Stops if the last checkpoint is of no use, or the input, although it repeats, ended early."""
  step = restoring.global_step(newest) if newest else 0
  problem = folder.problem_of(newest, is_read=True) if newest else None
  if problem:
    raise ValueError(
        'The last checkpoint, %s, cannot be used: %s. Lower the learning rate; the same command '
        'continues at the newest checkpoint that can be used.' % (newest, problem))
  if step < options.training_number_of_steps:
    raise ValueError(
        'Training ended at step %d of %d: no record is left that can be used in the %d shards that '
        'begin with %s. See the warnings above, or run python -m deeplab.datasets.doctor.'
        % (step, options.training_number_of_steps, len(files), files[0]))


def _hooks(graph, options, wait_secs, placement, around):
  """Returns the hooks that only watch; what they leave open is closed by the ExitStack."""
  shown = options
  if placement.replica:
    if not placement.is_chief:
      shown = shown._replace(train_logdir=None, profile_logdir=None)
    shown = shown._replace(
        train_batch_size=options.train_batch_size * placement.replica.batches_per_step)
  hooks = [train_hooks.ProgressHook(graph, shown, wait_secs)]
  if shown.profile_logdir:
    hooks.append(train_hooks.TraceHook(shown.profile_logdir))
  for hook in hooks:
    around.enter_context(contextlib.closing(hook))
  if placement.lock:
    hooks.append(placement.lock)
  return hooks + [staging.StagingHook()]


def _saved_listener(train_logdir, on_saved, start_step, stop):
  """Returns what tells of checkpoints, but that of the start and that of a run that is stopped."""
  def after_save(unused_session, step):
    if step != start_step and not stop.number:
      on_saved(restoring.resolve_checkpoint(train_logdir))

  def nothing(*unused_arguments):
    pass

  return types.SimpleNamespace(
      begin=nothing, before_save=nothing, after_save=after_save, end=nothing)


def _plan_start(graph, model_options, options):
  """Returns the initial_weights.Plan of tf_initial_checkpoint, None without one."""
  if not options.tf_initial_checkpoint:
    logging.info('All weights start at random: there is no --tf_initial_checkpoint.')
    return None
  last_layers = model.get_extra_layer_scopes(
      options.last_layers_contain_logits_only, model_options.decoder_output_is_logits)
  return initial_weights.plan_restore(
      initial_weights.read_weights(options.tf_initial_checkpoint, 'tf_initial_checkpoint'),
      graph.model_variables, [] if options.initialize_last_layer else last_layers,
      model.get_extra_layer_scopes())
