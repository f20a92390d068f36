"""Tests of instance PNGs as Cityscapes names and numbers them."""
import json
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.evaluation import eval_coco_format
from deeplab.evaluation.eval_coco_format_test import NUM_CATEGORIES, evaluate
from deeplab.evaluation.panoptic import cityscapes, images
from deeplab.evaluation.panoptic.folder_pairs_test import coco_arrays
from deeplab.testing import forked_scripts


def to_cityscapes(segmentation, is_truth):
  """Returns uint16 ids: the categories 1, 2, 3 as cars and people, others as stuff."""
  label_ids = np.array([3, 24, 26, 33, 23, 7])
  ids = label_ids[segmentation.categories]
  is_thing = (segmentation.categories >= 1) & (segmentation.categories <= 3)
  ids = np.where(is_thing, ids * 1000 + segmentation.instances, ids)
  for instance, category in segmentation.crowds.items():
    assert is_truth
    ids[(segmentation.categories == 0) & (segmentation.instances == instance)] = (
        label_ids[category])
  return ids.astype(np.uint16)


@pytest.mark.parametrize('name', ['aachen_000000_%06d_gtFine_instanceIds.png',
                                  'aachen_000000_%06d.png',
                                  'aachen_000000_%06d_pred_instanceIds.png'])
def test_cityscapes_folders_give_the_numbers_of_the_coco_format(sample, tmp_path, name):
  truth_folder, predicted_folder = str(tmp_path / 'gt' / 'aachen'), str(tmp_path / 'pred')
  os.makedirs(truth_folder)
  os.makedirs(predicted_folder)
  for i, (_, truth, predicted) in enumerate(coco_arrays(sample)):
    Image.fromarray(to_cityscapes(truth, True)).save(os.path.join(
        truth_folder, 'aachen_000000_%06d_gtFine_instanceIds.png' % i))
    Image.fromarray(to_cityscapes(predicted, False)).save(
        os.path.join(predicted_folder, name % i))
    Image.new('L', (9, 9)).save(os.path.join(
        truth_folder, 'aachen_000000_%06d_gtFine_labelIds.png' % i))
  categories, pairs = cityscapes.list_pairs(str(tmp_path / 'gt'), predicted_folder)
  for excuses in ('any', 'same_category'):
    report = eval_coco_format.evaluate_pairs(
        categories, pairs, eval_coco_format.Settings(
            num_categories=19, ignored_label=255, crowd_excuses=excuses))
    expected = evaluate(sample, num_categories=NUM_CATEGORIES, crowd_excuses=excuses)
    assert list(report['means']) == list(expected)
    for key, means in expected.items():
      assert report['means'][key] == pytest.approx(means, abs=1e-12)


def test_cityscapes_things_are_people_and_vehicles(tmp_path):
  Image.fromarray(np.array([[7, 26001]], np.uint16)).save(
      str(tmp_path / 'bonn_000000_000001_gtFine_instanceIds.png'))
  categories, pairs = cityscapes.list_pairs(str(tmp_path), str(tmp_path))
  assert [pair.name for pair in pairs] == ['bonn_000000_000001']
  assert [c.name for c in categories.values() if c.is_thing] == [
      'person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle']
  assert len(categories) == cityscapes.NUM_CATEGORIES


def test_the_program_reads_cityscapes_folders(tmp_path):
  Image.fromarray(np.array([[7, 26001]], np.uint16)).save(
      str(tmp_path / 'bonn_000000_000001_gtFine_instanceIds.png'))
  result = forked_scripts.run(
      './evaluation/eval_coco_format.py', '--layout=cityscapes', '--gt_folder=%s' % tmp_path,
      '--pred_folder=%s' % tmp_path, '--results_json=%s/r.json' % tmp_path)
  assert result.code == 0, result.log
  means = json.loads((tmp_path / 'r.json').read_text())['means']
  assert [(means[key]['pq'], means[key]['n']) for key in ('All', 'Things', 'Stuff')] == [
      (1, 2), (1, 1), (1, 1)]


def test_converted_cityscapes_json_is_the_coco_format_with_road_as_category_0(tmp_path):
  # Its ids of segments are those of *_instanceIds.png; categories may be train ids.
  for kind, car in (('groundtruth', 26001), ('prediction', 26000)):
    os.makedirs(str(tmp_path / kind))
    ids = np.array([[0, 7, 7, car]])
    Image.fromarray(np.stack([ids % 256, ids // 256, 0 * ids], -1).astype(np.uint8)).save(
        str(tmp_path / kind / 'bonn.png'))
    (tmp_path / (kind + '.json')).write_text(json.dumps({
        'categories': [{'id': 0, 'name': 'road', 'isthing': 0},
                       {'id': 13, 'name': 'car', 'isthing': 1}],
        'annotations': [{'image_id': 'bonn', 'file_name': 'bonn.png', 'segments_info': [
            {'id': 7, 'category_id': 0, 'iscrowd': 0}, {'id': car, 'category_id': 13}]}]}))
  results = evaluate(str(tmp_path), num_categories=19, ignored_label=255)
  assert [(means['pq'], means['n']) for means in results.values()] == [(1, 2), (1, 1), (1, 1)]


@pytest.mark.parametrize('ids, mode, message', [
    ([[7, 34]], np.uint8, 'id 34 means label id 34, which is not in 0..33'),
    ([[7, 65000]], np.uint16, 'id 65000 means label id 65'),
])
def test_unknown_ids_of_cityscapes_are_told(tmp_path, ids, mode, message):
  path = str(tmp_path / 'a.png')
  Image.fromarray(np.array(ids, mode)).save(path)
  with pytest.raises(ValueError, match=r'a\.png: ' + message):
    cityscapes.CityscapesSource(path, True).read(images.Limits(19, 255, 9))


def test_cityscapes_frames_that_stand_twice_or_not_at_all_are_told(tmp_path):
  folder = tmp_path / 'gt'
  folder.mkdir()
  with pytest.raises(ValueError, match='There are no files .*instanceIds.png in .*gt'):
    cityscapes.list_pairs(str(folder), str(folder))
  for name in ('ulm_000000_000001.png', 'ulm_000000_000001_x_instanceIds.png'):
    Image.new('L', (2, 2)).save(str(folder / name))
  with pytest.raises(ValueError, match='Two files are of the same frame'):
    cityscapes.list_pairs(str(folder), str(folder))
