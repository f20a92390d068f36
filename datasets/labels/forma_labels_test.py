"""Tests of the label maps of the Forma sets: tables, painted parts, run-length masks."""
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets.labels import forma_labels
from deeplab.datasets.sample_people import raw_folders

_HEADER = 'ImageId,EncodedPixels,Height,Width,ClassId\n'


def test_runs_go_down_the_columns_from_one():
  # A picture of 3 rows and 4 columns: pixels 2, 3 and 4, and 12, the last.
  mask = forma_labels.decode_runs('2 3 12 1', (3, 4), 'x')
  np.testing.assert_array_equal(mask, [[0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 1]])


def test_overlapping_runs_are_one_mask():
  mask = forma_labels.decode_runs('1 4 3 4', (3, 4), 'x')
  assert mask.T.ravel().tolist() == [True] * 6 + [False] * 6


def test_encoded_masks_decode_to_themselves():
  random = np.random.RandomState(0)
  for size in ((1, 1), (7, 5), (20, 31)):
    mask = random.uniform(size=size) < 0.4
    mask[-1, -1] = mask[0, 0] = True
    np.testing.assert_array_equal(
        forma_labels.decode_runs(raw_folders.encode_runs(mask), size, 'x'), mask)


@pytest.mark.parametrize('text', ['', '1', '0 2', '1 0', '12 2', '5 -1', '1 a', '9' * 30 + ' 1'])
def test_unusable_runs_are_errors(text):
  with pytest.raises(ValueError, match='^where: '):
    forma_labels.decode_runs(text, (3, 4), 'where')


def _index(tmp_path, rows, header=_HEADER):
  path = tmp_path / 'train.csv'
  path.write_bytes((header + rows).encode('utf-8'))
  return forma_labels.FashionIndex(str(path))


def test_rows_are_found_in_any_order_of_columns_and_with_attributes(tmp_path):
  index = _index(tmp_path, '6_12_35,2,3,"4 3",a.jpg\n6,2,3,1 1,b.jpg\n0,2,3,1 2,a.jpg\n',
                 'ClassId,Height,Width,EncodedPixels,ImageId\n')
  label = index.label('a', {6: 5, 0: 2}).read(2, 3)
  np.testing.assert_array_equal(label, [[2, 255, 5], [2, 5, 5]])
  np.testing.assert_array_equal(index.label('b', {6: 5}).read(2, 3),
                                [[5, 255, 255], [255, 255, 255]])


def test_the_highest_class_wins_over_masks_and_parts(tmp_path):
  Image.fromarray(np.array([[3, 8, 0], [255, 0, 4]], np.uint8)).save(str(tmp_path / 'p.png'))
  index = _index(tmp_path, 'a.jpg,1 4,2,3,7\n')  # Columns 0 and 1.
  label = index.label('a', {7: 5}, str(tmp_path / 'p.png'))
  np.testing.assert_array_equal(label.read(2, 3), [[5, 8, 0], [5, 5, 4]])
  assert (label.path, label.parts_path) == (str(tmp_path / 'train.csv'), str(tmp_path / 'p.png'))


@pytest.mark.parametrize('row, message', [
    ('a.jpg,1 1,2,3,9\n', 'unknown category 9'),
    ('a.jpg,1 1,2,x,7\n', 'is not readable'),
    ('a.jpg,1 1\n', 'is not readable'),
    ('b.jpg,1 1,2,3,7\n', "has no row of image 'a'"),
])
def test_unusable_rows_are_named(tmp_path, row, message):
  with pytest.raises(ValueError) as caught:
    _index(tmp_path, row).label('a', {7: 5}).read(2, 3)
  assert message in str(caught.value) and 'train.csv' in str(caught.value)


def test_a_row_that_ends_before_the_name_of_its_image_is_named(tmp_path):
  header = 'ClassId,Height,Width,EncodedPixels,ImageId\n'
  with pytest.raises(ValueError, match=r"train.csv: the row at byte 59 is cut off: b'6,2,3'"):
    _index(tmp_path, '6,2,3,1 1,b.jpg\n6,2,3', header)


def test_tables_without_rows_are_errors(tmp_path):
  with pytest.raises(ValueError, match='has no rows'):
    _index(tmp_path, '\n')
  with pytest.raises(ValueError, match='cannot be read'):
    forma_labels.FashionIndex(os.path.join(str(tmp_path), 'absent.csv'))


@pytest.mark.parametrize('text, message', [
    ('{', 'cannot be read'), ('{"categories": [{}]}', 'expected a list `categories`'),
    ('[]', 'expected a list `categories`')])
def test_unusable_descriptions_are_errors(tmp_path, text, message):
  (tmp_path / 'd.json').write_text(text)
  with pytest.raises(ValueError, match=message):
    forma_labels.read_fashion_classes(str(tmp_path / 'd.json'))


def _save(path, values):
  Image.fromarray(np.array(values, np.uint8)).save(str(path))
  return str(path)


def test_classes_of_the_parts_are_painted_in_order(tmp_path):
  path = _save(tmp_path / 'a.png', [[4, 5, 6, 4]])
  parts = _save(tmp_path / 'p.png', [[7, 8, 1, 0]])
  label = forma_labels.Painted(path, ((4, 0), (5, 1), (6, 2)), parts, (7, 8))
  np.testing.assert_array_equal(label.read(1, 4), [[7, 8, 2, 0]])


def test_painted_labels_need_known_values_and_equal_sizes(tmp_path):
  path = _save(tmp_path / 'a.png', [[4, 9]])
  with pytest.raises(ValueError, match=r'a.png: label values 9 \(1 pixels\); expected the 1 '):
    forma_labels.Painted(path, ((4, 0),), path, (7,)).read(1, 2)
  parts = _save(tmp_path / 'p.png', [[4], [9]])
  with pytest.raises(ValueError, match='p.png is 2x1 .*expected 1x2'):
    forma_labels.Painted(path, ((4, 0), (9, 1)), parts, (7,)).read(1, 2)


def test_later_rows_of_a_table_win():
  table = (('garment', ('pants', 'dress')), ('pants', ('pants',)))
  assert forma_labels.make_label_map(table, {'pants': 6, 'dress': 7}, 'x') == {6: 8, 7: 2}
