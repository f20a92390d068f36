"""Public names of the colour maps; the colours themselves are in `core/colormaps.py`."""
import numpy as np

from deeplab.core import colormaps, usage

_ADE20K = 'ade20k'
_CITYSCAPES = 'cityscapes'
_MAPILLARY_VISTAS = 'mapillary_vistas'
_PASCAL = 'pascal'
_FORMA = 'forma'


def create_ade20k_label_colormap():
  """Returns the ADE20K colours, [151, 3] int64; id 0 is the unlabelled class."""
  return colormaps.colormap(_ADE20K).astype(np.int64)


def create_cityscapes_label_colormap():
  """Returns the colours of the 19 Cityscapes train ids, [256, 3] uint8; the rest is black."""
  colors = np.zeros((256, 3), np.uint8)
  known = colormaps.colormap(_CITYSCAPES)
  colors[:len(known)] = known
  return colors


def create_mapillary_vistas_label_colormap():
  """Returns the Mapillary Vistas colours, [66, 3] int64."""
  return colormaps.colormap(_MAPILLARY_VISTAS).astype(np.int64)


def create_pascal_label_colormap():
  """Returns the PASCAL VOC colours, [256, 3] int64."""
  return colormaps.colormap(_PASCAL).astype(np.int64)


def create_forma_label_colormap():
  """Returns the colours of the nine Forma classes, [9, 3] int64."""
  return colormaps.colormap(_FORMA).astype(np.int64)


def get_ade20k_name():
  """Returns the name of the ADE20K colour map."""
  return _ADE20K


def get_cityscapes_name():
  """Returns the name of the Cityscapes colour map."""
  return _CITYSCAPES


def get_mapillary_vistas_name():
  """Returns the name of the Mapillary Vistas colour map."""
  return _MAPILLARY_VISTAS


def get_pascal_name():
  """Returns the name of the PASCAL VOC colour map."""
  return _PASCAL


def get_forma_name():
  """Returns the name of the Forma colour map."""
  return _FORMA


def bit_get(val, idx):
  """Returns bit `idx` (0 is the lowest) of `val`, an int or an integer array."""
  return (val >> idx) & 1


_CREATORS = {
    _ADE20K: create_ade20k_label_colormap,
    _CITYSCAPES: create_cityscapes_label_colormap,
    _MAPILLARY_VISTAS: create_mapillary_vistas_label_colormap,
    _PASCAL: create_pascal_label_colormap,
    _FORMA: create_forma_label_colormap,
}
_DATASET_MAX_ENTRIES = {
    _ADE20K: 151,
    _CITYSCAPES: 256,
    _MAPILLARY_VISTAS: 66,
    _PASCAL: 256,
    _FORMA: 9,
}


def create_label_colormap(dataset=_PASCAL):
  """Returns the colour map called `dataset`, [n, 3] integers in 0..255.

  Raises:
    ValueError: unknown name.
  """
  return usage.lookup(_CREATORS, dataset, what='colour map')()


def get_dataset_colormap_max_entries(dataset):
  """Returns how many ids the colour map called `dataset` can paint.

  Raises:
    ValueError: unknown name.
  """
  return usage.lookup(_DATASET_MAX_ENTRIES, dataset, what='colour map')


def label_to_color_image(label, dataset=_PASCAL):
  """Returns the picture of a label map, [height, width, 3] integers in 0..255.

  Args:
    label: [height, width] integer array of class ids.
    dataset: name of a colour map, or an [n, 3] table of RGB values.

  Raises:
    ValueError: label is not 2-D or not of integers, the name is unknown, or an id has no row
      in the colour map.
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
