"""Tests of the public names of the colour maps."""
import numpy as np
import pytest

from deeplab.utils import get_dataset_colormap as names

_NAMES = (names.get_ade20k_name(), names.get_cityscapes_name(), names.get_forma_name(),
          names.get_mapillary_vistas_name(), names.get_pascal_name())


@pytest.mark.parametrize('name, rows, dtype', [
    ('pascal', 512, np.int64), ('cityscapes', 256, np.uint8), ('ade20k', 151, np.int64),
    ('mapillary_vistas', 66, np.int64), ('forma', 9, np.int64)])
def test_every_name_has_its_rows_and_dtype(name, rows, dtype):
  assert name in _NAMES
  colors = names.create_label_colormap(name)
  assert colors.shape == (rows, 3)
  assert colors.dtype == dtype
  assert names.get_dataset_colormap_max_entries(name) == rows


def test_cityscapes_ids_beyond_the_train_ids_are_black():
  colors = names.create_cityscapes_label_colormap()
  assert colors[18].tolist() == [119, 11, 32]
  assert not colors[19:].any()


def test_bit_get_reads_single_bits():
  assert [names.bit_get(0b101, i) for i in range(4)] == [1, 0, 1, 0]
  assert names.bit_get(np.array([1, 2, 3]), 1).tolist() == [0, 1, 1]


def test_label_is_painted_pixel_by_pixel():
  picture = names.label_to_color_image(np.array([[0, 1], [2, 15]]), 'pascal')
  assert picture.tolist() == [[[0, 0, 0], [128, 0, 0]], [[0, 128, 0], [192, 128, 128]]]


def test_a_table_paints_too():
  picture = names.label_to_color_image(np.array([[1, 0]], np.uint8), [[1, 2, 3], [4, 5, 6]])
  assert picture.tolist() == [[[4, 5, 6], [1, 2, 3]]]


@pytest.mark.parametrize('name', _NAMES)
def test_the_highest_id_of_a_map_is_painted_and_the_next_refused(name):
  highest = names.get_dataset_colormap_max_entries(name) - 1
  assert names.label_to_color_image(np.array([[highest]]), name).shape == (1, 1, 3)
  with pytest.raises(ValueError, match='entries 0..%d only' % highest):
    names.label_to_color_image(np.array([[highest + 1]]), name)


@pytest.mark.parametrize('label, message', [
    (np.zeros((2, 2, 1), np.int32), '2-D'),
    (np.zeros((2, 2), np.float32), 'integers'),
    (np.array([[-1]]), 'from -1'),
])
def test_unusable_labels_are_refused(label, message):
  with pytest.raises(ValueError, match=message):
    names.label_to_color_image(label)


def test_unknown_names_are_refused_with_the_nearest():
  with pytest.raises(ValueError, match="Did you mean 'cityscapes'"):
    names.create_label_colormap('cityscape')
  with pytest.raises(ValueError, match='Unknown colour map'):
    names.get_dataset_colormap_max_entries('x')
