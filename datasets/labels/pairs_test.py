"""Tests of reading images and label maps from disk."""
import io
import json

import numpy as np
import pytest
from PIL import Image

from deeplab.core.tf_compat import tf
from deeplab.datasets.labels import pairs

_RGB = np.random.RandomState(0).randint(0, 256, (24, 40, 3)).astype(np.uint8)
_IDS = np.random.RandomState(1).randint(0, 3, (24, 40)).astype(np.uint8)


def _save(path, image, **options):
  (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
      str(path), **options)
  return str(path)


def _pixels(data):
  with Image.open(io.BytesIO(data)) as image:
    return np.asarray(image)


def _label(path, num_classes=3, ignore_label=255, label_map=None):
  label = pairs.read_label(str(path), num_classes, ignore_label, label_map)
  pixels = _pixels(label.data)
  assert pixels.ndim == 2
  assert (label.height, label.width) == pixels.shape
  np.testing.assert_array_equal(label.pixel_counts, np.bincount(pixels.ravel(), minlength=256))
  return pixels


# --- images ---


@pytest.mark.parametrize('name, expected', [('a.jpg', 'jpeg'), ('a.png', 'png')])
def test_rgb_jpeg_and_png_keep_their_bytes(tmp_path, name, expected):
  path = _save(tmp_path / name, _RGB)
  with open(path, 'rb') as f:
    assert pairs.read_image(path) == pairs.EncodedImage(f.read(), expected, 24, 40)


def test_a_tiny_jpeg_keeps_its_bytes(tmp_path):
  path = _save(tmp_path / 'a.jpg', _RGB[:3, :2])
  assert pairs.read_image(path)[1:4] == ('jpeg', 3, 2)


def test_a_jpeg_file_of_several_pictures_keeps_its_bytes(tmp_path):
  path = _save(tmp_path / 'a.jpg', _RGB, format='MPO', save_all=True,
               append_images=[Image.fromarray(_RGB[::-1])])
  with Image.open(path) as image:
    assert image.n_frames == 2
  with open(path, 'rb') as f:
    assert pairs.read_image(path) == pairs.EncodedImage(f.read(), 'jpeg', 24, 40)


@pytest.mark.parametrize('mode, name', [
    ('L', 'a.png'), ('1', 'a.png'), ('P', 'a.png'), ('RGBA', 'a.png'), ('LA', 'a.png'),
    ('RGB', 'a.bmp'), ('RGB', 'a.tif'), ('P', 'a.gif')])
def test_other_images_become_lossless_rgb(tmp_path, mode, name):
  image = Image.fromarray(_RGB).convert(mode)
  found = pairs.read_image(_save(tmp_path / name, image))
  assert found[1:4] == ('png', 24, 40)
  np.testing.assert_array_equal(_pixels(found.data), np.asarray(image.convert('RGB')))


@pytest.mark.parametrize('mode', ['L', 'CMYK'])
def test_grey_and_cmyk_jpeg_become_rgb_jpeg(tmp_path, mode):
  smooth = Image.new('RGB', (40, 24), (200, 60, 20)).convert(mode)
  path = _save(tmp_path / 'a.jpg', smooth, quality=95)
  found = pairs.read_image(path)
  assert found[1:4] == ('jpeg', 24, 40)
  with Image.open(path) as image:
    expected = np.asarray(image.convert('RGB')).astype(int)
  assert np.abs(_pixels(found.data) - expected).max() <= 3


def test_16_bit_grey_keeps_its_upper_byte(tmp_path):
  values = (np.arange(6, dtype=np.uint16) * 10000).reshape(2, 3)
  found = pairs.read_image(_save(tmp_path / 'a.png', values))
  np.testing.assert_array_equal(_pixels(found.data)[:, :, 0], values >> 8)


@pytest.mark.parametrize('values, message', [
    (np.array([[-1, 40000]], np.int32), '-1..40000'),
    (np.array([[7, 65536]], np.int32), '7..65536'),
    (np.array([[7, 32767]], np.uint16), '7..32767'),
    (np.array([[0.5, 1]], np.float32), '0.5..1'),
    (np.array([[0.25, np.nan, 0.5]], np.float32), '0.25..0.5'),
])
def test_values_of_unknown_range_are_refused(tmp_path, values, message):
  with pytest.raises(ValueError, match='a.tif: its values are %s, which do not fill .* '
                     '--image_range=%s' % (message, message.replace('..', ','))):
    pairs.read_image(_save(tmp_path / 'a.tif', values))


def test_exif_rotation_is_applied(tmp_path):
  image = Image.new('RGB', (40, 24), (250, 0, 0))
  image.paste((0, 0, 250), (0, 0, 8, 24))
  exif = image.getexif()
  exif[0x0112] = 6  # The left edge of the file is the top of the picture.
  found = pairs.read_image(_save(tmp_path / 'a.jpg', image, exif=exif, quality=95))
  assert found[1:4] == ('jpeg', 40, 24)
  assert _pixels(found.data)[2, 12, 2] > 200
  assert _pixels(found.data)[30, 12, 0] > 200


@pytest.mark.parametrize('name', ['a.jpg', 'a.png'])
@pytest.mark.parametrize('damage, message', [
    (lambda data: data[:len(data) // 2], 'cannot be decoded as an image'),
    (lambda data: b'not an image', 'cannot be decoded as an image'),
    (lambda data: b'', 'is empty'),
])
def test_broken_images_are_named(tmp_path, name, damage, message):
  path = tmp_path / name
  _save(path, _RGB)
  path.write_bytes(damage(path.read_bytes()))
  with pytest.raises(ValueError, match=message) as error:
    pairs.read_image(str(path))
  assert str(path) in str(error.value)


def test_a_png_without_its_end_is_written_anew(tmp_path):
  path = tmp_path / 'a.png'
  _save(path, _RGB)
  path.write_bytes(path.read_bytes()[:-12])
  found = pairs.read_image(str(path))
  assert found.data.endswith(b'IEND\xaeB`\x82')
  np.testing.assert_array_equal(_pixels(found.data), _RGB)


def test_absent_files_are_named(tmp_path):
  with pytest.raises(ValueError, match='absent.jpg cannot be read: No such file'):
    pairs.read_image(str(tmp_path / 'absent.jpg'))


# --- labels ---


def test_8_bit_grey_labels_keep_their_bytes(tmp_path):
  path = _save(tmp_path / 'a.png', _IDS)
  with open(path, 'rb') as f:
    assert pairs.read_label(path, 3, 255).data == f.read()


def test_palette_labels_become_their_indices(tmp_path):
  image = Image.fromarray(_IDS, mode=None).convert('L')
  image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [7] * 759)
  assert image.mode == 'P'
  np.testing.assert_array_equal(_label(_save(tmp_path / 'a.png', image)), _IDS)


@pytest.mark.parametrize('bits', [1, 2, 4])
def test_palettes_of_few_bits_become_their_indices(tmp_path, bits):
  ids = _IDS % 2
  image = Image.fromarray(ids)
  image.putpalette([0, 0, 0, 128, 0, 0])
  np.testing.assert_array_equal(_label(_save(tmp_path / 'a.png', image, bits=bits)), ids)


def test_1_bit_labels_are_zero_and_one(tmp_path):
  image = Image.fromarray((_IDS % 2) * 255).convert('1')
  np.testing.assert_array_equal(_label(_save(tmp_path / 'a.png', image)), _IDS % 2)


@pytest.mark.parametrize('bits', [2, 4])
def test_grey_labels_of_few_bits_are_the_stored_values(tmp_path, bits):
  path = tmp_path / 'a.png'
  path.write_bytes(_grey_png(_IDS, bits))
  np.testing.assert_array_equal(_label(path), _IDS)


def _grey_png(values, bits):
  """Returns a grey PNG of 2 or 4 bits per pixel; Pillow cannot write one."""
  import struct
  import zlib
  height, width = values.shape
  planes = (values[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
  packed = np.packbits(planes.reshape(height, width * bits).astype(np.uint8), axis=1)
  rows = b''.join(b'\0' + row.tobytes() for row in packed)

  def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

  header = struct.pack('>IIBBBBB', width, height, bits, 0, 0, 0, 0)
  return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(rows))
          + chunk(b'IEND', b''))


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'LA'])
def test_colour_files_of_equal_channels_are_ids(tmp_path, mode):
  path = _save(tmp_path / 'a.png', Image.fromarray(_IDS).convert(mode))
  np.testing.assert_array_equal(_label(path), _IDS)


def test_16_bit_labels_of_small_ids_become_8_bit(tmp_path):
  np.testing.assert_array_equal(_label(_save(tmp_path / 'a.png', _IDS.astype(np.uint16))), _IDS)


def test_16_bit_values_are_not_cut_to_8_bit(tmp_path):
  path = _save(tmp_path / 'a.png', np.array([[0, 258]], np.uint16))
  with pytest.raises(ValueError, match=r'label values 258 \(1 pixels\)'):
    _label(path)


def test_the_ignore_label_may_be_any_value(tmp_path):
  path = _save(tmp_path / 'a.png', np.array([[0, 2, 7]], np.uint8))
  np.testing.assert_array_equal(_label(path, 3, 7), [[0, 2, 7]])
  with pytest.raises(ValueError, match=r'a.png: label values 7 \(1 pixels\); expected 0..2, '
                                       'or 255'):
    _label(path, 3, 255)


def test_many_bad_values_are_shortened(tmp_path):
  path = _save(tmp_path / 'a.png', np.arange(40, dtype=np.uint8).reshape(2, 20))
  with pytest.raises(ValueError, match=r'12 \(1 pixels\) and 27 more; expected 0..2'):
    _label(path)


def test_label_maps_translate_values(tmp_path):
  path = _save(tmp_path / 'a.png', np.array([[0, 5, 9, 255]], np.uint8))
  np.testing.assert_array_equal(
      _label(path, label_map={0: 0, 5: 2, 9: 255}), [[0, 2, 255, 255]])


def test_label_maps_translate_16_bit_values(tmp_path):
  path = _save(tmp_path / 'a.png', np.array([[1000, 2000]], np.uint16))
  np.testing.assert_array_equal(_label(path, label_map={1000: 1, 2000: 2}), [[1, 2]])


def test_values_missing_in_a_label_map_are_errors(tmp_path):
  path = _save(tmp_path / 'a.png', np.array([[0, 1]], np.uint8))
  with pytest.raises(ValueError, match=r'label values 1 \(1 pixels\); expected the 1 values'):
    _label(path, label_map={0: 0})


def test_colour_pictures_are_refused(tmp_path):
  path = _save(tmp_path / 'a.png', np.array([[[0, 0, 0], [128, 0, 0]]], np.uint8))
  with pytest.raises(ValueError, match=r'a.png is a colour picture \(RGB, 2 colours\)'):
    _label(path)


def test_lossy_labels_are_refused(tmp_path):
  path = _save(tmp_path / 'a.jpg', _IDS)
  with pytest.raises(ValueError, match='is a JPEG file: label maps must be lossless'):
    _label(path)


@pytest.mark.parametrize('values, message', [
    (np.array([[-1, 2]], np.int32), 'a.tif: values -1..2 are no class ids'),
    (np.array([[0, 1]], np.float32), 'a.tif: a label map must hold one class id per pixel, got '
                                     'image mode F'),
])
def test_numbers_that_are_no_class_ids_are_refused(tmp_path, values, message):
  with pytest.raises(ValueError, match=message):
    _label(_save(tmp_path / 'a.tif', values))


def test_truncated_labels_are_named(tmp_path):
  path = tmp_path / 'a.png'
  _save(path, _RGB[:, :, 0])
  path.write_bytes(path.read_bytes()[:200])
  with pytest.raises(ValueError, match='a.png cannot be decoded as a label map'):
    _label(path)


# --- landmarks ---


@pytest.mark.parametrize('wrap', [lambda x: x, lambda x: {'pose_landmarks': x}])
def test_landmarks_are_read_from_json(tmp_path, wrap):
  path = tmp_path / 'a.json'
  path.write_text(json.dumps(wrap([[[1, 2.5]]])))
  points = pairs.read_landmarks(str(path))
  assert points.dtype == np.float32
  assert points.tolist() == [[[1.0, 2.5]]]


def test_landmarks_may_be_numbers_or_none():
  assert pairs.read_landmarks([[1, 2]]).tolist() == [[1.0, 2.0]]
  assert pairs.read_landmarks(None) is None
  assert pairs.read_landmarks([]) is None


@pytest.mark.parametrize('text', ['{', '{"status": "failure"}', '["a"]', '[[1, 2], [3]]', 'null'])
def test_unusable_landmark_files_are_named(tmp_path, text):
  path = tmp_path / 'a.json'
  path.write_text(text)
  with pytest.raises(ValueError, match='a.json'):
    pairs.read_landmarks(str(path))


# --- whether a JPEG file is whole: never so what TensorFlow cannot decode ---


def _jpeg(seed=0, size=(60, 80), **options):
  random = np.random.RandomState(seed)
  small = random.randint(0, 256, (size[0] // 4, size[1] // 4, 3)).astype(np.uint8)
  stream = io.BytesIO()
  Image.fromarray(small).resize(size[::-1], Image.BICUBIC).save(stream, 'JPEG', **options)
  return stream.getvalue()


@pytest.fixture(scope='module', name='decodes')
def make_decoder():
  with tf.Graph().as_default(), tf.Session() as session:
    data = tf.placeholder(tf.string, [])
    image = tf.image.decode_jpeg(data, channels=3)

    def decodes(value):
      try:
        session.run(image, {data: value})
        return True
      except tf.errors.InvalidArgumentError:
        return False

    yield decodes


@pytest.mark.parametrize('options', [
    {}, {'quality': 30}, {'subsampling': 0}, {'optimize': True}, {'exif': b'Exif\0\0' + b'x' * 99},
    {'quality': 95, 'size': (9, 7)}, {'size': (700, 900)}])
def test_sequential_pictures_are_whole(options):
  assert pairs.is_whole_jpeg(_jpeg(**options))


def test_bytes_after_the_end_do_not_matter():
  assert pairs.is_whole_jpeg(_jpeg() + b'\0\xff\xc4more')


def test_progressive_pictures_are_left_to_the_decoder():
  assert not pairs.is_whole_jpeg(_jpeg(progressive=True))


@pytest.mark.parametrize('data', [b'', b'\xff', b'\xff\xd8', b'\xff\xd8\xff', b'\x89PNG',
                                  b'\xff\xd8' + b'\xff\xe0\0\0' * 3, b'\xff\xd8\xff\xda\0\2'])
def test_other_bytes_are_not_whole(data):
  assert not pairs.is_whole_jpeg(data)


@pytest.mark.parametrize('kind', ['byte of the headers', 'byte of the data', 'cut', 'zeros'])
def test_what_is_called_whole_decodes(decodes, kind):
  random = np.random.RandomState(1)
  pictures = [_jpeg(seed) for seed in range(4)]
  begin = pictures[0].index(b'\xff\xda')
  num_whole = num_broken = 0
  for i in range(400):
    data = bytearray(pictures[i % len(pictures)])
    if kind == 'byte of the headers':
      data[random.randint(2, begin + 8)] = random.randint(256)
    elif kind == 'byte of the data':
      for _ in range(10):
        data[random.randint(begin + 12, len(data))] = random.randint(256)
    elif kind == 'cut':
      del data[random.randint(1, len(data)):]
    else:
      at = random.randint(begin + 12, len(data) - 50)
      data[at:at + 40] = bytes(40)
    is_whole, is_broken = pairs.is_whole_jpeg(bytes(data)), not decodes(bytes(data))
    assert not (is_whole and is_broken), i
    num_whole += is_whole
    num_broken += is_broken
  assert (num_whole > 40) == (kind != 'cut')
  assert (num_broken > 20) == (kind != 'zeros')
