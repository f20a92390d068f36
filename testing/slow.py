"""Which tests take long, and the environment variable SLOW_TESTS that asks for them.

    1      all tests
    full   and each repetition, on the default lane

Tests whose subject takes long are marked `slow`; those for which quicker ones stand are `later`, by
the list `later_tests.txt`; what both lanes tell alike is `slow_on_tf1`, by marks and the list
`once_tests.txt`. `pytest -m 'slow or later'` runs only these.
"""
import os
import re

import pytest

from deeplab.core.tf_compat import IS_TF1

_WANTED = os.environ.get('SLOW_TESTS', '')
_IS_ALL = _WANTED not in ('', '0')
_REASON = 'slow: runs with SLOW_TESTS=1'
_MARKS = ('slow', 'later', 'slow_on_tf1') if IS_TF1 else ('slow', 'later')
# List -> the mark of its tests.
LISTS = {'later_tests.txt': 'later', 'once_tests.txt': 'slow_on_tf1'}

only_if_asked = pytest.mark.slow
only_if_asked_on_tf1 = pytest.mark.slow_on_tf1


def listed(name):
  """Returns the patterns of a list, those of node ids of pytest with * for any text."""
  with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name)) as stream:
    return [line.strip() for line in stream if line.strip() and line[0] not in '#[']


def compiled(pattern):
  """Returns the regular expression of a pattern."""
  return re.compile('.*'.join(map(re.escape, pattern.split('*'))) + '$')


def mark_and_skip(items):
  """Marks items of pytest that are listed; skips what takes long, unless it is wanted."""
  patterns = [(compiled(pattern), mark) for name, mark in LISTS.items() for pattern in listed(name)]
  for item in items:
    for pattern, mark in patterns:
      if pattern.match(item.nodeid):
        item.add_marker(mark)
    if not _IS_ALL and any(item.get_closest_marker(name) for name in _MARKS):
      item.add_marker(pytest.mark.skip(reason=_REASON))


def times(short, full):
  """Returns how often to do something: `full` with SLOW_TESTS=full, else `short`."""
  return full if _WANTED == 'full' and not IS_TF1 else short
