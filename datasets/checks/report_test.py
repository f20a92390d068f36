"""Tests of the doctor's reports: numbers, weights of classes, text and page."""
import json

import numpy as np
import pytest

from deeplab.core.storage import files
from deeplab.datasets.checks import report, rules
from deeplab.datasets.doctor_test import FIRST, SAMPLES, examine, record_of, write_split
from deeplab.testing import browser, tiny_run


def test_numbers_of_the_report_are_those_of_the_records(tmp_path):
  write_split(tmp_path, [record_of(s) for s in SAMPLES])
  content = report.content_of(examine(tmp_path))
  split = content['splits']['val']
  labels = np.concatenate([s.label.ravel() for s in SAMPLES])
  counts = np.bincount(labels, minlength=256)
  assert split['class_pixel_counts'] == counts[:4].tolist()
  assert split['num_ignored_pixels'] == counts[255]
  assert split['image_sizes'] == {'min': [33, 33], 'median': [40, 41], 'max': [49, 65]}
  assert split['eval_crop_size'] == [49, 65]
  np.testing.assert_allclose(split['class_pixel_share'], counts[:4] / counts[:4].sum(),
                             rtol=1e-3)
  frequency = []
  for c in range(4):
    holding = [s.label for s in SAMPLES if (s.label == c).any()]
    frequency.append(sum((label == c).sum() for label in holding)
                     / float(sum((label != 255).sum() for label in holding)))
  np.testing.assert_allclose(content['class_weights']['weights'],
                             np.median(frequency) / frequency, rtol=1e-3)


def test_pictures_without_labels_are_reported_without_classes(tmp_path):
  tiny_run.write_records(str(tmp_path), SAMPLES, 'test', has_labels=False)
  examination = examine(tmp_path)
  assert not examination.findings.counts
  content = report.content_of(examination)
  assert content['class_weights'] is None
  assert '  test       3 records in 1 shards, without labels' in report.as_text(content)
  assert '  class  ' not in report.as_text(content)
  assert 'Share of pixels per class' not in report.html_page(content)
  json.dumps(content)


def test_shares_are_told_of_splits_with_labels_alone(tmp_path):
  tiny_run.write_records(str(tmp_path), SAMPLES, 'val')
  tiny_run.add_records(str(tmp_path), SAMPLES[:1], 'test', has_labels=False)
  content = report.content_of(examine(tmp_path))
  row, = [line for line in report.as_text(content).splitlines() if ' 2 house ' in line]
  assert row.split()[2:4] == ['-', '%.3f%%' % (
      100 * content['splits']['val']['class_pixel_share'][2])]
  assert '<td>house</td><td>-</td><td>' in report.html_page(content)


def test_the_page_fits_a_phone(tmp_path):
  tiny_run.write_records(str(tmp_path), SAMPLES, 'train')
  for split in ('val', 'trainval'):
    tiny_run.add_records(str(tmp_path), SAMPLES, split)
  examination = examine(tmp_path)
  assert examination.findings.counts
  path = str(tmp_path / 'page.html')
  files.write_text(path, report.html_page(report.content_of(examination)))
  _, screen, width = browser.on_a_phone(path, tmp_path)
  assert width <= screen


def test_labels_of_a_split_test_are_looked_at_if_they_are_counted(tmp_path):
  tiny_run.write_records(str(tmp_path), SAMPLES, 'test')
  examination = examine(tmp_path)
  assert not examination.findings.counts
  split = report.content_of(examination)['splits']['test']
  assert sum(split['class_pixel_share']) == pytest.approx(1, abs=1e-3)
  assert split['has_labels']


def test_only_the_first_of_many_examples_are_printed(tmp_path):
  write_split(tmp_path, [record_of(FIRST._replace(name='n%d' % i), label=b'')
                         for i in range(rules.MAX_NAMED + 2)])
  lines = report.as_text(report.content_of(examine(tmp_path))).splitlines()
  last = lines.index('  - Record n%d: there is no label map.' % (rules.MAX_NAMED - 1))
  assert lines[last + 1] == '  - and 2 more'


def test_page_escapes_names_and_needs_no_other_file(tmp_path):
  bad = FIRST._replace(name='<script>&')
  write_split(tmp_path, [record_of(bad, label=b'')] + [record_of(s) for s in SAMPLES[1:]])
  page = report.html_page(report.content_of(examine(tmp_path)))
  assert 'Record &lt;script&gt;&amp;: there is no label map.' in page
  assert '<script' not in page and 'http' not in page
