"""A MobileNetV2 of half the depth, for tests of what does not depend on the network.

To build and to start the graph of a training takes 7 to 8 seconds of a core with the 17 blocks
of the paper, whatever their width, and 4 to 5 with these. A module of tests uses it so:

    pytestmark = pytest.mark.usefixtures('shallow_network')

and then for all that it calls and for all scripts that it runs by `forked_scripts`; processes
that tests start by other means have the whole network.
"""
import contextlib

from deeplab.core import mobilenet_v2

# A block per channel count, and what the decoder reads at stride 4.
_BLOCKS = tuple(mobilenet_v2.BLOCKS[index] for index in (0, 1, 2, 3, 6, 10, 13, 16))


def use():
  """Makes mobilenet_v2 shallow from now on in this process."""
  mobilenet_v2.BLOCKS = _BLOCKS


def is_used():
  """Whether mobilenet_v2 is shallow."""
  return mobilenet_v2.BLOCKS is _BLOCKS


@contextlib.contextmanager
def used():
  """Makes mobilenet_v2 shallow for a `with` block."""
  whole = mobilenet_v2.BLOCKS
  use()
  try:
    yield
  finally:
    mobilenet_v2.BLOCKS = whole
