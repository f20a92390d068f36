"""How many clones of a model there are, in how many processes, and on which devices."""
import copy
import operator

from deeplab.core.tf_compat import tf

_CPU = '/device:CPU:0'
# Operations that hold the value of a variable.
_VARIABLE_OPERATIONS = ('Variable', 'VariableV2', 'VarHandleOp', 'AutoReloadVariable')


class DeploymentConfig(object):
  """How many clones there are, and on which devices things go.

  Attributes:
    num_clones: number of clones in this process.
    clone_on_cpu: whether clones are on CPU devices.
    num_cpu_devices: number of CPU devices that a session must have.
    replica_id: index of this process.
    num_replicas: number of processes that train.
    num_ps_tasks: number of parameter servers.
    ps_device: device of the parameter servers, '' without them.
    worker_device: device of the replicas, '' without parameter servers.
  """

  def __init__(self, num_clones=1, clone_on_cpu=False, replica_id=0, num_replicas=1,
               num_ps_tasks=0, worker_job_name='worker', ps_job_name='ps'):
    """Describes a deployment.

    Args:
      num_clones: copies of the model in this process.
      clone_on_cpu: whether clones go to CPU device 0, which every session has, instead of
        clone i to GPU i.
      replica_id: index of this process among the replicas.
      num_replicas: number of processes that train.
      num_ps_tasks: number of parameter servers; 0: variables are in this process.
      worker_job_name: name of the job of the replicas.
      ps_job_name: name of the job of the parameter servers.

    Raises:
      ValueError: a number is out of range, or there are replicas without parameter servers.
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
    self._num_clones = num_clones
    self._clone_on_cpu = clone_on_cpu
    self._num_cpu_devices = 1
    self._replica_id = replica_id
    self._num_replicas = num_replicas
    self._num_ps_tasks = num_ps_tasks
    self._ps_device = '/job:' + ps_job_name if num_ps_tasks else ''
    self._worker_device = '/job:' + worker_job_name if num_ps_tasks else ''

  num_clones = property(operator.attrgetter('_num_clones'))
  clone_on_cpu = property(operator.attrgetter('_clone_on_cpu'))
  num_cpu_devices = property(operator.attrgetter('_num_cpu_devices'))
  replica_id = property(operator.attrgetter('_replica_id'))
  num_replicas = property(operator.attrgetter('_num_replicas'))
  num_ps_tasks = property(operator.attrgetter('_num_ps_tasks'))
  ps_device = property(operator.attrgetter('_ps_device'))
  worker_device = property(operator.attrgetter('_worker_device'))

  def caching_device(self):
    """Returns where variables are cached: beside their reader with parameter servers."""
    return (lambda operation: operation.device) if self._num_ps_tasks else None

  def clone_device(self, clone_index):
    """Returns the device of a clone.

    Raises:
      ValueError: there is no such clone.
    """
    self._check_index(clone_index)
    if self._clone_on_cpu:
      return '%s/device:CPU:%d' % (self._worker_device, clone_index % self._num_cpu_devices)
    return '%s/device:GPU:%d' % (self._worker_device, clone_index)

  def clone_scope(self, clone_index):
    """Returns the name scope of a clone: '' for the only one, else 'clone_<index>'.

    Raises:
      ValueError: there is no such clone.
    """
    self._check_index(clone_index)
    return 'clone_%d' % clone_index if self._num_clones > 1 else ''

  def optimizer_device(self):
    """Returns the device of the optimizer's bookkeeping."""
    return self._worker_device + _CPU

  def inputs_device(self):
    """Returns the device of the input pipeline."""
    return self._worker_device + _CPU

  def variables_device(self):
    """Returns the device of variables, or a function of an operation with parameter servers.

    Variables go to the parameter servers in turn.
    """
    device = self._ps_device + _CPU
    return _TurnTaker(device, self._num_ps_tasks).device_of if self._num_ps_tasks else device

  def _check_index(self, clone_index):
    if not 0 <= clone_index < self._num_clones:
      raise ValueError('clone_index must be in 0..%d, got %s.'
                       % (self._num_clones - 1, clone_index))


class _TurnTaker(object):
  """Gives variables to the tasks of a job in turn."""

  def __init__(self, device, num_tasks):
    self._device = tf.DeviceSpec.from_string(device)
    self._num_tasks = num_tasks
    self._num_placed = 0

  def device_of(self, operation):
    if operation.device or operation.type not in _VARIABLE_OPERATIONS:
      return operation.device
    spec = tf.DeviceSpec(job=self._device.job, task=self._num_placed % self._num_tasks,
                         device_type='CPU', device_index=0)
    self._num_placed += 1
    return spec.to_string()


def one_cpu_device_per_clone(config):
  """Returns a copy of a DeploymentConfig in which clones on the CPU have a device each.

  These devices share the processor's cores; they only exist in sessions with `session_config`.
  """
  spread = copy.copy(config)
  if config.clone_on_cpu:
    spread._num_cpu_devices = config.num_clones
  return spread


def session_config(config):
  """Returns the ConfigProto of sessions with the CPU devices of a DeploymentConfig."""
  return tf.ConfigProto(allow_soft_placement=True,
                        device_count={'CPU': config.num_cpu_devices})
