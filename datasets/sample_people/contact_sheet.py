"""One picture that shows many of a dataset, with their labels below them."""
import numpy as np
from PIL import Image

from deeplab.core.images import painting
from deeplab.core.storage import files
from deeplab.datasets import registry
from deeplab.datasets.sample_people import raw_folders

_WIDTH, _ROW_HEIGHT, _GAP = 1200, 190, 4


def write(path, examples, num_rows=2, predictions=None):
  """Writes a PNG with rows of images, each above the rows of its labels, and a legend.

  `examples` are spec.Examples, shown in order as far as they fit into `num_rows` rows of images.
  `predictions` is a dict, path of an image -> PNG of predicted class ids, shown below the labels.
  Raises ValueError if the file cannot be written.
  """
  rows = _rows(examples, num_rows, predictions)
  height = len(rows[0][0]) * (_ROW_HEIGHT + _GAP)
  grid = Image.new('RGB', (_WIDTH, len(rows) * height), painting.PAPER)
  for i, row in enumerate(rows):
    _paste_row(grid, row, i * height)
  colors = raw_folders.palette()
  legend = painting.class_entries(
      range(len(registry.FORMA_CLASSES)), colors, registry.FORMA_CLASSES)
  legend.append(painting.Entry('ignored', tuple(colors[raw_folders.IGNORE].tolist())))
  sheet = painting.sheet(
      [np.asarray(grid)],
      ['rows, from above: image, label' + (', prediction' if predictions else '')], legend)
  with files.telling_of_disk(path), files.atomic_path(path) as temporary:
    sheet.save(temporary, 'PNG', optimize=True)


def _rows(examples, num_rows, predictions):
  """Returns rows of columns: image, coloured labels, predictions; rows fill the width."""
  rows, row, width = [], [], 0
  for item in examples:
    with Image.open(item.image_path) as image:
      size = max(int(round(image.width * _ROW_HEIGHT / float(image.height))), 1), _ROW_HEIGHT
      column = [image.convert('RGB').resize(size, Image.LANCZOS)]
    for labels_path in [item.label] + ([predictions[item.image_path]] if predictions else []):
      with Image.open(labels_path) as labels:
        colored = Image.fromarray(raw_folders.palette()[np.asarray(labels)])
        column.append(colored.resize(size, Image.LANCZOS))
    if row and width + size[0] > _WIDTH:
      rows.append(row)
      row, width = [], 0
      if len(rows) == num_rows:
        return rows
    row.append(column)
    width += size[0] + _GAP
  return rows + [row] if row else rows


def _paste_row(sheet, row, top):
  space = _WIDTH - sum(column[0].width for column in row)
  gap = min(space / float(max(len(row) - 1, 1)), 4 * _GAP)
  left = (space - gap * (len(row) - 1)) / 2.0
  for column in row:
    for i, picture in enumerate(column):
      # What belongs together is closer.
      sheet.paste(picture, (int(left), top + i * (_ROW_HEIGHT + _GAP // 2)))
    left += column[0].width + gap
