"""Tests of clones: where they go, sharing of variables, and gradients of the mean."""
import numpy as np
import pytest

from deeplab.core import options
from deeplab.core.checkpoints import initial_weights
from deeplab.core.tf_compat import slim, tf
from deeplab.datasets import registry
from deeplab.deployment import model_deploy
from deeplab.utils.training import graph as train_graph
from deeplab.utils.training import options as train_options

pytestmark = pytest.mark.usefixtures('shallow_network')

_CROP = 33
_NUM_CLASSES = 3
_BATCH = 4


def _device(name):
  return tf.DeviceSpec.from_string(name).to_string()


def _linear_model(inputs, targets):
  """Adds a linear model with a moving mean and its loss; returns the predictions."""
  moving_mean = slim.model_variable('moving_mean', [], trainable=False,
                                    initializer=tf.zeros_initializer())
  tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign(moving_mean, tf.reduce_mean(inputs)))
  outputs = slim.fully_connected(inputs, 1, activation_fn=None, scope='linear',
                                 weights_regularizer=slim.l2_regularizer(0.1))
  tf.losses.mean_squared_error(targets, outputs)
  return outputs


def _data():
  random = np.random.RandomState(0)
  return (tf.constant(random.uniform(size=(8, 4)).astype(np.float32)),
          tf.constant(random.uniform(size=(8, 1)).astype(np.float32)))


def test_clones_share_variables_on_the_cpu():
  with tf.Graph().as_default():
    clones = model_deploy.create_clones(
        model_deploy.DeploymentConfig(num_clones=2), _linear_model, _data())
    assert [v.op.name for v in tf.trainable_variables()] == [
        'linear/weights', 'linear/biases']
    assert {_device(v.device) for v in tf.trainable_variables()} == {'/device:CPU:0'}
    assert [clone.scope for clone in clones] == ['clone_0/', 'clone_1/']
    assert [_device(clone.outputs.device) for clone in clones] == [
        '/device:GPU:0', '/device:GPU:1']
    assert len(tf.losses.get_regularization_losses()) == 1


def test_networks_share_all_variables_and_gather_gradients_on_gpus():
  config = model_deploy.DeploymentConfig(num_clones=2)
  with tf.Graph().as_default():
    graph = _train_graph(model_deploy.SplitBatch(config), fine_tune_batch_norm=True)
    names = [v.op.name for v in tf.global_variables()]
    assert len(set(names)) == len(names)
    assert not [name for name in names if 'clone_' in name]
    assert {_device(v.device) for v in graph.model_variables} == {'/device:CPU:0'}
    operations = tf.get_default_graph().get_operations()
    convolutions = [op for op in operations if 'Conv2DBackpropFilter' in op.type
                    or op.type == 'DepthwiseConv2dNativeBackpropFilter']
    per_device = [sum(_device(op.device) == '/device:GPU:%d' % i for op in convolutions)
                  for i in range(2)]
    assert per_device == [len(convolutions) / 2] * 2
    # The moving averages follow the first clone alone: a mean and a variance per layer.
    update_scopes = {op.name.split('/')[0] for op in tf.get_collection(tf.GraphKeys.UPDATE_OPS)}
    assert update_scopes == {'clone_0', 'clone_1'}
    followed = set()
    todo = [graph.train_op.op]
    while todo:
      op = todo.pop()
      if op not in followed:
        followed.add(op)
        todo += list(op.control_inputs) + [tensor.op for tensor in op.inputs]
    updates = [op for op in tf.get_collection(tf.GraphKeys.UPDATE_OPS)
               if getattr(op, 'op', op) in followed]
    assert updates and {op.name.split('/')[0] for op in updates} == {'clone_0'}


def test_gradients_add_up_on_the_devices_of_the_clones():
  with tf.Graph().as_default():
    clones = model_deploy.create_clones(
        model_deploy.DeploymentConfig(num_clones=2), _linear_model, _data())
    total_loss, pairs = model_deploy.optimize_clones(
        clones, tf.train.GradientDescentOptimizer(0.1))
    assert total_loss.op.name == 'total_loss'
    assert [variable for _, variable in pairs] == tf.trainable_variables()
    assert {_device(gradient.device) for gradient, _ in pairs} == {
        '/device:GPU:0', '/device:GPU:1'}


def test_clones_without_losses_cannot_be_optimized():
  with tf.Graph().as_default():
    clones = model_deploy.create_clones(
        model_deploy.DeploymentConfig(), lambda: tf.constant(1.0))
    with pytest.raises(ValueError, match='the clones have no losses'):
      model_deploy.optimize_clones(clones, tf.train.GradientDescentOptimizer(0.1))


@pytest.mark.parametrize('num_clones', [1, 2])
def test_deployed_model_learns_and_counts_regularisation_once(num_clones):
  config = model_deploy.DeploymentConfig(num_clones, clone_on_cpu=True)
  with tf.Graph().as_default():
    deployed = model_deploy.deploy(config, _linear_model, _data(), summarize_gradients=True,
                                   optimizer=tf.train.GradientDescentOptimizer(0.1))
    weights, = [v for v in tf.trainable_variables() if v.op.name == 'linear/weights']
    moving_mean, = [v for v in tf.global_variables() if v.op.name == 'moving_mean']
    with tf.Session() as session:  # not one made for this deployment
      session.run(tf.global_variables_initializer())
      parts = session.run(tf.losses.get_losses())
      l2 = 0.05 * np.sum(np.square(session.run(weights)))
      first = session.run(deployed.train_op)
      assert first == pytest.approx(np.mean(parts) + l2, rel=1e-5)
      for _ in range(20):
        last = session.run(deployed.train_op)
      assert last < first
      assert session.run(moving_mean) > 0
      assert b'total_loss' in session.run(deployed.summary_op)
    assert len(deployed.clones) == num_clones
    assert deployed.train_op.op.name == 'train_op'
    assert 'summary_op' in deployed.summary_op.op.name


def test_variables_without_loss_get_no_gradient():
  with tf.Graph().as_default():
    tf.get_variable('unused', [])
    clones = model_deploy.create_clones(
        model_deploy.DeploymentConfig(2, clone_on_cpu=True), _linear_model, _data())
    _, pairs = model_deploy.optimize_clones(clones, tf.train.GradientDescentOptimizer(0.1))
    assert [v.op.name for _, v in pairs] == ['linear/weights', 'linear/biases']


def test_without_an_optimizer_there_is_a_loss_alone():
  with tf.Graph().as_default():
    deployed = model_deploy.deploy(
        model_deploy.DeploymentConfig(2, clone_on_cpu=True), _linear_model, _data())
  assert deployed.train_op is None and deployed.total_loss is not None


# --- training ---


def _samples():
  random = np.random.RandomState(1)
  return {
      'image': tf.constant(random.uniform(0, 255, (_BATCH, _CROP, _CROP, 3)).astype(np.float32)),
      'label': tf.constant(random.randint(0, _NUM_CLASSES, (_BATCH, _CROP, _CROP, 1)), tf.int32),
      'image_name': tf.constant(['%d' % i for i in range(_BATCH)])}


def _train_graph(deployment, fine_tune_batch_norm=False):
  """Returns the TrainGraph of a network without dropout."""
  model_options = options.NetworkOptions(
      {'semantic': _NUM_CLASSES}, crop_size=(_CROP, _CROP), output_stride=16,
      depth_multiplier=0.1, add_image_level_feature=False, aspp_with_batch_norm=False)
  run_options = train_options.TrainOptions(
      train_logdir='', train_batch_size=_BATCH, fine_tune_batch_norm=fine_tune_batch_norm,
      momentum=0.0, base_learning_rate=0.1, learning_power=0.0)
  return train_graph.build_train_graph(
      _samples(), registry.DatasetDescriptor({}, _NUM_CLASSES, 255), model_options,
      run_options, deployment)


def _weights_after(num_steps, num_clones):
  """Returns dict, name -> value, after some steps."""
  deployment = None
  if num_clones > 1:
    deployment = model_deploy.SplitBatch(
        model_deploy.DeploymentConfig(num_clones, clone_on_cpu=True))
  with tf.Graph().as_default():
    tf.set_random_seed(5)
    graph = _train_graph(deployment)
    variables = graph.model_variables
    config = deployment.session_config if deployment else None
    random = np.random.RandomState(3)
    with tf.Session(config=config) as session:
      session.run(tf.global_variables_initializer())
      initial_weights.assign(session, {
          variable: random.normal(0, 0.1, variable.shape.as_list())
          for variable in sorted(tf.trainable_variables(), key=lambda v: v.op.name)
          if variable.op.name.endswith('weights')})
      for _ in range(num_steps):
        session.run(graph.train_op)
      return dict(zip([v.op.name for v in variables], session.run(variables)))


def test_clones_compute_on_a_cpu_device_each():
  deployment = model_deploy.SplitBatch(model_deploy.DeploymentConfig(2, clone_on_cpu=True))
  with tf.Graph().as_default():
    inputs, targets = _data()
    outputs = []
    deployment.optimize(
        {'inputs': inputs, 'targets': targets},
        lambda part, _: outputs.append(_linear_model(part['inputs'], part['targets'])),
        tf.train.GradientDescentOptimizer(0.1))
    deployment.session_config.allow_soft_placement = False
    metadata = tf.RunMetadata()
    with tf.Session(config=deployment.session_config) as session:
      session.run(tf.global_variables_initializer())
      session.run(outputs, options=tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE),
                  run_metadata=metadata)
  devices = {stats.device.split('/')[-1] for stats in metadata.step_stats.dev_stats}
  assert {'device:CPU:0', 'device:CPU:1'} <= devices


def test_two_clones_learn_what_one_learns_from_the_whole_batch():
  one, two, start = _weights_after(5, 1), _weights_after(5, 2), _weights_after(0, 1)
  assert sorted(one) == sorted(two)
  for name in one:
    np.testing.assert_allclose(two[name], one[name], atol=1e-5, err_msg=name)
  assert max(np.abs(one[name] - start[name]).max() for name in one) > 1e-3


def test_gpu_clones_have_their_batches_ahead():
  with tf.Graph().as_default() as graph:
    deployment = model_deploy.SplitBatch(model_deploy.DeploymentConfig(2))
    parts = []

    def add_losses(part, index):
      parts.append(part)
      weight = tf.get_variable('weight', [])
      tf.losses.add_loss(weight * tf.reduce_mean(part['image']))

    deployment.optimize({'image': tf.zeros([4, 3]), 'name': tf.constant(['a', 'b', 'c', 'd'])},
                        add_losses, tf.train.GradientDescentOptimizer(0.1))
    stages = [op for op in graph.get_operations() if op.type == 'Stage']
  devices = sorted(op.device for op in stages)
  assert devices == ['/device:CPU:0', '/device:CPU:0', '/device:GPU:0', '/device:GPU:1']
  assert [part['image'].shape.as_list() for part in parts] == [[2, 3], [2, 3]]
  assert [part['image'].device for part in parts] == ['/device:GPU:0', '/device:GPU:1']


def test_one_clone_is_on_the_gpu_without_a_scope():
  config = model_deploy.DeploymentConfig()
  assert _device(config.clone_device(0)) == '/device:GPU:0'
  assert config.clone_scope(0) == ''
  assert config.caching_device() is None
  for device in (config.optimizer_device(), config.inputs_device(), config.variables_device()):
    assert _device(device) == '/device:CPU:0'


def test_clones_have_devices_and_scopes_of_their_own():
  config = model_deploy.DeploymentConfig(num_clones=2)
  assert [config.clone_device(i) for i in range(2)] == ['/device:GPU:0', '/device:GPU:1']
  assert [config.clone_scope(i) for i in range(2)] == ['clone_0', 'clone_1']


def test_clones_on_the_cpu_share_its_device_unless_they_are_to_have_their_own():
  shared = model_deploy.DeploymentConfig(num_clones=2, clone_on_cpu=True)
  assert [shared.clone_device(i) for i in range(2)] == ['/device:CPU:0'] * 2
  own = model_deploy.SplitBatch(shared)
  assert own.session_config.device_count['CPU'] == 2
  assert [own._config.clone_device(i) for i in range(2)] == ['/device:CPU:0', '/device:CPU:1']
  assert shared.num_cpu_devices == 1
  on_gpus = model_deploy.SplitBatch(model_deploy.DeploymentConfig(num_clones=2))
  assert on_gpus._config.clone_device(1) == '/device:GPU:1'


def test_parameter_servers_take_variables_in_turn():
  config = model_deploy.DeploymentConfig(num_clones=1, replica_id=1, num_replicas=2,
                                         num_ps_tasks=2)
  assert (config.replica_id, config.num_replicas, config.num_ps_tasks) == (1, 2, 2)
  assert config.clone_device(0) == '/job:worker/device:GPU:0'
  assert (config.ps_device, config.worker_device) == ('/job:ps', '/job:worker')
  with tf.Graph().as_default():
    with tf.device(config.variables_device()):
      variables = [tf.get_variable(name, []) for name in 'abc']
      operation = tf.no_op()
    assert [v.device for v in variables] == [
        '/job:ps/task:%d/device:CPU:0' % i for i in (0, 1, 0)]
    assert operation.device == ''
    assert config.caching_device()(variables[0].op) == variables[0].device


@pytest.mark.parametrize('arguments, message', [
    ({'num_clones': 0}, 'num_clones must be at least 1, got 0'),
    ({'num_replicas': 2}, 'num_replicas=2 need num_ps_tasks of at least 1'),
    ({'num_replicas': 2, 'num_ps_tasks': 1, 'replica_id': 2}, r'replica_id must be in 0\.\.1'),
])
def test_impossible_deployments_are_refused(arguments, message):
  with pytest.raises(ValueError, match=message):
    model_deploy.DeploymentConfig(**arguments)


def test_clones_that_do_not_exist_are_refused():
  with pytest.raises(ValueError, match=r'clone_index must be in 0\.\.1, got 2'):
    model_deploy.DeploymentConfig(num_clones=2).clone_device(2)


def test_the_class_of_deployments_has_the_names_of_their_attributes():
  # Old code looks them up there, as properties.
  for name in ('num_clones', 'clone_on_cpu', 'replica_id', 'num_replicas', 'num_ps_tasks',
               'ps_device', 'worker_device'):
    assert hasattr(model_deploy.DeploymentConfig, name)
