"""Values of flags: those that are lists, those not served, and all of them."""
from absl import flags

from deeplab.command_line import flag_groups
from deeplab.core.usage import UsageError

FLAGS = flags.FLAGS


def size_list(name, count=2):
  """Returns the positive integers of a list flag, e.g. a (height, width), or None.

  Args:
    name: flag name.
    count: how many integers there must be, or None for any.

  Raises:
    ValueError: the flag's value is something else; names the flag.
  """
  values = FLAGS[name].value
  if values is None:
    return None
  try:
    numbers = [int(v) for v in values]
  except ValueError:
    numbers = []
  if not numbers or min(numbers) <= 0 or count not in (None, len(numbers)):
    wanted = 'positive integers' if count is None else (
        'two positive integers height,width' if count == 2 else '%d integers' % count)
    raise UsageError('--%s must be %s such as %s; got %s.' % (
        name, wanted, '4' if count is None else '513,513',
        ','.join(str(v) for v in values) or 'nothing'))
  return numbers


def number_list(name, counts):
  """Returns the tuple of numbers from 0 up of a list flag.

  Args:
    name: flag name.
    counts: how many numbers there may be, such as (1, 6).

  Raises:
    ValueError: the flag's value is something else; names the flag.
  """
  words = FLAGS[name].value
  try:
    numbers = tuple(float(word) for word in words)
  except ValueError:
    numbers = ()
  if len(numbers) not in counts or min(numbers) < 0:
    raise UsageError('--%s must be %s numbers from 0 up, got %s.' % (
        name, ' or '.join(str(count) for count in counts), ','.join(words) or 'nothing'))
  return numbers


def repeated(name):
  """Returns the list of a repeatable flag.

  absl appends to the list when arguments are parsed once more in the same process; from
  here on a new parse replaces it, as it does the value of any other flag.
  """
  value = FLAGS[name].value
  FLAGS[name].present = 0
  return value


def as_given(name):
  """Returns a flag as the command line has it, '' where it is not given or at its default."""
  flag = FLAGS[name]
  if not flag.present or flag.value == flag.default:
    return ''
  return ' '.join(flag.serialize().splitlines())


def refuse_flags(allowed):
  """Stops on flag values that this version cannot serve.

  Args:
    allowed: dict, flag name -> (accepted value, reason).

  Raises:
    ValueError: a flag has another value; names it, the value and the reason.
  """
  for name, (value, reason) in sorted(allowed.items()):
    if FLAGS[name].value != value:
      raise UsageError('--%s=%s: %s; leave the flag at %s.'
                       % (name, FLAGS[name].value, reason, value))


def flag_values():
  """Returns dict of the project's own flags and values, for run records."""
  own = {}
  for module, module_flags in FLAGS.flags_by_module_dict().items():
    if flag_groups.is_own(module):
      own.update((flag.name, flag.value) for flag in module_flags)
  return own
