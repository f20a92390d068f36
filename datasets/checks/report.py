"""The data doctor's report: as JSON content, as text, and as one HTML page."""
import html
import json
import os

from deeplab.core import colormaps, utils
from deeplab.core.storage import files
from deeplab.datasets.checks import rules
from deeplab.datasets.records import counts

JSON_NAME = 'doctor_report.json'
HTML_NAME = 'doctor_report.html'
_CROP_STEP = 16  # Sides of k * 16 + 1 align with the features at every output stride up to 16.
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
      'harms_training': bool(findings.of_severity(rules.ERROR)),
      'findings': [
          {'name': name, 'severity': severity, 'text': rules.FINDINGS[name].text,
           'count': findings.counts[name], 'examples': [s for s in findings.named[name] if s]}
          for severity in (rules.ERROR, rules.WARNING)
          for name in findings.of_severity(severity)],
      'splits': {split: _split_content(examination, split) for split in examination.splits},
      'class_weights': _weights_content(examination.splits),
  }


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
    if more > 0 and len(finding['examples']) == rules.MAX_NAMED:
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


def _split_content(examination, split):
  info, scan = examination.splits[split], examination.scans[split]
  total = max(sum(info.class_pixel_counts), 1)
  eval_crop = info.image_sizes and list(utils.aligned_size(info.image_sizes['max'], _CROP_STEP))
  return {
      'num_records': info.num_examples,
      'expected_records': examination.descriptor.splits_to_sizes.get(split),
      'num_shards': info.num_shards,
      'has_labels': examination.descriptor.has_labels(split),
      'num_landmarks': scan.num_landmarks,
      'image_sizes': info.image_sizes,
      'eval_crop_size': eval_crop,
      'class_pixel_counts': info.class_pixel_counts,
      'class_pixel_share': [float('%.4g' % (count / total)) for count in info.class_pixel_counts],
      'num_ignored_pixels': info.num_ignored_pixels,
      'num_bad_pixels': (int(scan.pixel_counts.sum()) - info.num_ignored_pixels
                         - sum(info.class_pixel_counts)),
  }


def _weights_content(splits):
  """Returns the suggested weights, of the split that is trained on; None without labels."""
  labelled = [name for name, split in splits.items() if any(split.present_pixel_counts)]
  if not labelled:
    return None
  name = 'train' if 'train' in labelled else max(
      labelled, key=lambda name: splits[name].num_examples)
  weights = counts.balancing_weights(
      splits[name].class_pixel_counts, splits[name].present_pixel_counts)
  return {'split': name, 'formula': counts.WEIGHT_FORMULA,
          'weights': [weight and float('%.4g' % weight) for weight in weights]}


def _records_text(row):
  expected = row['expected_records']
  told = '' if expected in (None, row['num_records']) else ' (expected %d)' % expected
  landmarks = ', %d with landmarks' % row['num_landmarks'] if row['num_landmarks'] else ''
  labels = '' if row['has_labels'] else ', without labels'
  return '%d records%s in %d shards%s%s' % (
      row['num_records'], told, row['num_shards'], landmarks, labels)


def _verdict(content):
  found = [finding['severity'] for finding in content['findings']]
  return '%s: %d kinds of errors, %d of warnings.' % (
      'Training would be harmed' if content['harms_training'] else 'Fit for training',
      found.count(rules.ERROR), found.count(rules.WARNING))


def _class_lines(content):
  splits, weights = content['splits'], content['class_weights']
  if not weights:
    return []
  names = content['class_names'] or [''] * content['num_classes']
  lines = ['  class                %s  weight' % ' '.join('%9.9s' % split for split in splits)]
  for i, name in enumerate(names):
    shares = ['%8.3f%%' % (100 * row['class_pixel_share'][i]) if row['has_labels'] else '        -'
              for row in splits.values()]
    lines.append('  %3d %-16.16s %s  %s' % (
        i, name, ' '.join(shares), _weight_text(weights['weights'][i])))
  return lines + ['  Weights, of split %s: %s' % (weights['split'], weights['formula'])]


def _weight_text(weight):
  return '-' if weight is None else '%.4g' % weight


def _findings_html(content):
  if not content['findings']:
    return ['<h2>Findings</h2>', '<p class="good">None.</p>']
  return _table('Findings', ('severity', 'finding', '#count', 'where'), [
      ('<span class="{0}">{0}</span>'.format(finding['severity']),
       '<b>%s</b><br>%s' % (finding['name'], html.escape(finding['text'])),
       finding['count'],
       '<ul>%s</ul>' % ''.join('<li>%s</li>' % html.escape(s) for s in finding['examples']))
      for finding in content['findings']])


def _splits_html(content):
  rows = []
  for split, row in content['splits'].items():
    sizes = row['image_sizes']
    rows.append([html.escape(split), html.escape(_records_text(row))] + (
        ['%d × %d' % tuple(sizes[name]) for name in ('min', 'median', 'max')]
        + ['%d,%d' % tuple(row['eval_crop_size'])] if sizes else ['-'] * 4))
  return _table(
      'Splits', ('split', 'records', 'smallest', 'median', 'largest', 'eval crop'), rows,
      'Height × width in pixels, each side on its own. The eval crop is the smallest k·16+1 that '
      'holds the largest image.')


def _classes_html(content):
  weights = content['class_weights']
  if not weights:
    return []
  names = content['class_names'] or [''] * content['num_classes']
  return _table(
      'Share of pixels per class',
      ['#id', 'class'] + [html.escape(split) for split in content['splits']] + ['#weight'],
      [[i, html.escape(names[i])]
       + [_share_html(row, i, content['colors'][i]) for row in content['splits'].values()]
       + [_weight_text(weights['weights'][i])] for i in range(content['num_classes'])],
      'Weights, of split %s: %s' % (html.escape(weights['split']), html.escape(weights['formula'])))


def _share_html(row, index, color):
  if not row['has_labels']:
    return '-'
  percent = 100 * row['class_pixel_share'][index]
  return ('%.3f %%<span class="bar" style="width:%.1f%%;background:rgb(%d,%d,%d)"></span>'
          % (percent, percent, *color))


def _table(title, columns, rows, note=''):
  """Returns lines of HTML, of cells in HTML; columns that begin with # are of numbers."""
  opened = [' class="n"' if column.startswith('#') else '' for column in columns]
  lines = ['<h2>%s</h2><table>' % title]
  for tag, cells in [('th', [column.lstrip('#') for column in columns])] + [
      ('td', row) for row in rows]:
    lines.append('<tr>%s</tr>' % ''.join(
        '<{0}{1}>{2}</{0}>'.format(tag, kind, cell) for kind, cell in zip(opened, cells)))
  return lines + ['</table>' + (note and '<p><small>%s</small></p>' % note)]
