"""Bounds of numbers that absl does not have: finite, and over 0."""
import math

from absl import flags

from deeplab.command_line import flag_groups

FLAGS = flags.FLAGS

# Floats, in which steps and sizes are computed with, hold all whole numbers up to this one.
_LARGEST_WHOLE = 2 ** 53


def require_over_zero(*names):
  """Has the command line refused where a flag, or one of its values, is 0 or less."""
  for name in names:
    flags.register_validator(
        name, lambda value: all(each > 0 for each in _numbers(value)), 'must be over 0.')


def check():
  """Stops at numbers of this project's flags that nothing can be computed with.

  Raises:
    ValidationError: names the flag.
  """
  for module, module_flags in FLAGS.flags_by_module_dict().items():
    for flag in module_flags if flag_groups.is_own(module) else ():
      for value in _numbers(flag.value):
        problem = problem_of(value)
        if problem:
          raise flags.ValidationError('flag --%s=%s: %s.' % (flag.name, value, problem))


def problem_of(number):
  """Returns why nothing can be computed with a number, None if it can."""
  if not math.isfinite(number):
    return 'must be a finite number'
  if isinstance(number, int) and abs(number) > _LARGEST_WHOLE:
    return 'must be at most %d' % _LARGEST_WHOLE
  return None


def _numbers(value):
  """Returns the numbers that a flag has, none if it has other values."""
  values = value if isinstance(value, list) else [value]
  return [each for each in values
          if isinstance(each, (int, float)) and not isinstance(each, bool)]
