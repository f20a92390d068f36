"""Inventories of the variables of published kinds of models, and their flags, for tests."""
import gzip
import json
import os

from deeplab.tools.checkpoints import architecture_guess

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_RECORDED = os.path.join(_ROOT, 'core', 'testdata', 'variables.json.gz')
INVENTORIES = os.path.join(_ROOT, '..', 'shared', 'contract', 'variables')
_ASPP = '--atrous_rates=6 --atrous_rates=12 --atrous_rates=18 --decoder_output_stride=4'

# Inventory -> its flags, without the variant. CELL stands for the file of the published cell.
FLAGS = {
    'mobilenet_v2': '--output_stride=16',
    'mobilenet_v2_dec4': '--output_stride=16 --decoder_output_stride=4',
    'mobilenet_v2_dm05': '--output_stride=16 --depth_multiplier=0.5',
    'mobilenet_v2_quant8': '--output_stride=16 --quantize_delay_step=0',
    'nas_hnasnet': '--output_stride=8 --atrous_rates=12 --atrous_rates=24 --atrous_rates=36 '
                   '--decoder_output_stride=4',
    'nas_pnasnet': '--output_stride=16 ' + _ASPP,
    'resnet_v1_101': '--output_stride=16 ' + _ASPP,
    'resnet_v1_101_beta': '--output_stride=16 ' + _ASPP,
    'resnet_v1_50': '--output_stride=16 ' + _ASPP,
    'resnet_v1_50_beta': '--output_stride=16 ' + _ASPP,
    'xception_41': '--output_stride=16 ' + _ASPP,
    'xception_65': '--output_stride=16 ' + _ASPP,
    'xception_65_dec_4_4': '--output_stride=16 ' + _ASPP + ',4',
    'xception_71': '--output_stride=16 ' + _ASPP,
    'xception_71_dpc': '--output_stride=16 --decoder_output_stride=4 '
                       '--dense_prediction_cell_json=CELL',
}
_VARIANTS = ('mobilenet_v2', 'nas_hnasnet', 'nas_pnasnet', 'resnet_v1_101_beta',
             'resnet_v1_101', 'resnet_v1_50_beta', 'resnet_v1_50', 'xception_41',
             'xception_65', 'xception_71')


def shapes(name):
  """Returns the dict variable name -> shape of an inventory, or None where it is not there."""
  path = os.path.join(INVENTORIES, name + '.json')
  if os.path.exists(path):
    with open(path) as stream:
      return dict(json.load(stream))
  with gzip.open(_RECORDED, 'rt') as stream:
    inventories = json.load(stream)
  return dict(inventories[name]) if name in inventories else None


def num_classes(name):
  """Returns the number of classes of an inventory."""
  return 19 if name.startswith('xception_71') else 21


def flags(name, folder=None):
  """Returns the flags of an inventory as one line, as `inspect_checkpoint` gives them.

  Args:
    name: key of `FLAGS`.
    folder: folder that the path of the cell is given from; None: the working one.
  """
  variant = next(variant for variant in _VARIANTS if name.startswith(variant))
  cell = os.path.relpath(architecture_guess.PUBLISHED_CELL, folder or os.curdir)
  if cell.startswith(os.pardir):
    cell = architecture_guess.PUBLISHED_CELL
  return '--model_variant=%s %s' % (variant, FLAGS[name].replace('CELL', cell))
