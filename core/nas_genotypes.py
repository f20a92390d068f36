"""The searched cells: which operations apply to which states.

References:
  Liu et al., "Progressive Neural Architecture Search", ECCV 2018, figure 1.
  Liu et al., "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic Image
    Segmentation", CVPR 2019, figure 3.
"""
from deeplab.core import nas_cell

# The outputs of a cell are all states but its two inputs.
_USED_HIDDENSTATES = (1, 1, 0, 0, 0, 0, 0)


class _GenotypeCell(nas_cell.NASBaseCell):
  """A cell whose operations, and the states that they apply to, are those of its class."""
  operations = None
  hiddenstate_indices = None

  def __init__(self, num_conv_filters, drop_path_keep_prob, total_num_cells,
               total_training_steps):
    """Keeps the arguments; they are described at `NASBaseCell`."""
    super(_GenotypeCell, self).__init__(
        num_conv_filters, self.operations, _USED_HIDDENSTATES, self.hiddenstate_indices,
        drop_path_keep_prob, total_num_cells, total_training_steps)


class PNASCell(_GenotypeCell):
  """The cell of PNASNet-5."""
  operations = ('separable_5x5_2', 'max_pool_3x3',
                'separable_7x7_2', 'max_pool_3x3',
                'separable_5x5_2', 'separable_3x3_2',
                'separable_3x3_2', 'max_pool_3x3',
                'separable_3x3_2', 'none')
  hiddenstate_indices = (1, 1, 0, 0, 0, 0, 4, 0, 1, 0)


class HNASCell(_GenotypeCell):
  """The cell of Auto-DeepLab."""
  operations = ('atrous_5x5', 'separable_3x3_2',
                'separable_3x3_2', 'atrous_3x3',
                'separable_3x3_2', 'separable_3x3_2',
                'separable_5x5_2', 'separable_5x5_2',
                'separable_5x5_2', 'atrous_5x5')
  hiddenstate_indices = (1, 0, 1, 0, 3, 1, 4, 2, 3, 5)
