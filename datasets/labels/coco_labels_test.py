"""Tests of label maps from COCO annotations."""
import json
import sys

import numpy as np
import pytest

from deeplab.datasets.labels import coco_labels

pytest.importorskip('pycocotools')

_SIZE = (6, 8)
_SQUARE = [[2, 1, 6, 1, 6, 5, 2, 5]]  # Columns 2..5, rows 1..4.
_ALL = [[0, 0, 8, 0, 8, 6, 0, 6]]


def _write(tmp_path, items, **fields):
  content = {
      'images': [{'id': 7, 'file_name': 'val2017/a b.jpg', 'height': 6, 'width': 8},
                 {'id': 8, 'file_name': 'empty.png', 'height': 2, 'width': 2}],
      'categories': [{'id': 44, 'name': 'cup'}, {'id': 3, 'name': 'table'}],
      'annotations': [dict(id=i, image_id=7, **item) for i, item in enumerate(items)]}
  content.update(fields)
  path = tmp_path / 'instances.json'
  path.write_text(json.dumps(content))
  return str(path)


def _annotation(category, segmentation, **fields):
  return dict(category_id=category, segmentation=segmentation, **fields)


def _expected():
  labels = np.full(_SIZE, 1, np.uint8)
  labels[1:5, 2:6] = 2
  return labels


def test_smaller_areas_lie_on_top_whatever_the_order(tmp_path):
  file = coco_labels.CocoFile(_write(
      tmp_path, [_annotation(44, _SQUARE), _annotation(3, _ALL)]))
  assert file.class_names == ['background', 'table', 'cup']
  np.testing.assert_array_equal(file.label('a b', 255).read(*_SIZE).labels, _expected())


def test_run_lengths_go_down_the_columns(tmp_path):
  # Two columns off, then four columns of one pixel off, four on, one off, then two columns off.
  counts = [13, 4, 2, 4, 2, 4, 2, 4, 13]
  file = coco_labels.CocoFile(_write(tmp_path, [
      _annotation(44, {'counts': counts, 'size': list(_SIZE)}, iscrowd=1),
      _annotation(3, _ALL)]))
  np.testing.assert_array_equal(file.label('a b', 255).read(*_SIZE).labels, _expected())


def test_compressed_run_lengths_are_read(tmp_path):
  from pycocotools import mask
  runs = mask.encode(np.asfortranarray(_expected() == 2).astype(np.uint8))
  file = coco_labels.CocoFile(_write(tmp_path, [
      _annotation(44, {'counts': runs['counts'].decode(), 'size': list(_SIZE)}),
      _annotation(3, _ALL)]))
  np.testing.assert_array_equal(file.label('a b', 255).read(*_SIZE).labels, _expected())


def test_only_wanted_classes_are_painted(tmp_path):
  file = coco_labels.CocoFile(_write(
      tmp_path, [_annotation(44, _SQUARE), _annotation(3, _ALL)]),
                              ['background', 'cup'])
  np.testing.assert_array_equal(file.label('a b', 0).read(*_SIZE).labels, _expected() == 2)


def test_an_image_without_annotation_is_unlabelled(tmp_path):
  file = coco_labels.CocoFile(_write(tmp_path, []))
  assert file.stems() == ['a b', 'empty']
  assert (file.label('empty', 255).read(2, 2).labels == 255).all()


def test_an_image_that_is_not_listed_cannot_be_read(tmp_path):
  label = coco_labels.CocoFile(_write(tmp_path, [])).label('other', 255)
  assert label.path == str(tmp_path / 'instances.json')
  with pytest.raises(ValueError, match="instances.json has no entry for the image 'other'"):
    label.read(*_SIZE)


def test_what_is_left_out_is_named_and_the_rest_is_drawn(tmp_path):
  file = coco_labels.CocoFile(_write(tmp_path, [
      _annotation(3, _ALL), _annotation(44, [[1, 1, 2, 1]] + _SQUARE), _annotation(44, [[1, 1]]),
      _annotation(5, _SQUARE), _annotation(44, [], bbox=[2, 1, 4, 4]), _annotation(44, None)]))
  drawing = file.label('a b', 255).read(*_SIZE)
  np.testing.assert_array_equal(drawing.labels, _expected())
  assert drawing.num_drawn == 2
  assert sorted(drawing.left_out) == [
      ('annotation 2 (cup)', 'a polygon of fewer than three points'),
      ('annotation 3 (category_id 5)', 'a category_id that is no category of the file'),
      ('annotation 4 (cup)', 'a box and no segmentation (--boxes_as_areas paints boxes)'),
      ('annotation 5 (cup)', 'neither a segmentation nor a bbox [x, y, width, height]'),
      ('polygon 1 of 2 of annotation 1 (cup)', 'a polygon of fewer than three points')]


@pytest.mark.parametrize('segmentation', [[], None, {}, [[]]])
def test_boxes_are_painted_where_that_is_asked(tmp_path, segmentation):
  file = coco_labels.CocoFile(_write(
      tmp_path, [_annotation(3, _ALL, bbox=[0, 0, 1, 1]),
                 _annotation(44, segmentation, bbox=[2, 1, 4, 4])]),
      boxes_as_areas=True)
  np.testing.assert_array_equal(file.label('a b', 255).read(*_SIZE).labels, _expected())


@pytest.mark.parametrize('item', [
    _annotation(44, [], bbox=[2, 1, 4, 4], image_id=7),
    _annotation(44, _SQUARE, image_id=70), _annotation(5, _SQUARE, image_id=7), {}, 7,
])
def test_a_file_of_which_nothing_can_be_drawn_is_an_error(tmp_path, item):
  path = _write(tmp_path, [], annotations=[item])
  with pytest.raises(ValueError, match='instances.json: none of its annotations can be drawn'):
    coco_labels.CocoFile(path)


def test_a_file_whose_annotations_are_all_of_other_classes_is_an_error(tmp_path):
  path = _write(tmp_path, [_annotation(3, _ALL)])
  with pytest.raises(ValueError, match='1 with a category that is not among the classes: '
                                       r'annotation 0 \(table\)'):
    coco_labels.CocoFile(path, ['background', 'cup'])


@pytest.mark.parametrize('image_id, category_id', [('7', 44), (7, '44'), (7.0, ' 44'),
                                                   ('007', '044')])
def test_ids_of_another_type_are_the_same(tmp_path, image_id, category_id, caplog):
  caplog.set_level('INFO')
  file = coco_labels.CocoFile(_write(tmp_path, [], annotations=[
      dict(id=1, image_id=image_id, category_id=category_id, segmentation=_SQUARE),
      dict(id=2, image_id=7, category_id=3, segmentation=_ALL)]))
  np.testing.assert_array_equal(file.label('a b', 255).read(*_SIZE).labels, _expected())
  told = '1 annotations write the ids of images or categories in another way' in caplog.text
  assert told == (type(image_id) is not int or type(category_id) is not int)


def test_what_leads_nowhere_is_counted_and_named(tmp_path, caplog):
  caplog.set_level('INFO')
  coco_labels.CocoFile(_write(tmp_path, [], annotations=[
      dict(id=i, image_id=image, category_id=category, segmentation=_ALL, iscrowd=i % 2)
      for i, (image, category) in enumerate([(7, 44), (70, 44), (71, 3), (7, 3), (7, 44)])],
      categories=[{'id': i, 'name': name} for i, name in ((44, 'Cup'), (3, 'table'), (5, 'x'))]),
      ['background', 'cup', 'Cup'])
  for line in (
      'annotations left out: 2 with an image_id that is no image of the file: annotation 1 (Cup), '
      'annotation 2 (table)',
      "categories that are not among --class_names are not painted: 'table' (2 annotations), "
      "'x' (0 annotations).",
      "categories without annotation: 'x'.",
      "class 'cup' is no category, no annotation becomes it.",
      "1 of 2 images have no annotation that is painted: empty."):
    assert line in caplog.text, line


def test_a_class_that_is_nearly_a_category_is_answered_with_it(tmp_path, caplog):
  coco_labels.CocoFile(_write(tmp_path, [_annotation(3, _ALL)]),
                       ['background', 'cups', 'table'])
  assert "class 'cups' is no category, no annotation becomes it; did you mean 'cup'?" in (
      caplog.text)


def test_crowds_are_painted_and_counted(tmp_path, caplog):
  caplog.set_level('INFO')
  file = coco_labels.CocoFile(_write(tmp_path, [_annotation(3, _ALL, iscrowd=1)]))
  assert (file.label('a b', 255).read(*_SIZE).labels == 1).all()
  assert '1 annotations are crowds (iscrowd); they are painted as their class' in caplog.text


def test_categories_of_one_name_are_one_class(tmp_path, caplog):
  file = coco_labels.CocoFile(_write(
      tmp_path, [_annotation(3, _ALL), _annotation(10, _SQUARE),
                 _annotation(9, [[0, 0, 1, 0, 1, 1, 0, 1]])],
      categories=[{'id': i, 'name': name} for i, name in ((10, 'cup'), (3, 'table'), (9, 'cup'))]))
  assert file.class_names == ['background', 'table', 'cup']
  expected = _expected()
  expected[0, 0] = 2
  np.testing.assert_array_equal(file.label('a b', 255).read(*_SIZE).labels, expected)
  assert "several categories are called 'cup'" in caplog.text


def test_categories_called_ignore_do_not_count(tmp_path):
  file = coco_labels.CocoFile(_write(
      tmp_path, [_annotation(3, _ALL), _annotation(44, _SQUARE)],
      categories=[{'id': 44, 'name': 'ignore'}, {'id': 3, 'name': 'table'}]),
      ignore_label=2)
  assert file.class_names == ['background', 'table']
  np.testing.assert_array_equal(file.label('a b', 0).read(*_SIZE).labels, _expected())


def test_a_file_without_sizes_takes_those_of_the_images(tmp_path):
  file = coco_labels.CocoFile(_write(tmp_path, [_annotation(44, _SQUARE), _annotation(3, _ALL)],
                                     images=[{'id': 7, 'file_name': 'x\\a b.jpg', 'height': None,
                                              'width': 0}]))
  np.testing.assert_array_equal(file.label('a b', 255).read(*_SIZE).labels, _expected())


def test_another_size_is_an_error(tmp_path):
  with pytest.raises(ValueError, match=r'for 6x8 \(height x width\), the image is 8x6'):
    coco_labels.CocoFile(_write(tmp_path, [])).label('a b', 255).read(8, 6)


@pytest.mark.parametrize('annotations, fields, message', [
    ([], {'categories': [{'id': 1}]}, "missing: 'name' in {'id': 1}"),
    ([], {'categories': [7]}, "missing: 'id' in 7"),
    ([], {'categories': []}, 'none of the classes background is a category; there are none'),
    ([], {'images': None}, 'missing: images'),
    ([], {'annotations': [{'segments_info': []}]}, 'a file of panoptic COCO'),
    ([], {'images': [{'id': 1, 'file_name': 'a.png', 'width': 3}]},
     'image a.png has the height None and the width 3'),
    ([], {'images': [{'id': 1, 'file_name': 'a.png', 'width': 3, 'height': float('inf')}]},
     'image a.png has the height inf and the width 3'),
    ([], {'images': [{'id': 1, 'file_name': 'a.png'}, {'id': '1', 'file_name': 'b.png'}]},
     'two entries of images have the id 1: a.png and b.png'),
    ([], {'images': [{'id': 1, 'file_name': 'x/a.png', 'width': 3, 'height': 3},
                     {'id': 2, 'file_name': 'y/a.jpg', 'width': 3, 'height': 3}]},
     "two images are called 'a'"),
])
def test_other_files_are_named(tmp_path, annotations, fields, message):
  with pytest.raises(ValueError) as caught:
    coco_labels.CocoFile(_write(tmp_path, annotations, **fields))
  assert message in str(caught.value) and 'instances.json' in str(caught.value)


def test_classes_that_are_no_categories_are_an_error(tmp_path):
  with pytest.raises(ValueError, match='none of the classes dog is a category; there are cup'):
    coco_labels.CocoFile(_write(tmp_path, []), ['dog'])


def test_without_pycocotools_it_is_told_what_to_install(tmp_path, monkeypatch):
  file = coco_labels.CocoFile(_write(tmp_path, [_annotation(3, _ALL)]))
  monkeypatch.setitem(sys.modules, 'pycocotools', None)
  with pytest.raises(ValueError, match=r'Polygons need pycocotools to be drawn: pip install '
                                       r'"deeplab\[coco\]"'):
    file.label('a b', 255).read(*_SIZE)
