"""Tests of reading class names."""
import pytest

from deeplab.datasets.labels.class_names import ColorTable, read_class_names, read_color_table


@pytest.mark.parametrize('value', [None, ''])
def test_nothing_gives_nothing(value):
  assert read_class_names(value) == (None, None)


def test_commas_separate_names():
  assert read_class_names('sky, road,car') == (['sky', 'road', 'car'], None)


@pytest.mark.parametrize('text, expected', [
    ('sky\nroad\n\n', (['sky', 'road'], None)),
    ('name,r,g,b\nsky,1,2,3\nroad, 4, 5, 6\n', (['sky', 'road'], [[1, 2, 3], [4, 5, 6]])),
    ('\ufeffstraße,0,0,255\n', (['straße'], [[0, 0, 255]])),
    ('"traffic light, red",1,1,1\n', (['traffic light, red'], [[1, 1, 1]])),
    ('Pixel Value, Class\n0, sky\n1, road\n', (['sky', 'road'], None)),
    ('0,sky\n1,road\n', (['sky', 'road'], None)),
    ('# label:color_rgb:parts:actions\nsky:0,0,9::\nbig car:1,2,3:wheel,door:\n',
     (['sky', 'big car'], [[0, 0, 9], [1, 2, 3]])),
    ('64 128 64\tAnimal\n192 0 128\t\tArchway\n',
     (['Animal', 'Archway'], [[64, 128, 64], [192, 0, 128]])),
])
def test_files_hold_names_and_colours(tmp_path, text, expected):
  path = tmp_path / 'classes.csv'
  path.write_text(text, encoding='utf-8')
  assert read_class_names(str(path)) == expected


@pytest.mark.parametrize('text, message', [
    ('', 'is empty'),
    ('name,r,g,b\n', 'is empty'),
    ('sky\nroad,1,2,3\n', "or every line `name,r,g,b`; got 'road,1,2,3'"),
    ('sky,1,2\n', "got 'sky,1,2'"),
    ('1,sky\n2,road\n', "got '1,sky'"),
    ('Pixel Value, Class\n', "got 'Pixel Value,Class'"),
    ('sky:1,2,300::\n', "class 'sky' has the colour 1,2,300"),
    ('sky,1,2,300\n', "class 'sky' has the colour 1,2,300"),
    ('sky,1,2,x\n', 'expected three integers in 0..255'),
    ('sky\nsky\n', "classes 0 and 1 are both called 'sky'"),
    ('stra\xdfe\n', "cannot be read: 'utf-8' codec can't decode byte 0xdf"),
])
def test_unusable_files_are_named(tmp_path, text, message):
  path = tmp_path / 'classes.csv'
  path.write_text(text, encoding='latin-1')
  with pytest.raises(ValueError) as error:
    read_class_names(str(path))
  assert message in str(error.value)
  assert str(path) in str(error.value)


@pytest.mark.parametrize('value, message', [
    ('a,,b', 'class 1 has an empty name'),
    ('a,b,a', "classes 0 and 2 are both called 'a'"),
    ('classes.csv', "'classes.csv' does not exist"),
    ('folder/classes', 'does not exist'),
])
def test_unusable_values_are_refused(value, message):
  with pytest.raises(ValueError, match=message):
    read_class_names(value)


def test_colours_of_one_name_are_one_class(tmp_path):
  path = tmp_path / 'colours.csv'
  path.write_text('name,r,g,b\nroad,1,2,3\nignore,0,0,0\ncar,4,5,6\nroad,7,8,9\n')
  assert read_color_table(str(path), 200) == ColorTable(
      ['road', 'car'], [[1, 2, 3], [4, 5, 6]], ((1, 2, 3), (0, 0, 0), (4, 5, 6), (7, 8, 9)),
      (0, 200, 1, 0))


def test_a_labelmap_of_cvat_is_a_colour_table(tmp_path):
  path = tmp_path / 'labelmap.txt'
  path.write_bytes(b'\xef\xbb\xbf# label:color_rgb:parts:actions\r\nignore:0,0,0::\r\n'
                   b'Cat:48,112,32::\r\nDog:176,112,32:a:b\r\n')
  assert read_color_table(str(path), 255) == ColorTable(
      ['Cat', 'Dog'], [[48, 112, 32], [176, 112, 32]],
      ((0, 0, 0), (48, 112, 32), (176, 112, 32)), (255, 0, 1))


@pytest.mark.parametrize('text, message', [
    ('road,1,2,3\ncar,1,2,3\n', "the colour 1,2,3 is there twice, the second time for 'car'"),
    ('road,1,2\n', "every line must be `name,r,g,b`; got 'road,1,2'"),
    ('road,1,2,256\n', "class 'road' has the colour 1,2,256"),
    ('ignore,1,2,3\n', 'there are no classes'),
])
def test_unusable_colour_tables_are_named(tmp_path, text, message):
  path = tmp_path / 'colours.csv'
  path.write_text(text)
  with pytest.raises(ValueError) as caught:
    read_color_table(str(path), 255)
  assert message in str(caught.value) and 'colours.csv' in str(caught.value)
