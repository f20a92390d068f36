"""How long tests may take: SLOW_TESTS=1, as in CI, asks for all of them and at full length."""
import os

import pytest

IS_FULL = os.environ.get('SLOW_TESTS', '') not in ('', '0')

# Tests that only run at full length.
only_when_full = pytest.mark.skipif(not IS_FULL, reason='slow: runs with SLOW_TESTS=1')


def times(short, full):
  """Returns how often to do something: `full` with SLOW_TESTS=1, else `short`."""
  return full if IS_FULL else short
