"""A page about an evaluation that needs no other file: numbers, charts, images to look at."""
import base64
import html
import os

from deeplab.core import files

FILE_NAME = 'report.html'

_STYLE = """
body {font-family: sans-serif; margin: 2em auto; max-width: 1700px; padding: 0 1em;
      color: #222;}
table {border-collapse: collapse;}
th, td {padding: .25em .8em; text-align: right; border-bottom: 1px solid #ddd;}
th:nth-child(2), td:nth-child(2) {text-align: left;}
.facts td, .facts th {text-align: left;}
.swatch {display: inline-block; width: 1em; height: 1em; margin-right: .5em;
         vertical-align: -.15em; border: 1px solid #888;}
.bar {display: inline-block; height: .7em; background: #2f6f9f;}
.barcell {text-align: left; width: 160px;}
.row {display: flex; gap: 8px; flex-wrap: wrap; margin-bottom: 1.5em;}
.row figure {margin: 0; width: 24%; min-width: 200px;}
.row img {width: 100%; display: block; border: 1px solid #ccc;}
figcaption {font-size: .85em; color: #555;}
.charts {display: flex; flex-wrap: wrap; gap: 20px; align-items: flex-start;}
.charts img {max-width: 100%;}
"""
_KINDS = (('image', 'image'), ('label', 'label, ignored pixels white'),
          ('prediction', 'prediction'), ('errors', 'errors in red, ignored pixels white'))
_MEANS = (('miou', 'mean IoU'), ('foreground_miou', 'mean IoU without class 0'),
          ('pixel_accuracy', 'pixel accuracy'),
          ('mean_class_accuracy', 'mean class accuracy'),
          ('frequency_weighted_iou', 'frequency-weighted IoU'), ('mean_dice', 'mean Dice (F1)'),
          ('boundary_iou', 'Boundary IoU'))


def write_page(report, results, colors, charts, folder):
  """Writes `report.html`; returns its path.

  Args:
    report: dict as `report.make_report` returns it, with the metrics of boundaries.
    results: ImageResults.
    colors: [num_classes, 3] array of the colours of the classes.
    charts: paths of PNG files to show.
    folder: existing folder.
  """
  title = '%s, split %s, step %d' % (report['dataset'], report['split'],
                                     report['global_step'])
  best = results.best
  parts = [
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>',
      html.escape(title), '</title><style>', _STYLE, '</style></head><body>\n<h1>',
      html.escape(title), '</h1>\n', _facts(report), '<h2>Classes</h2>\n',
      _classes(report, colors), '<h2>Charts</h2>\n<div class="charts">',
      ''.join(_chart(path) for path in charts), '</div>\n',
      '<h2>The %d worst images</h2>\n' % len(results.worst),
      ''.join(_images(pictures) for pictures in results.worst),
      '<h2>The %d best images</h2>\n' % len(best),
      ''.join(_images(pictures) for pictures in best), '</body></html>\n']
  path = os.path.join(folder, FILE_NAME)
  files.write_text(path, ''.join(parts))
  return path


def _facts(report):
  rows = [('checkpoint', report['checkpoint']), ('images', report['num_examples'])]
  rows += [(text, _percent(report.get(name))) for name, text in _MEANS]
  rows += [('mean IoU within %d px of boundaries' % band['width_px'], _percent(band['miou']))
           for band in report.get('trimap_miou', ())]
  return '<table class="facts">%s</table>\n' % ''.join(
      '<tr><th>%s</th><td>%s</td></tr>' % (html.escape(name), html.escape(str(value)))
      for name, value in rows)


def _classes(report, colors):
  boundary = report.get('boundary_iou_per_class') or [None] * len(report['classes'])
  lines = ['<table><tr><th>id</th><th>class</th><th>IoU</th><th></th><th>accuracy</th>'
           '<th>Dice</th><th>Boundary IoU</th><th>label pixels</th></tr>\n']
  for c, boundary_iou in zip(report['classes'], boundary):
    lines.append(
        '<tr><td>%d</td><td><span class="swatch" style="background:rgb(%d,%d,%d)"></span>%s'
        '</td><td>%s</td><td class="barcell"><span class="bar" style="width:%.0fpx"></span>'
        '</td><td>%s</td><td>%s</td><td>%s</td><td>%d</td></tr>\n' % (
            (c['id'],) + tuple(colors[c['id']])
            + (html.escape(c['name']), _percent(c['iou']), 150 * (c['iou'] or 0),
               _percent(c['accuracy']), _percent(c['dice']), _percent(boundary_iou),
               c['label_pixels'])))
  return ''.join(lines + ['</table>\n'])


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
  return '-' if value is None else '%.2f %%' % (100 * value)
