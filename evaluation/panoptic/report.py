"""Results of a panoptic metric as a table, JSON and CSV: per category, things and stuff."""
import csv
import io
import json

import numpy as np

from deeplab.core.storage import files
from deeplab.evaluation.panoptic import coco

_KINDS = {True: 'thing', False: 'stuff', None: '-'}


def make_report(metric, categories, **facts):
  """Returns the results as a dict that JSON can hold.

  `categories` is a dict, id -> Category; categories that have segments are added. `facts` say what
  was evaluated. The dict holds the facts; 'columns' and 'counts', names of ratios and counts;
  'means', as `metric.detailed_results` returns; 'categories', list by id of dicts of 'id', 'name',
  'is_thing', the ratios (None without segments) and the counts.
  """
  is_thing = _is_thing_array(categories, metric.num_categories)
  values = metric.per_category()
  is_valid = metric.valid_categories()
  rows = []
  for i in sorted(set(categories) | set(is_valid.nonzero()[0].tolist())):
    category = categories.get(i, coco.Category(i, 'category %d' % i, None))
    row = dict(id=i, name=category.name, is_thing=category.is_thing)
    for name, array in values.items():
      is_ratio = name in metric.columns
      row[name] = None if is_ratio and not is_valid[i] else array[i].item()
    rows.append(row)
  return dict(sorted(facts.items()), columns=list(metric.columns),
              counts=[name for name in values if name not in metric.columns],
              means=metric.detailed_results(is_thing), categories=rows)


def format_table(report, digits=3):
  """Returns the lines of a table of a report: categories with segments, then the means."""
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
  for name, means in report['means'].items():
    writer.writerow(['', name, 'mean'] + [means.get(column) for column in names])
  files.write_text(path, stream.getvalue())


def _is_thing_array(categories, num_categories):
  """Returns [num_categories] booleans, or None unless it is known of every category."""
  if not categories or any(c.is_thing is None for c in categories.values()):
    return None
  is_thing = np.zeros([num_categories], bool)
  is_thing[[c.id for c in categories.values() if c.is_thing]] = True
  return is_thing


def _count_text(value, width, digits):
  return '%*d' % (width, value) if isinstance(value, int) else '%*.*f' % (width, digits, value)
