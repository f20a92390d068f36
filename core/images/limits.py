"""How large an image may be: more is refused by its header alone, before memory is taken.

A file of a few bytes can claim gigabytes of pixels, and a small PNG file can hold them. As with
Pillow, whose own limit is the default, there is one limit for the whole process.
"""
from PIL import Image

# As RGB this is 256 MiB.
DEFAULT_MAX_PIXELS = 89478485
# What Pillow calls a JPEG file that more JPEG pictures follow in.
_SEVERAL_JPEGS = 'MPO'

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
  """Returns the Pillow image of a path or file object, not decoded yet.

  The format of a JPEG file of several pictures (MPO, as telephones write it) is JPEG: decoders
  take the first picture.

  Args:
    source: path or binary file object.
    name: what messages call it.

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
  """Stops if an image has more pixels than allowed.

  Args:
    height: in pixels.
    width: in pixels.
    name: what the message calls the image.

  Raises:
    ValueError: it has.
  """
  if _limit and width * height > _limit:
    raise ValueError('%s is %dx%d (height x width), more pixels than %s'
                     % (name, height, width, allowed()))


def allowed():
  """Returns the words of messages for the limit."""
  return 'the %d that --max_image_pixels allows' % _limit
