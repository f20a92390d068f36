"""Tests of folders of class and instance PNGs, and of PNGs as Cityscapes names them."""
import json
import os
import typing

import numpy as np
import pytest
from PIL import Image

from deeplab.evaluation import eval_coco_format
from deeplab.evaluation.eval_coco_format_test import NUM_CATEGORIES, SETTINGS, evaluate, run
from deeplab.evaluation.panoptic import coco, id_folders, images, make_sample
from deeplab.testing import forked_scripts


class Arrays(typing.NamedTuple):
  """Categories and instances of an image, and its crowds."""
  categories: np.ndarray
  instances: np.ndarray
  crowds: dict


def to_arrays(segmentation, limits):
  ids = segmentation.segments_of(segmentation.id_image.ravel())
  return Arrays(*[part.reshape(segmentation.id_image.shape) for part in np.divmod(
      ids, limits.max_instances_per_category)], crowds=segmentation.crowds)


def coco_arrays(folder):
  """Yields (name, truth, prediction) of the sample, Arrays."""
  limits = images.Limits(NUM_CATEGORIES, 0, 64)
  _, pairs = coco.list_pairs(
      *[os.path.join(folder, part) for part in ('groundtruth.json', 'prediction.json',
                                                'groundtruth', 'prediction')], limits=limits)
  for pair in pairs:
    yield (pair.name, to_arrays(pair.groundtruth.read(limits), limits),
           to_arrays(pair.prediction.read(limits), limits))


def write_folders(sample, output, instance_factor=1):
  """Writes the sample as class and instance PNGs; returns the four folders."""
  folders = [os.path.join(output, name) for name in ('gt', 'gt_instances', 'pred',
                                                     'pred_instances')]
  for folder in folders:
    os.makedirs(os.path.join(folder, 'sub'))
  for name, truth, predicted in coco_arrays(sample):
    arrays = (truth.categories, truth.instances, predicted.categories, predicted.instances)
    for i, (folder, array) in enumerate(zip(folders, arrays)):
      factor = instance_factor if i % 2 else 1
      dtype = np.uint16 if factor > 1 else np.uint8
      Image.fromarray((array * factor).astype(dtype)).save(
          os.path.join(folder, 'sub', name + '.png'))
  return folders


@pytest.mark.parametrize('instance_factor', [1, 2000])
def test_plain_folders_give_the_numbers_of_the_coco_format(sample, tmp_path, instance_factor):
  folders = write_folders(sample, str(tmp_path), instance_factor)
  pairs = id_folders.list_plain_pairs(folders[:2], folders[2:])
  path = tmp_path / 'categories.json'
  path.write_text(json.dumps(make_sample.CATEGORIES))
  categories = coco.read_categories(str(path), images.Limits(NUM_CATEGORIES, 0, 64))
  for metric in ('pq', 'pc'):
    report = eval_coco_format.evaluate_pairs(categories, pairs,
                                             SETTINGS._replace(metric=metric))
    assert report['means'] == evaluate(sample, num_categories=NUM_CATEGORIES, metric=metric)


def test_program_reads_folders_with_names_of_categories(sample, tmp_path):
  folders = write_folders(sample, str(tmp_path))
  path = tmp_path / 'categories.json'
  path.write_text(json.dumps(make_sample.CATEGORIES))
  flags = ['--layout=folders', '--metric=pc', '--num_categories=6',
           '--categories_file=%s' % path] + [
               '--%s=%s' % item for item in zip(('gt_folder', 'gt_instance_folder', 'pred_folder',
                                                 'pred_instance_folder'), folders)]
  result = run(*flags)
  assert result.code == 0, result.log
  expected = evaluate(sample, metric='pc')
  assert 'tower' in result.log and '%.3f' % expected['Things']['pc'] in result.log


class TestFolders:
  LIMITS = images.Limits(3, 0, 4)

  def write(self, folder, classes, instances, dtype=np.uint8):
    paths = []
    for name, array in (('classes', classes), ('instances', instances)):
      os.makedirs(str(folder / name), exist_ok=True)
      paths.append(str(folder / name / 'a.png'))
      Image.fromarray(np.array(array, dtype)).save(paths[-1])
    return paths

  def read(self, paths):
    found = id_folders.PlainSource(*paths).read(self.LIMITS)
    return np.divmod(found.segments_of(found.id_image.ravel()), 4)

  def test_large_instance_ids_are_numbered_anew_and_void_is_kept(self, tmp_path):
    categories, instances = self.read(self.write(
        tmp_path, [[0, 0, 1, 1, 2]], [[0, 9, 40000, 65535, 0]], np.uint16))
    assert categories.tolist() == [0, 0, 1, 1, 2]
    assert instances.tolist() == [0, 1, 0, 1, 0]

  @pytest.mark.parametrize('classes, instances, message', [
      ([[1, 3]], [[0, 0]], r'classes/a\.png: category 3 is not in 0\.\.2'),
      ([[1] * 5], [[5, 6, 7, 8, 9]], r'classes/a\.png: category 1 has more segments than'),
      ([[1, 1]], [[0], [0]], r'classes/a\.png is 1x2 .*instances/a\.png is 2x1'),
  ])
  def test_bad_pair_is_told(self, tmp_path, classes, instances, message):
    with pytest.raises(ValueError, match=message):
      self.read(self.write(tmp_path, classes, instances))

  def test_wrong_depth_is_told(self, tmp_path):
    paths = self.write(tmp_path, [[1, 1]], [[0, 0]])
    Image.fromarray(np.array([[True, False]])).save(paths[1])
    with pytest.raises(ValueError, match=r'instances/a\.png is a PNG of 1-bit grayscale, exp'):
      self.read(paths)
    Image.new('RGB', (2, 1)).save(paths[0])
    with pytest.raises(ValueError, match=r'classes/a\.png is a PNG of 8-bit RGB, expected'):
      self.read(paths)

  def test_palette_indices_are_ids(self, tmp_path):
    paths = self.write(tmp_path, [[1, 2]], [[0, 0]])
    image = Image.fromarray(np.array([[1, 2]], np.uint8))
    image = image.convert('P')
    image.putpalette([0, 0, 0, 9, 9, 9, 200, 0, 0])
    image.putdata([1, 2])
    image.save(paths[0])
    assert Image.open(paths[0]).mode == 'P'
    assert self.read(paths)[0].tolist() == [1, 2]

  def test_missing_folder_or_instances_are_told(self, tmp_path):
    paths = self.write(tmp_path, [[1]], [[0]])
    folders = [os.path.dirname(path) for path in paths]
    with pytest.raises(ValueError, match=r'There is no folder .*absent'):
      id_folders.list_plain_pairs(folders, (folders[0], str(tmp_path / 'absent')))
    os.remove(paths[1])
    with pytest.raises(ValueError, match=r'classes/a\.png has no instances'):
      id_folders.list_plain_pairs(folders, folders)
    os.remove(paths[0])
    with pytest.raises(ValueError, match=r'There are no PNG files in .*classes'):
      id_folders.list_plain_pairs(folders, folders)


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
  categories, pairs = id_folders.list_cityscapes_pairs(str(tmp_path / 'gt'), predicted_folder)
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
  categories, pairs = id_folders.list_cityscapes_pairs(str(tmp_path), str(tmp_path))
  assert [pair.name for pair in pairs] == ['bonn_000000_000001']
  assert [c.name for c in categories.values() if c.is_thing] == [
      'person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle']
  assert len(categories) == id_folders.CITYSCAPES_NUM_CATEGORIES


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
    id_folders.CityscapesSource(path, True).read(images.Limits(19, 255, 9))


def test_cityscapes_frames_that_stand_twice_or_not_at_all_are_told(tmp_path):
  folder = tmp_path / 'gt'
  folder.mkdir()
  with pytest.raises(ValueError, match='There are no files .*instanceIds.png in .*gt'):
    id_folders.list_cityscapes_pairs(str(folder), str(folder))
  for name in ('ulm_000000_000001.png', 'ulm_000000_000001_x_instanceIds.png'):
    Image.new('L', (2, 2)).save(str(folder / name))
  with pytest.raises(ValueError, match='Two files are of the same frame'):
    id_folders.list_cityscapes_pairs(str(folder), str(folder))
