"""Results of a panoptic metric as a table, JSON and CSV: per category, things and stuff."""
import collections
import csv
import io
import json

from deeplab.core.storage import files
from deeplab.evaluation import base_metric
from deeplab.evaluation.panoptic import categories as panoptic_categories

_KINDS = {True: 'thing', False: 'stuff', None: '-'}


def make_report(metric, categories, **facts):
  """Returns the results as a dict that JSON can hold.

  Args:
    metric: SegmentationMetric with counts.
    categories: dict, id -> Category; categories that have segments are added.
    **facts: what was evaluated.

  Returns:
    OrderedDict: the facts; 'columns' and 'counts', names of ratios and counts; 'means', as
    `metric.detailed_results` returns; 'categories', list by id of dicts of 'id', 'name',
    'is_thing', the ratios (None without segments) and the counts.
  """
  is_thing = panoptic_categories.is_thing_array(categories, metric.num_categories)
  values = metric.per_category()
  is_valid = metric.valid_categories()
  rows = []
  for i in sorted(set(categories) | set(is_valid.nonzero()[0].tolist())):
    category = categories.get(i, panoptic_categories.Category(i, 'category %d' % i, None))
    row = collections.OrderedDict(id=i, name=category.name, is_thing=category.is_thing)
    for name, array in values.items():
      is_ratio = name in metric.columns
      row[name] = None if is_ratio and not is_valid[i] else array[i].item()
    rows.append(row)
  report = collections.OrderedDict(sorted(facts.items()))
  report['columns'] = list(metric.columns)
  report['counts'] = [name for name in values if name not in metric.columns]
  report['means'] = metric.detailed_results(is_thing)
  report['categories'] = rows
  return report


def format_table(report, digits=3):
  """Returns the lines of a table: categories with segments, then the means.

  Args:
    report: of `make_report`.
    digits: digits after the point.
  """
  columns, counts = report['columns'], report['counts']
  shown = [row for row in report['categories'] if row[columns[0]] is not None]
  width = max([len('category')] + [len(row['name']) for row in shown])
  wide = digits + 4
  count_wide = max(8, wide)
  lines = ['%5s  %-*s  %-5s' % ('id', width, 'category', 'kind')
           + ''.join(' %*s' % (wide, name.upper()) for name in columns)
           + ''.join(' %*s' % (count_wide, name.upper() if len(name) < 3 else name)
                     for name in counts)]
  for row in shown:
    lines.append('%5d  %-*s  %-5s' % (row['id'], width, row['name'], _KINDS[row['is_thing']])
                 + ''.join(' %*.*f' % (wide, digits, row[name]) for name in columns)
                 + ''.join(' ' + _count_text(row[name], count_wide, digits)
                           for name in counts))
  for name, means in report['means'].items():
    lines.append('%5s  %-*s  %-5s' % ('', width, name, '')
                 + ''.join(' %*.*f' % (wide, digits, means[column]) for column in columns)
                 + '   mean of %d categories' % means['n'])
  num_absent = len(report['categories']) - len(shown)
  if num_absent:
    lines.append('%5s  %d of %d categories have no segments and no part in the means.'
                 % ('', num_absent, len(report['categories'])))
  return lines


def write_json(report, path):
  """Writes the report, whole or not at all."""
  files.write_text(path, json.dumps(report, indent=2, ensure_ascii=False) + '\n')


def write_csv(report, path):
  """Writes a row per category and one per mean, whole or not at all."""
  names = report['columns'] + report['counts']
  stream = io.StringIO()
  writer = csv.writer(stream, lineterminator='\n')
  writer.writerow(['id', 'category', 'kind'] + names)
  for row in report['categories']:
    writer.writerow([row['id'], row['name'], _KINDS[row['is_thing']]]
                    + [row[name] for name in names])
  for name in (base_metric.ALL, base_metric.THINGS, base_metric.STUFF):
    if name in report['means']:
      means = report['means'][name]
      writer.writerow(['', name, 'mean'] + [means.get(column) for column in names])
  files.write_text(path, stream.getvalue())


def _count_text(value, width, digits):
  return '%*d' % (width, value) if isinstance(value, int) else '%*.*f' % (width, digits, value)
