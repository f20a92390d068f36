"""Tests of the scripts that start a training on many machines."""
import json
import os
import subprocess

import jsonschema
import pytest
import yaml

from deeplab import common, train
from deeplab.deployment.cluster import tasks as cluster_lib
from deeplab.testing import forked_scripts
from deeplab.tools.cluster import cluster_scripts

FOLDER = os.path.join(os.path.dirname(os.path.abspath(common.__file__)), 'deployment')
FILES = {'slurm': 'train.sbatch', 'tfjob': 'tfjob.yaml'}

# The part of the schema of kubeflow.org/v1 that a TFJob of ours uses.
_REPLICA = {
    'type': 'object', 'required': ['replicas', 'restartPolicy', 'template'],
    'additionalProperties': False,
    'properties': {
        'replicas': {'type': 'integer', 'minimum': 0},
        'restartPolicy': {'enum': ['Always', 'OnFailure', 'Never', 'ExitCode']},
        'template': {'type': 'object', 'required': ['spec'], 'properties': {'spec': {
            'type': 'object', 'required': ['containers'], 'properties': {
                'containers': {'type': 'array', 'minItems': 1, 'items': {
                    'type': 'object', 'required': ['name', 'image', 'command', 'args'],
                    'properties': {
                        'name': {'const': 'tensorflow'}, 'image': {'type': 'string'},
                        'command': {'type': 'array', 'items': {'type': 'string'}},
                        'args': {'type': 'array', 'items': {'type': 'string'}},
                        'ports': {'type': 'array', 'items': {
                            'type': 'object', 'required': ['name', 'containerPort'],
                            'properties': {'name': {'const': 'tfjob-port'},
                                           'containerPort': {'type': 'integer'}}}},
                        'volumeMounts': {'type': 'array', 'items': {
                            'type': 'object', 'required': ['name', 'mountPath']}}}}},
                'volumes': {'type': 'array', 'items': {
                    'type': 'object', 'required': ['name', 'persistentVolumeClaim']}}}}}}}}
TFJOB_SCHEMA = {
    'type': 'object', 'required': ['apiVersion', 'kind', 'metadata', 'spec'],
    'additionalProperties': False,
    'properties': {
        'apiVersion': {'const': 'kubeflow.org/v1'}, 'kind': {'const': 'TFJob'},
        'metadata': {'type': 'object', 'required': ['name'], 'properties': {
            'name': {'type': 'string', 'pattern': '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'}}},
        'spec': {'type': 'object', 'required': ['tfReplicaSpecs'],
                 'additionalProperties': False, 'properties': {
                     'runPolicy': {'type': 'object', 'properties': {
                         'cleanPodPolicy': {'enum': ['All', 'Running', 'None']},
                         'backoffLimit': {'type': 'integer'}}},
                     'tfReplicaSpecs': {
                         'type': 'object', 'minProperties': 1, 'additionalProperties': False,
                         'properties': dict.fromkeys(
                             ['Chief', 'Master', 'Worker', 'PS', 'Evaluator'], _REPLICA)}}}}}


def values_of(**changes):
  defaults = {name: setting.default for name, setting in cluster_scripts.Job.SETTINGS.items()}
  return dict(defaults, **changes)


@pytest.mark.parametrize('kind', sorted(FILES))
def test_the_files_here_are_those_of_the_table(kind):
  with open(os.path.join(FOLDER, FILES[kind])) as f:
    assert f.read() == cluster_scripts.KINDS[kind](values_of())


def test_the_page_has_the_table_of_settings():
  with open(os.path.join(FOLDER, '..', 'g3doc', 'distributed.md')) as f:
    page = f.read()
  rows = ['| `--%s` | %s | %s |' % (name, setting.default, setting.help)
          for name, setting in cluster_scripts.Job.SETTINGS.items()]
  assert '\n'.join(['| flag | default | meaning |', '|---|---|---|'] + rows) + '\n' in page


@pytest.mark.parametrize('changes', [{}, {'workers': 2, 'gpus': 0}, {'parameter_servers': 8}])
def test_a_tfjob_fits_the_schema_and_has_all_processes(changes):
  values = values_of(**changes)
  job = yaml.safe_load(cluster_scripts.tfjob(values))
  jsonschema.validate(job, TFJOB_SCHEMA)
  replicas = job['spec']['tfReplicaSpecs']
  assert {kind: spec['replicas'] for kind, spec in replicas.items()} == {
      'Chief': 1, 'Worker': values['workers'] - 1, 'PS': values['parameter_servers']}
  limits = replicas['Worker']['template']['spec']['containers'][0]['resources']['limits']
  assert limits.get('nvidia.com/gpu') == (values['gpus'] or None)
  assert 'nvidia.com/gpu' not in (
      replicas['PS']['template']['spec']['containers'][0]['resources']['limits'])


def test_all_flags_are_known_to_the_trainer():
  job = yaml.safe_load(cluster_scripts.tfjob(values_of()))
  for spec in job['spec']['tfReplicaSpecs'].values():
    for argument in spec['template']['spec']['containers'][0]['args']:
      assert argument.split('=')[0].lstrip('-') in train.FLAGS


@pytest.mark.parametrize('changes', [
    {}, {'workers': 2, 'parameter_servers': 3, 'gpus': 0}, {'workers': 5, 'cpus': 3}])
def test_a_batch_script_starts_all_processes_with_the_hosts_of_all(tmp_path, changes):
  values = values_of(storage=str(tmp_path), **changes)
  script = tmp_path / 'train.sbatch'
  script.write_text(cluster_scripts.slurm(values))
  subprocess.run(['bash', '-n', str(script)], check=True)
  # Stand-ins for Slurm's programs write down what they are called with.
  calls = tmp_path / 'calls'
  calls.mkdir()
  programs = tmp_path / 'bin'
  programs.mkdir()
  for name, text in (
      ('scontrol', 'for i in $(seq %d); do echo node$i; done' % values['workers']),
      ('srun', 'printf "%%s\\n" "$@" "cores=$SRUN_CPUS_PER_TASK" >"$(mktemp %s/XXXXXX)"' % calls)):
    (programs / name).write_text('#!/bin/sh\n%s\n' % text)
    (programs / name).chmod(0o755)
  subprocess.run(['bash', str(script)], check=True, env=dict(
      os.environ, PATH='%s:%s' % (programs, os.environ['PATH']), SLURM_JOB_NODELIST='x'))
  found = []
  for call in calls.iterdir():
    words = dict(word.lstrip('-').partition('=')[::2] for word in call.read_text().split('\n'))
    cluster = cluster_lib.from_hosts(words['ps_hosts'].split(','),
                                     words['worker_hosts'].split(','), words['job_name'],
                                     int(words['task']))
    assert cluster.address(cluster.task).split(':')[0] == words['nodelist']
    assert words['cores'] == str(values['cpus'])
    found.append(cluster.task)
  assert sorted(found) == [('ps', i) for i in range(values['parameter_servers'])] + [
      ('worker', i) for i in range(values['workers'])]


def test_the_program_prints_what_the_flags_say():
  code, output, log = forked_scripts.run_apart(
      'tools/cluster/cluster_scripts.py', 'tfjob', '--workers=7', '--image=example/deeplab:2')
  assert code == 0, log
  assert yaml.safe_load(output)['spec']['tfReplicaSpecs']['Worker']['replicas'] == 6
  assert 'image: example/deeplab:2' in output


@pytest.mark.parametrize('words, problem', [
    ((), 'Name one of slurm, tfjob'),
    (('tfjb',), "Did you mean 'tfjob'"),
    (('tfjob', '--image=a b'), '--image=a b: letters, digits'),
    (('slurm', '--gpus=3'), '--batch_size=8 must be divisible by --gpus=3'),
])
def test_bad_settings_are_named(words, problem):
  code, output, log = forked_scripts.run_apart('tools/cluster/cluster_scripts.py', *words)
  assert code == 2
  assert not output
  assert problem in log
  assert json.dumps(log).count('error:') == 1
