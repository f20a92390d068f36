"""Tests of the sample: what it holds, and that the program writes and tells it."""
import json
import os
import re

import numpy as np
import pytest

from deeplab.evaluation.panoptic import images, make_sample
from deeplab.testing import forked_scripts, tiny_trees


def test_sample_has_shapes_crowds_and_void_and_its_numbers_are_right(tmp_path):
  (truth, folder), (prediction, _) = make_sample.write_sample(str(tmp_path))
  with open(truth) as f:
    annotations = json.load(f)['annotations']
  assert len(annotations) == 8
  crowds, categories = 0, set()
  for annotation in annotations:
    ids = images.read_color_ids(os.path.join(folder, annotation['file_name']))
    assert ids.shape == (120, 160)
    numbers, areas = np.unique(ids, return_counts=True)
    assert numbers[0] == 0 and areas[0] >= 120 * 6
    assert {s['id']: s['area'] for s in annotation['segments_info']} == dict(
        zip(numbers[1:].tolist(), areas[1:].tolist()))
    crowds += sum(s['iscrowd'] for s in annotation['segments_info'])
    categories |= {s['category_id'] for s in annotation['segments_info']}
  assert crowds > 0 and categories == {1, 2, 3, 4, 5}
  with open(prediction) as f:
    assert not any(s['iscrowd'] for a in json.load(f)['annotations']
                   for s in a['segments_info'])


def test_equal_seeds_give_equal_files(tmp_path):
  size = make_sample.SampleSize(num_images=2, image_height=40, image_width=50)
  for name, seed in (('a', 1), ('b', 1), ('c', 2)):
    make_sample.write_sample(str(tmp_path / name), size, seed)
  assert tiny_trees.contents(tmp_path / 'a') == tiny_trees.contents(tmp_path / 'b')
  assert tiny_trees.contents(tmp_path / 'a') != tiny_trees.contents(tmp_path / 'c')


def test_sample_that_is_too_small_is_told(tmp_path):
  with pytest.raises(ValueError, match='at least 1 image of 32x32'):
    make_sample.write_sample(str(tmp_path), make_sample.SampleSize(image_height=16))


def test_program_writes_the_sample_and_the_command_it_tells_evaluates_it(tmp_path):
  result = forked_scripts.run('./evaluation/panoptic/make_sample.py',
                              '--output_dir=%s/s' % tmp_path, '--num_images=2',
                              '--image_height=40', '--seed=5')
  assert result.code == 0, result.log
  command = result.last_line.split()
  assert command[:3] == ['python', '-m', 'deeplab.evaluation.eval_coco_format']
  result = forked_scripts.run('./evaluation/eval_coco_format.py', *command[3:])
  assert result.code == 0, result.log
  assert re.search(r'All +0\.\d{3} +0\.\d{3} +0\.\d{3}', result.log)
  result = forked_scripts.run('./evaluation/panoptic/make_sample.py')
  assert result.code == 2 and '--output_dir' in result.last_line
