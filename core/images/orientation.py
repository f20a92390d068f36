"""How pictures lie: the EXIF orientation of files, and turning arrays by it.

Reference: CIPA DC-008 (Exif 2.32), tag 274.
"""
import numpy as np
from PIL import ImageOps

_EXIF_TAG = 0x0112
UPRIGHT = 1
# Of these, height and width of the file are width and height of the upright picture.
_QUARTER_TURNS = (5, 6, 7, 8)
_TURN = {
    UPRIGHT: lambda values: values,
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: np.rot90(values, -1),
    7: lambda values: np.rot90(values.swapaxes(0, 1), 2),
    8: np.rot90,
}


def stated(image):
  """Returns the orientation that a Pillow image states, 1..8; 1: it is upright or says nothing.

  To be asked before it is loaded; a PNG file is loaded by it.
  """
  number = image.getexif().get(_EXIF_TAG, UPRIGHT)
  return number if number in _TURN else UPRIGHT


def after_loading(image):
  """Returns how the pixels of a Pillow image lie once it is loaded, 1..8."""
  # TIFF files are turned by Pillow, some versions of which go on saying that they are not.
  return UPRIGHT if image.format == 'TIFF' else stated(image)


def upright_image(image):
  """Returns a Pillow image that is loaded and turned upright."""
  image.load()
  return image if after_loading(image) == UPRIGHT else ImageOps.exif_transpose(image)


def swaps_sides(orientation):
  """Whether height and width change when a picture is turned upright."""
  return orientation in _QUARTER_TURNS


def upright(values, orientation):
  """Returns a stored [height, width, ...] array turned upright."""
  return np.ascontiguousarray(_TURN[orientation](values))
