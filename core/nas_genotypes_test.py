"""The searched cells."""
import pytest

from deeplab.core import nas_genotypes, nas_network
from deeplab.core.tf_compat import slim, tf

CELLS = [nas_genotypes.PNASCell, nas_genotypes.HNASCell]


@pytest.mark.parametrize('cell_type', CELLS)
@pytest.mark.parametrize('stride', [1, 2])
def test_cells_put_out_five_states(cell_type, stride):
  cell = cell_type(3, 1.0, 12, 1000)
  with tf.Graph().as_default(), slim.arg_scope(nas_network.nas_arg_scope()):
    output = cell(tf.zeros([2, 9, 6, 8]), 'cell_0', 2.0, stride, tf.zeros([2, 17, 11, 5]), 0)
  assert output.shape.as_list() == [2, -(-9 // stride), 6 // stride, 5 * 3 * 2]


def combinations(genotype):
  sides = list(zip(genotype.operations, genotype.hiddenstate_indices))
  return list(zip(sides[::2], sides[1::2]))


def test_pnasnet_is_the_published_cell():
  # Figure 1 of the paper; 0 is the layer before, 1 the one before that.
  assert combinations(nas_genotypes.PNASCell) == [
      (('separable_5x5_2', 1), ('max_pool_3x3', 1)),
      (('separable_7x7_2', 0), ('max_pool_3x3', 0)),
      (('separable_5x5_2', 0), ('separable_3x3_2', 0)),
      (('separable_3x3_2', 4), ('max_pool_3x3', 0)),
      (('separable_3x3_2', 1), ('none', 0)),
  ]


def test_hnasnet_is_the_published_cell():
  assert combinations(nas_genotypes.HNASCell) == [
      (('atrous_5x5', 1), ('separable_3x3_2', 0)),
      (('separable_3x3_2', 1), ('atrous_3x3', 0)),
      (('separable_3x3_2', 3), ('separable_3x3_2', 1)),
      (('separable_5x5_2', 4), ('separable_5x5_2', 2)),
      (('separable_5x5_2', 3), ('atrous_5x5', 5)),
  ]
