"""How long tests may take: SLOW_TESTS=1, as in CI, asks for all of them.

Repetitions are at full number on the default lane alone.
"""
import os

import pytest

from deeplab.core.tf_compat import IS_TF1

_IS_ALL = os.environ.get('SLOW_TESTS', '') not in ('', '0')
_REASON = 'slow: runs with SLOW_TESTS=1'

only_in_ci = pytest.mark.skipif(not _IS_ALL, reason=_REASON)
only_in_ci_on_tf1 = pytest.mark.skipif(IS_TF1 and not _IS_ALL, reason=_REASON)


def times(short, full):
  """Returns how often to do something: `full` with SLOW_TESTS=1, else `short`."""
  return full if _IS_ALL and not IS_TF1 else short
