"""Pictures for people: an image beside what is labelled and predicted on it."""
import numpy as np

from deeplab.core.images import painting


def side_by_side(image, labels, colors, class_names, truth=None, ignore_label=None,
                 clear_ids=None):
  """Returns one picture of image, label and prediction laid over it, errors, and a legend.

  Label and errors are there where the right classes are known. The legend has the classes that
  label or prediction have.

  Args:
    image: [height, width, 3] uint8 array.
    labels: [height, width] integer array of predicted class ids.
    colors: [n, 3] table of RGB values with a row per class.
    class_names: one name per class, or None.
    truth: [height, width] integer array of the classes that are right, or None.
    ignore_label: id in `truth` that is left as it is in the image.
    clear_ids: ids of classes that are not painted; None: those of `painting.background_ids`.

  Returns:
    PIL.Image of RGB.
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
