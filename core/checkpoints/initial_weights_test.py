"""Tests of starting from the weights of another network."""
import logging as python_logging

import numpy as np
import pytest

from deeplab.core.checkpoints import initial_weights
from deeplab.core.tf_compat import tf

_LAST = ['logits', 'aspp']


def _build(num_classes=3, backbone='Net', width=2):
  """Adds variables to the default graph; returns those of the model."""
  names = [(backbone + '/conv/weights', [2, 2]), (backbone + '/conv/biases', [width]),
           ('aspp0/weights', [2]), ('logits/semantic/weights', [2, num_classes])]
  tf.train.get_or_create_global_step()
  return [tf.get_variable(name, shape, initializer=tf.random_normal_initializer(seed=1))
          for name, shape in names]


def _save(tmp_path, **kwargs):
  """Writes a checkpoint; returns its prefix and the values."""
  with tf.Graph().as_default(), tf.Session() as session:
    variables = _build(**kwargs)
    tf.get_variable('Net/conv/weights/Momentum', [2, 2])
    session.run(tf.global_variables_initializer())
    for i, variable in enumerate(variables):
      variable.load(np.full(variable.shape.as_list(), i + 1, np.float32), session)
    return tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), global_step=7)


def _start(path, excluded=(), **kwargs):
  """Returns dict, name -> value, of a network that starts from `path`."""
  with tf.Graph().as_default(), tf.Session() as session:
    variables = _build(**kwargs)
    plan = initial_weights.plan_restore(
        initial_weights.read_weights(path, 'tf_initial_checkpoint'), variables, excluded, _LAST)
    session.run(tf.global_variables_initializer())
    plan.load(session)
    return {v.op.name: value for v, value in zip(variables, session.run(variables))}, {
        v.op.name for v in plan.variables}


def _freeze(prefix, path):
  reader = tf.train.NewCheckpointReader(prefix)
  with tf.Graph().as_default() as graph:
    for name in reader.get_variable_to_shape_map():
      tf.constant(reader.get_tensor(name), name=name)
  path.write_bytes(graph.as_graph_def().SerializeToString())
  return str(path)


def test_ranges_of_quantisation_are_left_to_training(tmp_path, caplog):
  weights = initial_weights.read_weights(_save(tmp_path), 'tf_initial_checkpoint')
  with tf.Graph().as_default(), caplog.at_level(python_logging.INFO, 'absl'):
    floats = _build()
    ranges = [tf.get_variable('Net/conv/act_quant/' + end, []) for end in ('min', 'max')]
    plan = initial_weights.plan_restore(weights, floats + ranges, [], _LAST)
  assert plan.variables == floats
  assert '2 bounds of quantised ranges are not in %s' % weights.where in caplog.text
  assert 'start at random' not in caplog.text


@pytest.mark.parametrize('kind', ['prefix', 'folder', 'index', 'frozen graph'])
def test_every_kind_of_source_gives_all_weights(tmp_path, kind):
  prefix = _save(tmp_path)
  path = {'prefix': prefix, 'folder': str(tmp_path), 'index': prefix + '.index',
          'frozen graph': _freeze(prefix, tmp_path / 'frozen.pb')}[kind]
  values, taken = _start(path)
  assert taken == set(values)
  for i, name in enumerate(['Net/conv/weights', 'Net/conv/biases', 'aspp0/weights',
                            'logits/semantic/weights']):
    assert (values[name] == i + 1).all(), name


def test_excluded_scopes_keep_their_start_whatever_their_shape(tmp_path):
  values, taken = _start(_save(tmp_path), excluded=['logits'], num_classes=5)
  assert 'logits/semantic/weights' not in taken and 'aspp0/weights' in taken
  assert values['logits/semantic/weights'].shape == (2, 5)
  assert (values['Net/conv/weights'] == 1).all()


def test_another_number_of_classes_names_the_variable_and_the_flags(tmp_path):
  with pytest.raises(ValueError) as caught:
    _start(_save(tmp_path), num_classes=5)
  message = str(caught.value)
  assert 'logits/semantic/weights is [2, 3] there, [2, 5] here' in message
  assert '--initialize_last_layer=false --last_layers_contain_logits_only' in message


def test_another_width_of_the_backbone_names_the_variable_and_the_flags(tmp_path):
  with pytest.raises(ValueError, match=r'Net/conv/biases is \[2\] there, \[4\] here. Check '
                                       '--model_variant, --depth_multiplier and the flags of'):
    _start(_save(tmp_path), width=4)


def test_a_network_without_common_variables_is_refused(tmp_path):
  with pytest.raises(ValueError, match='holds none of the 2 variables .*--model_variant'):
    _start(_save(tmp_path), excluded=_LAST, backbone='Other')


def test_missing_and_unused_variables_are_listed(tmp_path, caplog):
  prefix = _save(tmp_path, backbone='Other')
  with caplog.at_level(python_logging.INFO, logger='absl'):
    _start(prefix)
  log = caplog.text
  assert '2 variables start at random, for %s does not have them' % prefix in log
  assert 'Net/conv/weights, Net/conv/biases' in log
  assert '2 variables of %s are not used: Other/conv/biases, Other/conv/weights' % prefix in log
  assert ('Of 4 variables 2 start with the weights of %s, 0 at random as last layers, 2 at random '
          'for want of weights; 2 of its weights are not used.' % prefix) in log
  assert 'Momentum' not in log and 'global_step' not in log


@pytest.mark.parametrize('path, message', [
    ('absent', '--tf_initial_checkpoint=.*absent: no such checkpoint'),
    ('absent.pb', '--tf_initial_checkpoint=.*absent.pb cannot be read as a frozen graph'),
    ('broken.pb', 'broken.pb cannot be read as a frozen graph'),
    ('empty.pb', 'empty.pb is a graph without weights'),
])
def test_unusable_sources_are_named(tmp_path, path, message):
  (tmp_path / 'broken.pb').write_bytes(b'not a graph')
  (tmp_path / 'empty.pb').write_bytes(b'')
  with pytest.raises(ValueError, match=message):
    initial_weights.read_weights(str(tmp_path / path), 'tf_initial_checkpoint')


def test_values_are_set_with_their_types_and_others_stay():
  with tf.Graph().as_default(), tf.Session() as session:
    kernel, step, other = [
        tf.get_variable(name, shape, dtype, tf.zeros_initializer())
        for name, shape, dtype in (('kernel', [2, 3], tf.float32), ('step', [], tf.int64),
                                   ('other', [2], tf.float32))]
    session.run(tf.global_variables_initializer())
    initial_weights.assign(session, {kernel: np.arange(6).reshape(2, 3), step: 7})
    values = session.run([kernel, step, other])
  np.testing.assert_array_equal(values[0], [[0, 1, 2], [3, 4, 5]])
  assert values[1] == 7
  np.testing.assert_array_equal(values[2], [0, 0])
