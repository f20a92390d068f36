"""Tests of label maps from labelme files."""
import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import labelme

_IDS = (('sky', 0), ('tree', 1), ('house', 2), ('ignore', 255))
_SIZE = (6, 8)


def _label(tmp_path, *shapes, **fields):
  content = {'imageHeight': _SIZE[0], 'imageWidth': _SIZE[1], 'shapes': list(shapes)}
  content.update(fields)
  path = tmp_path / 'été 1.json'
  path.write_text(json.dumps(content), encoding='utf-8')
  return labelme.LabelmeLabel(str(path), _IDS, 255)


def _shape(label, points, kind='polygon', **fields):
  return dict(label=label, points=points, shape_type=kind, **fields)


def test_later_shapes_lie_on_top(tmp_path):
  label = _label(tmp_path, _shape('tree', [[0, 0], [7, 0], [7, 5], [0, 5]]),
                 _shape('house', [[2, 1], [4, 3]], 'rectangle'))
  expected = np.full(_SIZE, 1, np.uint8)
  expected[1:4, 2:5] = 2
  np.testing.assert_array_equal(label.read(*_SIZE), expected)


def test_pixels_in_no_shape_are_unlabelled(tmp_path):
  label = _label(tmp_path, _shape('sky', [[0, 0], [7, 0], [7, 2], [0, 2]]))
  found = label.read(*_SIZE)
  assert (found[:3] == 0).all() and (found[3:] == 255).all()


def test_a_circle_holds_what_is_nearer_than_its_edge(tmp_path):
  found = _label(tmp_path, _shape('tree', [[4, 3], [4, 1]], 'circle')).read(*_SIZE)
  rows, columns = np.indices(_SIZE)
  distance = np.hypot(rows - 3, columns - 4)
  assert (found[distance <= 1.5] == 1).all() and (found[distance > 2.5] == 255).all()


def test_a_mask_lies_at_its_first_point(tmp_path):
  stream = io.BytesIO()
  Image.fromarray(np.array([[255, 0], [255, 255]], np.uint8)).save(stream, 'PNG')
  found = _label(tmp_path, _shape('house', [[5, 2], [6, 3]], 'mask', mask=base64.b64encode(
      stream.getvalue()).decode())).read(*_SIZE)
  expected = np.full(_SIZE, 255, np.uint8)
  expected[2, 5] = expected[3, 5] = expected[3, 6] = 2
  np.testing.assert_array_equal(found, expected)


def test_shapes_are_cut_at_the_border(tmp_path):
  found = _label(tmp_path, _shape('tree', [[-5, -5], [30, -5], [30, 30], [-5, 30]]))
  assert (found.read(*_SIZE) == 1).all()


@pytest.mark.parametrize('shapes, message', [
    ([_shape('cat', [[0, 0], [1, 1], [1, 0]])],
     "the label 'cat' is not one of the classes 'sky', 'tree', 'house'"),
    ([_shape('tree', [[0, 0]], 'point')], "a point of 1 points (label 'tree') has no area"),
    ([_shape('tree', [[0, 0], [1, 1]])], 'a polygon of 2 points'),
    ([_shape('tree', [[0, float('nan')], [1, 1], [2, 0]])], 'has no area'),
    ([{'label': 'tree'}], 'expected a shape with label and points'),
    ([_shape('tree', [[0, 0]], 'mask', mask='AAAA')], 'cannot be decoded'),
])
def test_unusable_shapes_are_named(tmp_path, shapes, message):
  with pytest.raises(ValueError) as caught:
    _label(tmp_path, *shapes).read(*_SIZE)
  assert message in str(caught.value) and 'été 1.json' in str(caught.value)


def test_another_size_is_an_error(tmp_path):
  with pytest.raises(ValueError, match=r'is of an image of 6x8 .*, this one is 8x6'):
    _label(tmp_path).read(8, 6)


@pytest.mark.parametrize('text', ['', '{"shapes": {}}', '[1]'])
def test_other_files_are_named(tmp_path, text):
  (tmp_path / 'a.json').write_text(text)
  with pytest.raises(ValueError, match='a.json'):
    labelme.LabelmeLabel(str(tmp_path / 'a.json'), _IDS, 255).read(*_SIZE)
