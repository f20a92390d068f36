"""Tests of versions of installed packages."""
import numpy as np

from deeplab.command_line import versions


def test_versions_are_those_that_packages_tell():
  assert versions.version('numpy') == np.__version__


def test_packages_that_are_not_installed_have_none():
  assert versions.version('no-such-package') is None
  assert versions.first_version('no-such-package', 'numpy') == np.__version__
  assert versions.first_version('no-such-package') is None
