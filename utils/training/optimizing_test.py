"""Tests of learning rates, factors on gradients, clipping, and updates from several runs."""
import numpy as np
import pytest

from deeplab.core.checkpoints import initial_weights
from deeplab.core.tf_compat import slim, tf
from deeplab.core.usage import UsageError
from deeplab.utils.training import optimizing


def make_variables():
  for name in ('backbone/weights', 'backbone/biases', 'logits/weights', 'logits/biases'):
    tf.get_variable(name, initializer=1.0)


def test_last_layers_and_biases_learn_faster():
  with tf.Graph().as_default():
    make_variables()
    assert optimizing.get_model_gradient_multipliers(['logits'], 10.0) == {
        'backbone/biases': 2.0, 'logits/weights': 10.0, 'logits/biases': 20.0}


def test_biases_learn_twice_as_fast_at_multiplier_one():
  with tf.Graph().as_default():
    make_variables()
    assert optimizing.get_model_gradient_multipliers(['logits'], 1.0) == {
        'backbone/biases': 2.0, 'logits/biases': 2.0}


def test_gradients_are_multiplied_by_variable_name():
  with tf.Graph().as_default(), tf.Session() as session:
    make_variables()
    pairs = [(tf.constant(3.0), v) for v in tf.trainable_variables()]
    scaled = optimizing.multiply_gradients(pairs, {'logits/weights': 10.0})
    assert session.run([g for g, _ in scaled]) == [3.0, 3.0, 30.0, 3.0]


def test_gradients_are_clipped_together():
  with tf.Graph().as_default(), tf.Session() as session:
    variables = [tf.get_variable(name, [1]) for name in 'abc']
    pairs = list(zip([tf.constant([3.0]), tf.constant([4.0]), None], variables))
    same = optimizing.clip_gradients(pairs, 0)
    clipped = optimizing.clip_gradients(pairs, 1.0)
    assert [session.run(g)[0] for g, _ in same[:2]] == [3.0, 4.0]
    np.testing.assert_allclose([session.run(g)[0] for g, _ in clipped[:2]], [0.6, 0.8])
    assert [v for _, v in clipped] == variables and clipped[2][0] is None


_NUM_STEPS = 3
_MICRO_BATCH = 2


def _data(num_updates):
  random = np.random.RandomState(0)
  num = num_updates * _NUM_STEPS * _MICRO_BATCH
  return (random.uniform(size=(num, 5, 5, 2)).astype(np.float32),
          random.uniform(size=(num, 1)).astype(np.float32))


def _network(images):
  net = slim.conv2d(images, 4, 3, scope='conv')
  return slim.fully_connected(slim.flatten(net), 1, activation_fn=None, scope='outputs')


def _train(optimizer, batch_size, num_steps, num_updates=2, clip_norm=0.0):
  """Returns the weights, and the losses, updates and global steps of all runs."""
  images, targets = _data(num_updates)
  with tf.Graph().as_default():
    tf.set_random_seed(4)
    batch = [tf.placeholder(tf.float32, [batch_size] + list(part.shape[1:]))
             for part in (images, targets)]
    loss = tf.losses.mean_squared_error(batch[1], _network(batch[0]))
    global_step = tf.train.get_or_create_global_step()

    def update(grads_and_vars):
      gradients, variables = zip(*grads_and_vars)
      if clip_norm:
        gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
      return optimizer().apply_gradients(zip(gradients, variables), global_step)

    grads_and_vars = tf.train.GradientDescentOptimizer(1.0).compute_gradients(loss)
    # As a check of the loss does; variables must start without a batch all the same.
    with tf.control_dependencies([loss]):
      is_updated = optimizing.apply_every(num_steps, grads_and_vars, update)
    with tf.control_dependencies([is_updated]):
      step_after = tf.identity(global_step.read_value())
    random = np.random.RandomState(1)
    with tf.Session() as session:
      session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
      initial_weights.assign(session, {
          variable: random.normal(0, 0.2, variable.shape.as_list())
          for variable in tf.trainable_variables()})
      log = []
      for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        log.append(session.run([is_updated, step_after],
                               {batch[0]: images[part], batch[1]: targets[part]}))
      return session.run(tf.trainable_variables()), log


_OPTIMIZERS = {
    'sgd': lambda: tf.train.GradientDescentOptimizer(0.1),
    'momentum': lambda: tf.train.MomentumOptimizer(0.1, 0.9),
    'adam': lambda: tf.train.AdamOptimizer(0.01),
}


@pytest.mark.parametrize('name, clip_norm, tolerance', [
    ('sgd', 0.0, 1e-6), ('sgd', 0.05, 1e-6), ('momentum', 0.0, 1e-6), ('adam', 0.0, 1e-5)])
def test_micro_steps_equal_one_step_of_the_joint_batch(name, clip_norm, tolerance):
  optimizer = _OPTIMIZERS[name]
  joint, _ = _train(optimizer, _NUM_STEPS * _MICRO_BATCH, 1, clip_norm=clip_norm)
  parts, _ = _train(optimizer, _MICRO_BATCH, _NUM_STEPS, clip_norm=clip_norm)
  each, _ = _train(optimizer, _MICRO_BATCH, 1, clip_norm=clip_norm)
  for one, other in zip(joint, parts):
    np.testing.assert_allclose(other, one, rtol=0, atol=tolerance)
  # Updates after every micro-batch lead elsewhere.
  assert max(np.abs(one - other).max() for one, other in zip(joint, each)) > 1e-4


def test_global_step_advances_once_per_update():
  _, log = _train(_OPTIMIZERS['sgd'], _MICRO_BATCH, _NUM_STEPS)
  assert [bool(is_updated) for is_updated, _ in log] == [False, False, True] * 2
  assert [step for _, step in log] == [0, 0, 1, 1, 1, 2]


def test_one_step_updates_in_every_run_and_adds_no_variable():
  _, log = _train(_OPTIMIZERS['sgd'], _MICRO_BATCH, 1)
  assert [step for _, step in log] == list(range(1, 7))
  with tf.Graph().as_default():
    _weights_and_update(1)
    assert not tf.local_variables()


def _weights_and_update(num_steps):
  """Returns weights whose gradient is 1, and an accumulating update."""
  weights = tf.get_variable('weights', [2], initializer=tf.zeros_initializer())
  optimizer = tf.train.MomentumOptimizer(1.0, 0.9)
  pairs = optimizer.compute_gradients(tf.reduce_sum(weights))
  return weights, optimizing.apply_every(
      num_steps, pairs,
      lambda means: optimizer.apply_gradients(means, tf.train.get_or_create_global_step()))


def test_checkpoints_stay_as_they_are_and_a_continued_run_starts_a_round(tmp_path):
  names = []
  for num_steps in (1, 3):
    with tf.Graph().as_default():
      _weights_and_update(num_steps)
      names.append(sorted(v.op.name for v in tf.global_variables()))
  assert names[0] == names[1] == ['global_step', 'weights', 'weights/Momentum']

  with tf.Graph().as_default():
    weights, is_updated = _weights_and_update(3)
    assert len(tf.local_variables()) == 2
    for num_runs, expected_updates, expected_weight in ((5, 1, -1.0), (2, 0, -1.0),
                                                        (3, 1, -2.9)):
      with tf.train.MonitoredTrainingSession(
          checkpoint_dir=str(tmp_path), save_summaries_steps=None, save_summaries_secs=None,
          log_step_count_steps=None) as session:
        updates = sum(session.run(is_updated) for _ in range(num_runs))
        assert updates == expected_updates
        np.testing.assert_allclose(session.run(weights), [expected_weight] * 2, rtol=1e-6)


def test_variables_without_gradient_stay_and_sparse_gradients_add_up():
  with tf.Graph().as_default():
    table = tf.get_variable('table', [3, 1], initializer=tf.zeros_initializer())
    unused = tf.get_variable('unused', [])
    optimizer = tf.train.GradientDescentOptimizer(1.0)
    pairs = optimizer.compute_gradients(tf.reduce_sum(tf.gather(table, [0, 2, 2])))
    assert [gradient is None for gradient, _ in pairs] == [False, True]
    is_updated = optimizing.apply_every(2, pairs, optimizer.apply_gradients)
    with tf.Session() as session:
      session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
      before = session.run(unused)
      for _ in range(4):
        session.run(is_updated)
      np.testing.assert_allclose(session.run(table), [[-2], [0], [-4]])
      assert session.run(unused) == before


def test_sums_are_on_the_devices_of_the_gradients():
  with tf.Graph().as_default():
    with tf.device('/device:CPU:0'):
      weights = tf.get_variable('weights', [2])
    with tf.device('/device:GPU:1'):
      gradient = 2.0 * tf.ones([2])
    optimizing.apply_every(
        2, [(gradient, weights)], tf.train.GradientDescentOptimizer(1.0).apply_gradients)
    devices = {v.op.name: tf.DeviceSpec.from_string(v.device).to_string()
               for v in tf.local_variables()}
  assert devices == {'gradient_accumulation/weights': '/device:GPU:1',
                     'gradient_accumulation/num_runs': '/device:CPU:0'}


def rates(steps, **kwargs):
  arguments = dict(
      learning_policy='poly', base_learning_rate=.01, learning_rate_decay_step=20,
      learning_rate_decay_factor=.1, training_number_of_steps=100, learning_power=.9,
      slow_start_step=10, slow_start_learning_rate=1e-4)
  arguments.update(kwargs)
  with tf.Graph().as_default(), tf.Session() as session:
    global_step = tf.train.get_or_create_global_step()
    rate = optimizing.get_model_learning_rate(**arguments)
    session.run(global_step.initializer)
    result = []
    for step in steps:
      session.run(global_step.assign(step))
      result.append(session.run(rate))
    return result


def test_poly_falls_to_zero_at_the_last_step():
  np.testing.assert_allclose(rates([50, 100, 120]), [0.00535887, 0, 0], rtol=1e-5)


def test_poly_ends_where_and_when_told():
  np.testing.assert_allclose(
      rates([10, 20, 40, 90], slow_start_step=0, learning_power=1.0, decay_steps=40,
            end_learning_rate=.002), [.008, .006, .002, .002], rtol=1e-5)


def test_step_decays_smoothly():
  np.testing.assert_allclose(rates([50], learning_policy='step'), [3.16228e-5], rtol=1e-5)


def test_constant_slow_start_does_not_shift_the_schedule():
  np.testing.assert_allclose(
      rates([0, 9, 10]), [1e-4, 1e-4, .01 * .9 ** .9], rtol=1e-5)


def test_linear_burn_in_rises_and_then_starts_the_schedule():
  np.testing.assert_allclose(
      rates([0, 5, 10, 60], slow_start_burnin_type='linear'),
      [1e-4, 1e-4 + .5 * (.01 - 1e-4), .01, .01 * .5 ** .9], rtol=1e-5)


@pytest.mark.parametrize('burnin', ['none', 'linear'])
@pytest.mark.parametrize('policy, first, later', [
    ('cosine', .01, [.00586824, 3.0458e-6, 0]), ('multi_steps', .1, [.01, .001, .001])])
def test_policies_that_begin_behind_the_slow_start(policy, burnin, first, later):
  found = rates([5, 10, 50, 99, 150], learning_policy=policy, boundaries=[30, 60],
                boundary_learning_rates=[.1, .01, .001], slow_start_burnin_type=burnin)
  np.testing.assert_allclose(
      found, [.00505 if burnin == 'linear' else 1e-4, first] + later, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize('kwargs', [
    {}, {'boundaries': [30]}, {'boundaries': [30], 'boundary_learning_rates': [.1]},
    {'boundaries': [60, 30], 'boundary_learning_rates': [.1, .01, .001]}])
def test_multi_steps_needs_a_rate_around_each_boundary(kwargs):
  with pytest.raises(UsageError, match='multi_steps needs boundaries, ascending .*; got '):
    rates([0], learning_policy='multi_steps', **kwargs)


@pytest.mark.parametrize('kwargs, message', [
    ({'learning_policy': 'poli'}, "Unknown learning_policy 'poli'. Did you mean 'poly'"),
    ({'slow_start_burnin_type': 'x'}, "Unknown slow_start_burnin_type 'x'")])
def test_unknown_names_are_refused(kwargs, message):
  with pytest.raises(ValueError, match=message):
    rates([0], **kwargs)
