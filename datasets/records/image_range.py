"""The range of values of a dataset's images of more than 8 bits: given, kept, or measured."""
import contextlib

import numpy as np
from absl import logging

from deeplab.core import keys
from deeplab.core.images import limits, wide_pictures
from deeplab.core.jobs import parallel

AUTO = 'auto'
# What is beyond them does not count, such as single hot pixels. Isensee et al., "nnU-Net", Nature
# Methods 2021, clip CT images so.
PERCENTILES = (0.5, 99.5)
# Other formats have no more than 8 bits.
_SUFFIXES = ('.png', '.tif', '.tiff')
# Splits that nothing may be learnt from.
_HELD_OUT = ('val', keys.TEST_SET)
_MOST_SAMPLES = 4000000
_PER_PIECE = 50


def resolve(splits, wanted, kept, num_processes=None):
  """Returns the [low, high] that images of more than 8 bits are scaled by, or None without such.

  Args:
    splits: dict, split name -> list of Example.
    wanted: (low, high); AUTO for PERCENTILES of the images of all splits but val and test; None:
      `kept`, else 0 and 65535 where the values fill that.
    kept: [low, high] of other splits of the dataset, or None.

  Raises:
    ValueError: the range is needed, or has no effect, or is not that of other splits.
  """
  wide = {split: [item.image_path for item in examples if _is_wide(item.image_path)]
          for split, examples in splits.items()}
  num_wide = sum(map(len, wide.values()))
  if wanted not in (None, AUTO) and kept is not None and list(wanted) != list(kept):
    raise ValueError('The other splits have image_range=%s, now %s was given. Use the same, or '
                     'another folder.' % (_text(kept), _text(wanted)))
  if kept is not None:
    chosen = kept
  elif not num_wide:
    if wanted is not None:
      raise ValueError('--image_range has no effect: it is for images of more than 8 bits, and '
                       'none of these is one.')
    return None
  elif wanted in (None, AUTO):
    chosen = _measured(wide, wanted, num_processes)
  else:
    chosen = list(wanted)
  if num_wide:
    logging.info('%d images have more than 8 bits: %.6g becomes black, %.6g white.', num_wide,
                 *chosen)
  return chosen


def _measured(wide, wanted, num_processes):
  """Returns the range by the values of images; ValueError where they do not tell."""
  paths = sum((paths for split, paths in sorted(wide.items())
               if wanted is None or split not in _HELD_OUT), [])
  if not paths:
    raise ValueError('--image_range=auto measures the images of a split for training, and there '
                     'are none of more than 8 bits. Build that split first, or give two numbers.')
  lowest, highest, samples = _values_of(paths, num_processes)
  is_integer = samples.dtype.kind in 'iu'
  if wanted is None:
    if not wide_pictures.is_full(is_integer, lowest, highest):
      raise ValueError('%s, or as they are with 0,65535, or let it be measured with auto.' % (
          wide_pictures.unfilled_message(
              '%d images have more than 8 bits per channel, with values' % len(paths), lowest,
              highest)))
    return list(wide_pictures.FULL_RANGE)
  low, high = np.percentile(samples, PERCENTILES).tolist()
  if is_integer:
    low, high = int(np.floor(low)), int(np.ceil(high))
  if low >= high:
    raise ValueError('--image_range=auto: the images of more than 8 bits have the values '
                     '%.6g..%.6g, but nearly all are %.6g. Give two numbers.'
                     % (lowest, highest, low))
  logging.info('Images of more than 8 bits have values %.6g..%.6g; percentiles %s are %.6g and '
               '%.6g.', lowest, highest, ' and '.join(map(str, PERCENTILES)), low, high)
  return [low, high]


def _values_of(paths, num_processes):
  """Returns (lowest, highest, samples of all) of image files that can be read, an array last."""
  per_image = max(1, _MOST_SAMPLES // len(paths))
  work = [(paths[i:i + _PER_PIECE], per_image) for i in range(0, len(paths), _PER_PIECE)]
  found = sum(parallel.run(_values_of_each, work, [len(piece) for piece, _ in work],
                           num_processes, 'Measuring values'), [])
  if not found:
    raise ValueError('None of the %d images of more than 8 bits can be read, the first: %s.'
                     % (len(paths), paths[0]))
  lowest, highest, samples = zip(*found)
  return min(lowest), max(highest), np.concatenate(samples)


def _values_of_each(piece, on_item):
  """Returns such values of each image of (paths, number of samples); for `parallel.run`."""
  paths, num_samples = piece
  found = []
  for path in paths:
    with contextlib.suppress(Exception):  # Whoever writes the records says what is wrong.
      with limits.open_image(path) as image:
        values = wide_pictures.read_colors(image, path).ravel()
      samples = values[::max(1, values.size // num_samples)]
      found.append((*wide_pictures.value_range(values), samples[np.isfinite(samples)]))
    on_item()
  return found


def _is_wide(path):
  with contextlib.suppress(Exception):  # As above.
    if path.lower().endswith(_SUFFIXES):
      with limits.open_image(path) as image:
        return wide_pictures.is_wide(image)
  return False


def _text(pair):
  return '%.6g,%.6g' % tuple(pair)
