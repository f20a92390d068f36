"""Tests of label maps from labelme files."""
import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets.labels import labelme

_PENS = labelme.Pens((('sky', 0), ('tree', 1), ('house', 2)), 255, 3, False)
_SIZE = (6, 8)


def _label(tmp_path, *shapes, pens=_PENS, **fields):
  content = {'imageHeight': _SIZE[0], 'imageWidth': _SIZE[1], 'shapes': list(shapes)}
  content.update(fields)
  path = tmp_path / 'été 1.json'
  path.write_text(json.dumps(content), encoding='utf-8')
  return labelme.LabelmeLabel(str(path), pens, 255)


def _shape(label, points, kind='polygon', **fields):
  return dict(label=label, points=points, shape_type=kind, **fields)


def test_later_shapes_lie_on_top(tmp_path):
  label = _label(tmp_path, _shape('tree', [[0, 0], [7, 0], [7, 5], [0, 5]]),
                 _shape('house', [[2, 1], [4, 3]], 'rectangle'))
  expected = np.full(_SIZE, 1, np.uint8)
  expected[1:4, 2:5] = 2
  np.testing.assert_array_equal(label.read(*_SIZE).labels, expected)


def test_pixels_in_no_shape_are_unlabelled(tmp_path):
  label = _label(tmp_path, _shape('sky', [[0, 0], [7, 0], [7, 2], [0, 2]]))
  found = label.read(*_SIZE).labels
  assert (found[:3] == 0).all() and (found[3:] == 255).all()


def test_a_circle_holds_what_is_nearer_than_its_edge(tmp_path):
  found = _label(tmp_path, _shape('tree', [[4, 3], [4, 1]], 'circle')).read(*_SIZE).labels
  rows, columns = np.indices(_SIZE)
  distance = np.hypot(rows - 3, columns - 4)
  assert (found[distance <= 1.5] == 1).all() and (found[distance > 2.5] == 255).all()


def test_a_mask_lies_at_its_first_point(tmp_path):
  stream = io.BytesIO()
  Image.fromarray(np.array([[255, 0], [255, 255]], np.uint8)).save(stream, 'PNG')
  found = _label(tmp_path, _shape('house', [[5, 2], [6, 3]], 'mask', mask=base64.b64encode(
      stream.getvalue()).decode())).read(*_SIZE).labels
  expected = np.full(_SIZE, 255, np.uint8)
  expected[2, 5] = expected[3, 5] = expected[3, 6] = 2
  np.testing.assert_array_equal(found, expected)


def test_shapes_are_cut_at_the_border(tmp_path):
  found = _label(tmp_path, _shape('tree', [[-5, -5], [30, -5], [30, 30], [-5, 30]]))
  assert (found.read(*_SIZE).labels == 1).all()


@pytest.mark.parametrize('kind', ['oriented_rectangle', 'rotation', 'polygon', None])
def test_turned_rectangles_are_areas(tmp_path, kind):
  found = _label(tmp_path, _shape('tree', [[3, 0], [6, 3], [4, 5], [1, 2]], kind))
  expected = np.full(_SIZE, 255, np.uint8)
  for row, (begin, end) in enumerate([(3, 4), (2, 5), (1, 6), (2, 7), (3, 6), (4, 5)]):
    expected[row, begin:end] = 1
  np.testing.assert_array_equal(found.read(*_SIZE).labels, expected)


@pytest.mark.parametrize('kind', ['line', 'linestrip'])
def test_lines_have_the_width(tmp_path, kind):
  found = _label(tmp_path, _shape('house', [[-9, 2], [20, 2]], kind)).read(*_SIZE).labels
  assert (found[1:4] == 2).all() and (found == 2).sum() == 24


def test_lines_turn_corners(tmp_path):
  found = _label(tmp_path, _shape('house', [[1, 1], [6, 1], [6, 9]], 'linestrip')).read(*_SIZE)
  assert (found.labels[1, 1:7] == 2).all() and (found.labels[1:, 6] == 2).all()
  assert (found.labels[3:, :5] == 255).all()


@pytest.mark.parametrize('width, pixels', [(1, 1), (3, 9), (5, 21)])
def test_points_are_discs_of_the_width(tmp_path, width, pixels):
  pens = _PENS._replace(line_width=width)
  for points, kind in (([[4, 3]], 'point'), ([[4, 3]], 'points'), ([[4, 3], [4, 3]], 'line')):
    found = _label(tmp_path, _shape('house', points, kind), pens=pens).read(*_SIZE).labels
    rows, columns = np.nonzero(found == 2)
    assert (rows.mean(), columns.mean()) == (3, 4)
    assert abs(len(rows) - pixels) <= 4 and np.ptp(columns) == width - 1


@pytest.mark.parametrize('shape', [
    _shape('tree', [[3, 2]] * 3), _shape('tree', [[3, 2]] * 2, 'rectangle'),
    _shape('tree', [[3, 2]] * 2, 'circle')])
def test_shapes_of_one_pixel_are_drawn(tmp_path, shape):
  found = _label(tmp_path, shape).read(*_SIZE)
  assert np.argwhere(found.labels == 1).tolist() == [[2, 3]] and not found.left_out


@pytest.mark.parametrize('fields', [
    {'imageHeight': None, 'imageWidth': None}, {'imageHeight': None}, {'imageHeight': 0},
    {'imageHeight': '6', 'imageWidth': 8.0},
    {'version': '3.16.7', 'flags': {}, 'lineColor': [0, 255, 0, 128], 'fillColor': None}])
def test_files_of_all_versions_are_read(tmp_path, fields):
  shape = {'label': ' tree ', 'points': [[0, 0], [7, 0], [7, 5], [0, 5]], 'line_color': None,
           'group_id': 3, 'description': 'tall', 'flags': {'crowd': True}}
  assert (_label(tmp_path, shape, **fields).read(*_SIZE).labels == 1).all()


def test_labels_may_be_numbers_or_ignore(tmp_path):
  pens = labelme.Pens((('0', 0), ('1', 1)), 2, 10, False)
  points = [[0, 0], [7, 0], [7, 5], [0, 5]]
  found = _label(tmp_path, _shape(1, points), _shape('ignore', [[2, 1], [4, 3]], 'rectangle'),
                 pens=pens).read(*_SIZE).labels
  assert np.bincount(found.ravel()).tolist() == [0, 39, 9]


@pytest.mark.parametrize('shape, name, reason', [
    (_shape('tree', [[0, 0], [1, 1]]), 'shape 1 (tree)', 'fewer than the 3 points of a polygon'),
    (_shape('tree', [[0, 0]], 'line'), 'shape 1 (tree)', 'fewer than the 2 points of a line'),
    (_shape('tree', [[0, float('nan')], [1, 1], [2, 0]]), 'shape 1 (tree)', 'not finite numbers'),
    (_shape('tree', [[0, 1e12], [1, 1], [2, 0]]), 'shape 1 (tree)', 'not finite numbers'),
    (_shape('tree', []), 'shape 1 (tree)', 'no points'),
    (_shape('tree', [[1, 2, 3]]), 'shape 1 (tree)', 'no points'),
    (_shape('tree', None), 'shape 1 (tree)', 'no points'),
    ({'label': 'tree'}, 'shape 1 (tree)', 'no points'),
    ({'points': [[0, 0]] * 3}, 'shape 1', 'no label'),
    ({'label': '', 'points': [[0, 0]] * 3}, 'shape 1', 'no label'),
    ('tree', 'shape 1', 'no label'),
    (_shape('tree', [[0, 0]], 'cuboid'), 'shape 1 (tree)', "the unknown shape type 'cuboid'"),
    (_shape('tree', [[0, 0]], [1]), 'shape 1 (tree)', 'the unknown shape type [1]'),
    (_shape('tree', [[9, 9], [20, 9], [9, 20]]), 'shape 1 (tree)', 'no pixel in the picture'),
    (_shape('tree', [[-9, 2], [-7, 2]], 'circle'), 'shape 1 (tree)', 'no pixel in the picture'),
    (_shape('tree', [[0, 0]], 'mask', mask='AAAA'), 'shape 1 (tree)', 'cannot be decoded'),
    (_shape('tree', [[0, 0]], 'mask'), 'shape 1 (tree)', 'cannot be decoded'),
])
def test_one_bad_shape_costs_that_shape(tmp_path, shape, name, reason):
  good = _shape('house', [[2, 1], [4, 3]], 'rectangle')
  found = _label(tmp_path, shape, good).read(*_SIZE)
  (left_out, why), = found.left_out
  assert left_out == name and reason in why
  assert found.num_drawn == 1 and (found.labels == 2).sum() == 9


def test_unknown_labels_are_errors_unless_left_out(tmp_path):
  shape = _shape('cat', [[0, 0], [1, 1], [1, 0]])
  with pytest.raises(ValueError) as caught:
    _label(tmp_path, shape).read(*_SIZE)
  assert 'été 1.json: shape 1 (cat) is not of the classes sky, tree, house' in str(caught.value)
  found = _label(tmp_path, shape, pens=_PENS._replace(leaves_out_others=True)).read(*_SIZE)
  assert found.left_out == [('shape 1 (cat)', 'a label that is no class')]


def test_labels_are_counted_over_files(tmp_path):
  path = _label(tmp_path, _shape('cat', []), _shape('dog', []), _shape('cat', []), {}).path
  (tmp_path / 'b.json').write_text('[]')
  assert labelme.count_labels([path, str(tmp_path / 'b.json'), path]) == {'cat': 4, 'dog': 2}


def test_another_size_is_an_error(tmp_path):
  with pytest.raises(ValueError, match=r'is of an image of 6x8 .*, this one is 8x6'):
    _label(tmp_path).read(8, 6)


@pytest.mark.parametrize('text', ['', '{"shapes": {}}', '[1]'])
def test_other_files_are_named(tmp_path, text):
  (tmp_path / 'a.json').write_text(text)
  with pytest.raises(ValueError, match='a.json'):
    labelme.LabelmeLabel(str(tmp_path / 'a.json'), _PENS, 255).read(*_SIZE)
