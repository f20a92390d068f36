"""Tests of where clones, variables and the input go."""
import pytest

from deeplab.core.tf_compat import tf
from deeplab.deployment import deployment_config


def _device(name):
  return tf.DeviceSpec.from_string(name).to_string()


def test_one_clone_is_on_the_gpu_without_a_scope():
  config = deployment_config.DeploymentConfig()
  assert _device(config.clone_device(0)) == '/device:GPU:0'
  assert config.clone_scope(0) == ''
  assert config.caching_device() is None
  for device in (config.optimizer_device(), config.inputs_device(), config.variables_device()):
    assert _device(device) == '/device:CPU:0'


def test_clones_have_devices_and_scopes_of_their_own():
  config = deployment_config.DeploymentConfig(num_clones=2)
  assert [config.clone_device(i) for i in range(2)] == ['/device:GPU:0', '/device:GPU:1']
  assert [config.clone_scope(i) for i in range(2)] == ['clone_0', 'clone_1']


def test_clones_on_the_cpu_share_its_device_unless_they_are_to_have_their_own():
  shared = deployment_config.DeploymentConfig(num_clones=2, clone_on_cpu=True)
  assert [shared.clone_device(i) for i in range(2)] == ['/device:CPU:0'] * 2
  own = deployment_config.one_cpu_device_per_clone(shared)
  assert [own.clone_device(i) for i in range(2)] == ['/device:CPU:0', '/device:CPU:1']
  assert deployment_config.session_config(own).device_count['CPU'] == 2
  assert shared.num_cpu_devices == 1
  on_gpus = deployment_config.one_cpu_device_per_clone(
      deployment_config.DeploymentConfig(num_clones=2))
  assert on_gpus.clone_device(1) == '/device:GPU:1'


def test_parameter_servers_take_variables_in_turn():
  config = deployment_config.DeploymentConfig(num_clones=1, replica_id=1, num_replicas=2,
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
    deployment_config.DeploymentConfig(**arguments)


def test_clones_that_do_not_exist_are_refused():
  with pytest.raises(ValueError, match=r'clone_index must be in 0\.\.1, got 2'):
    deployment_config.DeploymentConfig(num_clones=2).clone_device(2)
