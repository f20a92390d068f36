"""Small inputs of the kinds that users bring, each with the right result."""
import os
import typing

import pytest

from deeplab.datasets.records import dataset_info
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


_COCO = ('--image_dir={}/img', '--coco_json={}/a.json')
_LABELME = ('--image_dir={}', '--labelme_dir={}', '--class_names=background,lane')
_ROBO = ('--image_dir={}/train', '--label_dir={}/train', '--class_names={}/train/_classes.csv')
_RZ = ('--image_dir={}/img', '--label_dir={}/lab', '--class_names=a,b,c')
_PNG = ('--image_dir={}/img', '--label_dir={}/lab', '--num_classes=3')

CASES = (
    Case('base', _PNG, [101183, 6412, 7605]),
    Case('base', _PNG + ('--split_list={}/../bom.txt',), [50851, 2700, 4049]),
    Case('base', ('--image_dir={}/img', '--label_dir={}/img', '--num_classes=3',
                  '--on_error=skip'), code=1, messages=('in the same folder',)),
    Case('img16', _PNG, code=1, messages=(
        '2 images have more than 8 bits per channel, with values 280..544',
        '--image_range=280,544')),
    Case('img16', _PNG + ('--image_range=auto',), [33611, 1911, 2878], messages=(
        'percentiles 0.5 and 99.5 are 295 and 544',)),
    Case('img16', _PNG + ('--image_range=800,100',), code=2, messages=('the first one lower',)),
    Case('alpha_black', _PNG, code=1, messages=(
        'its mask is in the alpha channel, with the values 0 (17362 pixels), 255 (1838 pixels)',)),
    Case('robo', _ROBO + ('--on_error=skip',), code=1, messages=('--label_suffix=_mask',)),
    Case('robo', _ROBO + ('--label_suffix=_mask',), [50379, 3830, 3391]),
    Case('suffix', _PNG, code=1, messages=('--label_suffix=_segmentation',)),
    Case('suffix', _PNG + ('--label_suffix=_segmentation',), [50753, 3503, 3344]),
    Case('png_exif3', _PNG, [32680, 2056, 3664], messages=(
        '2 examples: EXIF turns the images without a change of size.',
        'pass --labels_as_stored: a0, a1')),
    Case('cvat', ('--image_dir={}/JPEGImages', '--label_dir={}/SegmentationClass',
                  '--color_map={}/labelmap.txt'), [49625, 3103, 4872]),
    Case('rz', _RZ, code=1, messages=(
        'label values 3 (2052 pixels); expected 0..2, or 255 for ignored pixels. Check num_classes '
        '(3)', 'pass --reduce_zero_label')),
    Case('rz', _RZ + ('--ignore_label=0',), code=1, messages=(
        'expected 0..2, of which 0 is ignored',)),
    Case('rz', _RZ + ('--reduce_zero_label', '--ignore_label=0'), code=2, messages=(
        'must not be one of the class ids 0..2',)),
    Case('rz', _RZ[:2] + ('--color_map={}/../cvat/labelmap.txt', '--reduce_zero_label'), code=2,
         messages=('With --color_map, lines called ignore do not count',)),
    Case('rz', _RZ + ('--reduce_zero_label',), [61278, 3321, 5801], 6400),
    # Squares of 60 pixels; the boxes are the same.
    Case('co_mixed', _COCO, [31200, 7200, 0], messages=(
        '2 of its annotations left out, 2 drawn',
        '2 with a box and no segmentation (--boxes_as_areas paints boxes): annotation 2 (sign) of '
        'a0, annotation 4 (sign) of a1',
        "has no pixel of the classes 'sign'")),
    Case('co_mixed', _COCO + ('--boxes_as_areas',), [31200, 0, 7200]),
    Case('co_strid', _COCO, [31200, 7200, 0], messages=(
        '2 annotations write the ids of images or categories in another way',)),
    # The good polygon is half a square of 40 pixels.
    Case('co_degen', _COCO, [29640, 7200, 1560], messages=(
        '2 with a polygon of fewer than three points: polygon 1 of 2 of annotation 2 (sign) of '
        'a0',)),
    Case('co_rlelist', _COCO, code=1, messages=(
        'none of its annotations can be drawn. 2 with run lengths in place of a polygon; '
        'they are written {"counts": [...], "size": [height, width]}: annotation 1 (lane)',)),
    # Lines of 10 pixels, 128 long.
    Case('lm_linestrip', _LABELME, [35656, 2744]),
    Case('lm_linestrip', _LABELME + ('--line_width=1',), [38188, 212]),
    Case('lm_linestrip', _LABELME[:2], code=2, messages=(
        'Labels found (number of shapes): lane (2). For example: --class_names=background,lane',)),
    # 50 and 36 pixels long and wide.
    Case('lm_orect', _LABELME, [33678, 4722]),
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
