"""Tests of the check of exported models."""
import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.deployment.exporting import comparison
from deeplab.deployment.exporting.comparison import Comparison
from deeplab.deployment.formats import tflite_converter
from deeplab.deployment.graphs import record
from deeplab.testing import tiny_run


def write_graph(path, factor=1):
  """Writes a frozen graph whose labels are factor * (red // 100)."""
  with tf.Graph().as_default() as graph:
    images = tf.placeholder(tf.uint8, [1, None, None, 3], name=record.INPUT_NAME)
    tf.cast(factor * (images[..., 0] // 100), tf.int32, name=record.OUTPUT_NAME)
    path.write_bytes(graph.as_graph_def().SerializeToString())


def test_labels_come_from_another_process_in_order(tmp_path):
  paths = [tmp_path / 'a.pb', tmp_path / 'b.pb']
  for factor, path in enumerate(paths, 1):
    write_graph(path, factor)
  pictures = [np.full((2 + index, 3, 3), value, np.uint8)
              for index, value in enumerate((0, 150, 250))]
  found = comparison.labels_in_fresh_process(list(map(str, paths)), pictures)
  assert [len(labels_of_one) for labels_of_one in found] == [3, 3]
  for factor, labels_of_one in enumerate(found, 1):
    for labels, picture, value in zip(labels_of_one, pictures, (0, 1, 2)):
      np.testing.assert_array_equal(labels, np.full(picture.shape[:2], factor * value))


def test_models_that_do_not_load_are_told(tmp_path):
  (tmp_path / 'm.pb').write_bytes(b'no graph')
  with pytest.raises(ValueError, match='m.pb is not a frozen graph'):
    comparison.labels_in_fresh_process(
        [str(tmp_path / 'm.pb')], comparison.drawn_pictures())


def test_process_that_dies_is_told(tmp_path, monkeypatch):
  write_graph(tmp_path / 'a.pb')
  monkeypatch.setattr(comparison, '__name__', 'deeplab.no_such_module')
  with pytest.raises(ValueError, match='cannot be run in a process of their own: .*no_such'):
    comparison.labels_in_fresh_process([str(tmp_path / 'a.pb')], [])


def test_share_of_equal_pixels_counts_all_pictures():
  a, b = np.zeros((2, 2), np.int32), np.zeros((3, 4), np.int32)
  assert comparison.equal_share([a, b], [a, b]) == 1
  assert comparison.equal_share([a + 1, b], [a, b]) == 0.75
  with pytest.raises(ValueError, match=r'are \[3, 4\] in place of \[2, 2\]'):
    comparison.equal_share([b], [a])


def test_pictures_of_a_dataset_are_of_the_split_asked_for_or_the_last(tmp_path):
  samples = tiny_run.make_samples()
  tiny_run.write_records(str(tmp_path), samples, split='val')
  for split in ('val', 'train'):
    pictures = comparison.pictures_of_records(str(tmp_path), 2, split)
    assert len(pictures) == 2
    for picture, sample in zip(pictures, samples):
      np.testing.assert_array_equal(picture, sample.image)
  (tmp_path / 'empty').mkdir()
  assert comparison.pictures_of_records(str(tmp_path / 'empty')) == []
  assert comparison.pictures_of_records(None) == []
  assert comparison.truths_of_records(None) == []
  truths = comparison.truths_of_records(str(tmp_path), 2)
  for truth, sample in zip(truths, samples):
    np.testing.assert_array_equal(truth, sample.label)
  assert len(truths) == 2


def test_drawn_pictures_are_the_same_each_time_and_of_several_sizes():
  pictures = comparison.drawn_pictures((65, 49))
  assert pictures[0].shape == (65, 49, 3)
  assert len({picture.shape for picture in pictures}) == comparison.NUM_PICTURES
  for picture, again in zip(pictures, comparison.drawn_pictures((65, 49))):
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, again)
    assert len(np.unique(picture)) > 50


def test_every_kind_of_tflite_file_has_limits():
  assert set(comparison.TFLITE) == set(tflite_converter.KINDS)


@pytest.mark.parametrize('kind, equal_pixels, miou_drop', [
    ('float32', 0.99, 0.005), ('float16', 0.99, 0.005), ('dynamic', 0.97, 0.02),
    ('int8', 0.97, 0.02), ('qat', 0.98, 0.02)])
def test_limits_are_kept_to(kind, equal_pixels, miou_drop):
  limits = comparison.TFLITE[kind]
  comparison.check(kind, Comparison(equal_pixels, 20, 0.7 - 0.999 * miou_drop, 0.7), limits)
  with pytest.raises(ValueError, match='of the pixels of 20 pictures of the dataset have .*; at '
                                       'least %.0f %% should' % (100 * equal_pixels)):
    comparison.check(kind, Comparison(equal_pixels - 1e-4, 20, 0.7, 0.7), limits)
  with pytest.raises(ValueError, match='mean IoU .*, of the checkpoint 70.00 %%; it may fall by '
                                       '%.1f points. Nothing' % (100 * miou_drop)):
    comparison.check(kind, Comparison(1.0, 20, 0.7 - 1.001 * miou_drop, 0.7), limits)


def test_mean_iou_of_few_pictures_stops_nothing():
  comparison.check('frozen', Comparison(1.0, 19, 0.1, 0.7), comparison.FLOAT)


def test_drawn_pictures_are_enough_for_floats_alone(caplog):
  with pytest.raises(ValueError, match='10.00 % of the pixels of drawn pictures'):
    comparison.check('frozen', Comparison(0.1, 0), comparison.FLOAT)
  comparison.check('tflite', Comparison(0.1, 0), comparison.TFLITE['int8'])
  assert 'give --dataset_dir' in caplog.text
