"""Tests of drawing annotated areas."""
import numpy as np
import pytest

from deeplab.datasets.labels import areas

_SIZE = (6, 8)
_SQUARE = [2, 1, 6, 1, 6, 5, 2, 5]  # Columns 2..5, rows 1..4.


def _draw(*segmentations, **fields):
  return areas.draw([areas.Area('area %d' % i, i + 1, segmentation, **fields)
                     for i, segmentation in enumerate(segmentations)], _SIZE, 0)


@pytest.mark.parametrize('segmentation, reason', [
    ([[1, 1, 2, 1]], 'a polygon of fewer than three points'),
    ([[1, 1, 2, 1, 2, 2, 9]], 'a polygon of an odd number of coordinates'),
    ([[1, 1, 2, 1, 2, float('nan')]], 'coordinates that are not all finite numbers'),
    ([[1, 1, 2, 1, 2, float('inf')]], 'coordinates that are not all finite numbers'),
    ([[1, 1, 2, 1, 2, None]], 'coordinates that are not all finite numbers'),
    ([['1', '1', '2', '1', '2', '2']], 'coordinates that are not all finite numbers'),
    ([[[1, 1], [2, 1], [2, 2]]], 'coordinates that are not all finite numbers'),
    ([[0, 0, 1e9, 0, 1e9, 1e9]], 'a polygon that reaches far out of the picture'),
    ([[20, 0, 30, 0, 30, 9]], 'no pixel in the picture'),
    ([[0.1, 0.1, 0.2, 0.1, 0.2, 0.2]], 'no pixel in the picture'),
    ([[0, 13, 4, 31]], 'run lengths in place of a polygon'),
    ([[0, 13, 4, 2, 4, 25]], 'run lengths in place of a polygon'),
    ([0, 13, 4, 31], 'a segmentation that is neither polygons'),
    (_SQUARE, 'a segmentation that is neither polygons'),
    ('polygon', 'a segmentation that is neither polygons'),
    ({'counts': [1, 2], 'size': [6, 8]}, 'run lengths that do not add up to the 48 pixels'),
    ({'counts': [-1, 49], 'size': [6, 8]}, 'run lengths that do not add up to the 48 pixels'),
    ({'counts': [2 ** 63 - 1, 2 ** 63 - 1, 50], 'size': [6, 8]}, 'do not add up to the 48 pixels'),
    ({'counts': [48], 'size': [8, 6]}, 'run lengths of size (8, 6) in a picture of (6, 8)'),
    ({'counts': [], 'size': [6, 8]}, 'run lengths that are not written {"counts"'),
    ({'size': [6, 8]}, 'run lengths that are not written {"counts"'),
    ({'counts': [48]}, 'run lengths that are not written {"counts"'),
    ({'counts': [48], 'size': ['6', None]}, 'run lengths that are not written {"counts"'),
    ({'counts': [8.5, 39.5], 'size': [6, 8]}, 'run lengths that cannot be read'),
    ({'counts': [10 ** 30], 'size': [6, 8]}, 'run lengths that cannot be read'),
    ({'counts': 'é', 'size': [6, 8]}, 'run lengths that cannot be read'),
    ({'counts': 'oooooooooooooooooo0', 'size': [6, 8]}, 'run lengths that cannot be read'),
    ({'counts': 'o', 'size': [6, 8]}, 'run lengths that cannot be read'),
    ({'counts': '00', 'size': [6, 8]}, 'do not add up to the 48 pixels'),
    ({'counts': [48], 'size': [6, 8]}, 'no pixel in the picture'),
])
def test_unusable_areas_are_left_out_and_the_others_drawn(segmentation, reason):
  pytest.importorskip('pycocotools')
  drawing = _draw(segmentation, [_SQUARE])
  assert drawing.num_drawn == 1
  (name, found), = drawing.left_out
  assert name == 'area 0' and reason in found
  assert np.bincount(drawing.labels.ravel()).tolist() == [48 - 16, 0, 16]


def test_one_bad_polygon_leaves_the_others_of_its_area():
  pytest.importorskip('pycocotools')
  drawing = _draw([[1, 1], _SQUARE, [0, 0, 1, 0, 1]])
  assert (drawing.labels == 1).sum() == 16 and drawing.num_drawn == 1
  assert drawing.left_out == [
      ('polygon 1 of 3 of area 0', 'a polygon of fewer than three points'),
      ('polygon 3 of 3 of area 0', 'a polygon of fewer than three points')]


def test_higher_layers_lie_on_top_of_smaller_areas():
  pytest.importorskip('pycocotools')
  whole = [[0, 0, 8, 0, 8, 6, 0, 6]]
  found = areas.draw([areas.Area('whole', 1, whole, layer=1), areas.Area('square', 2, [_SQUARE])],
                     _SIZE, 0)
  assert (found.labels == 1).all()


def test_run_lengths_need_no_pycocotools_and_are_what_it_reads():
  mask = pytest.importorskip('pycocotools.mask')
  for seed in range(20):
    expected = np.random.RandomState(seed).rand(37, 53) < [0.1, 0.5, 0.99][seed % 3]
    runs = mask.encode(np.asfortranarray(expected.astype(np.uint8)))
    for counts in (runs['counts'], runs['counts'].decode()):
      area = areas.Area('a', 1, {'counts': counts, 'size': list(expected.shape)})
      np.testing.assert_array_equal(areas.draw([area], expected.shape, 0).labels, expected)


@pytest.mark.parametrize('box', [None, [1, 2, 3], [1, 2, 3, '4'], [1, 2, 3, float('nan')]])
def test_boxes_are_four_numbers(box):
  with pytest.raises(areas.Unusable, match='neither a segmentation nor a bbox'):
    areas.box_segmentation(box)


@pytest.mark.parametrize('box', [[1, 2, 0, 4], [1, 2, 3, -4]])
def test_boxes_have_an_area(box):
  with pytest.raises(areas.Unusable, match='a bbox without width or height'):
    areas.box_segmentation(box)


@pytest.mark.parametrize('points, rows, columns', [
    ([(2, 3), (6, 3)], (2, 4), (1, 7)), ([(6, 3), (2, 3)], (2, 4), (1, 7)),
    ([(4, 3)], (2, 4), (3, 5)), ([(4, 3), (4, 3)], (2, 4), (3, 5)),
    ([(4, 1), (4, 5)], (0, 6), (3, 5)), ([(-50, 3), (50, 3)], (2, 4), (0, 8))])
def test_lines_are_as_wide_as_asked(points, rows, columns):
  pytest.importorskip('pycocotools')
  expected = np.zeros(_SIZE, np.uint8)
  expected[rows[0]:rows[1], columns[0]:columns[1]] = 1
  np.testing.assert_array_equal(_draw(areas.line_segmentation(points, 2)).labels, expected)
