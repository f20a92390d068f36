"""What classes are drawn as: over their picture, cut out of it, as ids; and their areas."""
import numpy as np
from PIL import Image

from deeplab.core import colormaps
from deeplab.core.images import painting

_OPAQUE = 255


def side_by_side(image, labels, colors, class_names, truth=None, ignore_label=None,
                 clear_ids=None):
  """Returns one RGB PIL.Image: image, label and prediction laid over it, errors, and a legend.

  Label and errors are there where the right classes are known. The legend has the classes that
  label or prediction have.

  Args:
    image: [height, width, 3] uint8 array.
    labels: [height, width] integer array of predicted class ids.
    colors, class_names: [n, 3] table of RGB values and list of names, one per class, or None.
    truth: [height, width] integer array of the classes that are right, or None.
    ignore_label: id in `truth` that is left as it is in the image.
    clear_ids: ids of classes that are not painted; None: those of `painting.background_ids`.
  """
  if clear_ids is None:
    clear_ids = painting.background_ids(class_names, colors, ignore_label)
  prediction = painting.blend(image, labels, colors, clear_ids=clear_ids)
  if truth is None:
    return painting.sheet(
        [image, prediction], ['image', 'prediction'],
        painting.class_entries(np.unique(labels), colors, class_names, clear_ids))
  ids = np.union1d(labels, truth)
  not_painted = tuple(clear_ids) if ignore_label is None else tuple(clear_ids) + (ignore_label,)
  entries = painting.class_entries(ids[ids != ignore_label], colors, class_names, clear_ids)
  if (truth == ignore_label).any():
    entries.append(painting.Entry('ignored', painting.IGNORED_COLOR))
  return painting.sheet(
      [image, painting.blend(image, truth, colors, clear_ids=not_painted), prediction,
       painting.errors(image, truth, labels, ignore_label)],
      ['image', 'label', 'prediction', 'errors in red'], entries)


def cutout(image, labels, ids):
  """Returns an RGBA PIL image that is transparent outside of the classes of some ids.

  The image is a [height, width, 3] uint8 array, labels are [height, width] integer class ids.
  """
  is_shown = np.isin(labels, ids)
  # Colours under full transparency are black, so that they are neither seen nor stored.
  pixels = np.zeros(labels.shape + (4,), np.uint8)
  pixels[is_shown, :3] = image[is_shown]
  pixels[..., 3] = _OPAQUE * is_shown
  return Image.fromarray(pixels)


def ids_picture(labels):
  """Returns class ids as a grey PIL image of 8 bit, or 16 where an id needs it."""
  return Image.fromarray(labels.astype(np.uint8 if labels.max() < 1 << 8 else np.uint16))


def palette_picture(labels):
  """Returns class ids as an 8-bit PIL image with the palette of PASCAL VOC."""
  picture = Image.fromarray(labels.astype(np.uint8), mode='P')
  picture.putpalette(np.asarray(colormaps.colormap('pascal', 256)).ravel().tolist())
  return picture


def areas_of(labels, class_names=None):
  """Returns a list of dicts with id, name, pixels and share per class, the largest first.

  Labels are an integer array of class ids; class names are one per class, or None.
  """
  counts = np.bincount(labels.ravel())
  ids = np.argsort(-counts, kind='stable')[:np.count_nonzero(counts)]
  return [{'id': int(i), 'name': class_names[i] if class_names and i < len(class_names)
           else 'class %d' % i, 'pixels': int(counts[i]),
           'share': round(float(counts[i]) / labels.size, 6)} for i in ids]


def class_ids(words, class_names, num_classes=None):
  """Returns the ids of classes given as a list of names or decimal ids.

  Class names are None where only ids are known, their number is None where it is not. Raises
  ValueError if there is no such class; lists those there are.
  """
  names = list(class_names or ())
  limit = len(names) or num_classes
  ids = set()
  for word in words:
    if word in names:
      ids.add(names.index(word))
    elif word.isdigit() and (limit is None or int(word) < limit):
      ids.add(int(word))
    else:
      raise ValueError('No class %r. %s' % (word, (
          'The classes: %s.' % ', '.join('%d %s' % pair for pair in enumerate(names))
          if names else 'Names are not known; give ids%s.' % (
              ' 0..%d' % (limit - 1) if limit else ''))))
  return sorted(ids)
