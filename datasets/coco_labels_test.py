"""Tests of label maps from COCO annotations."""
import json
import sys

import numpy as np
import pytest

from deeplab.datasets import coco_labels

pytest.importorskip('pycocotools')

_SIZE = (6, 8)
_SQUARE = [[2, 1, 6, 1, 6, 5, 2, 5]]  # Columns 2..5, rows 1..4.
_ALL = [[0, 0, 8, 0, 8, 6, 0, 6]]


def _write(tmp_path, annotations, **fields):
  content = {
      'images': [{'id': 7, 'file_name': 'val2017/a b.jpg', 'height': 6, 'width': 8},
                 {'id': 8, 'file_name': 'empty.png', 'height': 2, 'width': 2}],
      'categories': [{'id': 44, 'name': 'cup'}, {'id': 3, 'name': 'table'}],
      'annotations': [dict(id=i, image_id=7, **item) for i, item in enumerate(annotations)]}
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
  np.testing.assert_array_equal(file.label('a b', 255).read(*_SIZE), _expected())


def test_run_lengths_go_down_the_columns(tmp_path):
  # Two columns off, then four columns of one pixel off, four on, one off, then two columns off.
  counts = [13, 4, 2, 4, 2, 4, 2, 4, 13]
  file = coco_labels.CocoFile(_write(tmp_path, [
      _annotation(44, {'counts': counts, 'size': list(_SIZE)}, iscrowd=1),
      _annotation(3, _ALL)]))
  np.testing.assert_array_equal(file.label('a b', 255).read(*_SIZE), _expected())


def test_compressed_run_lengths_are_read(tmp_path):
  from pycocotools import mask
  runs = mask.encode(np.asfortranarray(_expected() == 2).astype(np.uint8))
  file = coco_labels.CocoFile(_write(tmp_path, [
      _annotation(44, {'counts': runs['counts'].decode(), 'size': list(_SIZE)}),
      _annotation(3, _ALL)]))
  np.testing.assert_array_equal(file.label('a b', 255).read(*_SIZE), _expected())


def test_only_wanted_classes_are_painted(tmp_path):
  file = coco_labels.CocoFile(_write(
      tmp_path, [_annotation(44, _SQUARE), _annotation(3, _ALL)]), ['background', 'cup'])
  np.testing.assert_array_equal(file.label('a b', 0).read(*_SIZE), _expected() == 2)


def test_an_image_without_annotation_is_unlabelled(tmp_path):
  file = coco_labels.CocoFile(_write(tmp_path, []))
  assert file.stems() == ['a b', 'empty']
  assert (file.label('empty', 255).read(2, 2) == 255).all()


def test_an_image_that_is_not_listed_cannot_be_read(tmp_path):
  label = coco_labels.CocoFile(_write(tmp_path, [])).label('other', 255)
  assert label.paths() == [str(tmp_path / 'instances.json')]
  with pytest.raises(ValueError, match="instances.json has no entry for the image 'other'"):
    label.read(*_SIZE)


@pytest.mark.parametrize('segmentation, message', [
    ([[1, 1, 2]], 'polygons need three points'),
    ({'counts': [1, 2], 'size': [6, 8]}, 'add up to 3, not 48'),
    ({'counts': [-1, 49], 'size': [6, 8]}, 'add up to 48'),
    ({'counts': [48], 'size': [8, 6]}, 'it is of size (8, 6)'),
    ({'size': [6, 8]}, 'counts'),
])
def test_unusable_segmentations_are_named(tmp_path, segmentation, message):
  file = coco_labels.CocoFile(_write(tmp_path, [_annotation(3, segmentation)]))
  with pytest.raises(ValueError) as caught:
    file.label('a b', 255).read(*_SIZE)
  assert message in str(caught.value) and 'instances.json' in str(caught.value)


def test_another_size_is_an_error(tmp_path):
  with pytest.raises(ValueError, match=r'for 6x8 \(height x width\), the image is 8x6'):
    coco_labels.CocoFile(_write(tmp_path, [])).label('a b', 255).read(8, 6)


@pytest.mark.parametrize('annotations, fields, message', [
    ([_annotation(5, _ALL)], {}, 'of category 5, which is not described'),
    ([], {'categories': [{'id': 1}]}, "missing: 'name'"),
    ([], {'images': [{'id': 1, 'file_name': 'a.png', 'width': 3}]}, "missing: 'height'"),
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
  with pytest.raises(ValueError, match=r'instances.json needs pycocotools to be read: pip install '
                                       r'"deeplab\[coco\]"'):
    file.label('a b', 255).read(*_SIZE)
