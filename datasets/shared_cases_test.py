"""Small inputs of the kinds that users bring, each with the right result."""
import os
import typing

import pytest

from deeplab.datasets import dataset_info
from deeplab.testing import forked_scripts, tiny_run

_CASES = os.path.join(os.path.dirname(tiny_run.ROOT), 'shared', 'cases')

pytestmark = pytest.mark.skipif(not os.path.isdir(_CASES), reason='no ../shared/cases')


class Case(typing.NamedTuple):
  """A folder, what is asked of build_custom_data.py, and what must come of it.

  Attributes:
    folder: name in ../shared/cases.
    args: command line, in which {} is that folder.
    counts: pixels of each class of the split; None: there must be no dataset.
    ignored: pixels that do not count.
    messages: what the log must say.
    code: exit code.
  """
  folder: str
  args: typing.Tuple[str, ...]
  counts: typing.Optional[typing.List[int]] = None
  ignored: int = 0
  messages: typing.Tuple[str, ...] = ()
  code: int = 0


_PNG = ('--image_dir={}/img', '--label_dir={}/lab', '--num_classes=3')

CASES = (
    Case('base', _PNG, [101183, 6412, 7605]),
)


@pytest.mark.parametrize('case', CASES, ids=lambda case: '%s %s' % (
    case.folder, ' '.join(case.args[2:])))
def test_the_result_is_right(case, tmp_path):
  result = forked_scripts.run(
      'datasets/build_custom_data.py', '--output_dir=%s' % (tmp_path / 'out'),
      '--num_processes=1', '--num_shards=2',
      *(arg.format(os.path.join(_CASES, case.folder)) for arg in case.args))
  assert result.code == case.code, result.log
  for message in case.messages:
    assert message in result.log
  info = dataset_info.read(str(tmp_path / 'out'))
  if case.counts is None:
    assert info is None and 'Traceback' not in result.log
  else:
    split = info.splits['train']
    assert (split.class_pixel_counts, split.num_ignored_pixels) == (case.counts, case.ignored)
