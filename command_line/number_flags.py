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
        if not math.isfinite(value):
          raise flags.ValidationError('flag --%s=%s: must be a finite number.' % (
              flag.name, value))
        if isinstance(value, int) and abs(value) > _LARGEST_WHOLE:
          raise flags.ValidationError('flag --%s=%d: must be at most %d.' % (
              flag.name, value, _LARGEST_WHOLE))


def _numbers(value):
  """Returns the numbers that a flag has, none if it has other values."""
  values = value if isinstance(value, list) else [value]
  return [each for each in values
          if isinstance(each, (int, float)) and not isinstance(each, bool)]
