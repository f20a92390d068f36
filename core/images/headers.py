"""What encoded images state about their size, before they are decoded."""
from deeplab.core.images import input_errors, limits
from deeplab.core.tf_compat import tf

_HEAD_BYTES = 32
_PNG_START = b'\x89PNG'
_PNG_SIZE_OFFSET = 16
_BMP_START = b'BM'
_BMP_SIZE_OFFSET = 18
_GIF_START = b'GIF8'
_GIF_SIZE_OFFSET = 6


def checked(data, name, what):
  """Returns encoded images that fail, when run, if they have more pixels than allowed.

  Args:
    data: string scalar tensor, an image file.
    name: string scalar tensor, name of the record.
    what: 'image' or 'label'.
  """
  if not limits.max_pixels():
    return data
  size = stated_size(data)
  is_allowed = tf.reduce_prod(tf.cast(size, tf.int64)) <= limits.max_pixels()
  with tf.control_dependencies([input_errors.check(is_allowed, lambda: [
      'Record ', name, ': the %s is ' % what,
      tf.strings.reduce_join(tf.as_string(size), separator='x'),
      ' (height x width), more pixels than %s.' % limits.allowed()])]):
    return tf.identity(data)


def stated_size(data):
  """Returns what an image file states as its size, without decoding it.

  Args:
    data: string scalar tensor: a JPEG, PNG, GIF or BMP file, which TensorFlow decodes.

  Returns:
    int32 [2] (height, width); (0, 0) for other bytes.
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
