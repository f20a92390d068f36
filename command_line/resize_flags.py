"""Flags that resize images before anything else happens to them."""
import functools

from absl import flags

from deeplab.command_line import flag_groups
from deeplab.core import preprocess_utils
from deeplab.core.usage import UsageError

FLAGS = flags.FLAGS

GROUP = 'resizing of images'

flag_groups.begin(GROUP, is_shown=False)
flags.DEFINE_integer('min_resize_value', None,
                     'Images are scaled so that the shorter side is this, in pixels. Default: '
                     'their own size.', lower_bound=1)
flags.DEFINE_integer('max_resize_value', None,
                     'After min_resize_value, the longer side is at most this, in pixels. '
                     'Default: no limit.', lower_bound=1)
flags.DEFINE_integer('resize_factor', None,
                     'Resized sides become multiples of this plus one, in pixels; the output '
                     'stride aligns them with the features. Default: any side.', lower_bound=1)


def resized_size_function():
  """Returns the function from the sizes of images to those they are resized to, or None.

  Raises:
    ValueError: there is a limit, but no size.
  """
  if not FLAGS.min_resize_value:
    if FLAGS.max_resize_value:
      raise UsageError('--max_resize_value=%d needs --min_resize_value too.'
                       % FLAGS.max_resize_value)
    return None
  return functools.partial(
      preprocess_utils.resized_size, min_size=FLAGS.min_resize_value,
      max_size=FLAGS.max_resize_value, factor=FLAGS.resize_factor)
