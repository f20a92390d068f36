"""Values of flags: lists, numbers out of any use, those not served, and all of them."""
import math

from absl import flags

from deeplab.command_line import flag_groups
from deeplab.core.usage import UsageError

FLAGS = flags.FLAGS

# Floats, in which steps and sizes are computed with, hold all whole numbers up to this one.
_LARGEST_WHOLE = 2 ** 53


def size_list(name, count=2):
  """Returns the `count` positive integers of a list flag, e.g. a (height, width), or None.

  With None as `count` there may be any number of them.

  Raises ValueError if the flag's value is something else; names the flag.
  """
  values = FLAGS[name].value
  if values is None:
    return None
  numbers = numbers_of(values, int)
  if not numbers or min(numbers) <= 0 or count not in (None, len(numbers)):
    raise UsageError('--%s must be %s; got %s.' % (
        name, 'positive integers such as 4' if count is None else
        'two positive integers height,width such as 513,513',
        ','.join(str(v) for v in values) or 'nothing'))
  return numbers


def number_list(name, counts):
  """Returns the tuple of numbers from 0 up of a list flag.

  Raises ValueError if the flag's value is something else, or another number of them than those in
  `counts`, such as (1, 6); names the flag.
  """
  words = FLAGS[name].value
  numbers = tuple(numbers_of(words))
  if len(numbers) not in counts or min(numbers) < 0:
    raise UsageError('--%s must be %s numbers from 0 up, got %s.' % (
        name, ' or '.join(str(count) for count in counts), ','.join(words) or 'nothing'))
  return numbers


def numbers_of(words, kind=float):
  """Returns words as a list of numbers, by a function; [] where one of them is no such number."""
  try:
    return [kind(word) for word in words]
  except ValueError:
    return []


def repeated(name):
  """Returns the list of a repeatable flag.

  absl appends to the list when arguments are parsed once more in the same process; from
  here on a new parse replaces it, as it does the value of any other flag.
  """
  value = FLAGS[name].value
  FLAGS[name].present = 0
  return value


def require_over_zero(name):
  """Has the command line refused where a flag, or one of its values, is 0 or less."""
  flags.register_validator(
      name, lambda value: all(each > 0 for each in _numbers(value)), 'must be over 0.')


def check_numbers():
  """Stops at numbers of this project's flags that nothing can be computed with.

  Raises ValidationError, which names the flag.
  """
  for name, value in flag_values().items():
    for number in _numbers(value):
      problem = number_problem(number)
      if problem:
        raise flags.ValidationError('flag --%s=%s: %s.' % (name, number, problem))


def number_problem(number):
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


def as_given(name):
  """Returns a flag as the command line has it, '' where it is not given or at its default."""
  flag = FLAGS[name]
  if not flag.present or flag.value == flag.default:
    return ''
  return ' '.join(flag.serialize().splitlines())


def refuse_flags(allowed):
  """Stops on flag values that this version cannot serve.

  `allowed` is a dict, flag name -> (accepted value, reason).

  Raises ValueError if a flag has another value; names it, the value and the reason.
  """
  for name, (value, reason) in sorted(allowed.items()):
    if FLAGS[name].value != value:
      raise UsageError('--%s=%s: %s; leave the flag at %s.'
                       % (name, FLAGS[name].value, reason, value))


def flag_values():
  """Returns dict of the project's own flags and values, for run records."""
  return {flag.name: flag.value
          for module, module_flags in FLAGS.flags_by_module_dict().items()
          if flag_groups.is_own(module) for flag in module_flags}
