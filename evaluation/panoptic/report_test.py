"""Tests of the table, JSON and CSV of a panoptic evaluation."""
import csv
import json
import os

import pytest

from deeplab.evaluation import eval_coco_format
from deeplab.evaluation.eval_coco_format_test import SETTINGS, evaluate, rewrite
from deeplab.evaluation.panoptic import coco
from deeplab.evaluation.panoptic import report as panoptic_report


def make_report(sample, **changes):
  options = SETTINGS._replace(**changes)
  categories, pairs = coco.list_pairs(
      *[os.path.join(sample, part) for part in ('groundtruth.json', 'prediction.json',
                                                'groundtruth', 'prediction')],
      limits=options.limits)
  return eval_coco_format.evaluate_pairs(categories, pairs, options)


@pytest.mark.parametrize('metric', ['pq', 'pc'])
def test_table_json_and_csv_hold_the_same_numbers(shared_sample, tmp_path, metric):
  report = make_report(shared_sample, metric=metric)
  panoptic_report.write_json(report, str(tmp_path / 'r.json'))
  panoptic_report.write_csv(report, str(tmp_path / 'r.csv'))
  content = json.loads((tmp_path / 'r.json').read_text())
  assert content['num_images'] == 3 and content['num_missing'] == 0
  assert content['settings']['metric'] == metric
  assert content['settings']['intersection_offset'] == 7 * 256
  assert content['means'] == report['means']
  rows = list(csv.DictReader((tmp_path / 'r.csv').open()))
  lines = [line.split() for line in panoptic_report.format_table(report, digits=4)]
  assert lines[0][3] == metric.upper()
  assert len(rows) == len(content['categories']) + 3 == len(lines) - 1
  for row, category, line in zip(rows, content['categories'], lines[1:]):
    assert int(row['id']) == category['id'] == int(line[0])
    assert row['category'] == category['name'] == line[1]
    assert row['kind'] == ('thing' if category['is_thing'] else 'stuff') == line[2]
    assert float(row[metric]) == category[metric] == pytest.approx(float(line[3]), abs=6e-5)
  for row, line in zip(rows[-3:], lines[-3:]):
    assert row['category'] == line[0]
    assert float(row[metric]) == pytest.approx(content['means'][row['category']][metric])
    assert float(line[1]) == pytest.approx(float(row[metric]), abs=6e-5)


def test_absent_categories_have_no_value_and_a_remark(sample):
  rewrite(os.path.join(sample, 'groundtruth.json'), lambda content: content[
      'categories'].append({'id': 0, 'name': 'unlabeled'}))
  options = dict(num_categories=9)
  before = make_report(sample, **options)
  rewrite(os.path.join(sample, 'groundtruth.json'), lambda content: content[
      'categories'].append({'id': 8, 'name': 'boat', 'isthing': 1}))
  report = make_report(sample, **options)
  assert report['means'] == before['means']
  boat = report['categories'][-1]
  assert (boat['name'], boat['pq'], boat['tp']) == ('boat', None, 0)
  table = panoptic_report.format_table(report)
  assert 'boat' not in ' '.join(table)
  assert '1 of 6 categories have no segments' in table[-1]
  # The ignored category is no part of the results.
  assert 'unlabeled' not in [row['name'] for row in report['categories']]


def test_without_knowledge_of_things_there_is_one_mean(sample):
  rewrite(os.path.join(sample, 'groundtruth.json'),
          lambda content: content['categories'][0].pop('isthing') and None)
  assert list(evaluate(sample)) == ['All']
