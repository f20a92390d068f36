"""Tests of the kinds of annotations, built by the script as its users run it."""
import io
import json

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import registry
from deeplab.datasets.records import dataset_info, example
from deeplab.testing import forked_scripts

_SIZE = (6, 8)


def _run(*args):
  """Runs the script; returns exit code and last line."""
  result = forked_scripts.run('datasets/build_custom_data.py', '--num_processes=1', *args)
  return result.code, result.last_line


def _save(path, array):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(array).save(str(path))


def _labels(folder):
  """Returns a dict, record name -> label map, of the split train."""
  return {example.record_name(record): np.array(Image.open(io.BytesIO(
      example.label_bytes(record)))) for path in registry.split_files(str(folder), 'train')
          for record in example.read_records(path)}


@pytest.mark.parametrize('kind', ['labelme', 'coco', 'yolo'])
def test_images_without_annotation_are_errors_or_negatives(tmp_path, kind):
  pytest.importorskip('pycocotools')
  for name in ('a', 'b'):
    _save(tmp_path / 'images' / (name + '.png'), np.zeros(_SIZE + (3,), np.uint8))
  args = _one_annotated(tmp_path, kind) + ['--output_dir=%s' % (tmp_path / 'o')]
  code, line = _run(*args)
  assert code == 1 and "for 1 of 2 images: 'b'" in line, line
  code, line = _run('--negatives', *args)
  assert code == 0, line
  found = _labels(tmp_path / 'o')
  assert (found['a'][:3] == 1).all() and (found['a'][3:] == 0).all() and (found['b'] == 0).all()
  code, line = _run('--negatives', '--unlabelled=ignore', *args)
  assert code == 2 and '--negatives: images without annotation would not count at all' in line


def _one_annotated(folder, kind):
  """Annotates the upper half of the image `a` as cat; returns the flags."""
  points = [[0, 0], [8, 0], [8, 3], [0, 3]]
  args = ['--image_dir=%s' % (folder / 'images'), '--class_names=background,cat']
  if kind == 'labelme':
    (folder / 'json').mkdir()
    (folder / 'json' / 'a.json').write_text(json.dumps({'shapes': [
        {'label': 'cat', 'points': [[0, 0], [7, 2]], 'shape_type': 'rectangle'}]}))
    return args + ['--labelme_dir=%s' % (folder / 'json')]
  if kind == 'yolo':
    (folder / 'txt').mkdir()
    (folder / 'txt' / 'a.txt').write_text('0 0 0 1 0 1 0.5 0 0.5')
    return args + ['--yolo_dir=%s' % (folder / 'txt')]
  (folder / 'coco.json').write_text(json.dumps({
      'images': [{'id': 1, 'file_name': 'a.png', 'height': 6, 'width': 8}],
      'categories': [{'id': 9, 'name': 'cat'}],
      'annotations': [{'id': 1, 'image_id': 1, 'category_id': 9,
                       'segmentation': [sum(points, [])]}]}))
  return args + ['--coco_json=%s' % (folder / 'coco.json')]


@pytest.mark.parametrize('processes', [1, 2])
def test_what_is_left_out_is_told_once_and_listed_however_many_work(tmp_path, processes):
  (tmp_path / 'json').mkdir()
  good = {'label': 'tree', 'points': [[0, 0], [7, 0], [7, 2], [0, 2]]}
  for i in range(4):
    _save(tmp_path / 'images' / ('a%d.png' % i), np.zeros(_SIZE + (3,), np.uint8))
    (tmp_path / 'json' / ('a%d.json' % i)).write_text(json.dumps(
        {'shapes': [dict(good, points=[[0, 0]])] * i + [good]}))
  args = ['--image_dir=%s' % (tmp_path / 'images'), '--labelme_dir=%s' % (tmp_path / 'json'),
          '--class_names=background,tree', '--output_dir=%s' % (tmp_path / 'o')]
  # The second time all shards are there and only counted.
  for _ in range(2):
    result = forked_scripts.run('datasets/build_custom_data.py', *(
        args + ['--num_processes=%d' % processes]))
    assert result.code == 0, result.log
    assert result.log.count("Split 'train': 6 of its annotations left out, 4 drawn") == 1
    assert ('6 with fewer than the 3 points of a polygon: shape 1 (tree) of a1, shape 1 (tree) of '
            'a2, shape 2 (tree) of a2, ...') in result.log
    listed = (tmp_path / 'o' / 'left_out_train.txt').read_text().splitlines()
    assert [line.split('\t')[:2] for line in listed] == [
        ['a%d' % i, 'shape %d (tree)' % (j + 1)] for i in range(4) for j in range(i)]


@pytest.mark.parametrize('kind, old, new, message', [
    ('labelme', '"rectangle"', '"cuboid"', "1 with the unknown shape type 'cuboid' "),
    ('labelme', '"cat"', '""', '1 with no label: shape 1 of a.'),
    ('yolo', '0.5', '50', '1 with numbers that are no shares, 0 to 1, of width and height: a.txt '),
    ('yolo', '0 0 ', '7 0 ', '1 with a class number that is none of 0: a.txt line 1 of a.'),
    ('coco', '[[0, 0, ', '[[0, ', '1 with a polygon of an odd number of coordinates: annotation 1'),
])
def test_a_split_of_which_nothing_can_be_drawn_leaves_nothing(tmp_path, kind, old, new, message):
  pytest.importorskip('pycocotools')
  _save(tmp_path / 'images' / 'a.png', np.zeros(_SIZE + (3,), np.uint8))
  args = _one_annotated(tmp_path, kind)
  path, = [path for path in tmp_path.rglob('*') if path.suffix in ('.json', '.txt')]
  path.write_text(path.read_text().replace(old, new))
  code, line = _run('--output_dir=%s' % (tmp_path / 'o'), *args)
  assert code == 1 and 'none of its annotations can be drawn. ' + message in line, line
  assert not (tmp_path / 'o').exists()


def test_labels_of_labelme_are_listed_without_class_names(tmp_path):
  _save(tmp_path / 'images' / 'a.png', np.zeros(_SIZE + (3,), np.uint8))
  (tmp_path / 'json').mkdir()
  (tmp_path / 'json' / 'a.json').write_text(json.dumps({'shapes': [
      {'label': name, 'points': []} for name in ('tree', 'big cat', 'tree', 'ignore')]}))
  code, line = _run('--image_dir=%s' % (tmp_path / 'images'), '--output_dir=%s' % (tmp_path / 'o'),
                    '--labelme_dir=%s' % (tmp_path / 'json'))
  assert code == 2 and line.endswith(
      '--labelme_dir needs --class_names. Labels found (number of shapes): big cat (1), ignore '
      "(1), tree (2). For example: --class_names='background,big cat,tree'")
  assert not (tmp_path / 'o').exists()


_YOLO_LINES = '1 0 0 1 0 1 1 0 1\n0 0.25 0 0.75 0 0.75 0.5 0.25 0.5\n'


@pytest.mark.parametrize('names_file, args, names, upper, rest', [
    ('labels/classes.txt', [], ['background', 'cat', 'dog'], 1, 2),
    ('classes.txt', ['--class_names=dog,cat'], ['dog', 'cat'], 1, 0),
    ('classes.txt', ['--class_names=background,cat'], ['background', 'cat'], 1, 0),
    (None, ['--class_names=background,cat,dog'], ['background', 'cat', 'dog'], 1, 2),
    (None, ['--class_names=cat,dog'], ['cat', 'dog'], 0, 1),
])
def test_class_numbers_of_yolo_are_those_of_objects(tmp_path, names_file, args, names, upper, rest):
  pytest.importorskip('pycocotools')
  _save(tmp_path / 'images' / 'a.png', np.zeros(_SIZE + (3,), np.uint8))
  (tmp_path / 'labels').mkdir()
  (tmp_path / 'labels' / 'a.txt').write_text(_YOLO_LINES)
  if names_file:
    (tmp_path / names_file).write_text('cat\ndog\n')
  code, line = _run('--image_dir=%s' % (tmp_path / 'images'), '--output_dir=%s' % (tmp_path / 'o'),
                    '--yolo_dir=%s' % (tmp_path / 'labels'), *args)
  assert code == 0, line
  expected = np.full(_SIZE, rest, np.uint8)
  expected[:3, 2:6] = upper
  np.testing.assert_array_equal(_labels(tmp_path / 'o')['a'], expected)
  assert dataset_info.read(str(tmp_path / 'o')).class_names == names


@pytest.mark.parametrize('names_text, args, exit_code, message', [
    (None, [], 2, '--yolo_dir needs --class_names, or data.yaml or classes.txt beside the labels '
                  'or above. Class numbers found (number of lines): 0 (1), 1 (1).'),
    ('cat', ['--class_names=background,cats'], 1,
     'classes.txt: none of its classes cat is among --class_names: background, cats.'),
])
def test_class_numbers_of_yolo_without_meaning_are_an_error(tmp_path, names_text, args, exit_code,
                                                             message):
  _save(tmp_path / 'images' / 'a.png', np.zeros(_SIZE + (3,), np.uint8))
  (tmp_path / 'labels').mkdir()
  (tmp_path / 'labels' / 'a.txt').write_text(_YOLO_LINES)
  if names_text:
    (tmp_path / 'labels' / 'classes.txt').write_text(names_text)
  code, line = _run('--image_dir=%s' % (tmp_path / 'images'), '--output_dir=%s' % (tmp_path / 'o'),
                    '--yolo_dir=%s' % (tmp_path / 'labels'), *args)
  assert code == exit_code and message in line, line
  assert not (tmp_path / 'o').exists()


def test_images_that_coco_lists_and_nobody_has_are_told_or_skipped(tmp_path):
  pytest.importorskip('pycocotools')
  _save(tmp_path / 'images' / 'a.png', np.zeros(_SIZE + (3,), np.uint8))
  args = _one_annotated(tmp_path, 'coco') + ['--output_dir=%s' % (tmp_path / 'o')]
  content = json.loads((tmp_path / 'coco.json').read_text())
  content['images'].append({'id': 2, 'file_name': 'gone.png', 'height': 6, 'width': 8})
  (tmp_path / 'coco.json').write_text(json.dumps(content))
  code, line = _run(*args)
  assert code == 1 and "has no image for 1 of 2 images that " in line
  assert line.endswith("coco.json lists: 'gone'. Add the files or take the others away. Or leave "
                       'them out with --on_error=skip.')
  code, line = _run('--on_error=skip', *args)
  assert code == 0 and list(_labels(tmp_path / 'o')) == ['a'], line
