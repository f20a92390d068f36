"""Tests of results per image, and of the page that shows them."""
import base64
import io
import os
import re

import numpy as np
import pytest
from PIL import Image

from deeplab.evaluation.semantic import html_report, image_results, segmentation_metrics
from deeplab.evaluation.semantic import report as report_lib
from deeplab.testing import browser

COLORS = np.array([[0, 0, 0], [200, 0, 0], [0, 0, 250]], np.uint8)
NAMES = ['ground', 'a <b> tree', 'sky']


def sample(num_wrong):
  """Returns image, label, prediction; `num_wrong` of 100 counted pixels are wrong."""
  label = np.repeat([0, 2, 0, 2, 0, 255, 2, 0, 2, 0, 2], 10).reshape(11, 10)
  prediction = np.where(label == 255, 0, label)
  flat = prediction.reshape(-1)
  flat[:num_wrong] = 1
  return np.full((11, 10, 3), 100, np.uint8), label, flat.reshape(11, 10)


def make_results(wrongs):
  results = image_results.ImageResults(3, 255, COLORS)
  for index, wrong in enumerate(wrongs):
    results.add(b'<i>%d' % index, *sample(wrong))
  return results


def make_report(results, names=NAMES):
  counts = results.boundary_counts
  return report_lib.make_report(
      counts.all, names, counts, tag='miou_1.0', dataset='streets', split='val',
      num_examples=len(results.rows), checkpoint='run/model.ckpt-7', global_step=7)


def test_row_has_the_metrics_of_its_image():
  row, = make_results([4]).rows
  _, label, prediction = sample(4)
  counts = segmentation_metrics.confusion_matrix(label, prediction, 3)
  assert row.miou == pytest.approx(segmentation_metrics.mean_iou(counts))
  assert row.pixel_accuracy == pytest.approx(0.96)
  np.testing.assert_array_equal(row.ious, segmentation_metrics.iou_per_class(counts))


def test_wholly_ignored_image_has_no_numbers_and_no_pictures():
  results = image_results.ImageResults(3, 255, COLORS)
  results.add('a', np.zeros((5, 5, 3), np.uint8), np.full((5, 5), 255), np.zeros((5, 5), int))
  assert np.isnan(results.rows[0].miou)
  assert not results.worst


def test_images_of_a_single_predicted_class_are_warned_of(caplog):
  results = make_results([4])
  results.warn_of_single_classes()
  assert not caplog.text
  image, label, _ = sample(0)
  results.add('dull', image, label, np.ones_like(label))
  results.add('sky', image, np.ones_like(label), np.ones_like(label))
  results.warn_of_single_classes()
  assert ('A single class throughout is predicted in 1 of 3 images whose labels have more: dull.'
          in caplog.text)


def test_worst_and_best_are_kept_in_order():
  wrongs = list(np.random.RandomState(0).permutation(40))
  results = make_results(wrongs)
  order = np.argsort(wrongs)
  assert [p.name for p in results.worst] == ['<i>%d' % i for i in order[::-1][:20]]
  assert [p.name for p in results.best] == ['<i>%d' % i for i in order[:5]]


def test_pictures_show_label_prediction_and_errors():
  pictures, = make_results([3]).worst

  def pixels(uri):
    return np.array(Image.open(io.BytesIO(base64.b64decode(uri.split(',')[1]))))

  assert pixels(pictures.label)[[0, 1, 5], 0].tolist() == [[0, 0, 0], [0, 0, 250], [255] * 3]
  assert pixels(pictures.prediction)[0, [0, 2, 3]].tolist() == [[200, 0, 0]] * 2 + [[0, 0, 0]]
  errors = pixels(pictures.errors).astype(int)
  assert errors[0, 0, 0] - errors[0, 0, 1] > 60
  assert abs(errors[3, 8, 0] - errors[3, 8, 1]) < 10


def test_table_is_read_back(tmp_path):
  rows = make_results([1, 7]).rows
  image_results.write_per_image(rows, NAMES, str(tmp_path))
  read, names = image_results.read_per_image(str(tmp_path))
  assert names == NAMES
  assert [row.name for row in read] == ['<i>0', '<i>1']
  np.testing.assert_array_equal(read[1].counts, rows[1].counts)


@pytest.mark.parametrize('text, message', [
    (None, 'cannot be read'), ('a,b\n', 'is not a per_image.csv'),
    ('name,miou,pixel_accuracy,hits_0 x,labels_0 x,predictions_0 x\n', 'has no images'),
    ('name,miou,pixel_accuracy,hits_0 x,labels_0 x,predictions_0 x\na,,,1,2\n', 'line 2')])
def test_other_tables_are_refused(tmp_path, text, message):
  if text is not None:
    (tmp_path / 'per_image.csv').write_text(text)
  with pytest.raises(ValueError, match=message):
    image_results.read_per_image(str(tmp_path))


def test_per_class_table_has_a_row_per_class(tmp_path):
  path = report_lib.write_per_class(make_report(make_results([4])), str(tmp_path))
  with open(path) as f:
    lines = f.read().splitlines()
  assert lines[0] == 'id,name,iou,dice,accuracy,boundary_iou,label_pixels,predicted_pixels'
  assert lines[2].startswith('1,a <b> tree,0.0,0.0,,')
  assert lines[2].endswith(',0,4')


def test_charts_are_pictures(tmp_path):
  paths = html_report.write_charts(make_report(make_results([4])), str(tmp_path))
  assert [os.path.basename(path) for path in paths] == ['confusion_matrix.png',
                                                        'per_class_iou.png']
  for path in paths:
    pixels = np.array(Image.open(path).convert('RGB'))
    assert min(pixels.shape[:2]) > 100
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


def write_page(results, folder, names=NAMES, **facts):
  """Returns the path and the text of the page of results."""
  report = dict(make_report(results, names), **facts)
  path = html_report.write_page(report, results, COLORS,
                                html_report.write_charts(report, str(folder)), str(folder))
  with open(path, encoding='utf-8') as f:
    return path, f.read()


@pytest.mark.parametrize('num_images, num_ignored, headings', [
    (1, 0, ['The image']), (12, 0, ['All 12 images, worst first']),
    (20, 1, ['All 20 images that have labels, worst first']),
    (21, 0, ['The 20 worst of 21 images', 'The best']),
    (23, 0, ['The 20 worst of 23 images', 'The 3 best']),
    (40, 0, ['The 20 worst of 40 images', 'The 5 best']), (0, 1, [])])
def test_every_image_is_on_the_page_at_most_once(tmp_path, num_images, num_ignored, headings):
  results = make_results(range(num_images))
  image, label, prediction = sample(0)
  for index in range(num_ignored):
    results.add('ignored %d' % index, image, np.full_like(label, 255), prediction)
  _, page = write_page(results, tmp_path)
  found = [text for text in re.findall('<h2>(.*?)</h2>', page) if 'image' in text or 'best' in text]
  assert found == headings
  shown = re.findall(r'<h3>&lt;i&gt;(\d+): mean IoU', page)
  assert len(shown) == len(set(shown)) == min(num_images, 25)
  assert page.count('class="legend"') == len(headings)


def test_summary_stands_first_and_boundaries_below_the_classes(tmp_path):
  _, page = write_page(make_results([4, 9]), tmp_path)
  places = [page.index(text) for text in (
      '<b>Mean IoU ', 'pixel accuracy', '<h2>Classes', '<h2>Near boundaries',
      'within 1 px of boundaries', '<h2>Charts', '<h2>All 2 images')]
  assert places == sorted(places)
  assert 'over 3 classes in 2 images; 93.50\u00a0% of the pixels are right.' in page
  captions = re.findall('<figcaption>(.*?)</figcaption>', page)
  assert [text.split(',')[0].split(' ')[0] for text in captions] == [
      'image', 'label', 'prediction', 'errors'] * 2


def test_summary_names_the_weakest_of_many_classes():
  classes = [{'name': name, 'iou': iou} for name, iou in (
      ('a', 0.5), ('b', None), ('c<', 0.25), ('d', 0.75), ('e', 0.125), ('f', 0.625))]
  text = html_report._summary({'classes': classes, 'miou': 0.45, 'num_examples': 7,
                               'pixel_accuracy': None})
  assert 'over 5 classes in 7 images' in text
  assert text.replace('\u00a0', ' ').count('Weakest: e 12.50 %, c&lt; 25.00 %, a 50.00 %.') == 1


def test_page_needs_no_other_file_and_fits_a_phone(tmp_path):
  path, page = write_page(make_results([4, 9]), tmp_path,
                          NAMES[:2] + ['a_class_with_quite_a_long_name'],
                          checkpoint='run/' * 40 + 'model.ckpt-7')
  assert not re.findall(r'(?:src|href)="(?!data:)', page)
  assert 'a &lt;b&gt; tree' in page
  assert page.count('alt="errors in red') == 2
  num_shown, screen, width = browser.on_a_phone(path, tmp_path)
  assert num_shown == 10
  assert width <= screen
