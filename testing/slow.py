"""How long tests may take, by the environment variable SLOW_TESTS.

    1      all tests, as in CI
    full   and each repetition, on the default lane
"""
import os

import pytest

from deeplab.core.tf_compat import IS_TF1

_WANTED = os.environ.get('SLOW_TESTS', '')
_IS_ALL = _WANTED not in ('', '0')
_REASON = 'slow: runs with SLOW_TESTS=1'

only_in_ci = pytest.mark.skipif(not _IS_ALL, reason=_REASON)
only_in_ci_on_tf1 = pytest.mark.skipif(IS_TF1 and not _IS_ALL, reason=_REASON)


def times(short, full):
  """Returns how often to do something: `full` with SLOW_TESTS=full, else `short`."""
  return full if _WANTED == 'full' and not IS_TF1 else short
