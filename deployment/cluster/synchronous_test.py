"""Tests of the exchange of gradients between workers, with all servers in this process."""
import contextlib
import threading
import time

import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.deployment.cluster import parameter_server
from deeplab.deployment.cluster import replica as replica_lib
from deeplab.deployment.cluster import tasks as cluster_lib
from deeplab.testing import forked_scripts

NUM_WORKERS = 2
_START = [1000]


class Worker(object):
  """A worker whose gradients are given; a step adds their mean to two variables."""

  def __init__(self, cluster, server):
    self.graph = tf.Graph()
    replica = replica_lib.Replica(cluster, cluster_lib.ClusterSettings())
    with self.graph.as_default(), replica.device():
      global_step = tf.train.get_or_create_global_step()
      self.variables = [tf.get_variable(name, [2], initializer=tf.zeros_initializer())
                        for name in ('a', 'b')]
      self.gradient = tf.placeholder(tf.float32, [2])

      def update(grads_and_vars):
        moves = [variable.assign_add(gradient) for gradient, variable in grads_and_vars]
        with tf.control_dependencies(moves):
          return global_step.assign_add(1).op

      step = replica.aggregated(update)(
          [(self.gradient, variable) for variable in self.variables]
          + [(None, global_step)])
      self._step = step
      self._num_gradients = [accumulator.num_accumulated()
                             for accumulator in replica._updates._accumulators]
      self.placed = [variable.device for variable in self.variables]
      self.hook = replica.session_hooks()[0]
      self._initialize = [tf.global_variables_initializer(), tf.local_variables_initializer()]
    self._is_chief = cluster.is_chief
    self._session = tf.Session(server.target, graph=self.graph, config=tf.ConfigProto(
        device_filters=parameter_server.device_filters(
            cluster.tasks('ps') + [cluster.task])))

  def start(self, monkeypatch=None, secs=1):
    """Begins a session, as after a restart; the clock of the chief moves by some seconds."""
    if self._is_chief:
      _START[0] += secs
      monkeypatch.setattr('deeplab.deployment.cluster.synchronous.time.time', lambda: _START[0])
      self._session.run(self._initialize)
    else:
      self._session.run(self._initialize[1])
    self.hook.after_create_session(self._session, None)

  def begin_step(self, gradient):
    """Starts a step in a thread; returns the thread."""
    def run():
      # Of a worker that is gone: closing the session ends its wait.
      with contextlib.suppress(tf.errors.CancelledError):
        self._session.run(self._step, {self.gradient: gradient})

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread

  def wait_for_gradients(self, number):
    """Returns once so many gradients of each variable have come and wait for others."""
    deadline = time.monotonic() + forked_scripts.DEADLINE_SECS
    while min(self._session.run(self._num_gradients)) < number:
      assert time.monotonic() < deadline
      time.sleep(0.01)

  def close(self):
    """Ends what still waits."""
    self._session.close()

  def values(self):
    return np.stack(self._session.run(self.variables))


@pytest.fixture(scope='module', name='workers')
def make_workers():
  hosts = ['127.0.0.1:%d' % port for port in forked_scripts.free_ports(NUM_WORKERS + 1)]
  made = []
  clusters = [cluster_lib.Cluster(hosts[:1], hosts[1:], cluster_lib.Task(job, index))
              for job, index in (('ps', 0), ('worker', 0), ('worker', 1))]
  servers = [parameter_server.start_server(cluster) for cluster in clusters]
  for cluster, server in zip(clusters[1:], servers[1:]):
    made.append(Worker(cluster, server))
  yield made
  for worker in made:
    worker.close()


def joined(*threads):
  for thread in threads:
    thread.join(timeout=forked_scripts.DEADLINE_SECS)
    assert not thread.is_alive()


def is_waiting(thread):
  thread.join(timeout=0.5)
  return thread.is_alive()


def check_that_a_step_is_of_both(chief, worker):
  step = worker.begin_step([4.0, 4.0])
  joined(chief.begin_step([2.0, 2.0]), step)
  np.testing.assert_allclose(chief.values(), 3.0)


def test_a_step_is_the_mean_of_all_workers(workers, monkeypatch):
  chief, worker = workers
  chief.start(monkeypatch)
  worker.start()
  assert all(device.startswith('/job:ps/task:0') for device in chief.placed)
  for _ in range(3):
    step = worker.begin_step([4.0, 8.0])
    assert is_waiting(step)
    joined(chief.begin_step([2.0, 0.0]), step)
  np.testing.assert_allclose(chief.values(), [[9.0, 12.0]] * 2)


def test_the_chief_waits_for_a_worker_that_is_started_again(workers, monkeypatch):
  chief, worker = workers
  chief.start(monkeypatch)
  worker.start()
  step = chief.begin_step([2.0, 2.0])
  assert is_waiting(step)
  # The worker did not come to send anything.
  worker.start()
  joined(worker.begin_step([4.0, 4.0]), step)
  np.testing.assert_allclose(worker.values(), 3.0)


# Later, within the same second, and after the clock was set back.
on_any_clock = pytest.mark.parametrize('secs', [1, 0, -500])


@on_any_clock
def test_gradients_from_before_a_restart_of_the_chief_are_left_out(workers, monkeypatch, secs):
  chief, worker = workers
  chief.start(monkeypatch)
  worker.start()
  late = worker.begin_step([1000.0, 1000.0])
  chief.wait_for_gradients(1)
  assert is_waiting(late)
  chief.start(monkeypatch, secs)
  # The worker is told of the new round.
  joined(late)
  check_that_a_step_is_of_both(chief, worker)


@on_any_clock
def test_a_worker_that_missed_a_restart_of_the_chief_joins_the_new_round(workers, monkeypatch,
                                                                         secs):
  chief, worker = workers
  chief.start(monkeypatch)
  worker.start()
  chief.start(monkeypatch, secs)
  # Its first gradient is of the former round: left out, and answered by the ticket of the new.
  joined(worker.begin_step([1000.0, 1000.0]))
  check_that_a_step_is_of_both(chief, worker)


def test_a_gradient_that_comes_twice_does_not_stop_the_others(workers, monkeypatch):
  chief, worker = workers
  chief.start(monkeypatch)
  worker.start()
  first = worker.begin_step([4.0, 4.0])
  chief.wait_for_gradients(1)
  assert is_waiting(first)
  # Killed and started again before the round ended: counted twice.
  worker.start()
  second = worker.begin_step([4.0, 4.0])
  chief.wait_for_gradients(2)
  assert is_waiting(second)
  joined(chief.begin_step([2.0, 2.0]))
  np.testing.assert_allclose(chief.values(), (4.0 + 4.0 + 2.0) / 3, rtol=1e-5)
