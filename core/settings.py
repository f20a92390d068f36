"""A setting is one row: the field of a record, and the flag that scripts make of it.

    @settings.record
    class Schedule:
      '''How the learning rate falls.'''
      steps = Setting(30000, 'Global step to stop at.', at_least=1)
      policy = Setting('poly', 'How the rate falls.', choices=POLICIES)

    Schedule(steps=5)._replace(policy='step')

No flags here: `command_line/declaring.py` makes them.
"""
import collections
import typing

# Kinds of values that no default can have: several numbers, each from a flag of its own, and the
# words of a list with commas between them.
INTS, FLOATS, LIST = 'ints', 'floats', 'list'
NO_FLAG = ''


class Setting(typing.NamedTuple):
  """A row."""
  default: typing.Any  # Value of the field and of the flag.
  help: str = ''  # What the value does, in which unit; the help of the flag.
  # bool, float, int, str, INTS, FLOATS or LIST; None: the type of the default.
  kind: typing.Any = None
  at_least: typing.Optional[float] = None  # Smallest number, or None.
  at_most: typing.Optional[float] = None  # Largest number, or None.
  is_over_zero: bool = False  # Whether 0 is too small.
  # Table, or list, of the values there are; None: any.
  choices: typing.Optional[typing.Collection[str]] = None
  # Title in --help of this setting and of those after it; None: that of the one before; NO_FLAG:
  # scripts have no flag for it.
  group: typing.Optional[str] = None


def record(rows):
  """Returns a named tuple whose fields are the Settings of a class, in order, all with defaults.

  Its attribute SETTINGS is the dict, name -> Setting; methods and docstring are those of the
  class. Like all named tuples it has `_replace`, and is copied and pickled.
  """
  fields, group = {}, NO_FLAG
  for name, value in vars(rows).items():
    if isinstance(value, Setting):
      group = group if value.group is None else value.group
      fields[name] = value._replace(group=group)
  base = collections.namedtuple(
      rows.__name__, list(fields), defaults=[setting.default for setting in fields.values()])
  rest = {name: value for name, value in vars(rows).items()
          if name not in fields and name not in ('__dict__', '__weakref__')}
  return type(rows.__name__, (base,), dict(rest, __slots__=(), SETTINGS=fields))
