"""What a benchmark is asked for: a record of rows, of which flags are made."""
from deeplab.core import settings
from deeplab.core.settings import LIST, Setting


@settings.record
class Settings(object):
  """What a benchmark is asked for."""
  repeats = Setting(
      3, 'Measurements of each figure; the median counts.', at_least=1, group='measurements')
  variants = Setting(None, 'Backbones to measure. Default: those with targets.', LIST)
  peers = Setting(
      False, 'Also measures the same network in PyTorch, where the Python that the environment '
      'variable TORCH_PYTHON names, or this one, has torch and transformers.')
