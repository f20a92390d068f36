"""Tests of the public helpers for record-writing scripts."""
import io

import numpy as np
import pytest
from PIL import Image

from deeplab.datasets import build_data


def _encoded(values, **options):
  buffer = io.BytesIO()
  Image.fromarray(values).save(buffer, **options)
  return buffer.getvalue()


_RGB = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)


def test_png_is_decoded_exactly():
  reader = build_data.ImageReader('png', channels=3)
  data = _encoded(_RGB, format='PNG')
  np.testing.assert_array_equal(reader.decode_image(data), _RGB)
  assert reader.read_image_dims(data) == (4, 5)


@pytest.mark.parametrize('image_format', ['jpg', 'jpeg'])
def test_jpeg_is_decoded(image_format):
  flat = np.full((4, 5, 3), 77, np.uint8)
  reader = build_data.ImageReader(image_format)
  np.testing.assert_array_equal(
      reader.decode_image(_encoded(flat, format='JPEG', quality=100)), flat)


def test_jpeg_file_of_several_pictures_is_decoded():
  flat = Image.new('RGB', (5, 4), (77, 77, 77))
  buffer = io.BytesIO()
  flat.save(buffer, 'MPO', save_all=True, append_images=[Image.new('RGB', (5, 4))], quality=100)
  np.testing.assert_array_equal(build_data.ImageReader('jpeg').decode_image(buffer.getvalue()),
                                np.asarray(flat))


def test_one_channel_gives_grey_values_or_palette_indices():
  reader = build_data.ImageReader('png', channels=1)
  ids = np.array([[0, 1, 2]], np.uint8)
  palette = Image.fromarray(ids)
  palette.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
  buffer = io.BytesIO()
  palette.save(buffer, format='PNG')
  for data in (_encoded(ids, format='PNG'), buffer.getvalue()):
    np.testing.assert_array_equal(reader.decode_image(data), ids[:, :, np.newaxis])


def test_unusable_data_and_options_are_refused():
  reader = build_data.ImageReader('png')
  with pytest.raises(ValueError, match=r'\(3 bytes\) cannot be decoded as png'):
    reader.decode_image(b'abc')
  with pytest.raises(ValueError, match='Expected png data, got jpeg'):
    reader.decode_image(_encoded(_RGB, format='JPEG'))
  with pytest.raises(ValueError, match="Unknown image_format 'gif'"):
    build_data.ImageReader('gif')
  with pytest.raises(ValueError, match='Unknown number of channels 2'):
    build_data.ImageReader('png', channels=2)


def test_examples_need_no_landmarks_and_take_the_format_of_the_flags():
  features = build_data.image_seg_to_tfexample(b'i', 'name', 4, 5, b's').features.feature
  assert features['image/encoded'].bytes_list.value == [b'i']
  assert features['image/segmentation/class/encoded'].bytes_list.value == [b's']
  assert features['image/format'].bytes_list.value == [b'png']
  assert features['image/landmarks'].bytes_list.value == [b'']


def test_serialised_landmarks_are_stored_as_they_are():
  record = build_data.image_seg_to_tfexample(b'i', 'name', 4, 5, b's', b'points')
  assert record.features.feature['image/landmarks'].bytes_list.value == [b'points']


def test_features_take_one_value_or_many():
  assert build_data._int64_list_feature(3).int64_list.value == [3]
  assert build_data._int64_list_feature([3, 4]).int64_list.value == [3, 4]
  assert build_data._float_list_feature((0.5, 1.5)).float_list.value == [0.5, 1.5]
  assert build_data._bytes_list_feature('ä').bytes_list.value == ['ä'.encode('utf-8')]
