"""Synchronous training: every step moves the weights along the mean gradient of all workers.

    worker:  gradients --push--> accumulators      wait for a ticket of the next round
    chief:   gradients --push--> accumulators --take the mean of all--> optimizer --> tickets

The accumulators, one per variable, live beside the variable on its parameter server; so do the
queues of tickets, one per worker. A round is a step of the whole cluster and has a number. A
gradient carries the number of the round it was computed in: one that comes late, from a worker
that was restarted or was slow while another was counted twice, is of an earlier round and left
out (Chen et al., "Revisiting Distributed Synchronous SGD", ICLR workshop 2016, section 3).

Numbers grow also over restarts of the chief, which may go back to an earlier checkpoint: the
time of its start is their upper half, or one more than that of the round on the parameter server
where the clock was set back. Whatever was under way at that time is of an earlier round.
"""
import functools
import time

from deeplab.core import tf_compat
from deeplab.core.tf_compat import tf

_SCOPE = 'synchronous'
_ROUND_COLLECTION = 'synchronous_rounds'
# Rounds of a start of the chief; the bits above are the seconds since 1970, as a rule.
_STEP_BITS = 31
# Tickets that a queue holds; a worker that was away for long takes the newest.
_QUEUE_CAPACITY = 1 << 10


class SynchronousUpdates(tf_compat.SessionRunHook):
  """Adds the exchange of gradients to the training graph of a worker; a hook of its sessions.

  Attributes:
    ready_variables: list of tf.Variable that must have a value before a worker can take part.
  """

  def __init__(self, num_workers, index, worker_device):
    """Describes worker `index`, 0 is the chief, on a device such as '/job:worker/task:1'."""
    self._num_workers = num_workers
    self._index = index
    self._worker_device = worker_device
    self.ready_variables = []

  def aggregated(self, update):
    """Returns a function like `update` that the gradients of all workers go through.

    `update` is a function of the list of (mean gradient, variable) that returns the operation that
    applies them and adds one to the global step. It is called for the chief only.
    """
    return functools.partial(self._push_and_wait, update)

  def after_create_session(self, session, coord):
    """Takes part from now on; the chief opens a round with a number above all that were open."""
    if self._index:
      session.run(self._start_op)
      return
    start = int(time.time())
    if session.run(self._is_known):
      start = max(start, (int(session.run(self._last_round)) >> _STEP_BITS) + 1)
    session.run(self._start_op, {self._first_round: start << _STEP_BITS})

  def _push_and_wait(self, update, grads_and_vars):
    pairs = [(gradient, variable) for gradient, variable in grads_and_vars
             if gradient is not None]
    global_step = tf.train.get_global_step()
    with tf.name_scope(_SCOPE + '/'):
      self._add_rounds(global_step.device)
      self._queues = [_add_queue(index, global_step.device)
                      for index in range(1, self._num_workers)]
      self._accumulators = [_accumulator_of(variable) for _, variable in pairs]
      # What begins a session does not wait for what steps wait for.
      with tf.control_dependencies(None):
        self._start_op = self._open_first_round(pairs) if self._index == 0 else self._join()
      own_round = self._own_round.read_value()
      pushes = [accumulator.apply_grad(tf.convert_to_tensor(gradient), own_round)
                for accumulator, (gradient, _) in zip(self._accumulators, pairs)]
      with tf.control_dependencies(pushes):
        if self._index == 0:
          means = [accumulator.take_grad(self._num_workers) for accumulator in self._accumulators]
          with tf.control_dependencies([update([
              (mean, variable) for mean, (_, variable) in zip(means, pairs)])]):
            done = self._open_round(own_round + 1)
        else:
          done = self._own_round.assign(self._next_ticket(), read_value=False)
    return done

  def _add_rounds(self, device):
    """Adds variables of the number of the round and, in this process, that of its next gradient."""
    # Not of GLOBAL_VARIABLES: no part of checkpoints, and the chief alone sets it.
    with tf.device(device):
      self._round = tf.Variable(0, dtype=tf.int64, trainable=False, name='round',
                                collections=[_ROUND_COLLECTION], use_resource=True)
    self.ready_variables.append(self._round)
    with tf.device(self._worker_device + '/device:CPU:0'):
      self._own_round = tf.Variable(
          0, dtype=tf.int64, trainable=False, name='own_round',
          collections=[tf.GraphKeys.LOCAL_VARIABLES], use_resource=True)

  def _open_first_round(self, pairs):
    """Returns the operation that drops what is under way and opens a round by its number."""
    self._first_round = tf.placeholder(tf.int64, [], name='first_round')
    self._is_known, self._last_round = self._round.is_initialized(), self._round.read_value()
    emptied = []
    # Taking adds one to the number.
    before = self._first_round - 1
    for accumulator, (_, variable) in zip(self._accumulators, pairs):
      # Late gradients are refused from here on.
      with tf.control_dependencies([accumulator.set_global_step(before)]):
        with tf.device(variable.device):
          nothing = tf.zeros(variable.shape, variable.dtype.base_dtype)
        something = accumulator.apply_grad(nothing, before)
      with tf.control_dependencies([something]):
        emptied.append(accumulator.take_grad(1))
    with tf.control_dependencies(emptied):
      return self._open_round(self._first_round)

  def _open_round(self, number):
    """Returns the operation that makes `number` the round of all workers."""
    number = tf.identity(number)
    with tf.control_dependencies([self._round.assign(number, read_value=False),
                                  self._own_round.assign(number, read_value=False)]):
      return tf.group(*[queue.enqueue(number) for queue in self._queues], name='open_round')

  def _join(self):
    """Returns the operation of a worker that takes part from the current round on."""
    # Tickets for a former start of this worker are of rounds that it knows of by now.
    queue = self._queues[self._index - 1]
    with tf.control_dependencies([queue.dequeue_many(queue.size())]):
      return self._own_round.assign(self._round.read_value(), read_value=False)

  def _next_ticket(self):
    """Returns the number of the next round, once it is open."""
    queue = self._queues[self._index - 1]
    return queue.dequeue_many(tf.maximum(queue.size(), 1))[-1]


def _accumulator_of(variable):
  """Returns the accumulator of a variable's gradients, beside it and shared by all workers."""
  with tf.device(variable.device):
    return tf.ConditionalAccumulator(
        variable.dtype.base_dtype, variable.shape,
        shared_name='%s/%s' % (_SCOPE, variable.op.name),
        name='accumulator_of_' + variable.op.name.replace('/', '_'))


def _add_queue(index, device):
  """Returns the queue of tickets of a worker, shared by all."""
  with tf.device(device):
    return tf.FIFOQueue(_QUEUE_CAPACITY, [tf.int64], [[]],
                        shared_name='%s/tickets_%d' % (_SCOPE, index), name='tickets_%d' % index)
