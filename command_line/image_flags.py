"""Flags of images: how large they may be, which values are black and white, resizing first."""
import functools
import math

from absl import flags

from deeplab.command_line import declaring, flag_groups, flag_reading
from deeplab.core import preprocess_utils
from deeplab.core.images import limits, resizing
from deeplab.core.usage import UsageError

FLAGS = flags.FLAGS

RESIZING = 'resizing of images'
AUTO = 'auto'
_RANGE_TEXT = ('Lowest and highest value of images of more than 8 bits, such as 100,800, which '
               'become black and white')


def define_image_limit_flag(group):
  """Declares `max_image_pixels` in the group of a title, unless this process already has it.

  Several scripts can be imported by one process, as benchmarks and tests do.
  """
  if 'max_image_pixels' in FLAGS:
    return
  flag_groups.begin(group)
  flags.DEFINE_integer('max_image_pixels', limits.DEFAULT_MAX_PIXELS,
                       'Most pixels of an image or label map: a file that states more is '
                       'refused before memory is taken for it; 0: no limit.', lower_bound=0)


def obey_image_limit_flag():
  """Sets the limit of this process, where a script has the flag."""
  if 'max_image_pixels' in FLAGS:
    limits.set_max_pixels(FLAGS.max_image_pixels)


def define_image_range_flag(group, text, allows_auto=False):
  """Declares `image_range` in the group of a title, unless this process already has it.

  `text` is the last sentences of the help; with `allows_auto` the flag may be AUTO.
  """
  if 'image_range' in FLAGS:
    return
  flag_groups.begin(group)
  flags.DEFINE_string('image_range', None, _RANGE_TEXT + text)
  flags.register_validator(
      'image_range',
      lambda value: value is None or (allows_auto and value == AUTO) or _is_range(value),
      'must be two numbers low,high such as 100,800, the first one lower%s.' % (
          ', or %s' % AUTO if allows_auto else ''))


def image_range():
  """Returns the value of the flag: (low, high), AUTO or None."""
  value = FLAGS.image_range
  return value if value in (None, AUTO) else tuple(_numbers(value))


def _is_range(value):
  numbers = _numbers(value)
  return len(numbers) == 2 and all(map(math.isfinite, numbers)) and numbers[0] < numbers[1]


def _numbers(value):
  """Returns the numbers of a list, whole ones as such; [] where there are other words."""
  return [int(number) if number.is_integer() else number
          for number in flag_reading.numbers_of(value.split(','))]


def define_resizing_flags():
  """Declares the flags that resize images before anything else happens to them."""
  flag_groups.begin(RESIZING, is_shown=False)
  flags.DEFINE_integer('min_resize_value', None,
                       'Images are scaled so that the shorter side is this, in pixels. Default: '
                       'their own size.', lower_bound=1)
  flags.DEFINE_integer('max_resize_value', None,
                       'After min_resize_value, the longer side is at most this, in pixels. '
                       'Default: no limit.', lower_bound=1)
  flags.DEFINE_integer('resize_factor', None,
                       'Resized sides become multiples of this plus one, in pixels; the output '
                       'stride aligns them with the features. Default: any side.', lower_bound=1)
  declaring.declare_one(
      'keep_aspect_ratio', resizing.KEEP_ASPECT_RATIO._replace(group=RESIZING), is_shown=False)


def resized_size_function():
  """Returns the function from the sizes of images to those they are resized to, or None.

  Raises ValueError if there is a limit, but no size.
  """
  if not FLAGS.min_resize_value:
    if FLAGS.max_resize_value:
      raise UsageError('--max_resize_value=%d needs --min_resize_value too.'
                       % FLAGS.max_resize_value)
    return None
  return functools.partial(
      preprocess_utils.resized_size, min_size=FLAGS.min_resize_value,
      max_size=FLAGS.max_resize_value, factor=FLAGS.resize_factor,
      keep_aspect_ratio=FLAGS.keep_aspect_ratio)
