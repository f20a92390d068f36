"""Follows g3doc/add_a_backbone.md to the letter: what it says is all a backbone needs."""
import os
import re
import types

import pytest

from deeplab import model_test
from deeplab.core import backbones, feature_extractor
from deeplab.core.tf_compat import tf

_PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'g3doc',
                     'add_a_backbone.md')


@pytest.fixture(scope='module', name='network')
def add_tiny_net():
  with open(_PAGE) as stream:
    network_code, row_code, case_code = re.findall(r'```python\n(.*?)```', stream.read(),
                                                   re.DOTALL)
  module = types.ModuleType('deeplab.core.tiny_net')
  exec(compile(network_code, 'tiny_net.py', 'exec'), module.__dict__)
  exec(row_code, dict(vars(backbones), tiny_net=module))
  exec(case_code, vars(model_test))
  network = model_test.Network('tiny_net')
  yield network
  network.session.close()
  del backbones.BACKBONES['tiny_net'], model_test.CASES['tiny_net']


def test_parameters_are_counted(network):
  model_test.test_parameter_counts(network)


def test_sizes_and_batches(network):
  model_test.test_static_and_unknown_sizes_give_the_same_logits(network, (33, 50))
  model_test.test_images_of_a_batch_do_not_mix(network)


def test_end_points_of_every_stride_serve_the_decoder(network):
  with tf.Graph().as_default():
    logits = model_test.merged_logits(
        tf.zeros([1, 33, 48, 3]),
        network.case.options('tiny_net', crop_size=[33, 48], decoder_output_stride=[8, 2]))
    assert logits.shape.as_list() == [1, 17, 24, 21]


def test_training_reaches_every_variable_and_freezes_batch_norm(network):
  options = network.case.options('tiny_net', crop_size=[33, 33])
  with tf.Graph().as_default() as graph:
    logits = model_test.merged_logits(tf.zeros([2, 33, 33, 3]), options, is_training=True,
                                      weight_decay=0.5)
    train_graph = network.case, graph, logits
  model_test.test_gradient_reaches_every_trainable_variable(train_graph)
  model_test.test_frozen_batch_norm_creates_no_update_ops(train_graph)
  model_test.test_exactly_the_weights_are_regularised(train_graph)


def test_output_strides_it_cannot_give_are_refused(network):
  with tf.Graph().as_default(), pytest.raises(
      ValueError, match='output_stride=32 cannot be reached'):
    model_test.merged_logits(
        tf.zeros([1, 33, 33, 3]), network.case.options('tiny_net', output_stride=32))


def test_name_is_offered_where_it_is_misspelt(network):
  del network
  with pytest.raises(ValueError, match="Did you mean 'tiny_net'"):
    feature_extractor.extract_features(None, model_variant='tiny_ne')
