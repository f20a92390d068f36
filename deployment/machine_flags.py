"""Flags of the devices and processes that train together, and what they ask for."""
import os

from absl import flags

from deeplab.command_line import declaring, flag_reading
from deeplab.core import tf_compat, usage
from deeplab.core.usage import UsageError
from deeplab.deployment import model_deploy
from deeplab.deployment.cluster import replica as replica_lib
from deeplab.deployment.cluster import tasks as cluster_lib

FLAGS = flags.FLAGS


def define_machine_flags():
  """Declares the flags; `cluster_of_flags`, `replica_of` and `clones_of` return what they say."""
  declaring.declare_one('num_clones', model_deploy.NUM_CLONES)
  declaring.declare_one('clone_on_cpu', model_deploy.CLONE_ON_CPU)
  declaring.declare_one('master', cluster_lib.MASTER._replace(group=model_deploy.DEVICES))
  declaring.declare(cluster_lib.ClusterSettings)


def cluster_of_flags():
  """Returns the tasks.Cluster of the flags or of TF_CONFIG; None for training alone.

  Raises ValueError if the hosts are not those of a cluster, or flags contradict each other.
  """
  hosts_given = FLAGS.worker_hosts or FLAGS.ps_hosts or FLAGS.job_name != 'worker'
  with usage.judged():
    of_flags = cluster_lib.from_hosts(FLAGS.ps_hosts, FLAGS.worker_hosts, FLAGS.job_name,
                                      FLAGS.task)
  of_environment = cluster_lib.from_environment(os.environ)
  if of_environment and hosts_given and of_flags != of_environment:
    raise ValueError('The variable TF_CONFIG and the flags --ps_hosts, --worker_hosts, '
                     '--job_name and --task name different clusters: leave one of them out.')
  cluster = of_environment or of_flags
  is_worker = cluster and cluster.task.job == cluster_lib.WORKER
  cluster_lib.check_master(FLAGS.master)
  for name, count in (('num_replicas', cluster.num_workers if cluster else 1),
                      ('num_ps_tasks', cluster.num_ps if cluster else 0)):
    # A lone worker computes the same whoever holds the weights: `idle_flags` warns.
    is_idle = cluster is None and name == 'num_ps_tasks' and FLAGS.num_replicas == 1
    if FLAGS[name].present and FLAGS[name].value != count and not is_idle and (
        cluster is None or is_worker):
      raise UsageError('--%s=%d, but the hosts are those of %d: give --worker_hosts and '
                       '--ps_hosts, or TF_CONFIG.' % (name, FLAGS[name].value, count))
  if cluster is None:
    flag_reading.refuse_flags({'task': (0, 'there are no --worker_hosts')})
  if is_worker:
    flag_reading.refuse_flags({'master': ('', 'workers of a cluster have servers of their own')})
  return cluster


def replica_of(cluster):
  """Returns the replica.Replica of a worker of a Cluster.

  Raises ValueError if a flag is for the other way to bring the gradients of workers together.
  """
  if FLAGS.sync and FLAGS['startup_delay_steps'].present:
    raise UsageError('--startup_delay_steps is for --nosync: with --sync all workers make every '
                     'step together.')
  return replica_lib.Replica(cluster, cluster_lib.ClusterSettings(
      **declaring.values_of(cluster_lib.ClusterSettings)))


def clones_of(cluster):
  """Returns the model_deploy.SplitBatch of the flags, of a worker of a Cluster or None.

  It is None for one model. Raises ValueError if there are fewer GPUs than clones.
  """
  if FLAGS.num_clones == 1 and not FLAGS.clone_on_cpu:
    return None
  if not FLAGS.clone_on_cpu and tf_compat.num_gpus() < FLAGS.num_clones:
    raise ValueError('--num_clones=%d, but TensorFlow finds %d GPUs here. Use fewer clones, or '
                     '--clone_on_cpu to try it out.' % (FLAGS.num_clones, tf_compat.num_gpus()))
  of_cluster = {} if cluster is None else {
      'replica_id': cluster.task.index, 'num_replicas': cluster.num_workers,
      'num_ps_tasks': cluster.num_ps}
  return model_deploy.SplitBatch(
      model_deploy.DeploymentConfig(FLAGS.num_clones, FLAGS.clone_on_cpu, **of_cluster))
