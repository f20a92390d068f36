"""The searched cells: which operations apply to which states."""
from deeplab.core import nas_cell

# The outputs of a cell are all states but its two inputs.
_USED_HIDDENSTATES = [1, 1, 0, 0, 0, 0, 0]


class PNASCell(nas_cell.NASBaseCell):
  """The cell of PNASNet-5.

  Reference: Liu et al., "Progressive Neural Architecture Search", ECCV 2018, figure 1.
  """

  def __init__(self, num_conv_filters, drop_path_keep_prob, total_num_cells,
               total_training_steps):
    """Keeps the genotype; arguments as of `NASBaseCell`."""
    super(PNASCell, self).__init__(
        num_conv_filters,
        operations=['separable_5x5_2', 'max_pool_3x3',
                    'separable_7x7_2', 'max_pool_3x3',
                    'separable_5x5_2', 'separable_3x3_2',
                    'separable_3x3_2', 'max_pool_3x3',
                    'separable_3x3_2', 'none'],
        used_hiddenstates=_USED_HIDDENSTATES,
        hiddenstate_indices=[1, 1, 0, 0, 0, 0, 4, 0, 1, 0],
        drop_path_keep_prob=drop_path_keep_prob,
        total_num_cells=total_num_cells,
        total_training_steps=total_training_steps)


class HNASCell(nas_cell.NASBaseCell):
  """The cell of Auto-DeepLab.

  Reference: Liu et al., "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic
    Image Segmentation", CVPR 2019, figure 3.
  """

  def __init__(self, num_conv_filters, drop_path_keep_prob, total_num_cells,
               total_training_steps):
    """Keeps the genotype; arguments as of `NASBaseCell`."""
    super(HNASCell, self).__init__(
        num_conv_filters,
        operations=['atrous_5x5', 'separable_3x3_2',
                    'separable_3x3_2', 'atrous_3x3',
                    'separable_3x3_2', 'separable_3x3_2',
                    'separable_5x5_2', 'separable_5x5_2',
                    'separable_5x5_2', 'atrous_5x5'],
        used_hiddenstates=_USED_HIDDENSTATES,
        hiddenstate_indices=[1, 0, 1, 0, 3, 1, 4, 2, 3, 5],
        drop_path_keep_prob=drop_path_keep_prob,
        total_num_cells=total_num_cells,
        total_training_steps=total_training_steps)
