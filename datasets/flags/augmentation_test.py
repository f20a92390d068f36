import json

import pytest

from deeplab.testing import forked_scripts

_READER = """
import json, sys
from deeplab import train
from deeplab.datasets.flags import augmentation as augmentation_flags
from deeplab.datasets import registry

descriptor = registry.DATASETS['pascal_voc_seg']
""" + forked_scripts.PARSE_LINE + """
found = []
for arguments in json.loads(sys.argv[1]):
  parse_line(arguments)
  found.append([augmentation_flags.scale_factors(),
                augmentation_flags.augmentation_of(descriptor)._asdict()])
print(json.dumps(found))
"""


@pytest.fixture(scope='module', name='values')
def read_values():
  """Dict, flags -> (scale factors, dict of an Augmentation)."""
  lines = ['', '--augmentation=none', '--augmentation=none --max_scale_factor=0.75',
           '--augmentation=forma', '--augmentation=forma --saturation=0 --contrast=0 --hue=0',
           '--affine_stddev=0.02', '--affine_stddev=0.1,0.2,0.3,0.4,0.5,0.6']
  code, output, log = forked_scripts.run_code(
      _READER, json.dumps([line.split() for line in lines]))
  assert code == 0, log
  return dict(zip(lines, json.loads(output)))


def test_images_are_not_scaled_without_augmentation_unless_asked(values):
  assert values[''][0] == values['--augmentation=forma'][0] == [0.5, 2.0]
  assert values['--augmentation=none'][0] == [1.0, 1.0]
  assert values['--augmentation=none --max_scale_factor=0.75'][0] == [0.5, 0.75]


def test_zero_turns_a_step_off(values):
  off = values['--augmentation=none'][1]
  forma = values['--augmentation=forma'][1]
  found = values['--augmentation=forma --saturation=0 --contrast=0 --hue=0'][1]
  for name in ('saturation', 'contrast', 'hue'):
    assert found[name] == off[name] != forma[name]
  assert found['noise_stddev'] == forma['noise_stddev'] > 0


def test_a_warp_takes_one_deviation_or_six(values):
  assert values['--affine_stddev=0.02'][1]['affine_stddev'] == 0.02
  assert values['--affine_stddev=0.1,0.2,0.3,0.4,0.5,0.6'][1]['affine_stddev'] == [
      0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
