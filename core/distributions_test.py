"""Tests of versions of installed packages."""
import numpy as np

from deeplab.core import distributions


def test_versions_are_those_that_packages_tell():
  assert distributions.version('numpy') == np.__version__


def test_packages_that_are_not_installed_have_none():
  assert distributions.version('no-such-package') is None
  assert distributions.first_version('no-such-package', 'numpy') == np.__version__
  assert distributions.first_version('no-such-package') is None
