"""Label maps that are not simply a PNG of class ids.

A label source is a NamedTuple with a field `path`, the file to blame, perhaps a field `parts_path`
of another file that it reads, and a method `read(height, width)`. This returns the class ids,
[height, width] integers, of an upright image of that size, or a `Drawing` that has them; the
builder checks their range and that the sizes agree. Sources travel to worker processes and tell
by their fields and files whether a shard is up to date.
"""
import collections
import io
import typing

import numpy as np

from deeplab.core.storage import errors
from deeplab.datasets.labels import raw_files

_SHOWN_COLORS = 5
_SHOWN_NAMES = 5
_SHOWN_REASONS, _SHOWN_OF_A_REASON = 6, 3


class Drawing(typing.NamedTuple):
  """Class ids that annotations were drawn into."""
  labels: typing.Any  # [height, width] class ids.
  num_drawn: int  # Number of annotations in them.
  # List of (name, reason) of annotations, or parts of such, that are not.
  left_out: typing.Sequence[typing.Tuple[str, str]] = ()


class Unusable(ValueError):
  """An annotation cannot be drawn; the message continues '1 with'."""


def by_reason(left_out):
  """Returns lines `2 with REASON: NAME, NAME` of (name, reason), the most frequent first."""
  names = collections.OrderedDict()
  for name, reason in left_out:
    names.setdefault(reason, []).append(name)
  lines = ['%d with %s: %s%s' % (len(found), reason, ', '.join(found[:_SHOWN_OF_A_REASON]),
                                 ', ...' if len(found) > _SHOWN_OF_A_REASON else '')
           for reason, found in sorted(names.items(), key=lambda item: -len(item[1]))]
  more = len(lines) - _SHOWN_REASONS
  return lines[:_SHOWN_REASONS] + ['and %d more reasons' % more] * (more > 0)


def shown(names):
  """Returns names as text, the first ones and the number of all if they are many."""
  return ', '.join(names[:_SHOWN_NAMES]) + (
      ', ... (%d in all)' % len(names) if len(names) > _SHOWN_NAMES else '')


class Unannotated(typing.NamedTuple):
  """The label of a picture, `path`, in which nothing is annotated: all of it is `class_id`."""
  path: str
  class_id: int

  def read(self, height, width):
    """Returns the Drawing of [height, width] uint8 class ids."""
    return Drawing(np.full((height, width), self.class_id, np.uint8), 0)


class ColorPicture(typing.NamedTuple):
  """A picture in which each class has a colour."""
  path: str  # File of a lossless format.
  colors: typing.Tuple[typing.Tuple[int, int, int], ...]  # Tuple of (r, g, b).
  ids: typing.Tuple[int, ...]  # Tuple of the class id of each colour.

  def read(self, unused_height, unused_width):
    """Returns the [height, width] class ids of the colours; sizes as in the file.

    Raises ValueError if the file cannot be decoded, or has a colour that is not in the table.
    """
    codes = raw_files.codes_of(raw_files.colors(self.path))
    known = raw_files.codes_of(np.array(self.colors, np.uint8))
    order = np.argsort(known)
    places = np.minimum(np.searchsorted(known[order], codes), len(known) - 1)
    is_known = known[order][places] == codes
    if not is_known.all():
      raise ValueError(self._unknown_colors_message(codes[~is_known]))
    return np.array(self.ids, np.uint8)[order][places]

  def _unknown_colors_message(self, codes):
    values, counts = np.unique(codes, return_counts=True)
    largest = np.argsort(-counts, kind='stable')
    names = ['%d,%d,%d' % (code >> 16, code >> 8 & 255, code & 255) for code in values[largest]]
    return ('%s: the colours %s are not in the table of %d colours. Add them (a row called '
            'ignore makes pixels not count), or correct the picture.'
            % (self.path, raw_files.pixels_text(names, counts[largest], _SHOWN_COLORS),
               len(self.colors)))


class MatFile(typing.NamedTuple):
  """A MATLAB file of the Semantic Boundaries Dataset, with a struct `GTcls`.

  Reference: Hariharan et al., "Semantic Contours from Inverse Detectors", ICCV 2011.
  """
  path: str

  def read(self, unused_height, unused_width):
    """Returns the class ids of `GTcls.Segmentation`.

    Raises ValueError if the file cannot be read, holds something else, or SciPy is not installed.
    """
    try:
      import scipy.io
    except ImportError as error:
      raise ValueError('%s needs SciPy to be read: pip install "deeplab[sbd]".'
                       % self.path) from error
    data = raw_files.read_bytes(self.path)
    # SciPy raises whatever the damaged bytes lead to.
    with errors.told('%s is not a file of the Semantic Boundaries Dataset with '
                     'GTcls.Segmentation' % self.path, Exception):
      return np.asarray(scipy.io.loadmat(io.BytesIO(data))['GTcls'][0, 0]['Segmentation'])
