"""Public names of the colour maps; the colours themselves are in `core/colormaps.py`."""
import functools

import numpy as np

from deeplab.core import colormaps, usage

# Of these and no more ids there are colours.
_MAX_ENTRIES = {'ade20k': 151, 'cityscapes': 256, 'mapillary_vistas': 66, 'pascal': 512, 'forma': 9}


def create_label_colormap(dataset='pascal'):
  """Returns the colour map called `dataset`, [n, 3] integers in 0..255.

  They are int64; of Cityscapes uint8: the colours of the 19 train ids, the rest is black. Id 0 of
  ADE20K is the unlabelled class. Raises ValueError for an unknown name.
  """
  colors = np.zeros((get_dataset_colormap_max_entries(dataset), 3),
                    np.uint8 if dataset == 'cityscapes' else np.int64)
  known = colormaps.colormap(dataset)
  colors[:len(known)] = known
  return colors


def _functions_of(name):
  """Returns the functions that return the name of a colour map, and the map."""
  return (lambda: name), functools.partial(create_label_colormap, name)


get_ade20k_name, create_ade20k_label_colormap = _functions_of('ade20k')
get_cityscapes_name, create_cityscapes_label_colormap = _functions_of('cityscapes')
get_mapillary_vistas_name, create_mapillary_vistas_label_colormap = _functions_of(
    'mapillary_vistas')
get_pascal_name, create_pascal_label_colormap = _functions_of('pascal')
get_forma_name, create_forma_label_colormap = _functions_of('forma')


def bit_get(val, idx):
  """Returns bit `idx` (0 is the lowest) of `val`, an int or an integer array."""
  return (val >> idx) & 1


def get_dataset_colormap_max_entries(dataset):
  """Returns how many ids the colour map of a name can paint; raises ValueError if it is unknown."""
  return usage.lookup(_MAX_ENTRIES, dataset, what='colour map')


def label_to_color_image(label, dataset='pascal'):
  """Returns the picture, [height, width, 3] integers in 0..255, of [height, width] integer ids.

  The dataset is the name of a colour map, or an [n, 3] table of RGB values. Raises ValueError if
  label is not 2-D or not of integers, the name is unknown, or an id has no row in the colour map.
  """
  label = np.asarray(label)
  if label.ndim != 2:
    raise ValueError('Expect a 2-D input label, got shape %s.' % (label.shape,))
  if not np.issubdtype(label.dtype, np.integer):
    raise ValueError('Expect a label of integers, got %s.' % label.dtype)
  if isinstance(dataset, str):
    colors, what = create_label_colormap(dataset), 'colour map %r' % dataset
  else:
    colors, what = colormaps.colormap(dataset), 'the given colour map'
  if label.size and (label.min() < 0 or label.max() >= len(colors)):
    raise ValueError('Label ids range from %d to %d, but %s has the entries 0..%d only.'
                     % (label.min(), label.max(), what, len(colors) - 1))
  return colors[label]
