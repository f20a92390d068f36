"""Classes painted over images, errors in red, and which class is background."""
import re

import numpy as np

# Of pixels that were predicted wrongly, and of those that do not count.
WRONG_COLOR = (230, 0, 60)
IGNORED_COLOR = (255, 255, 255)
# What errors are drawn on: the image in grey, paler than it is.
GREY_SHARE, GREY_OFFSET = 0.6, 60

_BACKGROUND = 'background'
_BACKGROUND_NAMES = frozenset([
    'bg', 'bgd', 'bkg', 'ignore', 'nodata', 'none', 'nothing', 'unlabeled', 'unlabelled', 'void'])
_BLENDED_ROWS = 256


def background_ids(class_names, colors, ignore_label=None):
  """Returns the ids of the classes that are no object, which overlays leave clear.

  Where names are known these are the classes called background, unlabelled and the like. Where
  they are not, it is class 0 if its colour is black: road, the first class of Cityscapes, has a
  colour. A class whose id is the ignore label is one of them.

  Args:
    class_names: one name per class, or None.
    colors: [n, 3] table of RGB values.
    ignore_label: label that is no class, or None.

  Returns:
    Tuple of ints.
  """
  if class_names:
    ids = {i for i, name in enumerate(class_names) if _is_background(name)}
  else:
    ids = set() if np.any(colors[0]) else {0}
  if ignore_label is not None and ignore_label < len(class_names or colors):
    ids.add(ignore_label)
  return tuple(sorted(ids))


def _is_background(name):
  words = re.findall(r'[^\W_]+', name.lower())
  return _BACKGROUND in words or ''.join(words) in _BACKGROUND_NAMES


def blend(image, labels, colors, opacity=0.5, clear_ids=()):
  """Returns the image with the colours of its classes over it, [height, width, 3] uint8.

  Args:
    image: [height, width, 3] uint8 array.
    labels: [height, width] integer array of class ids.
    colors: [n, 3] table of RGB values with a row per id.
    opacity: share of the colours, 0..1.
    clear_ids: ids over which the image stays as it is; they need no row.
  """
  num_ids = max([len(colors)] + [i + 1 for i in clear_ids])
  painted = np.zeros((num_ids, 3), np.float32)
  painted[:len(colors)] = opacity * np.asarray(colors, np.float32)
  is_clear = np.isin(np.arange(num_ids), clear_ids)
  blended = np.empty(image.shape, np.uint8)
  # Some rows at once: floats take four times the memory of the image.
  for start in range(0, len(image), _BLENDED_ROWS):
    rows = slice(start, start + _BLENDED_ROWS)
    mixed = painted.take(labels[rows], axis=0)
    mixed += np.float32(1 - opacity) * image[rows].astype(np.float32)
    blended[rows] = np.rint(mixed, out=mixed)
    np.copyto(blended[rows], image[rows], where=is_clear.take(labels[rows])[..., np.newaxis])
  return blended


def errors(image, label, prediction, ignore_label=None):
  """Returns the image in pale grey, wrong pixels red and ignored ones white.

  Args:
    image: [height, width, 3] uint8 array.
    label: [height, width] integer array of class ids.
    prediction: [height, width] integer array of class ids.
    ignore_label: id in `label` that is no class, or None.

  Returns:
    [height, width, 3] uint8 array.
  """
  is_ignored = label == ignore_label
  grey = image.mean(axis=2, keepdims=True) * GREY_SHARE + GREY_OFFSET
  drawn = np.repeat(grey.astype(np.uint8), 3, axis=2)
  drawn[(label != prediction) & ~is_ignored] = WRONG_COLOR
  drawn[is_ignored] = IGNORED_COLOR
  return drawn
