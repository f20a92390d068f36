"""Settings: passed on by name, looked up in tables, and those that cannot work."""
import contextlib
import difflib
import functools
import inspect


class UsageError(ValueError):
  """What is asked for cannot be, whatever the files hold; scripts exit with code 2."""


@contextlib.contextmanager
def judged():
  """Turns the ValueErrors of checks of nothing but flags into UsageErrors."""
  try:
    yield
  except ValueError as error:
    raise UsageError(str(error)) from error


def with_known(function, settings):
  """Returns the function with those of a dict of settings that it has arguments for."""
  arguments = inspect.signature(function).parameters
  return functools.partial(function, **{
      name: value for name, value in settings.items() if name in arguments})


def lookup(table, name, what):
  """Returns `table[name]`; `what` is the table's subject for the message, e.g. 'model_variant'.

  Raises UsageError if name is not in the table; names the valid ones and the nearest match.
  """
  if name in table:
    return table[name]
  known = sorted(map(str, table))
  near = difflib.get_close_matches(str(name), known, n=1)
  hint = ' Did you mean %r?' % near[0] if near else ''
  raise UsageError('Unknown %s %r.%s Valid: %s.' % (what, name, hint, ', '.join(known)))
