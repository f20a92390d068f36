"""Tests of run-length masks and of the index of their table."""
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets.labels import fashion_masks
from deeplab.datasets.sample_people import forma_layouts

_HEADER = 'ImageId,EncodedPixels,Height,Width,ClassId\n'


def test_runs_go_down_the_columns_from_one():
  # A picture of 3 rows and 4 columns: pixels 2, 3 and 4, and 12, the last.
  mask = fashion_masks.decode_runs('2 3 12 1', (3, 4), 'x')
  np.testing.assert_array_equal(mask, [[0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 1]])


def test_overlapping_runs_are_one_mask():
  mask = fashion_masks.decode_runs('1 4 3 4', (3, 4), 'x')
  assert mask.T.ravel().tolist() == [True] * 6 + [False] * 6


def test_encoded_masks_decode_to_themselves():
  random = np.random.RandomState(0)
  for size in ((1, 1), (7, 5), (20, 31)):
    mask = random.uniform(size=size) < 0.4
    mask[-1, -1] = mask[0, 0] = True
    np.testing.assert_array_equal(
        fashion_masks.decode_runs(forma_layouts.encode_runs(mask), size, 'x'), mask)


@pytest.mark.parametrize('text', ['', '1', '0 2', '1 0', '12 2', '5 -1', '1 a', '9' * 30 + ' 1'])
def test_unusable_runs_are_errors(text):
  with pytest.raises(ValueError, match='^where: '):
    fashion_masks.decode_runs(text, (3, 4), 'where')


def _index(tmp_path, rows, header=_HEADER):
  path = tmp_path / 'train.csv'
  path.write_bytes((header + rows).encode('utf-8'))
  return fashion_masks.Index(str(path))


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
  assert label.paths() == [str(tmp_path / 'train.csv'), str(tmp_path / 'p.png')]


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
    fashion_masks.Index(os.path.join(str(tmp_path), 'absent.csv'))


@pytest.mark.parametrize('text, message', [
    ('{', 'cannot be read'), ('{"categories": [{}]}', 'expected a list `categories`'),
    ('[]', 'expected a list `categories`')])
def test_unusable_descriptions_are_errors(tmp_path, text, message):
  (tmp_path / 'd.json').write_text(text)
  with pytest.raises(ValueError, match=message):
    fashion_masks.read_categories(str(tmp_path / 'd.json'))
