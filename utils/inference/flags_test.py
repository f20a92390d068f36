"""Tests of the sizes that flags ask for."""
import json

import pytest

from deeplab.testing import forked_scripts

_CODE = forked_scripts.PARSE_LINE.join(["""
import json, sys
from deeplab import common, eval
""", """
parse_line(sys.argv[1:])
print(json.dumps(common.input_sizes('eval').least_size))
"""])


@pytest.mark.parametrize('words, least_size', [
    ([], [49, 65]),
    (['--noadd_image_level_feature'], None),
    (['--noaspp_with_batch_norm'], None),
    (['--noadd_image_level_feature', '--tile_size=33,33', '--tile_overlap=8'], None)])
def test_images_are_padded_to_the_window_where_the_network_pools(words, least_size):
  code, output, log = forked_scripts.run_code(
      _CODE, '--image_pooling_crop_size=49,65', *words)
  assert code == 0, log
  assert json.loads(output) == least_size
