"""Settings that cannot work, told apart from what is wrong with files."""
import contextlib


class UsageError(ValueError):
  """What is asked for cannot be, whatever the files hold; scripts exit with code 2."""


@contextlib.contextmanager
def judged():
  """Turns the ValueErrors of checks of nothing but flags into UsageErrors."""
  try:
    yield
  except ValueError as error:
    raise UsageError(str(error)) from error
