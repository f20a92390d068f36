"""The data doctor's report: as JSON content, as text, and as one HTML page."""
import html
import json
import os

import numpy as np

from deeplab.core import colormaps
from deeplab.core.storage import files
from deeplab.datasets.checks import findings as data_findings
from deeplab.datasets.records import class_frequency

JSON_NAME = 'doctor_report.json'
HTML_NAME = 'doctor_report.html'
# Side of the squares that features of output stride 16 stand for.
_CROP_STEP = 16
_STYLE = '''
body {font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 62em; padding: 0 1em;
  color: #222}
h1 {font-size: 1.5em} h2 {font-size: 1.15em; margin-top: 2em}
table {border-collapse: collapse; width: 100%} th, td {text-align: left; padding: .25em .7em;
  border-bottom: 1px solid #ddd; vertical-align: top}
td.n, th.n {text-align: right; font-variant-numeric: tabular-nums}
.error {color: #b00020; font-weight: 600} .warning {color: #8a5a00; font-weight: 600}
.good {color: #1b6e2d; font-weight: 600}
.bar {height: .8em; display: block; border: 1px solid #999; min-width: 1px}
li, td {overflow-wrap: anywhere} small {color: #555}
@media (max-width: 800px) {
  body {margin: 1em auto; padding: 0 8px} table {font-size: 12px} th, td {padding: .25em .3em}
  ul {padding-left: 1em}
}
'''


def content_of(examination):
  """Returns the report of an Examination as nested dicts, lists and numbers."""
  descriptor, findings = examination.descriptor, examination.findings
  return {
      'dataset': descriptor.name,
      'dataset_dir': examination.dataset_dir,
      'described_by': 'dataset_info.json' if examination.info else 'the built-in table',
      'num_classes': descriptor.num_classes,
      'ignore_label': descriptor.ignore_label,
      'class_names': list(descriptor.class_names) if descriptor.class_names else None,
      'colors': colormaps.colormap(descriptor.colormap or 'pascal',
                                   descriptor.num_classes).tolist(),
      'harms_training': examination.harms_training,
      'findings': [
          {'name': name, 'severity': severity, 'text': data_findings.FINDINGS[name].text,
           'count': findings.counts[name], 'examples': [s for s in findings.named[name] if s]}
          for severity in (data_findings.ERROR, data_findings.WARNING)
          for name in findings.of_severity(severity)],
      'splits': {split: _split_content(split, result, descriptor)
                 for split, result in examination.splits.items()},
      'class_weights': _weights_content(examination),
  }


def eval_crop(largest):
  """Returns the smallest (k * 16 + 1) sides that hold the (height, width) `largest`."""
  return [(side + _CROP_STEP - 2) // _CROP_STEP * _CROP_STEP + 1 for side in largest]


def write(content, folder):
  """Writes the JSON and the HTML file into `folder`, made if absent; returns their paths."""
  files.make_dirs(folder)
  json_path, html_path = os.path.join(folder, JSON_NAME), os.path.join(folder, HTML_NAME)
  files.write_text(json_path, json.dumps(content, indent=2, ensure_ascii=False) + '\n')
  files.write_text(html_path, html_page(content))
  return json_path, html_path


def as_text(content):
  """Returns the report for a terminal."""
  lines = ['%s: dataset %s, %d classes, ignore label %d (by %s)' % (
      content['dataset_dir'], content['dataset'], content['num_classes'],
      content['ignore_label'], content['described_by'])]
  for split, row in content['splits'].items():
    lines.append('  %-10s %s' % (split, _records_text(row)))
    if row['image_sizes']:
      lines.append('             images %s; smallest eval crop %d,%d' % (
          ', '.join('%s %dx%d' % ((name,) + tuple(row['image_sizes'][name]))
                    for name in ('min', 'median', 'max')), *row['eval_crop_size']))
  lines += _class_lines(content)
  for finding in content['findings']:
    lines.append('%s %s (%d): %s' % (finding['severity'].upper(), finding['name'],
                                     finding['count'], finding['text']))
    lines += ['  - ' + sentence for sentence in finding['examples']]
    more = finding['count'] - len(finding['examples'])
    if more > 0 and len(finding['examples']) == data_findings.MAX_NAMED:
      lines.append('  - and %d more' % more)
  lines.append(_verdict(content))
  return '\n'.join(lines)


def html_page(content):
  """Returns the report as one HTML page that needs no other file."""
  return '\n'.join(
      ['<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
       '<meta name="viewport" content="width=device-width, initial-scale=1">',
       '<title>Data report: %s</title><style>%s</style></head><body>' % (
           html.escape(content['dataset']), _STYLE),
       '<h1>Data report: %s</h1>' % html.escape(content['dataset']),
       '<p>%s — %d classes, ignore label %d, described by %s.</p>' % (
           html.escape(content['dataset_dir']), content['num_classes'],
           content['ignore_label'], content['described_by']),
       '<p class="%s">%s</p>' % ('error' if content['harms_training'] else 'good',
                                 _verdict(content))]
      + _findings_html(content) + _splits_html(content) + _classes_html(content)
      + ['</body></html>', ''])


def _split_content(split, result, descriptor):
  scan = result.scan
  counts = scan.pixel_counts.copy()
  num_ignored = int(counts[descriptor.ignore_label])
  counts[descriptor.ignore_label] = 0
  of_classes = counts[:descriptor.num_classes]
  sizes = None
  if scan.heights:
    sizes = {name: [reduce(scan.heights), reduce(scan.widths)]
             for name, reduce in (('min', min), ('median', _median), ('max', max))}
  total = max(int(of_classes.sum()), 1)
  return {
      'num_records': scan.num_records,
      'expected_records': result.expected_records,
      'num_shards': result.num_shards,
      'has_labels': descriptor.has_labels(split),
      'num_landmarks': scan.num_landmarks,
      'image_sizes': sizes,
      'eval_crop_size': eval_crop(sizes['max']) if sizes else None,
      'class_pixel_counts': of_classes.tolist(),
      'class_pixel_share': [float('%.4g' % (count / total)) for count in of_classes.tolist()],
      'num_ignored_pixels': num_ignored,
      'num_bad_pixels': int(counts[descriptor.num_classes:].sum()),
  }


def _median(counter):
  values = sorted(counter)
  middle = np.searchsorted(np.cumsum([counter[v] for v in values]),
                           (sum(counter.values()) + 1) // 2)
  return values[middle]


def _weights_content(examination):
  """Returns the suggested weights, of the split that is trained on; None without labels."""
  labelled = [split for split, result in examination.splits.items()
              if result.scan.present_pixels.any()]
  if not labelled:
    return None
  split = 'train' if 'train' in labelled else max(
      labelled, key=lambda name: examination.splits[name].scan.num_records)
  scan, descriptor = examination.splits[split].scan, examination.descriptor
  counts = scan.pixel_counts.copy()
  counts[descriptor.ignore_label] = 0
  weights = class_frequency.balancing_weights(
      counts[:descriptor.num_classes], scan.present_pixels[:descriptor.num_classes])
  return {'split': split, 'formula': class_frequency.WEIGHT_FORMULA,
          'weights': [weight and float('%.4g' % weight) for weight in weights]}


def _records_text(row):
  expected = row['expected_records']
  told = '' if expected in (None, row['num_records']) else ' (expected %d)' % expected
  landmarks = ', %d with landmarks' % row['num_landmarks'] if row['num_landmarks'] else ''
  labels = '' if row['has_labels'] else ', without labels'
  return '%d records%s in %d shards%s%s' % (
      row['num_records'], told, row['num_shards'], landmarks, labels)


def _verdict(content):
  count = {severity: sum(f['severity'] == severity for f in content['findings'])
           for severity in (data_findings.ERROR, data_findings.WARNING)}
  told = '%d kinds of errors, %d of warnings.' % (count[data_findings.ERROR],
                                                  count[data_findings.WARNING])
  if content['harms_training']:
    return 'Training would be harmed: ' + told
  return 'Fit for training: ' + told


def _class_lines(content):
  rows, weights = content['splits'], content['class_weights']
  if not weights:
    return []
  lines = ['  class                %s  weight' % ' '.join('%9.9s' % split for split in rows)]
  for i in range(content['num_classes']):
    shares = ' '.join(_share_text(row, i) for row in rows.values())
    lines.append('  %3d %-16.16s %s  %s' % (i, _class_name(content, i), shares,
                                            _weight_text(weights['weights'][i])))
  return lines + ['  Weights, of split %s: %s' % (weights['split'], weights['formula'])]


def _share_text(row, index):
  if not row['has_labels']:
    return '%9s' % '-'
  return '%8.3f%%' % (100 * row['class_pixel_share'][index])


def _class_name(content, index):
  return content['class_names'][index] if content['class_names'] else ''


def _weight_text(weight):
  return '-' if weight is None else '%.4g' % weight


def _findings_html(content):
  lines = ['<h2>Findings</h2>']
  if not content['findings']:
    return lines + ['<p class="good">None.</p>']
  lines.append('<table><tr><th>severity</th><th>finding</th><th class="n">count</th>'
               '<th>where</th></tr>')
  for finding in content['findings']:
    items = ''.join('<li>%s</li>' % html.escape(s) for s in finding['examples'])
    lines.append('<tr><td class="{0}">{0}</td><td><b>{1}</b><br>{2}</td><td class="n">{3}</td>'
                 '<td><ul>{4}</ul></td></tr>'.format(
                     finding['severity'], finding['name'], html.escape(finding['text']),
                     finding['count'], items))
  return lines + ['</table>']


def _splits_html(content):
  lines = ['<h2>Splits</h2><table><tr><th>split</th><th>records</th><th>smallest</th>'
           '<th>median</th><th>largest</th><th>eval crop</th></tr>']
  for split, row in content['splits'].items():
    sizes = ['%d × %d' % tuple(row['image_sizes'][name]) if row['image_sizes'] else '-'
             for name in ('min', 'median', 'max')]
    crop = '%d,%d' % tuple(row['eval_crop_size']) if row['eval_crop_size'] else '-'
    lines.append('<tr>%s</tr>' % ''.join(
        '<td>%s</td>' % html.escape(cell) for cell in [split, _records_text(row)] + sizes + [crop]))
  return lines + ['</table><p><small>Height × width in pixels, each side on its own. The eval '
                  'crop is the smallest k·16+1 that holds the largest image.</small></p>']


def _classes_html(content):
  weights = content['class_weights']
  if not weights:
    return []
  lines = ['<h2>Share of pixels per class</h2><table><tr><th class="n">id</th><th>class</th>%s'
           '<th class="n">weight</th></tr>' % ''.join(
               '<th>%s</th>' % html.escape(split) for split in content['splits'])]
  for i in range(content['num_classes']):
    cells = ''.join(_share_cell(row, i, content['colors'][i])
                    for row in content['splits'].values())
    lines.append('<tr><td class="n">%d</td><td>%s</td>%s<td class="n">%s</td></tr>' % (
        i, html.escape(_class_name(content, i)), cells, _weight_text(weights['weights'][i])))
  return lines + ['</table><p><small>Weights, of split %s: %s</small></p>' % (
      html.escape(weights['split']), html.escape(weights['formula']))]


def _share_cell(row, index, color):
  if not row['has_labels']:
    return '<td>-</td>'
  percent = 100 * row['class_pixel_share'][index]
  return ('<td>%.3f %%<span class="bar" style="width:%.1f%%;background:rgb(%d,%d,%d)"></span>'
          '</td>' % ((percent, percent) + tuple(color)))
