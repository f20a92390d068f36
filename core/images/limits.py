"""How large an image may be: more is refused by its header alone, before memory is taken.

A file of a few bytes can claim gigabytes of pixels, and a small PNG file can hold them. As with
Pillow, whose own limit is the default, there is one limit for the whole process. What else a PNG
file says of itself is read here too.
"""
import io

from PIL import Image

from deeplab.core.images import input_errors
from deeplab.core.tf_compat import tf

# As RGB this is 256 MiB.
DEFAULT_MAX_PIXELS = 89478485
# What Pillow calls a JPEG file that more JPEG pictures follow in.
_SEVERAL_JPEGS = 'MPO'
# Of other files, what they start with and where the size stands.
_HEAD_BYTES = 32
_PNG_START = b'\x89PNG'
_PNG_SIZE_OFFSET = 16
_PNG_BIT_DEPTH_OFFSET = 24
_PNG_END = b'\0\0\0\0IEND\xaeB`\x82'
_BMP_START = b'BM'
_BMP_SIZE_OFFSET = 18
_GIF_START = b'GIF8'
_GIF_SIZE_OFFSET = 6

_limit = DEFAULT_MAX_PIXELS


def max_pixels():
  """Returns the most pixels that an image may have; 0: any number."""
  return _limit


def set_max_pixels(number):
  """Sets the most pixels that an image may have, for this process; 0: any number."""
  global _limit
  _limit = number
  # Pillow would warn of a few too many pixels, beside the error of `open_image`.
  Image.MAX_IMAGE_PIXELS = None


def open_image(source, name='it'):
  """Returns the Pillow image of a path or binary file object, not decoded yet.

  The format of a JPEG file of several pictures (MPO, as telephones write it) is JPEG: decoders
  take the first picture. `name` is what messages call it.

  Raises:
    ValueError: it has more pixels than allowed.
    OSError: it is no image.
  """
  try:
    image = Image.open(source)
  except Image.DecompressionBombError as error:
    raise ValueError('%s has more pixels than %s' % (name, allowed())) from error
  try:
    check_size(image.height, image.width, name)
  except ValueError:
    image.close()
    raise
  if image.format == _SEVERAL_JPEGS:
    image.format = 'JPEG'
  return image


def check_size(height, width, name):
  """Raises a ValueError, which calls the image `name`, if it has more pixels than allowed."""
  if _limit and width * height > _limit:
    raise ValueError('%s is %dx%d (height x width), more pixels than %s'
                     % (name, height, width, allowed()))


def allowed():
  """Returns the words of messages for the limit."""
  return 'the %d that --max_image_pixels allows' % _limit


def checked(data, name, what):
  """Returns encoded images that fail, when run, if they have more pixels than allowed.

  `data`, an image file, and `name`, that of the record, are string scalar tensors; `what` is
  'image' or 'label'.
  """
  if not _limit:
    return data
  size = stated_size(data)
  is_allowed = tf.reduce_prod(tf.cast(size, tf.int64)) <= _limit
  with tf.control_dependencies([input_errors.check(is_allowed, lambda: [
      'Record ', name, ': the %s is ' % what,
      tf.strings.reduce_join(tf.as_string(size), separator='x'),
      ' (height x width), more pixels than %s.' % allowed()])]):
    return tf.identity(data)


def is_whole_png(data):
  """Whether bytes are a PNG file of whole chunks; Pillow draws others, libpng does not."""
  try:
    Image.open(io.BytesIO(data), formats=['PNG']).verify()
  except Exception:  # Pillow raises what the chunk at hand happens to raise.
    return False
  return _PNG_END in data  # The checksum of the last chunk is not verified.


def png_bit_depth(data):
  """Returns the number of bits per channel of the bytes of a PNG file, None for other files."""
  return data[_PNG_BIT_DEPTH_OFFSET] if data.startswith(_PNG_START) else None


def stated_size(data):
  """Returns the size that an image file states, int32 [2] (height, width), without decoding it.

  `data` is a string scalar tensor: a JPEG, PNG, GIF or BMP file, which TensorFlow decodes. Other
  bytes give (0, 0).
  """
  head = tf.strings.join([tf.strings.substr(data, 0, _HEAD_BYTES), '\0' * _HEAD_BYTES])

  def starts_with(start):
    return tf.equal(tf.strings.substr(head, 0, len(start)), start)

  def numbers(offset, dtype, little_endian):
    return tf.cast(tf.decode_raw(tf.strings.substr(head, offset, 2 * dtype.size), dtype,
                                 little_endian=little_endian), tf.int32)

  def other():
    width_height = tf.case([
        (starts_with(_PNG_START), lambda: numbers(_PNG_SIZE_OFFSET, tf.int32, False)),
        # The sign of the height says which row is first.
        (starts_with(_BMP_START), lambda: tf.abs(numbers(_BMP_SIZE_OFFSET, tf.int32, True))),
        (starts_with(_GIF_START), lambda: numbers(_GIF_SIZE_OFFSET, tf.uint16, True)),
    ], default=lambda: tf.zeros([2], tf.int32), exclusive=True)
    return tf.reverse(width_height, [0])

  return tf.cond(tf.image.is_jpeg(data), lambda: tf.image.extract_jpeg_shape(data)[:2], other)
