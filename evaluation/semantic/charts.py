"""Pictures of a report: the confusion matrix and the IoU of every class."""
import os

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from deeplab.core.storage import files

CONFUSION_FILE_NAME = 'confusion_matrix.png'
IOU_FILE_NAME = 'per_class_iou.png'

_DPI = 110
# More classes than this get no numbers in the cells: they would overlap.
_MAX_NUMBERED = 25
_INCHES_PER_CLASS = 0.4


def write_charts(report, folder):
  """Writes `confusion_matrix.png` and `per_class_iou.png`; returns their paths.

  Args:
    report: dict as `report.make_report` returns it.
    folder: existing folder.
  """
  return [_write(draw(report), os.path.join(folder, name))
          for name, draw in ((CONFUSION_FILE_NAME, _draw_confusion),
                             (IOU_FILE_NAME, _draw_ious))]


def _draw_confusion(report):
  counts = np.array(report['confusion_matrix'], np.float64)
  totals = counts.sum(axis=1, keepdims=True)
  shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
  names = [c['name'] for c in report['classes']]
  side = min(40, 3 + _INCHES_PER_CLASS * len(names))
  figure = Figure(figsize=(side + 1, side))
  axes = figure.add_subplot(1, 1, 1)
  image = axes.imshow(100 * shares, cmap='Blues', vmin=0, vmax=100)
  figure.colorbar(image, ax=axes, fraction=0.045, label='% of the pixels with the label')
  ticks = np.arange(len(names))
  axes.set_xticks(ticks)
  axes.set_xticklabels(names, rotation=90, fontsize=8)
  axes.set_yticks(ticks)
  axes.set_yticklabels(names, fontsize=8)
  axes.set_xlabel('predicted')
  axes.set_ylabel('label')
  if len(names) <= _MAX_NUMBERED:
    for row, column in zip(*np.nonzero(shares >= 0.005)):
      axes.text(column, row, '%.0f' % (100 * shares[row, column]), ha='center', va='center',
                fontsize=7, color='white' if shares[row, column] > 0.5 else 'black')
  return figure


def _draw_ious(report):
  classes = report['classes']
  figure = Figure(figsize=(8, 1.2 + 0.28 * len(classes)))
  axes = figure.add_subplot(1, 1, 1)
  values = [100 * (c['iou'] or 0) for c in classes]
  axes.barh(np.arange(len(classes)), values, color='#2f6f9f')
  for index, c in enumerate(classes):
    axes.text(values[index] + 1, index,
              'absent' if c['iou'] is None else '%.1f' % values[index], va='center',
              fontsize=8)
  if report['miou'] is not None:
    axes.axvline(100 * report['miou'], color='#c04020', linewidth=1,
                 label='mean %.2f' % (100 * report['miou']))
    axes.legend(loc='lower right', fontsize=8)
  axes.set_yticks(np.arange(len(classes)))
  axes.set_yticklabels([c['name'] for c in classes], fontsize=8)
  axes.invert_yaxis()
  axes.set_xlim(0, 110)
  axes.set_xlabel('IoU in %')
  return figure


def _write(figure, path):
  FigureCanvasAgg(figure)
  with files.atomic_open(path) as f:
    figure.savefig(f, format='png', dpi=_DPI, bbox_inches='tight')
  return path
