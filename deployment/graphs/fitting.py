"""Pictures of any size for models of one size, and their labels back."""
import numpy as np
from PIL import Image

_INT8_ZERO = 128


def fit(image, size, mean_pixel):
  """Returns a [h, w, 3] uint8 image padded to a (height, width), and its own size in that.

  What is left below and right gets the mean pixel, an RGB colour. A larger image is scaled to fit
  first, its shape kept.
  """
  if image.shape[:2] == tuple(size):
    return image, tuple(size)
  scale = min(1., size[0] / float(image.shape[0]), size[1] / float(image.shape[1]))
  height, width = [min(limit, max(1, int(round(side * scale))))
                   for side, limit in zip(image.shape, size)]
  fitted = np.empty(tuple(size) + (3,), np.uint8)
  fitted[:] = np.rint(mean_pixel)
  if scale < 1:
    image = np.asarray(Image.fromarray(image).resize((width, height), Image.BILINEAR))
  fitted[:height, :width] = image
  return fitted, (height, width)


def unfit(labels, scaled_size, size):
  """Returns the [h, w] labels of a fitted image at its own (height, width), by nearest pixel.

  The image took the part `scaled_size` of them, as `fit` returned it. There may be a last axis.
  """
  labels = labels[:scaled_size[0], :scaled_size[1]]
  if labels.shape[:2] == tuple(size):
    return labels
  rows, columns = [_nearest(old, new) for old, new in zip(scaled_size, size)]
  return labels[rows[:, np.newaxis], columns]


def as_input(images, dtype, pixel_range):
  """Returns uint8 images as a model takes them.

  `dtype` is the name 'uint8', 'int8' (pixels less 128), or 'float32'; there `pixel_range` are the
  values of pixels of 0 and 255.
  """
  if dtype == 'int8':
    return (images.astype(np.int16) - _INT8_ZERO).astype(np.int8)
  if dtype == 'uint8':
    return images
  low, high = pixel_range
  return images.astype(np.float32) * np.float32((high - low) / 255.) + np.float32(low)


def as_labels(values, size):
  """Returns the int32 [height, width] labels in what a model gives for an image of that size.

  Values are labels, [h, w] or [h, w, 1] of any dtype, or scores, [h, w, classes], whose largest
  one is the label. Those of another size become the nearest ones: each covers a block where the
  image has a multiple of their size, else corners are aligned, as those of features are.
  """
  if values.ndim == 3:
    values = values.argmax(2) if values.shape[2] > 1 else values[..., 0]
  labels = (np.rint(values) if values.dtype.kind == 'f' else values).astype(np.int32)
  if labels.shape == tuple(size):
    return labels
  rows, columns = [
      _nearest(old, new) if new % old == 0
      else np.floor(np.linspace(0.5, old - 0.5, new)).astype(np.int64)
      for old, new in zip(labels.shape, size)]
  return labels[rows[:, np.newaxis], columns]


def _nearest(old, new):
  """Returns which of `old` positions each of `new` ones lies on, with edges aligned."""
  return (2 * np.arange(new) + 1) * old // (2 * new)
