"""Writes label maps as PNG files."""
import os
import zlib

import numpy as np
from PIL import Image

from deeplab.core.storage import files
from deeplab.utils import get_dataset_colormap

# The lowest level with zlib's strategy of runs: files as small as with the default, photographs
# and overlays in a fourth to half of the time, label maps in half of it (measured).
PNG_OPTIONS = {'format': 'PNG', 'compress_level': 1, 'compress_type': zlib.Z_RLE}

_DEFAULT_COLORMAP = get_dataset_colormap.get_pascal_name()


def save_annotation(label, save_dir, filename, add_colormap=True,
                    normalize_to_unit_values=False, scale_values=False,
                    colormap_type=_DEFAULT_COLORMAP):
  """Writes `<save_dir>/<filename>.png`, whole or not at all.

  Args:
    label: [height, width] array of class ids; without a colour map also [height, width, 3].
    save_dir: existing folder.
    filename: file name without extension; may contain sub-folders that exist.
    add_colormap: whether to paint the ids (RGB file); else the values are stored as 8 bit.
    normalize_to_unit_values: whether to stretch the values to 0..1; without colour map only.
    scale_values: whether to multiply the values by 255; without colour map only.
    colormap_type: name of a colour map, or an [n, 3] table of RGB values.

  Raises ValueError for an unknown colour map, ids without a colour, or values outside 0..255.
  """
  if add_colormap:
    pixels = get_dataset_colormap.label_to_color_image(label, colormap_type)
  else:
    pixels = np.asarray(label)
    if normalize_to_unit_values and pixels.max() > pixels.min():
      lowest, highest = float(pixels.min()), float(pixels.max())
      pixels = (pixels - lowest) / (highest - lowest)
    if scale_values:
      pixels = 255.0 * pixels
  if pixels.size and (pixels.min() < 0 or pixels.max() > 255):
    raise ValueError('%s: an 8-bit PNG holds values in 0..255, got %s to %s.'
                     % (filename, pixels.min(), pixels.max()))
  path = os.path.join(save_dir, '%s.png' % filename)
  with files.atomic_open(path) as f:
    Image.fromarray(pixels.astype(np.uint8)).save(f, **PNG_OPTIONS)
