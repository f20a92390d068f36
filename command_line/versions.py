"""Versions of installed packages, without importing them."""
import sys


def version(name):
  """Returns the version of an installed package, or None."""
  try:
    if sys.version_info >= (3, 8):
      from importlib import metadata
      return metadata.version(name)
    import pkg_resources
    return pkg_resources.get_distribution(name).version
  except Exception:  # Every packaging tool has its own errors; a version is no reason to stop.
    return None


def first_version(*names):
  """Returns the version of the first of several packages that is installed, or None."""
  return next(filter(None, map(version, names)), None)
