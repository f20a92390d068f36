"""Tests of pictures of more than 8 bits per channel."""
import io

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, TiffTags

from deeplab.core.images import wide_pictures
from deeplab.testing import tiny_run

_VALUES = np.random.RandomState(0).randint(0, 65536, (4, 6, 4)).astype(np.uint16)


def _tiff(values, bits, **tags):
  """Returns the bytes of an uncompressed TIFF file of one strip; tags by their names."""
  bigger = values.dtype.byteorder == '>'
  info = TiffImagePlugin.ImageFileDirectory_v2(prefix=b'MM' if bigger else b'II')
  channels = 1 if values.ndim == 2 else values.shape[2]
  content = dict({
      'ImageWidth': values.shape[1], 'ImageLength': values.shape[0],
      'BitsPerSample': (bits,) * channels, 'Compression': 1,
      'PhotometricInterpretation': 1 if channels == 1 else 2, 'StripOffsets': 0,
      'SamplesPerPixel': channels, 'StripByteCounts': values.nbytes,
      'RowsPerStrip': values.shape[0]}, **tags)
  names = {TiffTags.lookup(number).name: number for number in TiffTags.TAGS_V2}
  for name, value in content.items():
    info[names[name]] = value
  # Pillow adds to offsets of strips where the directory ends.
  head = b'MM\0*\0\0\0\x08' if bigger else b'II*\0\x08\0\0\0'
  return head + info.tobytes(len(head)) + values.tobytes()


def _read(data, read=wide_pictures.read_values):
  image = Image.open(io.BytesIO(data))
  assert wide_pictures.is_wide(image)
  return read(image, data)


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_all_bits_of_png_files_are_read(channels):
  values = _VALUES[..., :channels]
  found = _read(tiny_run.wide_png(values))
  np.testing.assert_array_equal(found.reshape(values.shape), values)


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_alpha_is_no_colour(channels):
  num_colors = {1: 1, 2: 1, 3: 3, 4: 3}[channels]
  found = _read(tiny_run.wide_png(_VALUES[..., :channels]), wide_pictures.read_colors)
  np.testing.assert_array_equal(found.reshape(4, 6, num_colors), _VALUES[..., :num_colors])


@pytest.mark.parametrize('dtype', ['<u2', '>u2'])
@pytest.mark.parametrize('channels', [1, 3])
def test_all_bits_of_tiff_files_are_read(dtype, channels):
  values = _VALUES[..., 0] if channels == 1 else _VALUES[..., :3]
  np.testing.assert_array_equal(_read(_tiff(values.astype(dtype), 16)), values)


def test_12_bits_are_read():
  # Two values in three bytes.
  data = _tiff(np.array([[0xab, 0xc1, 0x23]], np.uint8), 12, ImageWidth=2)
  assert _read(data).tolist() == [[0xabc, 0x123]]


@pytest.mark.parametrize('dtype, sample_format', [
    ('<u4', 1), ('<i2', 2), ('<i4', 2), ('<f4', 3)])
def test_other_numbers_are_as_stored(dtype, sample_format):
  values = np.array([[5, -3.5, 4e9]], np.float64)
  if dtype != '<f4':
    values = values.clip(np.iinfo(dtype).min, np.iinfo(dtype).max)
  values = values.astype(dtype)
  found = _read(_tiff(values, values.itemsize * 8, SampleFormat=sample_format))
  assert found.tolist() == values.tolist()


def test_where_white_is_zero_values_are_turned_over():
  data = _tiff(np.array([[0, 65000]], '<u2'), 16, PhotometricInterpretation=0)
  assert _read(data).tolist() == [[65535, 535]]


def test_planes_are_refused():
  data = _tiff(_VALUES[..., :3].astype('<u2'), 16, PlanarConfiguration=2)
  with pytest.raises(ValueError, match='stored as planes; save it as PNG'):
    _read(data)


@pytest.mark.parametrize('data', ['png', 'tiff'])
def test_values_are_turned_upright(data):
  values = _VALUES[..., 0].astype('<u2')
  if data == 'tiff':
    content = _tiff(values, 16, Orientation=6)
  else:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, 'PNG', exif=exif)
    content = stream.getvalue()
  np.testing.assert_array_equal(_read(content, wide_pictures.read_colors), np.rot90(values, -1))


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK'])
@pytest.mark.parametrize('suffix', ['PNG', 'TIFF', 'JPEG'])
def test_8_bits_are_not_wide(mode, suffix):
  data = io.BytesIO()
  try:
    Image.new(mode, (4, 4)).save(data, suffix)
  except OSError:
    pytest.skip('%s does not hold %s' % (suffix, mode))
  assert not wide_pictures.is_wide(Image.open(data))


def test_the_full_range_is_the_upper_byte_and_others_are_their_bits():
  values = np.arange(65536, dtype=np.uint16)
  np.testing.assert_array_equal(wide_pictures.scale(values, 0, 65535), values >> 8)
  np.testing.assert_array_equal(wide_pictures.scale(values[:4096], 0, 4095), values[:4096] >> 4)
  np.testing.assert_array_equal(wide_pictures.scale(values[:256], 0, 255), values[:256])


def test_what_is_beyond_a_range_is_black_or_white():
  values = np.array([-np.inf, -9, 0.5, 0.749, 0.75, 1, 7, np.inf, np.nan])
  assert wide_pictures.scale(values, 0.5, 1).tolist() == [0, 0, 0, 127, 128, 255, 255, 255, 0]


def test_grey_becomes_rgb():
  image = wide_pictures.to_rgb(np.array([[[100], [500]]], np.uint16), (100, 500))
  assert np.asarray(image).tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize('values, low', [([[0, 0]], 0), ([[3, 32768]], 128)])
def test_filled_16_bits_and_black_need_no_range(values, low):
  assert np.asarray(wide_pictures.to_rgb(np.array(values, np.uint16))).max() == low


@pytest.mark.parametrize('highest', [255, 1023, 4095, 16383, 32767])
def test_values_that_do_not_fill_need_a_range(highest):
  with pytest.raises(ValueError, match='its values are 7..%d, which .* --image_range=7,%d$'
                     % (highest, highest)):
    wide_pictures.to_rgb(np.array([[7, highest]], np.uint16))


@pytest.mark.parametrize('values, expected', [
    ([0, 255], [0, 255]), ([0, 257, 65535], [0, 1, 255]), ([0, 0], [0, 0])])
def test_8_bits_stored_in_16_are_found(values, expected):
  assert wide_pictures.narrowed(np.array(values, np.uint16)).tolist() == expected


@pytest.mark.parametrize('values', [np.array([0, 256], np.uint16), np.array([-1, 3], np.int32),
                                    np.array([0.0, 1.0], np.float32)])
def test_what_needs_more_bits_is_refused(values):
  with pytest.raises(ValueError, match='need more than 8 bits'):
    wide_pictures.narrowed(values)
