"""Tests of the flags of images."""
import subprocess
import sys

import pytest

# What benchmarks and tests do: two scripts with the flag in one process.
_SCRIPTS = ('deeplab.predict', 'deeplab.evaluation.eval_coco_format')


@pytest.mark.parametrize('scripts', [_SCRIPTS, _SCRIPTS[::-1]], ids='->'.join)
def test_scripts_that_share_the_flag_can_be_imported_by_one_process(scripts):
  code = 'import {}\nfrom absl import flags\nassert "max_image_pixels" in flags.FLAGS'.format(
      ', '.join(scripts))
  done = subprocess.run([sys.executable, '-c', code], stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, universal_newlines=True)
  assert done.returncode == 0, done.stdout
