"""Writes what starts a training on many machines: a TFJob for Kubeflow, a batch script for Slurm.

    python -m deeplab.tools.cluster.cluster_scripts tfjob --workers=8 --image=IMAGE >job.yaml
    python -m deeplab.tools.cluster.cluster_scripts slurm --workers=8 --partition=gpu >job.sbatch

`Job` is the table of what there is to set. deployment/tfjob.yaml and deployment/train.sbatch
are the outputs with the values of the table.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import string
import sys

from deeplab.command_line import declaring, running
from deeplab.core import settings, usage
from deeplab.core.settings import Setting
from deeplab.core.usage import UsageError

_CONTAINER = 'deeplab:latest'


@settings.record
class Job(object):
  """What there is to set."""
  job_title = Setting(
      'deeplab-train', 'Name of the job: lower case letters, digits and -.', group='settings')
  workers = Setting(
      4, 'Worker processes, one per node under Slurm; the first is the chief.', at_least=2)
  parameter_servers = Setting(
      2, 'Parameter server processes; the variables are spread over them by size.', at_least=1)
  gpus = Setting(
      1, 'GPUs per worker, each with a clone of the model; 0: train on CPUs.', at_least=0)
  cpus = Setting(8, 'Processor cores per worker, mostly for the input pipeline.', at_least=1)
  memory_gib = Setting(32, 'Memory per worker in GiB.', at_least=1)
  server_memory_gib = Setting(4, 'Memory per parameter server in GiB.', at_least=1)
  port = Setting(
      2222, 'Port of the processes; under Slurm parameter servers take the next.', at_least=1)
  image = Setting(_CONTAINER, 'Container image with this project (TFJob).')
  storage_claim = Setting(
      'deeplab-storage', 'PersistentVolumeClaim of records and logs, writable from many nodes '
      '(TFJob).')
  storage = Setting('/storage/deeplab', 'Where records and logs are, the same on all nodes.')
  partition = Setting('gpu', 'Partition (Slurm).')
  time_limit = Setting('2-00:00:00', 'Longest run, days-hours:minutes:seconds (Slurm).')
  dataset = Setting('forma54k', 'Flag --dataset.')
  experiment = Setting('run1', 'Folder of the run below storage/experiments.')
  backbone = Setting('xception_65', 'Flag --model_variant.')
  batch_size = Setting(
      8, 'Images per worker and step, over its GPUs; a step of all has so many times the number of '
      'workers.', at_least=1)
  crop_size = Setting('513,513', 'Flag --train_crop_size.')
  steps = Setting(30000, 'Flag --training_number_of_steps.', at_least=1)
  learning_rate = Setting(
      '0.007', 'Flag --base_learning_rate; grows with the batch of all workers.')
  timeout_secs = Setting(
      600, 'Seconds that a process may be away, as when its node is replaced.', at_least=1)


_TRAIN_FLAGS = (
    '--dataset=${dataset}',
    '--dataset_dir=${storage}/${dataset}/tfrecord',
    '--train_logdir=${storage}/experiments/${experiment}/train',
    '--model_variant=${backbone}',
    '--train_batch_size=${batch_size}',
    '--train_crop_size=${crop_size}',
    '--training_number_of_steps=${steps}',
    '--base_learning_rate=${learning_rate}',
    '--num_clones=${clones}',
    '--clone_on_cpu=${clone_on_cpu}',
    '--cluster_timeout_secs=${timeout_secs}',
)

_TFJOB = '''\
# A training on Kubeflow's training operator: kubectl apply -f tfjob.yaml
# Made by: python -m deeplab.tools.cluster.cluster_scripts tfjob
apiVersion: kubeflow.org/v1
kind: TFJob
metadata:
  name: ${job_title}
spec:
  runPolicy:
    cleanPodPolicy: Running
    backoffLimit: 10
  tfReplicaSpecs:
${replicas}'''

_TFJOB_REPLICAS = '''\
    ${kind}:
      replicas: ${number}
      restartPolicy: OnFailure
      template:
        spec:
          containers:
            - name: tensorflow
              image: ${image}
              command: [python, train.py]
              args:
${arguments}
              ports:
                - name: tfjob-port
                  containerPort: ${port}
              resources:
                limits:
${limits}
              volumeMounts:
                - name: storage
                  mountPath: ${storage}
          volumes:
            - name: storage
              persistentVolumeClaim:
                claimName: ${storage_claim}
'''

_SLURM = '''\
#!/bin/bash
# A training on Slurm: sbatch train.sbatch, from the folder of the project
# Made by: python -m deeplab.tools.cluster.cluster_scripts slurm
#SBATCH --job-name=${job_title}
#SBATCH --partition=${partition}
#SBATCH --nodes=${workers}
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=${cpus}
#SBATCH --mem=${node_memory_gib}G
${gres}#SBATCH --time=${time_limit}
#SBATCH --signal=TERM@120
#SBATCH --requeue
set -euo pipefail
# Since Slurm 22.05 srun takes no --cpus-per-task from sbatch.
export SRUN_CPUS_PER_TASK=${cpus}

workers=${workers}
parameter_servers=${parameter_servers}
logs=${storage}/experiments/${experiment}/logs
mkdir -p "$$logs"

mapfile -t nodes < <(scontrol show hostnames "$$SLURM_JOB_NODELIST")
worker_hosts=$$(printf '%s:${port},' "$${nodes[@]}")
ps_hosts=
for ((i = 0; i < parameter_servers; i++)); do
  # Beside the workers, in turn; each has a port of its own.
  ps_hosts+=$${nodes[i % workers]}:$$((${port} + 1 + i)),
done
train=(python train.py
  --worker_hosts="$${worker_hosts%,}"
  --ps_hosts="$${ps_hosts%,}"
${arguments}
)

for ((i = 0; i < parameter_servers; i++)); do
  srun --overlap --nodes=1 --ntasks=1 --nodelist="$${nodes[i % workers]}" --gres=none \\
    --output="$$logs/ps_$$i.log" "$${train[@]}" --job_name=ps --task="$$i" &
done
for ((i = 0; i < workers; i++)); do
  srun --overlap --nodes=1 --ntasks=1 --nodelist="$${nodes[i]}" \\
    --output="$$logs/worker_$$i.log" "$${train[@]}" --job_name=worker --task="$$i" &
done
status=0
for job in $$(jobs -p); do
  wait "$$job" || status=$$?
done
exit "$$status"
'''


def tfjob(values):
  """Returns a TFJob as YAML; values: dict, name of a setting -> value."""
  arguments = _filled(_TRAIN_FLAGS, values)
  worker_limits = ['cpu: %d' % values['cpus'], 'memory: %dGi' % values['memory_gib']]
  if values['gpus']:
    worker_limits.append('nvidia.com/gpu: %d' % values['gpus'])
  replicas = ''
  for kind, number, limits in (
      ('Chief', 1, worker_limits), ('Worker', values['workers'] - 1, worker_limits),
      ('PS', values['parameter_servers'],
       ['cpu: 2', 'memory: %dGi' % values['server_memory_gib']])):
    replicas += string.Template(_TFJOB_REPLICAS).substitute(
        values, kind=kind, number=number,
        arguments='\n'.join(' ' * 16 + '- "%s"' % argument for argument in arguments),
        limits='\n'.join(' ' * 18 + limit for limit in limits))
  return string.Template(_TFJOB).substitute(values, replicas=replicas)


def slurm(values):
  """Returns a batch script for Slurm; values: dict, name of a setting -> value."""
  per_node = -(-values['parameter_servers'] // values['workers'])
  return string.Template(_SLURM).substitute(
      values, gres='#SBATCH --gres=gpu:%d\n' % values['gpus'] if values['gpus'] else '',
      node_memory_gib=values['memory_gib'] + per_node * values['server_memory_gib'],
      arguments='\n'.join('  ' + argument for argument in _filled(_TRAIN_FLAGS, values)))


# What is written -> function of the values of a Job.
KINDS = {'slurm': slurm, 'tfjob': tfjob}


def _filled(templates, values):
  more = {'clones': max(1, values['gpus']), 'clone_on_cpu': str(not values['gpus']).lower()}
  return [string.Template(template).substitute(values, **more) for template in templates]


def main(argv):
  """Prints the kind of script that the command line names."""
  if len(argv) != 2:
    raise UsageError('Name one of %s.' % ', '.join(sorted(KINDS)))
  make = usage.lookup(KINDS, argv[1], what='kind of script')
  values = declaring.values_of(Job)
  for name, value in values.items():
    if isinstance(value, str) and not set(value) <= _PLAIN_CHARACTERS:
      raise UsageError('--%s=%s: letters, digits and . , : / _ - only.' % (name, value))
  if values['gpus'] and values['batch_size'] % values['gpus']:
    raise UsageError('--batch_size=%(batch_size)d must be divisible by --gpus=%(gpus)d.' % values)
  sys.stdout.write(make(values))


_PLAIN_CHARACTERS = frozenset(string.ascii_letters + string.digits + '.,:/_-')


def define_flags():
  """Declares a flag per row of the table."""
  declaring.declare(Job)


if __name__ == '__main__':
  define_flags()
  running.run(main, allows_words=True)
