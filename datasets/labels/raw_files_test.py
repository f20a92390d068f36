"""Tests that nothing that tells pixels of a label file apart is dropped unseen."""
import numpy as np
import pytest
from PIL import Image

from deeplab.datasets.labels import label_sources, pairs, raw_files
from deeplab.testing import tiny_run

_IDS = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
_MASK = np.array([[0, 255, 255], [0, 0, 255]], np.uint8)


def _save(path, image, **options):
  image = image if isinstance(image, Image.Image) else Image.fromarray(image)
  image.save(str(path), **options)
  return str(path)


def _colored(colors, alpha=None):
  """Returns a Pillow image of [height, width] rows of colours, with alpha or without."""
  image = Image.fromarray(np.array(colors, np.uint8))
  if alpha is not None:
    image.putalpha(Image.fromarray(np.array(alpha, np.uint8)))
  return image


def _ids(path):
  return pairs.read_label(path, 3, 255)


@pytest.mark.parametrize('mode', ['L', 'RGB'])
@pytest.mark.parametrize('grey', [0, 255])
def test_a_mask_in_an_alpha_channel_is_told(tmp_path, mode, grey):
  image = Image.new(mode, (3, 2), (grey,) * len(mode))
  image.putalpha(Image.fromarray(_MASK))
  path = _save(tmp_path / 'a.png', image)
  with pytest.raises(ValueError) as error:
    _ids(path)
  assert ('a.png is of the colour %d,%d,%d everywhere: its mask is in the alpha channel, with the '
          'values 0 (3 pixels), 255 (3 pixels).' % (grey, grey, grey)) in str(error.value)
  assert '--color_map' in str(error.value)


def test_ids_in_an_alpha_channel_are_told(tmp_path):
  path = _save(tmp_path / 'a.png', _colored(np.zeros((2, 3, 3)), _IDS))
  with pytest.raises(ValueError, match=r'values 0 \(2 pixels\), 1 \(2 pixels\), 2 \(2 pixels\)'):
    _ids(path)


def test_a_table_of_colours_reads_a_mask_in_an_alpha_channel(tmp_path):
  path = _save(tmp_path / 'a.png', _colored(np.full((2, 3, 3), 7), _MASK))
  source = label_sources.ColorPicture(path, ((0, 0, 0), (255, 255, 255)), (0, 1))
  np.testing.assert_array_equal(source.read(2, 3), _MASK // 255)


@pytest.mark.parametrize('alpha', [np.full((2, 3), 255), np.zeros((2, 3)), (_IDS > 0) * 255,
                                   [[128, 200, 255], [255, 200, 128]]])
def test_alpha_that_says_no_more_than_ids_is_dropped(tmp_path, alpha):
  path = _save(tmp_path / 'a.png', _colored(np.repeat(_IDS[..., None], 3, 2), alpha))
  np.testing.assert_array_equal(raw_files.ids(*raw_files.read_lossless(path), path), _IDS)


def _one_opaque_color(tmp_path, kind):
  """Returns a file in which 9,9,9 is there opaque and transparent, beside another colour."""
  colors = [[[9, 9, 9], [9, 9, 9], [1, 1, 1]]]
  if kind == 'alpha':
    return _save(tmp_path / 'a.png', _colored(colors, [[0, 255, 255]]))
  image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
  image.putpalette([9, 9, 9, 9, 9, 9, 1, 1, 1])
  return _save(tmp_path / 'a.png', image, transparency=bytes([0, 255, 255]))


@pytest.mark.parametrize('kind', ['alpha', 'palette'])
def test_a_colour_that_is_opaque_and_transparent_is_told(tmp_path, kind):
  with pytest.raises(ValueError, match='the colour 9,9,9 is there 1 times opaque and 1 times'):
    raw_files.colors(_one_opaque_color(tmp_path, kind))


def test_indices_of_a_palette_with_transparent_entries_are_ids(tmp_path):
  path = _one_opaque_color(tmp_path, 'palette')
  np.testing.assert_array_equal(raw_files.ids(*raw_files.read_lossless(path), path),
                                [[0, 1, 2]])


def test_a_palette_of_one_colour_has_no_colours(tmp_path):
  image = Image.fromarray(_IDS)
  image.putpalette([0] * 9)
  path = _save(tmp_path / 'a.png', image)
  with pytest.raises(ValueError, match='of the 3 palette entries 0,1,2, all of the colour 0,0,0'):
    raw_files.colors(path)


@pytest.mark.parametrize('channels', [2, 3, 4])
@pytest.mark.parametrize('factor', [1, 257])
def test_ids_in_colours_of_16_bits_are_read(tmp_path, channels, factor):
  values = np.repeat(_IDS[..., None].astype(np.uint16) * factor, channels, 2)
  if channels in (2, 4):
    values[..., -1] = 255 * factor
  path = tmp_path / 'a.png'
  path.write_bytes(tiny_run.wide_png(values))
  assert _ids(str(path)).pixel_counts[:3].tolist() == [2, 2, 2]


def test_colours_that_need_16_bits_are_refused(tmp_path):
  path = tmp_path / 'a.png'
  path.write_bytes(tiny_run.wide_png(np.full((2, 2, 3), 1000)))
  with pytest.raises(ValueError, match='a.png cannot be decoded as a label map: the values '
                                       '1000..1000 need more than 8 bits'):
    _ids(str(path))


@pytest.mark.parametrize('values, expected', [([[0, 200]], 200), ([[0, 65535]], 255)])
def test_grey_of_16_bits_is_a_colour(tmp_path, values, expected):
  path = _save(tmp_path / 'a.png', np.array(values, np.uint16))
  np.testing.assert_array_equal(raw_files.colors(path), [[[0] * 3, [expected] * 3]])


def test_pages_behind_the_first_one_are_told(tmp_path):
  pages = [Image.fromarray(_IDS), Image.fromarray(_IDS)]
  path = _save(tmp_path / 'a.tif', pages[0], save_all=True, append_images=pages[1:])
  for read in (_ids, pairs.read_image):
    with pytest.raises(ValueError, match='a.tif cannot be decoded .*: it has 2 pages, of which'):
      read(path)


def test_smaller_copies_behind_the_first_page_are_no_loss(tmp_path):
  pages = [Image.fromarray(_IDS), Image.new('L', (1, 1))]
  path = _save(tmp_path / 'a.tif', pages[0], save_all=True, append_images=pages[1:])
  assert _ids(path).pixel_counts[:3].tolist() == [2, 2, 2]


def test_labels_are_turned_by_their_own_tag(tmp_path):
  image = Image.fromarray(_IDS)
  exif = image.getexif()
  exif[0x0112] = 6
  path = _save(tmp_path / 'a.png', image, exif=exif)
  found, _ = raw_files.read_lossless(path)
  np.testing.assert_array_equal(np.asarray(found), np.rot90(_IDS, -1))
  assert (_ids(path).height, _ids(path).width) == (3, 2)
