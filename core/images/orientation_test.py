"""Tests of turning arrays by the EXIF orientation of their file."""
import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from deeplab.core.images import orientation

_VALUES = np.random.RandomState(0).randint(0, 256, (4, 6, 3)).astype(np.uint8)


def _turned_file(number):
  image = Image.fromarray(_VALUES)
  exif = image.getexif()
  exif[0x0112] = number
  data = io.BytesIO()
  image.save(data, 'PNG', exif=exif)
  return Image.open(data)


@pytest.mark.parametrize('number', range(1, 9))
def test_arrays_are_turned_as_pillow_turns_pictures(number):
  image = _turned_file(number)
  assert orientation.stated(image) == number
  expected = np.asarray(ImageOps.exif_transpose(image))
  np.testing.assert_array_equal(orientation.upright(_VALUES, number), expected)
  assert orientation.swaps_sides(number) == (expected.shape[0] == 6)
  np.testing.assert_array_equal(
      orientation.upright(_VALUES[..., 0], number), expected[..., 0])


def test_what_says_nothing_or_nonsense_is_upright():
  assert orientation.stated(Image.fromarray(_VALUES)) == orientation.UPRIGHT
  assert orientation.stated(_turned_file(9)) == orientation.UPRIGHT


def test_tiff_files_are_turned_once():
  image = Image.fromarray(_VALUES)
  data = io.BytesIO()
  image.save(data, 'TIFF', tiffinfo={0x0112: 6})
  image = Image.open(data)
  assert orientation.stated(image) == 6
  np.testing.assert_array_equal(np.asarray(orientation.upright_image(image)),
                                np.rot90(_VALUES, -1))
