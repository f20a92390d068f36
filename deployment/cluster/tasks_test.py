"""Tests of the description of a cluster."""
import json
import socket

import pytest

from deeplab.deployment.cluster import tasks as cluster_lib

HOSTS = {'chief': ['a:1'], 'worker': ['b:1', 'c:1'], 'ps': ['d:1']}


def tf_config(hosts, job='worker', index=0):
  return {'TF_CONFIG': json.dumps({'cluster': hosts, 'task': {'type': job, 'index': index}})}


def test_a_chief_is_worker_0_and_the_others_move_up():
  of_chief = cluster_lib.from_environment(tf_config(HOSTS, 'chief'))
  assert of_chief.worker_hosts == ['a:1', 'b:1', 'c:1']
  assert of_chief.task == ('worker', 0)
  assert of_chief.is_chief
  of_worker = cluster_lib.from_environment(tf_config(HOSTS, 'worker', 1))
  assert of_worker.task == ('worker', 2)
  assert of_worker.address(of_worker.task) == 'c:1'
  assert not of_worker.is_chief
  assert of_worker.spec() == of_chief.spec()
  of_server = cluster_lib.from_environment(tf_config(HOSTS, 'ps'))
  assert of_server.task == ('ps', 0)
  assert not of_server.is_chief


def test_without_a_chief_the_first_worker_is_it():
  cluster = cluster_lib.from_environment(tf_config({'worker': ['b:1', 'c:1'], 'ps': ['d:1']}))
  assert cluster.is_chief
  assert (cluster.num_workers, cluster.num_ps) == (2, 1)


def test_old_names_and_numbers_as_strings_are_understood():
  hosts = {'master': ['a:1'], 'worker': ['b:1'], 'ps': ['d:1']}
  assert cluster_lib.from_environment(tf_config(hosts, 'master')).is_chief
  assert cluster_lib.from_environment(tf_config(hosts, 'worker', '0')).task == ('worker', 1)


@pytest.mark.parametrize('environ', [
    {}, {'TF_CONFIG': ''}, {'TF_CONFIG': '{}'}, tf_config({'worker': ['a:1']}),
    tf_config({'chief': ['a:1']}, 'chief')])
def test_one_process_is_no_cluster(environ):
  assert cluster_lib.from_environment(environ) is None
  assert cluster_lib.from_hosts([], [], 'worker', 0) is None


def test_an_evaluator_needs_no_hosts():
  assert cluster_lib.from_hosts([], [], 'evaluator', 0).task.job == 'evaluator'
  assert cluster_lib.from_environment(tf_config(HOSTS, 'evaluator')).task.job == 'evaluator'


@pytest.mark.parametrize('environ, problem', [
    ({'TF_CONFIG': '{"cluster"'}, 'TF_CONFIG cannot be read as JSON'),
    ({'TF_CONFIG': '[]'}, '"cluster" must be'),
    (tf_config({'worker': 'a:1,b:1'}), '"cluster" must be'),
    (tf_config(HOSTS, 'boss'), '"task" must have a "type" of chief, master, ps, worker'),
    (tf_config(HOSTS, 'worker', -1), '"task" must have'),
    (tf_config(HOSTS, 'worker', 2), 'there is no worker 3, there are 3'),
    (tf_config(dict(HOSTS, chief=['a:1', 'e:1'])), 'one chief, got a:1, e:1'),
    (tf_config(dict(HOSTS, ps=['b:1'])), 'b:1 is there twice'),
    (tf_config(dict(HOSTS, ps=['d'])), "host:port, got 'd'"),
    (tf_config(dict(HOSTS, ps=['d:99999'])), "host:port, got 'd:99999'"),
    (tf_config({'worker': ['b:1', 'c:1']}), '2 workers need at least one parameter server'),
    (tf_config({'ps': ['b:1', 'c:1']}, 'ps'), 'there are no workers for ps 0'),
])
def test_what_cannot_work_is_said(environ, problem):
  with pytest.raises(ValueError, match='TF_CONFIG') as error:
    cluster_lib.from_environment(environ)
  assert problem in str(error.value)


def test_a_port_that_is_taken_is_named():
  with socket.socket() as taken:
    taken.bind(('', 0))
    taken.listen(1)
    address = '127.0.0.1:%d' % taken.getsockname()[1]
    cluster = cluster_lib.from_hosts([address], ['127.0.0.1:1'], 'ps', 0)
    assert cluster_lib.is_reachable(address)
    with pytest.raises(ValueError, match='Port %s of ps 0' % address.split(':')[1]):
      cluster_lib.check_port_is_free(cluster)
  assert not cluster_lib.is_reachable(address)
  cluster_lib.check_port_is_free(cluster)
