"""A page about an evaluation that needs no other file: numbers, charts, images to look at.

The charts, the confusion matrix and the IoU of every class, are files of their own too.
"""
import base64
import html
import math
import os

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from deeplab.core.storage import files
from deeplab.evaluation.semantic import segmentation_metrics
from deeplab.evaluation.semantic.segmentation_metrics import percent

FILE_NAME = 'report.html'
_CONFUSION_FILE_NAME = 'confusion_matrix.png'
_IOU_FILE_NAME = 'per_class_iou.png'

_DPI = 110
# More classes than this get no numbers in the cells: they would overlap.
_MAX_NUMBERED = 25
_INCHES_PER_CLASS = 0.4

_STYLE = """
body {font-family: sans-serif; margin: 2em auto; max-width: 1700px; padding: 0 1em;
      color: #222;}
h1, h3, .facts td {overflow-wrap: anywhere;}
table {border-collapse: collapse;}
th, td {padding: .25em .8em; text-align: right; border-bottom: 1px solid #ddd;}
.classes td {white-space: nowrap;}
.classes th:nth-child(2), .classes td:nth-child(2) {text-align: left; white-space: normal;
                                                  overflow-wrap: anywhere;}
.facts td, .facts th {text-align: left;}
.summary {font-size: 1.2em;}
.swatch {display: inline-block; width: 1em; height: 1em; margin-right: .5em;
         vertical-align: -.15em; border: 1px solid #888;}
.bar {display: inline-block; height: .7em; background: #2f6f9f;}
.classes .barcell {text-align: left; width: 160px;}
.legend span {display: inline-block; margin-right: 1em;}
.row {display: flex; gap: 8px; flex-wrap: wrap; margin-bottom: 1.5em;}
.row figure {margin: 0; width: calc(25% - 6px);}
.row img {width: 100%; display: block; border: 1px solid #ccc; box-sizing: border-box;}
figcaption {font-size: .85em; color: #555;}
.charts {display: flex; flex-wrap: wrap; gap: 20px; align-items: flex-start;}
.charts img {max-width: 100%;}
@media (max-width: 800px) {
  body {margin: 1em auto; padding: 0 8px;}
  .classes {font-size: 12px;}
  .classes th, .classes td {padding: .3em .25em;}
  .classes .barcell {display: none;}
  .classes .swatch {margin-right: .2em;}
  .row figure {width: calc(50% - 4px);}
}
"""
_KINDS = (('image', 'image'), ('label', 'label, ignored pixels white'),
          ('prediction', 'prediction'), ('errors', 'errors in red, ignored pixels white'))
_MEANS = (('miou', 'mean IoU'), ('foreground_miou', 'mean IoU without class 0'),
          ('pixel_accuracy', 'pixel accuracy'),
          ('mean_class_accuracy', 'mean class accuracy'),
          ('frequency_weighted_iou', 'frequency-weighted IoU'), ('mean_dice', 'mean Dice (F1)'),
          ('boundary_iou', 'Boundary IoU'))
# Classes that the summary names.
_NUM_WEAKEST = 3


def write_page(report, results, colors, charts, folder):
  """Writes `report.html` on ImageResults into an existing folder; returns its path.

  The report is a dict of `report.make_report`, with the metrics of boundaries; colors are a
  [num_classes, 3] array, charts paths of PNG files to show.
  """
  title = '%s, split %s, step %d' % (report['dataset'], report['split'],
                                     report['global_step'])
  parts = [
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
      '<meta name="viewport" content="width=device-width, initial-scale=1"><title>',
      html.escape(title), '</title><style>', _STYLE, '</style></head><body>\n<h1>',
      html.escape(title), '</h1>\n', _summary(report),
      _table(_facts(report)), '<h2>Classes</h2>\n',
      _classes(report, colors), _near_boundaries(report),
      '<h2>Charts</h2>\n<div class="charts">',
      ''.join(_chart(path) for path in charts), '</div>\n',
      _image_sections(report, results, colors), '</body></html>\n']
  path = os.path.join(folder, FILE_NAME)
  files.write_text(path, ''.join(parts))
  return path


def write_charts(report, folder):
  """Writes `confusion_matrix.png` and `per_class_iou.png` of a report; returns their paths."""
  paths = []
  for name, draw in ((_CONFUSION_FILE_NAME, _draw_confusion), (_IOU_FILE_NAME, _draw_ious)):
    figure = draw(report)
    FigureCanvasAgg(figure)
    paths.append(os.path.join(folder, name))
    with files.atomic_open(paths[-1]) as f:
      figure.savefig(f, format='png', dpi=_DPI, bbox_inches='tight')
  return paths


def _summary(report):
  """Returns a sentence on the whole, and one on the classes that are worst."""
  present = [c for c in report['classes'] if c['iou'] is not None]
  weakest = sorted(present, key=lambda c: c['iou'])[:_NUM_WEAKEST]
  text = '<p class="summary"><b>Mean IoU %s</b> over %d classes in %d images; %s of the pixels ' \
      'are right.' % (_percent(report['miou']), len(present), report['num_examples'],
                      _percent(report['pixel_accuracy']))
  if len(present) > len(weakest):
    text += ' Weakest: %s.' % ', '.join(
        '%s %s' % (html.escape(c['name']), _percent(c['iou'])) for c in weakest)
  return text + '</p>\n'


def _facts(report):
  return [('checkpoint', report['checkpoint']), ('images', report['num_examples'])] + [
      (text, _percent(report.get(name))) for name, text in _MEANS]


def _near_boundaries(report):
  bands = report.get('trimap_miou', ())
  return '<h2>Near boundaries</h2>\n' + _table(
      ('mean IoU within %d px of boundaries' % band['width_px'], _percent(band['miou']))
      for band in bands) if bands else ''


def _table(rows):
  return '<table class="facts">%s</table>\n' % ''.join(
      '<tr><th>%s</th><td>%s</td></tr>' % (html.escape(name), html.escape(str(value)))
      for name, value in rows)


def _classes(report, colors):
  boundary = report.get('boundary_iou_per_class') or [None] * len(report['classes'])
  num_pixels = max(1, report['num_pixels'])
  lines = ['<table class="classes"><tr><th>id</th><th>class</th><th>IoU %</th>'
           '<th class="barcell"></th><th>accuracy %</th><th>Dice %</th><th>Boundary IoU %</th>'
           '<th>pixels %</th></tr>\n']
  for c, boundary_iou in zip(report['classes'], boundary):
    numbers = [c['accuracy'], c['dice'], boundary_iou, c['label_pixels'] / float(num_pixels)]
    lines.append(
        '<tr><td>%d</td><td>%s</td><td>%s</td><td class="barcell"><span class="bar" '
        'style="width:%.0fpx"></span></td>%s</tr>\n' % (
            c['id'], _named_swatch(c, colors), percent(c['iou']), 150 * (c['iou'] or 0),
            ''.join('<td>%s</td>' % percent(value) for value in numbers)))
  return ''.join(lines + ['</table>\n'])


def _named_swatch(c, colors):
  return '<span class="swatch" style="background:rgb(%d,%d,%d)"></span>%s' % (
      tuple(colors[c['id']]) + (html.escape(c['name']),))


def _image_sections(report, results, colors):
  """Returns the legend and the images, each of them once."""
  num_seen = sum(not math.isnan(row.miou) for row in results.rows)
  worst, best = results.worst, results.best[:num_seen - len(results.worst)]
  if not worst:
    return ''
  images = 'images' if num_seen == len(results.rows) else 'images that have labels'
  if best:
    sections = [('The %d worst of %d %s' % (len(worst), num_seen, images), worst),
                ('The best' if len(best) == 1 else 'The %d best' % len(best), best)]
  else:
    sections = [('All %d %s, worst first' % (num_seen, images) if num_seen > 1 else 'The image',
                 worst)]
  legend = '<p class="legend">%s</p>\n' % ' '.join(
      '<span>%s</span>' % _named_swatch(c, colors) for c in report['classes']
      if c['label_pixels'] or c['predicted_pixels'])
  return ''.join('<h2>%s</h2>\n%s%s' % (heading, legend, ''.join(map(_images, pictures)))
                 for heading, pictures in sections)


def _images(pictures):
  figures = ''.join(
      '<figure><img alt="%s" src="%s"><figcaption>%s</figcaption></figure>' % (
          caption, getattr(pictures, kind), caption) for kind, caption in _KINDS)
  return '<h3>%s: mean IoU %s</h3><div class="row">%s</div>\n' % (
      html.escape(pictures.name), _percent(pictures.miou), figures)


def _chart(path):
  data = base64.b64encode(files.read_bytes(path)).decode()
  return '<img alt="%s" src="data:image/png;base64,%s">' % (
      html.escape(os.path.basename(path)), data)


def _percent(value):
  return '-' if value is None else percent(value) + '\u00a0%'


# --- charts --------------------------------------------------------------------------------


def _draw_confusion(report):
  counts = np.array(report['confusion_matrix'], np.float64)
  shares = np.nan_to_num(segmentation_metrics.divide(counts.T, counts.sum(axis=1)).T)
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
