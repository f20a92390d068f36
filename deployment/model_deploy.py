"""Copies of a model on several devices: clones and their gradients.

    config = DeploymentConfig(num_clones=2)
    clones = create_clones(config, model_fn, [samples])
    total_loss, grads_and_vars = optimize_clones(clones, optimizer)

All clones share their variables. The losses of a clone are those that its model_fn adds to the
losses collection; they count with weight 1 / num_clones, so that the gradient is that of the
mean over clones. Regularisation counts once.

Where things are, as `deployment_config` says: model, losses and gradients of a clone on its
device; the sum of a variable's gradients on the device of one of the clones, by turns; variables
that TF-Slim makes, the input and the optimizer's bookkeeping on the CPU (or on parameter servers),
so that all clones read the same values. Clones on the CPU share its one device, see
`one_cpu_device_per_clone`.
"""
import collections

from deeplab.core.tf_compat import slim, tf
from deeplab.deployment import staging
from deeplab.deployment.deployment_config import (
    DeploymentConfig,
    one_cpu_device_per_clone,
    session_config,
)

__all__ = [
    'Clone', 'DeployedModel', 'DeploymentConfig', 'SplitBatch', 'create_clones', 'deploy',
    'optimize_clones', 'split_samples']

Clone = collections.namedtuple('Clone', ['outputs', 'scope', 'device'])
Clone.__doc__ = """What a model_fn returned, the name scope it ran in, and its device."""

DeployedModel = collections.namedtuple(
    'DeployedModel', ['train_op', 'summary_op', 'total_loss', 'clones'])
DeployedModel.__doc__ = """A deployed model; parts that were not asked for are None."""

# Arguments of DeploymentConfig and their defaults; part of the interface.
_deployment_params = {
    'num_clones': 1,
    'clone_on_cpu': False,
    'replica_id': 0,
    'num_replicas': 1,
    'num_ps_tasks': 0,
    'worker_job_name': 'worker',
    'ps_job_name': 'ps',
}


def create_clones(config, model_fn, args=None, kwargs=None):
  """Calls model_fn once per clone, each in its name scope and on its device.

  Args:
    config: DeploymentConfig.
    model_fn: function that adds a model and its losses to the default graph.
    args: list of its arguments.
    kwargs: dict of its keyword arguments.

  Returns:
    List of Clone.
  """
  clones = []
  with slim.arg_scope([slim.model_variable, slim.variable], device=config.variables_device()):
    for index in range(config.num_clones):
      device = config.clone_device(index)
      with tf.name_scope(config.clone_scope(index)) as scope, tf.device(device), \
           tf.variable_scope(tf.get_variable_scope(), reuse=True if index else None):
        outputs = model_fn(*(args or []), **(kwargs or {}))
      clones.append(Clone(outputs, scope, device))
  return clones


def optimize_clones(clones, optimizer, regularization_losses=None, **kwargs):
  """Returns the total loss and the gradients of the mean over clones.

  The gradients of a variable are added up on the device of a clone, the variables in turn on
  different ones, so that they do not all pass through one device.

  Args:
    clones: list of Clone.
    optimizer: tf.train.Optimizer.
    regularization_losses: list of losses that count once; None: those of the graph.
    **kwargs: of `optimizer.compute_gradients`.

  Returns:
    (total loss, list of (gradient, variable)).

  Raises:
    ValueError: no clone has a loss.
  """
  losses, gradients = [], []
  if regularization_losses is None:
    regularization_losses = tf.losses.get_regularization_losses()
  for clone in clones:
    with tf.name_scope(clone.scope):
      loss, grads_and_vars = _optimize_clone(optimizer, clone, len(clones),
                                             regularization_losses, **kwargs)
    if loss is not None:
      losses.append(loss)
      gradients.append(grads_and_vars)
    # They count in the first clone.
    regularization_losses = []
  if not losses:
    raise ValueError('There is nothing to optimize: the clones have no losses.')
  return tf.add_n(losses, name='total_loss'), _sum_clones_gradients(gradients)


def deploy(config, model_fn, args=None, kwargs=None, optimizer=None, summarize_gradients=False):
  """Returns the DeployedModel of a model_fn: its clones and, with an optimizer, training.

  Args:
    config: DeploymentConfig.
    model_fn: see `create_clones`.
    args: likewise.
    kwargs: likewise.
    optimizer: tf.train.Optimizer, or None for the loss alone.
    summarize_gradients: whether gradients have summaries.
  """
  earlier_summaries = set(tf.get_collection(tf.GraphKeys.SUMMARIES))
  clones = create_clones(config, model_fn, args, kwargs)
  first = clones[0]
  summaries = set(tf.get_collection(tf.GraphKeys.SUMMARIES, first.scope)) | earlier_summaries
  train_op = total_loss = None
  with tf.device(config.optimizer_device()):
    if optimizer is not None:
      total_loss, grads_and_vars = optimize_clones(clones, optimizer)
      if summarize_gradients:
        summaries |= set(_add_gradients_summaries(grads_and_vars))
      update = optimizer.apply_gradients(
          grads_and_vars, global_step=tf.train.get_or_create_global_step())
      updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS, first.scope)
      with tf.control_dependencies(updates + [update]):
        train_op = tf.identity(total_loss, name='train_op')
    else:
      losses = [_gather_clone_loss(
          clone, len(clones), [] if index else tf.losses.get_regularization_losses())
                for index, clone in enumerate(clones)]
      losses = [loss for loss in losses if loss is not None]
      total_loss = tf.add_n(losses, name='total_loss') if losses else None
    if total_loss is not None:
      summaries.add(tf.summary.scalar('total_loss', total_loss))
    summary_op = tf.summary.merge(
        sorted(summaries, key=lambda summary: summary.name),
        name='summary_op') if summaries else None
  return DeployedModel(train_op, summary_op, total_loss, clones)


def split_samples(samples, num_parts):
  """Returns a list of dicts: a batch divided into equal parts.

  Args:
    samples: dict, name -> tensor [batch, ...].
    num_parts: number of parts that divides the batch.
  """
  parts = {name: tf.split(tensor, num_parts) for name, tensor in samples.items()}
  return [{name: part[index] for name, part in parts.items()} for index in range(num_parts)]


class SplitBatch(object):
  """Trains clones on equal parts of each batch; what `utils.training.loop` needs of a deployment.

  Clones on the CPU have a device each.

  Attributes:
    num_clones: number of clones.
    session_config: ConfigProto of the session.
  """

  def __init__(self, config):
    """Deploys as a DeploymentConfig says."""
    self.num_clones = config.num_clones
    self._config = one_cpu_device_per_clone(config)
    self.session_config = session_config(self._config)

  def optimize(self, samples, add_losses, optimizer):
    """Adds one clone per part of a batch; on GPUs the parts are brought there ahead of use.

    Args:
      samples: see `split_samples`.
      add_losses: function of the samples of a clone and its index that adds model and losses.
      optimizer: tf.train.Optimizer.

    Returns:
      (total loss, list of (gradient, variable), name scope of the first clone).
    """
    with tf.device(self._config.inputs_device()):
      parts = split_samples(samples, self._config.num_clones)
    if not self._config.clone_on_cpu:
      parts = [staging.to_device(part, self._config.clone_device(index))
               for index, part in enumerate(parts)]
    parts = enumerate(parts)

    def add_next():
      index, part = next(parts)
      add_losses(part, index)

    clones = create_clones(self._config, add_next)
    with tf.device(self._config.optimizer_device()):
      total_loss, grads_and_vars = optimize_clones(clones, optimizer)
    return total_loss, grads_and_vars, clones[0].scope


def _gather_clone_loss(clone, num_clones, regularization_losses):
  """Returns the loss of a clone in the mean over clones, plus regularisation; or None."""
  losses = tf.get_collection(tf.GraphKeys.LOSSES, clone.scope)
  terms = []
  with tf.device(clone.device):
    if losses:
      terms.append(tf.add_n(losses) / num_clones if num_clones > 1 else tf.add_n(losses))
    terms += list(regularization_losses)
    return tf.add_n(terms) if terms else None


def _optimize_clone(optimizer, clone, num_clones, regularization_losses, **kwargs):
  """Returns (loss, gradients and variables) of a clone; (None, None) without a loss."""
  loss = _gather_clone_loss(clone, num_clones, regularization_losses)
  if loss is None:
    return None, None
  with tf.device(clone.device):
    return loss, optimizer.compute_gradients(loss, **kwargs)


def _sum_clones_gradients(clone_grads):
  """Returns the sums of the gradients of several clones, per variable.

  Args:
    clone_grads: list per clone of (gradient or None, variable), in equal order.

  Returns:
    List of (gradient, variable), without variables that have no gradient.
  """
  sums = []
  for index, pairs in enumerate(zip(*clone_grads)):
    gradients = [gradient for gradient, _ in pairs if gradient is not None]
    if not gradients:
      continue
    # The devices of the clones add up in turn.
    with tf.device(gradients[index % len(gradients)].device):
      total = gradients[0] if len(gradients) == 1 else tf.add_n(gradients)
    sums.append((total, pairs[0][1]))
  return sums


def _add_gradients_summaries(grads_and_vars):
  """Returns summaries of gradients: a histogram and a norm for each."""
  summaries = []
  for gradient, variable in grads_and_vars:
    if gradient is not None:
      values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
      name = variable.op.name
      summaries.append(tf.summary.histogram(name + '/gradient', values))
      summaries.append(tf.summary.scalar(name + '/gradient_norm', tf.global_norm([values])))
  return summaries
