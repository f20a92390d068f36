"""Which tests take long, and the environment variable SLOW_TESTS that asks for them.

    1      all tests
    full   and each repetition, on the default lane

`pytest -m slow` selects those that take long.
"""
import os

import pytest

from deeplab.core.tf_compat import IS_TF1

_WANTED = os.environ.get('SLOW_TESTS', '')
_IS_ALL = _WANTED not in ('', '0')
_REASON = 'slow: runs with SLOW_TESTS=1'

only_if_asked = pytest.mark.slow
only_if_asked_on_tf1 = pytest.mark.slow_on_tf1


def skip_unless_asked(items):
  """Marks those of pytest's items as to be skipped that take long, unless all are wanted."""
  names = ('slow', 'slow_on_tf1') if IS_TF1 else ('slow',)
  for item in items:
    if not _IS_ALL and any(item.get_closest_marker(name) for name in names):
      item.add_marker(pytest.mark.skip(reason=_REASON))


def times(short, full):
  """Returns how often to do something: `full` with SLOW_TESTS=full, else `short`."""
  return full if _WANTED == 'full' and not IS_TF1 else short
