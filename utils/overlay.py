"""Pictures for people: classes laid over the image, with a legend."""
import numpy as np
from PIL import Image, ImageDraw

_BACKGROUND = (255, 255, 255)
_LEGEND_WIDTH_PX = 170
_ROW_HEIGHT_PX = 18
_SWATCH_PX = 12
_GAP_PX = 6
# Letters of the built-in font that fit beside a swatch.
_MAX_LETTERS = 22
_BLENDED_ROWS = 256


def blend(image, labels, colors, opacity=0.5):
  """Returns the image with the colours of its classes over it, [height, width, 3] uint8.

  Args:
    image: [height, width, 3] uint8 array.
    labels: [height, width] integer array of class ids.
    colors: [n, 3] table of RGB values with a row per id.
    opacity: share of the colours, 0..1.
  """
  painted = opacity * np.asarray(colors, np.float32)
  blended = np.empty(image.shape, np.uint8)
  # Some rows at once: floats take four times the memory of the image.
  for start in range(0, len(image), _BLENDED_ROWS):
    rows = slice(start, start + _BLENDED_ROWS)
    blended[rows] = np.rint(
        np.float32(1 - opacity) * image[rows].astype(np.float32) + painted[labels[rows]])
  return blended


def side_by_side(image, labels, colors, class_names, truth=None, ignore_label=None):
  """Returns one picture of image, prediction over it, label over it if known, and legend.

  Args:
    image: [height, width, 3] uint8 array.
    labels: [height, width] integer array of predicted class ids.
    colors: [n, 3] table of RGB values with a row per class.
    class_names: one name per class, or None.
    truth: [height, width] integer array of the classes that are right, or None.
    ignore_label: id in `truth` that is left as it is in the image.

  Returns:
    PIL.Image of RGB.
  """
  panels = [image, blend(image, labels, colors)]
  shown = np.bincount(labels.ravel(), minlength=len(colors)) > 0
  if truth is not None:
    is_ignored = truth == ignore_label
    classes = np.where(is_ignored, 0, truth)
    panels.append(np.where(is_ignored[..., np.newaxis], image,
                           blend(image, classes, colors)))
    shown[np.unique(classes[~is_ignored])] = True
  ids = np.flatnonzero(shown)
  height = max(image.shape[0], len(ids) * _ROW_HEIGHT_PX + _GAP_PX)
  step = image.shape[1] + _GAP_PX
  picture = Image.new('RGB', (len(panels) * step + _LEGEND_WIDTH_PX, height), _BACKGROUND)
  for index, panel in enumerate(panels):
    picture.paste(Image.fromarray(panel.astype(np.uint8)), (index * step, 0))
  draw = ImageDraw.Draw(picture)
  for row, class_id in enumerate(ids):
    x, y = len(panels) * step, _GAP_PX + row * _ROW_HEIGHT_PX
    draw.rectangle([x, y, x + _SWATCH_PX, y + _SWATCH_PX], outline=(0, 0, 0),
                   fill=tuple(int(value) for value in colors[class_id]))
    name = class_names[class_id] if class_names else 'class %d' % class_id
    # The built-in font knows Latin letters only.
    text = name[:_MAX_LETTERS].encode('latin-1', 'replace').decode('latin-1')
    draw.text((x + _SWATCH_PX + _GAP_PX, y), text, fill=(0, 0, 0))
  return picture
