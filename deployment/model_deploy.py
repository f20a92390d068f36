"""Copies of a model on several devices: clones and their gradients.

    config = DeploymentConfig(num_clones=2)
    clones = create_clones(config, model_fn, [samples])
    total_loss, grads_and_vars = optimize_clones(clones, optimizer)

All clones share their variables. The losses of a clone are those that its model_fn adds to the
losses collection; they count with weight 1 / num_clones, so that the gradient is that of the
mean over clones. Regularisation counts once.

Where things are, as a DeploymentConfig says: model, losses and gradients of a clone on its device;
the sum of a variable's gradients on the device of one of the clones, by turns; variables that
TF-Slim makes, the input and the optimizer's bookkeeping on the CPU (or on parameter servers), so
that all clones read the same values. Clones on the CPU share its one device, but in `SplitBatch`.
"""
import collections
import copy
import itertools

from deeplab.core.settings import Setting
from deeplab.core.tf_compat import slim, tf
from deeplab.deployment import staging

__all__ = [
    'Clone', 'DeployedModel', 'DeploymentConfig', 'SplitBatch', 'create_clones', 'deploy',
    'optimize_clones', 'split_samples']

DEVICES = 'machines and devices'
NUM_CLONES = Setting(
    1, 'Copies of the model, one per GPU; each takes an equal part of the batch.', at_least=1,
    group=DEVICES)
CLONE_ON_CPU = Setting(False, 'Places the copies on CPU devices.', group=DEVICES)

_CPU = '/device:CPU:0'
# Operations that hold the value of a variable.
_VARIABLE_OPERATIONS = ('Variable', 'VariableV2', 'VarHandleOp', 'AutoReloadVariable')

Clone = collections.namedtuple('Clone', ['outputs', 'scope', 'device'])
Clone.__doc__ = """What a model_fn returned, the name scope it ran in, and its device."""

DeployedModel = collections.namedtuple(
    'DeployedModel', ['train_op', 'summary_op', 'total_loss', 'clones'])
DeployedModel.__doc__ = """A deployed model; parts that were not asked for are None."""


class DeploymentConfig(object):
  """How many clones there are, in how many processes, and on which devices things go.

  Attributes:
    num_clones, clone_on_cpu, replica_id, num_replicas, num_ps_tasks: as given.
    num_cpu_devices: number of CPU devices that a session must have.
    ps_device: device of the parameter servers, '' without them.
    worker_device: device of the replicas, '' without parameter servers.
  """
  # The class has the attributes too, as in the original, where they are properties.
  __slots__ = ('num_clones', 'clone_on_cpu', 'num_cpu_devices', 'replica_id', 'num_replicas',
               'num_ps_tasks', 'ps_device', 'worker_device')

  def __init__(self, num_clones=NUM_CLONES.default, clone_on_cpu=CLONE_ON_CPU.default,
               replica_id=0, num_replicas=1, num_ps_tasks=0, worker_job_name='worker',
               ps_job_name='ps'):
    """Describes a deployment.

    Args:
      num_clones: copies of the model in this process.
      clone_on_cpu: whether clones go to CPU device 0, which every session has, instead of
        clone i to GPU i.
      replica_id, num_replicas: index of this process among those that train, and their number.
      num_ps_tasks: number of parameter servers; 0: variables are in this process.
      worker_job_name, ps_job_name: names of the jobs of replicas and of parameter servers.

    Raises ValueError if a number is out of range, or there are replicas without parameter servers.
    """
    for name, value, least in (('num_clones', num_clones, 1), ('num_replicas', num_replicas, 1),
                               ('num_ps_tasks', num_ps_tasks, 0)):
      if value < least:
        raise ValueError('%s must be at least %d, got %s.' % (name, least, value))
    if not 0 <= replica_id < num_replicas:
      raise ValueError('replica_id must be in 0..%d, got %s.' % (num_replicas - 1, replica_id))
    if num_replicas > 1 and num_ps_tasks < 1:
      raise ValueError('num_replicas=%d need num_ps_tasks of at least 1, got %s.'
                       % (num_replicas, num_ps_tasks))
    self.num_clones = num_clones
    self.clone_on_cpu = clone_on_cpu
    self.num_cpu_devices = 1
    self.replica_id = replica_id
    self.num_replicas = num_replicas
    self.num_ps_tasks = num_ps_tasks
    self.ps_device = '/job:' + ps_job_name if num_ps_tasks else ''
    self.worker_device = '/job:' + worker_job_name if num_ps_tasks else ''

  def caching_device(self):
    """Returns where variables are cached: beside their reader with parameter servers."""
    return (lambda operation: operation.device) if self.num_ps_tasks else None

  def clone_device(self, clone_index):
    """Returns the device of a clone; raises ValueError if there is no such clone."""
    self._check_index(clone_index)
    if self.clone_on_cpu:
      return '%s/device:CPU:%d' % (self.worker_device, clone_index % self.num_cpu_devices)
    return '%s/device:GPU:%d' % (self.worker_device, clone_index)

  def clone_scope(self, clone_index):
    """Returns the name scope of a clone: '' for the only one, else 'clone_<index>'."""
    self._check_index(clone_index)
    return 'clone_%d' % clone_index if self.num_clones > 1 else ''

  def optimizer_device(self):
    """Returns the device of the optimizer's bookkeeping, and of the input pipeline."""
    return self.worker_device + _CPU

  inputs_device = optimizer_device

  def variables_device(self):
    """Returns the device of variables; with parameter servers, a function that goes by turns."""
    if not self.num_ps_tasks:
      return _CPU
    turns = itertools.cycle(range(self.num_ps_tasks))

    def device_of(operation):
      if operation.device or operation.type not in _VARIABLE_OPERATIONS:
        return operation.device
      return '%s/task:%d%s' % (self.ps_device, next(turns), _CPU)

    return device_of

  def _check_index(self, clone_index):
    if not 0 <= clone_index < self.num_clones:
      raise ValueError('clone_index must be in 0..%d, got %s.'
                       % (self.num_clones - 1, clone_index))


def create_clones(config, model_fn, args=None, kwargs=None):
  """Returns a list of Clone: calls model_fn once for each, in its name scope and on its device.

  `model_fn(*args, **kwargs)` adds a model and its losses to the default graph.
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
  """Returns (total loss, list of (gradient, variable)) of the mean over a list of Clone.

  The gradients of a variable are added up on the device of a clone, the variables in turn on
  different ones, so that they do not all pass through one device.

  Regularization losses count once; None: those of the graph. **kwargs are for `compute_gradients`
  of the tf.train.Optimizer. Raises ValueError if no clone has a loss.
  """
  losses = _clone_losses(clones, regularization_losses)
  if not losses:
    raise ValueError('There is nothing to optimize: the clones have no losses.')
  gradients = []
  for clone, loss in losses:
    with tf.name_scope(clone.scope), tf.device(clone.device):
      gradients.append(optimizer.compute_gradients(loss, **kwargs))
  total_loss = tf.add_n([loss for _, loss in losses], name='total_loss')
  return total_loss, _sum_clones_gradients(gradients)


def deploy(config, model_fn, args=None, kwargs=None, optimizer=None, summarize_gradients=False):
  """Returns the DeployedModel of a model_fn: its clones and, with an optimizer, training.

  Args:
    config, model_fn, args, kwargs: as with `create_clones`.
    optimizer: tf.train.Optimizer, or None for the loss alone.
    summarize_gradients: whether the summaries tell of the gradients of each variable.
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
      losses = [loss for _, loss in _clone_losses(clones)]
      total_loss = tf.add_n(losses, name='total_loss') if losses else None
    if total_loss is not None:
      summaries.add(tf.summary.scalar('total_loss', total_loss))
    summary_op = tf.summary.merge(
        sorted(summaries, key=lambda summary: summary.name),
        name='summary_op') if summaries else None
  return DeployedModel(train_op, summary_op, total_loss, clones)


def split_samples(samples, num_parts):
  """Returns a batch, dict of name -> tensor [batch, ...], divided into a list of equal parts.

  `num_parts` must divide the size of the batch.
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
    self._config = copy.copy(config)
    if config.clone_on_cpu:
      # They share the cores of the processor.
      self._config.num_cpu_devices = config.num_clones
    self.session_config = tf.ConfigProto(allow_soft_placement=True,
                                         device_count={'CPU': self._config.num_cpu_devices})

  def optimize(self, samples, add_losses, optimizer):
    """Adds one clone per part of a batch; on GPUs the parts are brought there ahead of use.

    Returns (total loss, list of (gradient, variable), name scope of the first clone). For samples
    see `split_samples`; `add_losses`, a function of those of a clone and its index, adds model and
    losses.
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


def _clone_losses(clones, regularization_losses=None):
  """Returns (clone, its loss) of clones that have one; regularization counts in the first."""
  if regularization_losses is None:
    regularization_losses = tf.losses.get_regularization_losses()
  result = []
  for index, clone in enumerate(clones):
    losses = tf.get_collection(tf.GraphKeys.LOSSES, clone.scope)
    with tf.name_scope(clone.scope), tf.device(clone.device):
      terms = [] if index else list(regularization_losses)
      if losses:
        terms.insert(0, tf.add_n(losses) / len(clones) if len(clones) > 1 else tf.add_n(losses))
      if terms:
        result.append((clone, tf.add_n(terms)))
  return result


def _sum_clones_gradients(clone_grads):
  """Returns (sum of gradients, variable) of equal lists per clone, where there are gradients."""
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
