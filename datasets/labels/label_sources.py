"""Label maps that are not simply a PNG of class ids.

A label source is a NamedTuple with two methods. `read(height, width)` returns the class ids,
[height, width] integers, of an upright image of that size, or a `Drawing` that has them; the
builder checks their range and that the sizes agree. `paths()` returns the files it reads, the one
to blame first. Sources travel to worker processes and tell by their fields and files whether a
shard is up to date.
"""
import typing

import numpy as np

from deeplab.datasets.labels import label_files, pairs

_SHOWN_COLORS = 5


class Drawing(typing.NamedTuple):
  """Class ids that annotations were drawn into.

  Attributes:
    labels: [height, width] class ids.
    num_drawn: number of annotations in them.
    left_out: list of (name, reason) of annotations, or parts of such, that are not.
  """
  labels: typing.Any
  num_drawn: int
  left_out: typing.Sequence[typing.Tuple[str, str]] = ()


class Unannotated(typing.NamedTuple):
  """The label of a picture in which nothing is annotated.

  Attributes:
    image_path: the picture.
    class_id: value of all its pixels.
  """
  image_path: str
  class_id: int

  def paths(self):
    """Returns the one file."""
    return [self.image_path]

  def read(self, height, width):
    """Returns the [height, width] uint8 class ids."""
    return np.full((height, width), self.class_id, np.uint8)


class ColorPicture(typing.NamedTuple):
  """A picture in which each class has a colour.

  Attributes:
    path: file of a lossless format.
    colors: tuple of (r, g, b).
    ids: tuple of the class id of each colour.
  """
  path: str
  colors: typing.Tuple[typing.Tuple[int, int, int], ...]
  ids: typing.Tuple[int, ...]

  def paths(self):
    """Returns the one file."""
    return [self.path]

  def read(self, height, width):
    """Returns the [height, width] class ids of the colours; sizes as in the file.

    Raises:
      ValueError: the file cannot be decoded, or has a colour that is not in the table.
    """
    del height, width
    codes = _color_codes(label_files.colors(self.path))
    known = _color_codes(np.array(self.colors, np.uint8))
    order = np.argsort(known)
    places = np.minimum(np.searchsorted(known[order], codes), len(known) - 1)
    is_known = known[order][places] == codes
    if not is_known.all():
      raise ValueError(self._unknown_colors_message(codes[~is_known]))
    return np.array(self.ids, np.uint8)[order][places]

  def _unknown_colors_message(self, codes):
    values, counts = np.unique(codes, return_counts=True)
    largest = np.argsort(-counts, kind='stable')[:_SHOWN_COLORS]
    shown = ', '.join('%d,%d,%d (%d pixels)' % (
        values[i] >> 16, values[i] >> 8 & 255, values[i] & 255, counts[i]) for i in largest)
    more = ' and %d more' % (len(values) - _SHOWN_COLORS) if len(values) > _SHOWN_COLORS else ''
    return ('%s: the colours %s%s are not in the table of %d colours. Add them (a row called '
            'ignore makes pixels not count), or correct the picture.'
            % (self.path, shown, more, len(self.colors)))


class MatFile(typing.NamedTuple):
  """A MATLAB file of the Semantic Boundaries Dataset, with a struct `GTcls`.

  Reference: Hariharan et al., "Semantic Contours from Inverse Detectors", ICCV 2011.
  """
  path: str

  def paths(self):
    """Returns the one file."""
    return [self.path]

  def read(self, height, width):
    """Returns the class ids of `GTcls.Segmentation`.

    Raises:
      ValueError: the file cannot be read, holds something else, or SciPy is not installed.
    """
    del height, width
    try:
      from scipy import io
    except ImportError as error:
      raise ValueError('%s needs SciPy to be read: pip install "deeplab[sbd]".'
                       % self.path) from error
    try:
      return np.asarray(io.loadmat(self.path)['GTcls'][0, 0]['Segmentation'])
    except OSError as error:
      raise ValueError('%s cannot be read: %s.' % (self.path, error)) from error
    except Exception as error:
      # SciPy raises whatever the damaged bytes lead to.
      raise ValueError('%s is not a file of the Semantic Boundaries Dataset with '
                       'GTcls.Segmentation: %s.' % (self.path, error)) from error


class Painted(typing.NamedTuple):
  """A PNG of ids, mapped to class ids, over which classes of another PNG are painted.

  Attributes:
    path: PNG of ids.
    label_map: tuple of (id in the file, class id), or None where they are the same.
    parts_path: PNG of class ids of the same size.
    classes: class ids taken from parts_path, in the order of painting.
  """
  path: str
  label_map: typing.Optional[typing.Tuple[typing.Tuple[int, int], ...]]
  parts_path: str
  classes: typing.Tuple[int, ...]

  def paths(self):
    """Returns both files."""
    return [self.path, self.parts_path]

  def read(self, height, width):
    """Returns the [height, width] class ids.

    Raises:
      ValueError: a file cannot be used, a value has no mapping, or sizes differ.
    """
    del height, width
    labels = mapped(pairs.read_ids(self.path), self.label_map, self.path)
    parts = read_parts(self.parts_path, labels.shape)
    for class_id in self.classes:
      labels[parts == class_id] = class_id
    return labels


def mapped(values, label_map, path):
  """Returns values with a label map applied, uint8.

  Args:
    values: [height, width] integers.
    label_map: tuple of (value, class id), or None.
    path: file of the values, for the message.

  Raises:
    ValueError: a value is not in the map.
  """
  if label_map is None:
    return np.array(values)
  table = np.full(max(int(values.max()), max(value for value, _ in label_map)) + 1, -1)
  table[[value for value, _ in label_map]] = [class_id for _, class_id in label_map]
  labels = table[values]
  if labels.min() < 0:
    raise ValueError('%s: label values %s are not among the %d expected.' % (
        path, ', '.join(map(str, np.unique(values[labels < 0])[:_SHOWN_COLORS])),
        len(label_map)))
  return labels.astype(np.uint8)


def read_parts(path, size):
  """Returns the values of a PNG of body parts of a known (height, width).

  Raises:
    ValueError: the file cannot be used or has another size.
  """
  parts = pairs.read_ids(path)
  if parts.shape != tuple(size):
    raise ValueError('%s is %dx%d (height x width), expected %dx%d as its image.'
                     % ((path,) + parts.shape + tuple(size)))
  return parts


def _color_codes(colors):
  """Returns r * 65536 + g * 256 + b of [..., 3] uint8 colours."""
  red, green, blue = np.moveaxis(colors.astype(np.int32), -1, 0)
  return red << 16 | green << 8 | blue
