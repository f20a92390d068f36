"""The processes of a training on several machines: which there are, and which one this is.

    cluster = from_environment(os.environ) or from_hosts(ps_hosts, worker_hosts, 'worker', 0)
    cluster.task          Task('worker', 0)
    cluster.is_chief      True

TensorFlow's own distributed runtime moves the tensors (Abadi et al., "TensorFlow: A System for
Large-Scale Machine Learning", OSDI 2016): parameter servers hold the variables, workers compute
gradients. Worker 0 is the chief: it also writes checkpoints and summaries. An evaluator is not
part of the cluster; it watches the folder of checkpoints.
"""
import json
import socket
import typing

from deeplab.core import settings
from deeplab.core.settings import LIST, Setting
from deeplab.core.storage import errors, json_text
from deeplab.core.usage import UsageError

PS, WORKER, EVALUATOR = 'ps', 'worker', 'evaluator'
JOBS = (PS, WORKER, EVALUATOR)

# Names that launchers give worker 0 if it is not in the list of workers.
_CHIEF_JOBS = ('chief', 'master')
_TF_CONFIG = 'TF_CONFIG'
_REACH_SECS = 2.0

# Of a script that is no part of a cluster.
MASTER = Setting('', 'TensorFlow server that runs the network, such as grpc://host:2222; empty: '
                 'this process.')


@settings.record
class ClusterSettings(object):
  """Which processes train together, and how."""
  worker_hosts = Setting(
      (), 'host:port of each worker; the first is the chief.', LIST,
      group='several processes, see g3doc/distributed.md')
  ps_hosts = Setting((), 'host:port of each parameter server.', LIST)
  job_name = Setting(
      WORKER, 'What this process is; an evaluator evaluates every checkpoint of train_logdir.',
      choices=JOBS)
  task = Setting(0, 'Index of this process in its job.', at_least=0)
  num_replicas = Setting(
      1, 'Number of workers; if given, it must be that of the hosts.', at_least=1)
  num_ps_tasks = Setting(
      0, 'Number of parameter servers; if given, it must be that of the hosts.', at_least=0)
  sync = Setting(
      True, 'A step is the mean gradient of all workers; off: each worker moves the weights on its '
      'own.')
  startup_delay_steps = Setting(
      15, 'With --nosync: global steps between the starts of two workers.', at_least=0)
  cluster_timeout_secs = Setting(
      300.0, 'Seconds that another process may be away before this one gives up.', at_least=1)


class Task(typing.NamedTuple):
  """A process of a cluster."""
  job: str  # One of JOBS.
  index: int  # Number within the job, from 0 on.

  def __str__(self):
    return '%s %d' % self


class Cluster(typing.NamedTuple):
  """All processes and this one."""
  ps_hosts: typing.Sequence[str]  # List of 'host:port' of the parameter servers.
  worker_hosts: typing.Sequence[str]  # List of 'host:port' of the workers, the chief first.
  task: Task  # Task of this process.

  @property
  def is_chief(self):
    """Whether this process writes checkpoints and summaries."""
    return self.task == Task(WORKER, 0)

  @property
  def num_workers(self):
    """Number of processes that compute gradients."""
    return len(self.worker_hosts)

  @property
  def num_ps(self):
    """Number of processes that hold variables."""
    return len(self.ps_hosts)

  def spec(self):
    """Returns dict, job -> list of 'host:port', as TensorFlow takes it."""
    return {PS: list(self.ps_hosts), WORKER: list(self.worker_hosts)}

  def address(self, task):
    """Returns the 'host:port' of a Task of the cluster."""
    return self.spec()[task.job][task.index]

  def tasks(self, job):
    """Returns the list of Tasks of a job."""
    return [Task(job, index) for index in range(len(self.spec()[job]))]


def from_environment(environ):
  """Returns the Cluster of the environment variable TF_CONFIG, or None without one.

  The variable holds what TFJob of Kubeflow and others write:

      {"cluster": {"chief": ["a:2222"], "worker": ["b:2222"], "ps": ["c:2222"]},
       "task": {"type": "worker", "index": 0}}

  A chief, also called master, is worker 0 here, and the others move up by one. A cluster of one
  process is none. Raises ValueError if TF_CONFIG is malformed; says where.
  """
  text = environ.get(_TF_CONFIG)
  if not text:
    return None
  config = json_text.parse(text, _TF_CONFIG)
  hosts, task = _parts_of_tf_config(config)
  chiefs = [host for job in _CHIEF_JOBS for host in hosts.get(job, [])]
  if len(chiefs) > 1:
    raise ValueError('%s: there must be one chief, got %s.' % (_TF_CONFIG, ', '.join(chiefs)))
  workers = chiefs + list(hosts.get(WORKER, []))
  if len(workers) + len(hosts.get(PS, [])) < 2 and task.job != EVALUATOR:
    return None
  if task.job in _CHIEF_JOBS:
    task = Task(WORKER, 0)
  elif task.job == WORKER:
    task = Task(WORKER, task.index + len(chiefs))
  return _checked(Cluster(list(hosts.get(PS, [])), workers, task), _TF_CONFIG)


def from_hosts(ps_hosts, worker_hosts, job, index):
  """Returns the Cluster of lists of 'host:port', of a process `index` of one of JOBS; or None.

  There is none where the lists are empty. Raises ValueError if a host is malformed or there twice,
  or this process is not in the lists.
  """
  if not ps_hosts and not worker_hosts and job == WORKER:
    return None
  return _checked(Cluster(list(ps_hosts), list(worker_hosts), Task(job, index)),
                  '--ps_hosts, --worker_hosts')


def _parts_of_tf_config(config):
  """Returns (dict of hosts by job, Task) of a parsed TF_CONFIG."""
  hosts = config.get('cluster', {}) if isinstance(config, dict) else None
  if not isinstance(hosts, dict) or not all(
      isinstance(job, list) and all(isinstance(host, str) for host in job)
      for job in hosts.values()):
    raise ValueError('%s: "cluster" must be an object of lists of "host:port", got %s.'
                     % (_TF_CONFIG, json.dumps(config)[:200]))
  task = config.get('task', {})
  job, index = (task.get('type', WORKER), task.get('index', 0)) if isinstance(
      task, dict) else (None, None)
  # Some launchers write numbers as strings.
  if job not in JOBS + _CHIEF_JOBS or not str(index).isdigit():
    raise ValueError('%s: "task" must have a "type" of %s and an "index" from 0 on, got %s.'
                     % (_TF_CONFIG, ', '.join(_CHIEF_JOBS + JOBS), json.dumps(task)[:200]))
  return hosts, Task(job, int(index))


def _checked(cluster, source):
  """Returns a Cluster; raises ValueError if it cannot work."""
  if cluster.task.job == EVALUATOR:
    return cluster
  hosts = list(cluster.ps_hosts) + list(cluster.worker_hosts)
  for host in hosts:
    name, _, port = host.rpartition(':')
    if not name or not port.isdigit() or not 0 < int(port) < 65536:
      raise ValueError('%s: hosts are written host:port, got %r.' % (source, host))
    if hosts.count(host) > 1:
      raise ValueError('%s: %s is there twice.' % (source, host))
  if not cluster.worker_hosts:
    raise ValueError('%s: there are no workers for %s.' % (source, cluster.task))
  if not cluster.ps_hosts:
    raise ValueError('%s: %d workers need at least one parameter server, which holds the '
                     'variables.' % (source, cluster.num_workers))
  num_tasks = len(cluster.spec()[cluster.task.job])
  if cluster.task.index >= num_tasks:
    raise ValueError('%s: there is no %s, there are %d of this job.'
                     % (source, cluster.task, num_tasks))
  return cluster


def check_port_is_free(cluster):
  """Raises ValueError, with the port, if another process listens on that of this task."""
  port = int(cluster.address(cluster.task).rpartition(':')[2])
  with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
    # As servers do: the port of a process that ended a moment ago is free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with errors.told('Port %d of %s (%s) cannot be listened on' % (
        port, cluster.task, cluster.address(cluster.task)), OSError,
                     advice='End the process that has it, or give the task another port.'):
      probe.bind(('', port))


def is_reachable(address):
  """Returns whether a process listens at 'host:port'."""
  host, _, port = address.rpartition(':')
  try:
    with socket.create_connection((host.strip('[]'), int(port)), timeout=_REACH_SECS):
      return True
  except OSError:
    return False


def check_master(master):
  """Raises ValueError unless a server answers at 'grpc://host:port'; '' is this process."""
  scheme, _, address = master.rpartition('//')
  if master and (scheme != 'grpc:' or not address.rpartition(':')[2].isdigit()):
    raise UsageError('--master=%s: it must be such as grpc://host:2222.' % master)
  if master and not is_reachable(address):
    raise ValueError('--master=%s: no server answers there.' % master)
