"""Operations, states and scheduled drop path of searched cells."""
import numpy as np
import pytest

from deeplab.core import nas_cell, nas_network
from deeplab.core.tf_compat import slim, tf
from deeplab.testing import networks

FILTERS = 4


def make_cell(operations, indices, used=None, drop_path_keep_prob=1.0, total_num_cells=1,
              total_training_steps=10):
  used = used or [1, 1] + [0] * (len(operations) // 2)
  return nas_cell.NASBaseCell(FILTERS, operations, used, indices, drop_path_keep_prob,
                              total_num_cells, total_training_steps)


def apply_cell(cell, net, prev_layer=None, filter_scaling=1.0, stride=1, cell_num=0,
               scope='cell'):
  with slim.arg_scope(nas_network.nas_arg_scope()), \
       slim.arg_scope([slim.batch_norm], is_training=False):
    return cell(net, scope, filter_scaling, stride, prev_layer, cell_num)


def apply_operation(name, net, stride=1, depth=FILTERS):
  with slim.arg_scope(nas_network.nas_arg_scope()), \
       slim.arg_scope([slim.batch_norm], is_training=False):
    return nas_cell.OPERATIONS[name].apply(net, depth, stride)


def random_image(height, width, channels=FILTERS, batch=1):
  return np.random.RandomState(0).normal(
      size=[batch, height, width, channels]).astype(np.float32)


def run(tensors, fill=None):
  """Runs tensors with golden weights, or with all convolution weights `fill`."""
  with tf.Session() as session:
    networks.load_golden_weights(session, tf.global_variables())
    if fill is not None:
      session.run(tf.global_variables_initializer())
      session.run([tf.assign(v, tf.fill(v.shape, fill)) for v in tf.trainable_variables()
                   if v.op.name.endswith('weights')])
    return session.run(tensors)


def variable_names():
  return sorted(v.op.name for v in tf.trainable_variables())


@pytest.mark.parametrize('name', sorted(nas_cell.OPERATIONS))
def test_operations_give_depth_and_stride_at_odd_and_even_sizes(name):
  with tf.Graph().as_default():
    for size in ((7, 10), (1, 4)):
      for stride in (1, 2):
        for depth in (FILTERS, 6):
          with tf.variable_scope('size%d_%d_%d' % (size[0], stride, depth)):
            output = apply_operation(name, tf.zeros([2] + list(size) + [FILTERS]), stride,
                                     depth)
          assert output.shape.as_list() == [2] + [-(-d // stride) for d in size] + [depth]


@pytest.mark.parametrize('name', ['separable_5x5_2', 'atrous_3x3', 'avg_pool_3x3', 'none'])
def test_operations_at_unknown_size_equal_those_at_known_size(name):
  image = random_image(6, 9)
  with tf.Graph().as_default():
    unknown = tf.placeholder_with_default(image, [None, None, None, FILTERS])
    outputs = []
    for reuse, net in ((False, tf.constant(image)), (True, unknown)):
      with tf.variable_scope('cell', reuse=reuse):
        outputs.append(apply_operation(name, net, 2))
    known, unknown = run(outputs)
  np.testing.assert_allclose(known, unknown, atol=1e-6)
  assert known.shape == (1, 3, 5, FILTERS) and known.std() > 0.01


@pytest.mark.parametrize('name, expected', [
    ('separable_3x3_2', ['bn_sep_3x3_1', 'bn_sep_3x3_2', 'separable_3x3_1',
                         'separable_3x3_2']),
    ('atrous_5x5', ['atrous_5x5', 'bn_atr_5x5']),
    ('max_pool_3x3', []), ('none', [])])
def test_scopes_of_operations(name, expected):
  with tf.Graph().as_default():
    apply_operation(name, tf.zeros([1, 5, 5, FILTERS]))
    assert sorted({n.split('/')[0] for n in variable_names()}) == expected


def impulse(size, position, channels=1):
  image = np.zeros([1, size, size, channels], np.float32)
  image[0, position, position] = 1.0
  return tf.constant(image)


def nonzero_rows(output):
  return sorted(set(np.nonzero(np.abs(output[0]).sum(axis=(1, 2)) > 1e-6)[0]))


def test_atrous_operation_has_rate_two():
  with tf.Graph().as_default():
    output = run(apply_operation('atrous_3x3', impulse(9, 4)), fill=1.0)
  assert nonzero_rows(output) == [2, 4, 6]


def test_strided_atrous_operation_shrinks_its_input_and_has_rate_one():
  # Row 4 of 9 is row 2 of 5: with corners aligned, every second pixel is kept.
  with tf.Graph().as_default() as graph:
    output = run(apply_operation('atrous_3x3', impulse(9, 4), 2), fill=1.0)
    assert 'ResizeBilinear' in {op.type for op in graph.get_operations()}
  assert output.shape[1:3] == (5, 5) and nonzero_rows(output) == [1, 2, 3]


def test_strided_separable_windows_start_one_pixel_outside_at_even_sizes_too():
  # SAME would place them at 0..2, 2..4, 4..6: only the first one would see row 1.
  with tf.Graph().as_default():
    output = run(apply_operation('separable_3x3_1', impulse(6, 1), 2), fill=1.0)
  assert output.shape[1:3] == (3, 3) and nonzero_rows(output) == [0, 1]


def test_only_the_first_layer_of_a_separable_operation_strides():
  with tf.Graph().as_default():
    assert apply_operation('separable_3x3_2', tf.zeros([1, 8, 8, 4]), 2).shape[1] == 4


@pytest.mark.parametrize('name, has_relu', [('none', True), ('max_pool_3x3', False),
                                            ('avg_pool_3x3', False)])
def test_relu_before_projection_is_for_none_alone(name, has_relu):
  with tf.Graph().as_default():
    output = run(apply_operation(name, tf.constant(np.full([1, 3, 3, 1], -1, np.float32))),
                 fill=1.0)
  np.testing.assert_allclose(output, 0.0 if has_relu else -1.0, atol=1e-3)


def batch_norm(net, scope):
  weights = [networks.golden_weight('%s/%s' % (scope, name), [FILTERS])
             for name in ('gamma', 'beta', 'moving_mean', 'moving_variance')]
  gamma, beta, mean, variance = weights
  return gamma * (net - mean) / np.sqrt(variance + 0.001) + beta


def project(net, scope, batch_norm_scope):
  weights = networks.golden_weight('cell/%s/weights' % scope,
                                         [1, 1, net.shape[-1], FILTERS])[0, 0]
  return batch_norm(np.maximum(net, 0) @ weights, 'cell/' + batch_norm_scope)


def test_states_are_projected_inputs_and_sums():
  net, prev = random_image(5, 6, 3), random_image(5, 6, 7)
  cell = make_cell(['none'] * 4, [0, 1, 2, 1])
  with tf.Graph().as_default():
    output = run(apply_cell(cell, tf.constant(net), tf.constant(prev)))
  first = project(net, '1x1', 'beginning_bn')
  second = project(prev, 'prev_1x1', 'prev_bn')
  expected = np.concatenate([first + second, first + 2 * second], axis=3)
  np.testing.assert_allclose(output, expected, atol=1e-5)


def test_previous_layer_of_the_right_depth_is_read_as_it_is():
  net, prev = random_image(5, 6, 3), random_image(5, 6)
  with tf.Graph().as_default():
    output = run(apply_cell(make_cell(['none'] * 2, [1, 1]), tf.constant(net),
                            tf.constant(prev)))
    assert not [n for n in variable_names() if '/prev_' in n]
  np.testing.assert_allclose(output, 2 * prev, atol=1e-6)
  assert prev.min() < 0


def test_without_previous_layer_the_input_is_read_twice():
  net = random_image(5, 6)
  with tf.Graph().as_default():
    output = run(apply_cell(make_cell(['none'] * 2, [0, 1]), tf.constant(net)))
  np.testing.assert_allclose(output, project(net, '1x1', 'beginning_bn') + net, atol=1e-5)


@pytest.mark.parametrize('is_static', [True, False])
def test_previous_layer_is_resized_with_corners_aligned(is_static):
  prev = np.repeat(np.arange(9, dtype=np.float32)[None, :, None, None], 5, axis=2)
  prev = np.tile(prev, [1, 1, 1, FILTERS])
  with tf.Graph().as_default():
    shape = [1, 5, 5, 3] if is_static else [None, None, None, 3]
    net = tf.placeholder_with_default(random_image(5, 5, 3), shape)
    output = run(apply_cell(make_cell(['none'] * 2, [1, 1]), net, tf.constant(prev)))
  np.testing.assert_allclose(output[0, :, 0, 0], 2 * np.array([0, 2, 4, 6, 8]), atol=1e-5)


def test_layers_of_known_equal_size_are_not_resized():
  with tf.Graph().as_default() as graph:
    apply_cell(make_cell(['none'] * 2, [0, 1]), tf.zeros([1, 5, 6, 3]),
               tf.zeros([1, 5, 6, 3]))
    assert 'ResizeBilinear' not in {op.type for op in graph.get_operations()}


def test_only_input_states_are_strided_and_used_states_are_left_out():
  cell = make_cell(['max_pool_3x3'] * 4, [0, 1, 2, 2], used=[1, 1, 1, 0])
  with tf.Graph().as_default():
    output = apply_cell(cell, tf.zeros([1, 9, 6, 3]), tf.zeros([1, 17, 12, 3]),
                        filter_scaling=2.5, stride=2)
  assert output.shape.as_list() == [1, 5, 3, 10]


@pytest.mark.parametrize('step, cell_num, keep_prob', [
    (0, 1, 1.0), (5, 1, 0.7), (10, 1, 0.4), (10, 0, 0.7), (40, 1, 0.4)])
def test_drop_path_grows_with_depth_and_step(step, cell_num, keep_prob):
  cell = make_cell(['max_pool_3x3', 'none'], [1, 1], drop_path_keep_prob=0.4,
                   total_num_cells=2)
  with tf.Graph().as_default(), tf.Session() as session:
    tf.set_random_seed(1)
    ones = tf.ones([4000, 2, 1, FILTERS])
    output = apply_cell(cell, ones, ones, cell_num=cell_num)
    session.run(tf.global_variables_initializer())
    session.run(tf.assign(tf.train.get_global_step(), step))
    # The other side of the sum, 'none', is never dropped.
    pooled = session.run(output) - 1.0
  assert pooled.min() >= -1e-6
  is_kept = pooled[:, :1, :, :1] > 0
  np.testing.assert_allclose(pooled, np.tile(is_kept / keep_prob, [1, 2, 1, FILTERS]),
                             atol=1e-5)
  assert abs(is_kept.mean() - keep_prob) < 0.03


def test_global_step_is_made_outside_the_cell_once():
  cell = make_cell(['max_pool_3x3', 'max_pool_3x3'], [0, 1], drop_path_keep_prob=0.5)
  with tf.Graph().as_default():
    for reuse in (False, True):
      with tf.variable_scope('net', reuse=reuse):
        apply_cell(cell, tf.zeros([1, 3, 3, 2]))
    assert tf.train.get_global_step().op.name == 'global_step'
    assert len([v for v in tf.global_variables() if 'step' in v.op.name]) == 1


@pytest.mark.parametrize('operations, indices, used, message', [
    (['none'] * 3, [0] * 3, [1, 1, 0], 'two operations per state .* got 3 operations'),
    (['none'] * 2, [0], [1, 1, 0], 'got 2 operations and 1 hiddenstate_indices'),
    (['none'] * 2, [0, 0], [1, 1], 'used_hiddenstates must have 3 entries'),
    (['none'] * 4, [0, 0, 2, 3], [1, 1, 0, 0], r'hiddenstate_indices\[3\]=3 is not an '
                                              r'earlier state \(0..2\)'),
    (['separable_3x3_2', 'seperable_3x3_2'], [0, 0], [1, 1, 0],
     "Unknown NAS operation 'seperable_3x3_2'. Did you mean 'separable_3x3_2'"),
])
def test_genotypes_that_contradict_themselves(operations, indices, used, message):
  with pytest.raises(ValueError, match=message):
    make_cell(operations, indices, used)
