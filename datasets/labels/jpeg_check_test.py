"""Tests of the check of JPEG files: it never calls whole what TensorFlow cannot decode."""
import io

import numpy as np
import pytest
from PIL import Image

from deeplab.core.tf_compat import tf
from deeplab.datasets.labels import jpeg_check


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
  assert jpeg_check.is_whole(_jpeg(**options))


def test_bytes_after_the_end_do_not_matter():
  assert jpeg_check.is_whole(_jpeg() + b'\0\xff\xc4more')


def test_progressive_pictures_are_left_to_the_decoder():
  assert not jpeg_check.is_whole(_jpeg(progressive=True))


@pytest.mark.parametrize('data', [b'', b'\xff', b'\xff\xd8', b'\xff\xd8\xff', b'\x89PNG',
                                  b'\xff\xd8' + b'\xff\xe0\0\0' * 3, b'\xff\xd8\xff\xda\0\2'])
def test_other_bytes_are_not_whole(data):
  assert not jpeg_check.is_whole(data)


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
    is_whole, is_broken = jpeg_check.is_whole(bytes(data)), not decodes(bytes(data))
    assert not (is_whole and is_broken), i
    num_whole += is_whole
    num_broken += is_broken
  assert (num_whole > 40) == (kind != 'cut')
  assert (num_broken > 20) == (kind != 'zeros')
