"""Reads files that users bring; whatever is wrong with one is a ValueError that names it."""
import contextlib
import re

_ADDRESS = re.compile(r' <\S+ object at 0x[0-9a-f]+>')


def read_bytes(path):
  """Returns the content of a file.

  Raises:
    ValueError: it cannot be read or is empty.
  """
  try:
    with open(path, 'rb') as f:
      data = f.read()
  except OSError as error:
    raise ValueError('%s cannot be read: %s.' % (path, error.strerror)) from error
  if not data:
    raise ValueError('%s is empty (0 bytes).' % path)
  return data


@contextlib.contextmanager
def decoding(path, what):
  """Turns whatever Pillow raises for broken files, which depends on the format, into one."""
  try:
    yield
  except Exception as error:
    # The place of an object in memory would make every message another one.
    reason = _ADDRESS.sub('', str(error)).rstrip('.')
    raise ValueError('%s cannot be decoded as %s: %s.' % (path, what, reason)) from error


def require_one_page(image):
  """Raises ValueError if a Pillow image is a TIFF file of several pages of one size."""
  size, num_pages = image.size, getattr(image, 'n_frames', 1) if image.format == 'TIFF' else 1
  if num_pages > 1:
    image.seek(1)
    is_overview = image.size != size  # As the smaller copies in files of maps.
    image.seek(0)
    if not is_overview:
      raise ValueError('it has %d pages, of which only the first one would be read; save one '
                       'picture per file' % num_pages)
