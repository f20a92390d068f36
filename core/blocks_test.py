"""Stride traded for dilation, stacks of blocks, and symmetric padding."""
import numpy as np
import pytest

from deeplab.core import blocks
from deeplab.core.tf_compat import tf


def unit(net, rate, stride, seen):
  seen.append((stride, rate))
  return net[:, ::stride, ::stride]


def stack(strides, output_stride, root_stride=1):
  """Returns [(stride, rate)] the units were built with, and the size of the features."""
  seen = []
  with tf.Graph().as_default():
    net = blocks.stack_blocks_dense(
        tf.zeros([1, 65, 65, 1]),
        [blocks.Block('block%d' % index, unit, [dict(stride=stride, seen=seen)
                                                for stride in block])
         for index, block in enumerate(strides)],
        output_stride, root_stride=root_stride)
  return seen, net.shape.as_list()[1]


def test_units_stride_until_the_output_stride_and_dilate_then():
  assert stack([[1, 2], [1, 2], [2]], 4) == ([(1, 1), (2, 1), (1, 1), (2, 1), (1, 1)], 17)
  assert stack([[1, 2], [1, 2], [2, 1]], 2) == (
      [(1, 1), (2, 1), (1, 1), (1, 1), (1, 2), (1, 4)], 33)
  assert stack([[1, 2], [2]], None) == ([(1, 1), (2, 1), (2, 1)], 17)


def test_root_stride_counts():
  assert stack([[2], [2]], 8, root_stride=4) == ([(2, 1), (1, 1)], 33)


@pytest.mark.parametrize('strides, output_stride, root_stride, message', [
    ([[2], [2]], 6, 4, 'output_stride must be a multiple of 4 for this network, got 6'),
    ([[2]], 0, 1, 'output_stride must be a multiple of 1 for this network, got 0'),
    ([[2], [2]], 16, 2, 'output_stride=16 cannot be reached: .* goes down to stride 8'),
    ([[2], [4]], 4, 1, 'output_stride=4 cannot be reached: .* multiply to 8'),
])
def test_output_strides_out_of_reach(strides, output_stride, root_stride, message):
  with pytest.raises(ValueError, match=message):
    stack(strides, output_stride, root_stride)


@pytest.mark.parametrize('multi_grid', [[1, 2], [1, 2, 4, 8], [], [1, 0, 1]])
def test_multi_grid_needs_three_rates(multi_grid):
  with pytest.raises(ValueError, match='multi_grid must be 3 positive rates such as 1,2,4'):
    blocks.check_multi_grid(multi_grid)


def test_multi_grid_defaults_to_ones():
  assert blocks.check_multi_grid(None) == [1, 1, 1]
  assert blocks.check_multi_grid((1, 2, 4)) == [1, 2, 4]


@pytest.mark.parametrize('kernel_size, rate, sides', [
    (3, 1, (1, 1)), (3, 2, (2, 2)), (2, 1, (0, 1)), (7, 1, (3, 3)), (4, 1, (1, 2))])
def test_padding_depends_on_the_kernel_alone(kernel_size, rate, sides):
  with tf.Graph().as_default(), tf.Session() as session:
    padded = session.run(blocks.fixed_padding(tf.ones([1, 4, 5, 1]), kernel_size, rate))
  expected = np.pad(np.ones([4, 5]), [sides, sides], 'constant')
  np.testing.assert_array_equal(padded[0, :, :, 0], expected)


@pytest.mark.parametrize('output_stride, expected', [
    (None, [(2, 1), (2, 1), (1, 1), (2, 1), (1, 1)]),
    (8, [(2, 1), (2, 1), (1, 1), (2, 1), (1, 1)]),
    (4, [(2, 1), (2, 1), (1, 1), (1, 1), (1, 2)]),
    (2, [(2, 1), (1, 1), (1, 2), (1, 2), (1, 4)]),
])
def test_layers_give_up_stride_for_the_rate_of_those_that_follow(output_stride, expected):
  strides = blocks.StrideBudget(output_stride)
  assert [strides.next(stride) for stride in (2, 2, 1, 2, 1)] == expected
  strides.check_reached()


def test_strides_that_jump_over_the_output_stride():
  strides = blocks.StrideBudget(4)
  strides.next(3)
  with pytest.raises(ValueError, match='output_stride=4 cannot be reached: .* to 6'):
    strides.next(2)


def test_networks_that_end_before_the_output_stride():
  strides = blocks.StrideBudget(4)
  strides.next(2)
  with pytest.raises(ValueError, match='output_stride=4 cannot be reached: .* stride 2'):
    strides.check_reached()
