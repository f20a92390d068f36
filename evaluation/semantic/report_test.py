"""Tests of the written and shown results of an evaluation."""
import glob
import json

import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.evaluation.semantic import report as report_lib

COUNTS = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]], np.int64)


def make_report(counts=COUNTS):
  return report_lib.make_report(
      counts, ['sky', 'road', 'car'], tag='miou_1.0', dataset='streets', split='val',
      num_examples=2, checkpoint='run/model.ckpt-7', global_step=7)


def event_scalars(folder):
  values = {}
  for path in glob.glob('%s/events*' % folder):
    for event in tf.train.summary_iterator(path):
      for value in event.summary.value:
        values[event.step, value.tag] = value.simple_value
  return values


@pytest.mark.parametrize('scales, flipped, tag', [
    ([1.0], False, 'miou_1.0'), ([0.5, 1, 1.75], True, 'miou_0.5_1.0_1.75_flipped')])
def test_tag_lists_scales_and_flip(scales, flipped, tag):
  assert report_lib.miou_tag(scales, flipped) == tag


def test_file_holds_facts_metrics_and_matrix(tmp_path):
  path = report_lib.write_report(make_report(), str(tmp_path))
  with open(path) as f:
    text = f.read()
  content = json.loads(text)
  assert content['checkpoint'] == 'run/model.ckpt-7'
  assert content['num_examples'] == 2
  assert content['miou'] == pytest.approx((6 / 9. + 3 / 6.) / 2)
  assert content['classes'][1] == {
      'id': 1, 'name': 'road', 'iou': 0.5, 'dice': 6 / 9., 'accuracy': 0.75,
      'label_pixels': 4, 'predicted_pixels': 5}
  assert content['classes'][2]['iou'] is None
  assert content['confusion_matrix'] == COUNTS.tolist()
  assert '    [6, 2, 0],\n' in text


def test_scalars_reach_the_event_file_under_their_tags(tmp_path):
  writer = tf.summary.FileWriter(str(tmp_path))
  report_lib.write_scalars(make_report(), writer)
  writer.close()
  values = event_scalars(tmp_path)
  assert values[7, 'miou_1.0'] == pytest.approx((6 / 9. + 3 / 6.) / 2)
  assert values[7, 'eval/miou_1.0_class_0'] == pytest.approx(6 / 9.)
  assert values[7, 'eval/pixel_accuracy'] == pytest.approx(0.75)
  assert (7, 'eval/miou_1.0_class_2') not in values


def test_classes_have_scalars_by_id_and_by_name():
  report = report_lib.make_report(np.diag([4, 5, 6]), ['road', 'traffic light', 'a/b \u00fc'],
                                  tag='miou_0.5_1.0_flipped')
  values = report_lib.scalars(report)
  names = ['0_road', '1_traffic_light', '2_a_b_\u00fc']
  for index, name in enumerate(names):
    assert values['iou_0.5_1.0_flipped/' + name] == 1
    assert values['eval/miou_0.5_1.0_flipped_class_%d' % index] == 1
  unnamed = report_lib.scalars(report_lib.make_report(np.diag([4, 0]), tag='miou_1.0'))
  assert sorted(tag for tag in unnamed if tag.startswith('iou_1.0/')) == ['iou_1.0/0_class_0']


def test_single_predicted_class_is_warned_of(caplog):
  with caplog.at_level('WARNING'):
    report_lib.log_report(make_report())
    assert not caplog.records
    report_lib.log_report(make_report(np.array([[5, 0, 0], [3, 0, 0], [1, 0, 0]])))
  assert 'Every pixel is predicted as class 0 (sky)' in caplog.text
