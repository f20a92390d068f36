"""Tests of folders of class and instance PNGs."""
import json
import os
import typing

import numpy as np
import pytest
from PIL import Image

from deeplab.evaluation import eval_coco_format
from deeplab.evaluation.eval_coco_format_test import NUM_CATEGORIES, SETTINGS, evaluate, run
from deeplab.evaluation.panoptic import categories as panoptic_categories
from deeplab.evaluation.panoptic import coco, folder_pairs, images
from deeplab.evaluation.panoptic import sample as panoptic_sample


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
  pairs = folder_pairs.list_pairs(folders[:2], folders[2:])
  categories = panoptic_categories.parse(list(panoptic_sample.CATEGORIES), 'x', NUM_CATEGORIES,
                                         0)
  for metric in ('pq', 'pc'):
    report = eval_coco_format.evaluate_pairs(categories, pairs,
                                             SETTINGS._replace(metric=metric))
    assert report['means'] == evaluate(sample, num_categories=NUM_CATEGORIES, metric=metric)


def test_program_reads_folders_with_names_of_categories(sample, tmp_path):
  folders = write_folders(sample, str(tmp_path))
  path = tmp_path / 'categories.json'
  path.write_text(json.dumps(panoptic_sample.CATEGORIES))
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
    found = folder_pairs.FolderSource(*paths).read(self.LIMITS)
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
      folder_pairs.list_pairs(folders, (folders[0], str(tmp_path / 'absent')))
    os.remove(paths[1])
    with pytest.raises(ValueError, match=r'classes/a\.png has no instances'):
      folder_pairs.list_pairs(folders, folders)
    os.remove(paths[0])
    with pytest.raises(ValueError, match=r'There are no PNG files in .*classes'):
      folder_pairs.list_pairs(folders, folders)
