"""Tests of the colour maps."""
import zlib

import numpy as np
import pytest

from deeplab.core import colormaps

# Rows and CRC-32 of the published tables.
_EXPECTED = {
    'pascal': (512, [[0, 0, 0], [128, 0, 0], [0, 128, 0]]),
    'cityscapes': (19, [[128, 64, 128], [244, 35, 232], [70, 70, 70]]),
    'ade20k': (151, [[0, 0, 0], [120, 120, 120], [180, 120, 120]]),
    'mapillary_vistas': (66, [[165, 42, 42], [0, 192, 0], [196, 196, 196]]),
    'forma': (9, [[0, 0, 0], [255, 0, 0], [0, 255, 0]]),
}
_CHECKSUMS = {
    'pascal': 3290839668,
    'cityscapes': 2656065188,
    'ade20k': 1595285335,
    'mapillary_vistas': 1939570955,
    'forma': 1094255654,
}


@pytest.mark.parametrize('name', sorted(colormaps.COLORMAPS))
def test_every_map_has_its_published_colours(name):
  rows, first = _EXPECTED[name]
  colors = colormaps.colormap(name)
  assert colors.dtype == np.uint8
  assert colors.shape == (rows, 3)
  assert colors[:3].tolist() == first
  assert zlib.crc32(colors.tobytes()) == _CHECKSUMS[name]


def test_interleaved_bits_follow_the_voc_rule():
  colors = colormaps.interleaved_bits(256)
  assert colors[[3, 7, 8, 255]].tolist() == [
      [128, 128, 0], [128, 128, 128], [64, 0, 0], [224, 224, 192]]
  # Longer maps begin with the published one.
  assert zlib.crc32(colormaps.colormap('pascal', 256).tobytes()) == 3699290587


@pytest.mark.parametrize('name', sorted(colormaps.COLORMAPS))
def test_ids_beyond_a_map_get_colours_of_their_own(name):
  known = colormaps.colormap(name)
  colors = colormaps.colormap(name, 700)
  assert colors.shape == (700, 3)
  np.testing.assert_array_equal(colors[:len(known)], known)
  extra = {tuple(c) for c in colors[len(known):].tolist()}
  assert len(extra) == 700 - len(known)
  assert not extra & {tuple(c) for c in known.tolist()}


def test_a_table_is_a_map_and_may_be_cut():
  assert colormaps.colormap([[1, 2, 3], [4, 5, 6]], 1).tolist() == [[1, 2, 3]]
  assert colormaps.colormap(np.array([[1, 2, 3]])).dtype == np.uint8


def test_changing_a_result_leaves_the_table_alone():
  colormaps.colormap('forma')[:] = 7
  assert colormaps.colormap('forma')[1].tolist() == [255, 0, 0]


@pytest.mark.parametrize('table, message', [
    ('pascl', "Did you mean 'pascal'"),
    ([1, 2, 3], 'list of [r, g, b] rows'),
    ([[1, 2, 256]], 'integers in 0..255'),
    ([[0.5, 0.5, 0.5]], 'integers in 0..255'),
])
def test_unusable_maps_are_refused(table, message):
  with pytest.raises(ValueError) as error:
    colormaps.colormap(table)
  assert message in str(error.value)


def test_a_map_without_entries_is_refused():
  with pytest.raises(ValueError, match='num_entries=0'):
    colormaps.colormap('pascal', 0)
