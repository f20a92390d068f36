"""The rule that trades stride for dilation."""
import pytest

from deeplab.core import dilation


@pytest.mark.parametrize('output_stride, expected', [
    (None, [(2, 1), (2, 1), (1, 1), (2, 1), (1, 1)]),
    (8, [(2, 1), (2, 1), (1, 1), (2, 1), (1, 1)]),
    (4, [(2, 1), (2, 1), (1, 1), (1, 1), (1, 2)]),
    (2, [(2, 1), (1, 1), (1, 2), (1, 2), (1, 4)]),
])
def test_layers_give_up_stride_for_the_rate_of_those_that_follow(output_stride, expected):
  strides = dilation.StrideBudget(output_stride)
  assert [strides.next(stride) for stride in (2, 2, 1, 2, 1)] == expected
  strides.check_reached()


def test_strides_that_jump_over_the_output_stride():
  strides = dilation.StrideBudget(4)
  strides.next(3)
  with pytest.raises(ValueError, match='output_stride=4 cannot be reached: .* to 6'):
    strides.next(2)


def test_networks_that_end_before_the_output_stride():
  strides = dilation.StrideBudget(4)
  strides.next(2)
  with pytest.raises(ValueError, match='output_stride=4 cannot be reached: .* stride 2'):
    strides.check_reached()
