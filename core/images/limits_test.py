"""Tests of the size that images may have: what they state is read, and too much refused."""
import io

import numpy as np
import pytest
from PIL import Image

from deeplab.core.images import limits
from deeplab.core.tf_compat import tf
from deeplab.testing import damage

_SIZE = (70, 300)


@pytest.fixture(autouse=True)
def keep_limit():
  """The limit is that of the process."""
  yield
  limits.set_max_pixels(limits.DEFAULT_MAX_PIXELS)


def encode(encoding, size=_SIZE):
  buffer = io.BytesIO()
  Image.fromarray(np.zeros(size, np.uint8)).save(buffer, encoding)
  return buffer.getvalue()


def run(make, *feeds):
  with tf.Graph().as_default(), tf.Session() as session:
    return session.run(make(*[tf.constant(feed) for feed in feeds]))


@pytest.mark.parametrize('encoding', ['JPEG', 'PNG', 'GIF', 'BMP'])
def test_the_stated_size_is_that_of_the_decoded_image(encoding):
  data = encode(encoding)
  assert run(limits.stated_size, data).tolist() == list(_SIZE)
  decoded = run(lambda image: tf.image.decode_image(image, channels=3), data)
  assert decoded.shape[-3:-1] == _SIZE


@pytest.mark.parametrize('data', [b'', b'\x89', b'\x89PNG\r\n\x1a\n', b'no image' * 9])
def test_other_bytes_have_no_size(data):
  assert run(limits.stated_size, data).tolist() == [0, 0]


def test_a_file_of_several_jpeg_pictures_counts_as_the_first_of_them():
  noise = np.random.RandomState(0).randint(0, 256, (2,) + _SIZE + (3,)).astype(np.uint8)
  first, second = [Image.fromarray(pixels) for pixels in noise]
  buffer = io.BytesIO()
  first.save(buffer, 'MPO', save_all=True, append_images=[second], quality=95)
  image = limits.open_image(buffer)
  assert image.format == 'JPEG'
  alone = io.BytesIO()
  first.save(alone, 'JPEG', quality=95)
  np.testing.assert_array_equal(np.asarray(image), np.asarray(Image.open(alone)))
  np.testing.assert_array_equal(*[run(tf.image.decode_jpeg, data.getvalue())
                                  for data in (buffer, alone)])


@pytest.mark.parametrize('change, is_whole', [
    (lambda data: data, True), (lambda data: data + b'more', True),
    (lambda data: data[:-2], False), (lambda data: data[:-12], False),
    # A flipped bit of the checksum of the pixels: Pillow draws them all the same.
    (lambda data: data[:-13] + bytes([data[-13] ^ 1]) + data[-12:], False)])
def test_a_whole_png_is_what_tensorflow_decodes(change, is_whole):
  data = change(encode('PNG'))
  assert limits.is_whole_png(data) == is_whole
  if is_whole:
    run(tf.image.decode_png, data)
  else:
    with pytest.raises(tf.errors.InvalidArgumentError):
      run(tf.image.decode_png, data)


def check(data):
  return run(lambda image, name: limits.checked(image, name, 'label'), data, 'records/7')


def test_more_pixels_than_allowed_fail_by_their_header():
  data = damage.png_that_claims(60000, 60001)
  with pytest.raises(tf.errors.InvalidArgumentError,
                     match='Record records/7: the label is 60000x60001 .height x width., more '
                           'pixels than the 89478485 that --max_image_pixels allows'):
    check(data)
  with pytest.raises(ValueError, match='a.png (is 60000x60001|has more pixels than the 89478485)'):
    limits.open_image(io.BytesIO(data), 'a.png')
  # Their product does not fit into 32 bits, nor do the sides of a broken file.
  with pytest.raises(tf.errors.InvalidArgumentError, match='65536x65536'):
    check(damage.png_that_claims(1 << 16, 1 << 16))


def test_the_limit_of_pillow_itself_is_told_alike(monkeypatch):
  monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', limits.DEFAULT_MAX_PIXELS)
  with pytest.raises(ValueError, match='a.png has more pixels than the 89478485 that '
                                       '--max_image_pixels allows'):
    limits.open_image(io.BytesIO(damage.png_that_claims(60000, 60001)), 'a.png')


@pytest.mark.parametrize('encoding', ['JPEG', 'PNG', 'GIF', 'BMP'])
@pytest.mark.parametrize('spare', [-1, 0])
def test_the_limit_can_be_set(encoding, spare):
  data = encode(encoding)
  limits.set_max_pixels(_SIZE[0] * _SIZE[1] + spare)
  if spare < 0:
    with pytest.raises(tf.errors.InvalidArgumentError, match='70x300'):
      check(data)
    with pytest.raises(ValueError, match='it is 70x300'):
      limits.open_image(io.BytesIO(data))
  else:
    assert check(data) == data
    assert limits.open_image(io.BytesIO(data)).size == _SIZE[::-1]


def test_zero_is_no_limit():
  limits.set_max_pixels(0)
  data = damage.png_that_claims(60000, 60000)
  assert check(data) == data
  assert limits.open_image(io.BytesIO(data)).size == (60000, 60000)
