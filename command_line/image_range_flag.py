"""The flag that says which values of images of more than 8 bits are black and white."""
import math

from absl import flags

from deeplab.command_line import flag_groups

FLAGS = flags.FLAGS

AUTO = 'auto'
_TEXT = ('Lowest and highest value of images of more than 8 bits, such as 100,800, which become '
         'black and white')


def define_image_range_flag(group, text, allows_auto=False):
  """Declares the flag in the group of a title, unless this process already has it.

  Args:
    group: title.
    text: last sentences of the help.
    allows_auto: whether the flag may be AUTO.
  """
  if 'image_range' in FLAGS:
    return
  flag_groups.begin(group)
  flags.DEFINE_string('image_range', None, _TEXT + text)
  flags.register_validator(
      'image_range', lambda value: _is_range(value) or (allows_auto and value == AUTO),
      'must be two numbers low,high such as 100,800, the first one lower%s.' % (
          ', or %s' % AUTO if allows_auto else ''))


def image_range():
  """Returns the value of the flag: (low, high), AUTO or None."""
  value = FLAGS.image_range
  return value if value in (None, AUTO) else tuple(_numbers(value))


def _is_range(value):
  numbers = [] if value is None else _numbers(value)
  return value is None or (len(numbers) == 2 and all(map(math.isfinite, numbers))
                           and numbers[0] < numbers[1])


def _numbers(value):
  """Returns the numbers of a list, whole ones as such; [] where there are other words."""
  try:
    numbers = [float(word) for word in value.split(',')]
  except ValueError:
    return []
  return [int(number) if number.is_integer() else number for number in numbers]
