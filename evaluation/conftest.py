"""The panoptic sample that tests of the evaluation share."""
import shutil

import pytest


@pytest.fixture(scope='module')
def shared_sample(tmp_path_factory):
  """Folder of the sample in the COCO format, three images; not to be changed."""
  from deeplab.evaluation.panoptic import make_sample  # As in the conftest of the root.
  folder = str(tmp_path_factory.mktemp('panoptic'))
  make_sample.write_sample(
      folder, make_sample.SampleSize(num_images=3, image_height=48, image_width=64))
  return folder


@pytest.fixture
def sample(shared_sample, tmp_path):
  """A copy of the sample that a test may spoil."""
  folder = str(tmp_path / 'sample')
  shutil.copytree(shared_sample, folder)
  return folder
