"""Tests of label maps from the text files of YOLO."""
import sys

import numpy as np
import pytest

from deeplab.datasets.labels import yolo_labels

_SIZE = (6, 8)
_CLASSES = ((0, 'cup', 2), (1, 'table', 1), (2, 'dog', None))
# Columns 2..5, rows 1..4.
_SQUARE = '0 0.25 0.16666667 0.75 0.16666667 0.75 0.83333333 0.25 0.83333333'
_BOX = '0 0.5 0.5 0.5 0.66666667'
_ALL = '1 0 0 1 0 1 1 0 1'


def _label(tmp_path, *lines, boxes_as_areas=False):
  path = tmp_path / 'a.txt'
  path.write_text('\n'.join(lines))
  return yolo_labels.YoloLabel(str(path), _CLASSES, 255, boxes_as_areas)


def _expected():
  labels = np.full(_SIZE, 1, np.uint8)
  labels[1:5, 2:6] = 2
  return labels


@pytest.mark.parametrize('lines', [
    (_SQUARE, _ALL), (_ALL, '', _SQUARE, ''), ('1.0 ' + _ALL[2:] + '\r', '\t' + _SQUARE)])
def test_outlines_are_shares_of_the_picture_and_smaller_ones_lie_on_top(tmp_path, lines):
  pytest.importorskip('pycocotools')
  drawing = _label(tmp_path, *lines).read(*_SIZE)
  np.testing.assert_array_equal(drawing.labels, _expected())
  assert (drawing.num_drawn, drawing.left_out) == (2, [])


def test_an_empty_file_is_unlabelled(tmp_path):
  assert (_label(tmp_path).read(*_SIZE).labels == 255).all()


def test_boxes_are_painted_where_that_is_asked(tmp_path):
  pytest.importorskip('pycocotools')
  drawing = _label(tmp_path, _BOX, _ALL, boxes_as_areas=True).read(*_SIZE)
  np.testing.assert_array_equal(drawing.labels, _expected())


def test_classes_that_are_not_wanted_are_not_painted(tmp_path):
  pytest.importorskip('pycocotools')
  drawing = _label(tmp_path, '2' + _ALL[1:], _ALL, _SQUARE).read(*_SIZE)
  np.testing.assert_array_equal(drawing.labels, _expected())


@pytest.mark.parametrize('line, name, reason', [
    (_BOX, 'a.txt line 2 (cup)', 'a box and no segmentation (--boxes_as_areas paints boxes)'),
    ('3' + _ALL[1:], 'a.txt line 2', 'a class number that is none of 0, 1, 2'),
    ('0.5' + _ALL[1:], 'a.txt line 2', 'a class number that is none of 0, 1, 2'),
    ('cup' + _ALL[1:], 'a.txt line 2', 'a class number that is none of 0, 1, 2'),
    ('0', 'a.txt line 2 (cup)', '0 numbers behind the class'),
    ('0 0 0 1 1 0.9', 'a.txt line 2 (cup)', '5 numbers behind the class'),
    ('0 0 0 1', 'a.txt line 2 (cup)', '3 numbers behind the class'),
    ('0 0 0 1 0 1 x', 'a.txt line 2 (cup)', 'words that are not numbers'),
    ('0 0 0 1 0 1 nan', 'a.txt line 2 (cup)', 'numbers that are no shares'),
    ('0 20 10 60 10 60 50', 'a.txt line 2 (cup)', 'numbers that are no shares'),
    ('0 1.1 1.1 1.2 1.1 1.2 1.2', 'a.txt line 2 (cup)', 'no pixel in the picture'),
])
def test_one_bad_line_costs_that_line(tmp_path, line, name, reason):
  pytest.importorskip('pycocotools')
  drawing = _label(tmp_path, _ALL, line, _SQUARE).read(*_SIZE)
  np.testing.assert_array_equal(drawing.labels, _expected())
  (left_out, why), = drawing.left_out
  assert left_out == name and reason in why


def test_files_that_are_no_text_are_named(tmp_path):
  (tmp_path / 'a.txt').write_bytes(b'\xc3')
  with pytest.raises(ValueError, match='a.txt cannot be read as text'):
    yolo_labels.YoloLabel(str(tmp_path / 'a.txt'), _CLASSES, 0, False).read(*_SIZE)


@pytest.mark.parametrize('name, text', [
    ('data.yaml', "train: x\nnc: 2\nnames: ['a b', c]\n"),
    ('data.yaml', 'names:\n- a b\n- c\n'), ('data.yaml', 'names:\n  0: a b\n  1: c\n'),
    ('data.yml', 'names: {1: c, 0: a b}'), ('classes.txt', 'a b\r\nc\r\n'),
    ('obj.names', '\ufeffa b\nc')])
@pytest.mark.parametrize('place', ['', 'sets/labels', 'labels'])
def test_names_are_found_beside_the_labels_or_above(tmp_path, name, text, place):
  if name.startswith('data'):
    pytest.importorskip('yaml')
  (tmp_path / place).mkdir(parents=True, exist_ok=True)
  (tmp_path / name).write_text(text, encoding='utf-8')
  names, path = yolo_labels.find_names(str(tmp_path / place))
  assert names == {0: 'a b', 1: 'c'} and path == str(tmp_path / name)


def test_no_names_are_found_further_up(tmp_path):
  (tmp_path / 'classes.txt').write_text('a')
  (tmp_path / 'x' / 'y' / 'z').mkdir(parents=True)
  assert yolo_labels.find_names(str(tmp_path / 'x' / 'y' / 'z')) == (None, None)


@pytest.mark.parametrize('text, message', [
    ('nc: 2', 'expected `names`'), ('names: []', 'expected `names`'),
    ('names: {a: 1}', 'expected `names`'), ('[1]', 'expected `names`'),
    ('names: [', 'cannot be read as YAML'),
    ('names: [person]\nkpt_shape: [17, 3]', 'describes keypoints')])
def test_other_yaml_files_are_named(tmp_path, text, message):
  pytest.importorskip('yaml')
  (tmp_path / 'data.yaml').write_text(text)
  with pytest.raises(ValueError) as caught:
    yolo_labels.find_names(str(tmp_path))
  assert message in str(caught.value) and 'data.yaml' in str(caught.value)


def test_without_pyyaml_it_is_told_what_to_install(tmp_path, monkeypatch):
  (tmp_path / 'data.yaml').write_text('names: [a]')
  monkeypatch.setitem(sys.modules, 'yaml', None)
  with pytest.raises(ValueError, match=r'needs PyYAML to be read: pip install "deeplab\[yolo\]"'):
    yolo_labels.find_names(str(tmp_path))


def test_class_numbers_are_counted_over_files(tmp_path):
  path = _label(tmp_path, _ALL, 'x 1', _SQUARE, _BOX).path
  assert yolo_labels.count_numbers([path, path]) == {0: 4, 1: 2}
