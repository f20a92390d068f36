"""Names that a user gave to datasets: one JSON file per name in a folder of settings.

`~/.config/deeplab/datasets/NAME.json` (below $XDG_CONFIG_HOME, if set) holds either

    {"dataset_dir": "/data/mine"}

for a folder that describes itself, or the fields of `dataset_info.json` for records that came
without a description; see `dataset_info.read_description`.
"""
import json
import os
import re
import typing

from deeplab.core import files, json_text
from deeplab.datasets import dataset_info

_SUFFIX = '.json'
_NAME = re.compile(r'[\w.-]+', re.UNICODE)


class Entry(typing.NamedTuple):
  """What is known under a name.

  Attributes:
    dataset_dir: folder of the records, or None.
    info: dataset_info.DatasetInfo, or None for what the folder says.
  """
  dataset_dir: typing.Optional[str]
  info: typing.Optional[dataset_info.DatasetInfo]


def folder():
  """Returns the folder of the entries."""
  root = os.environ.get('XDG_CONFIG_HOME') or os.path.join(os.path.expanduser('~'), '.config')
  return os.path.join(root, 'deeplab', 'datasets')


def names():
  """Returns the names there are, sorted."""
  try:
    found = files.list_dir(folder())
  except OSError:
    return []
  return sorted(name[:-len(_SUFFIX)] for name in found
                if name.endswith(_SUFFIX) and not name.startswith('.'))


def read(name):
  """Returns the Entry of a name, or None.

  Raises:
    ValueError: the file is malformed.
  """
  if not name or name not in names():
    return None
  path = _path(name)
  try:
    content = json_text.read(path)
  except (OSError, ValueError) as error:
    raise ValueError('%s cannot be read as JSON: %s.' % (path, error)) from error
  dataset_dir = content.get('dataset_dir') if isinstance(content, dict) else None
  if dataset_dir is not None and not isinstance(dataset_dir, str):
    raise ValueError("%s: 'dataset_dir' is %.80r, expected the path of a folder."
                     % (path, dataset_dir))
  if dataset_dir is not None:
    dataset_dir = os.path.expanduser(dataset_dir)
  if dataset_dir is not None and set(content) == {'dataset_dir'}:
    return Entry(dataset_dir, None)
  return Entry(dataset_dir, dataset_info.read_description(path, name))


def register(name, dataset_dir):
  """Makes `name` stand for a folder of records that describes itself; returns the file.

  Raises:
    ValueError: the name cannot be that of a file.
  """
  if not _NAME.fullmatch(name) or name.startswith('.'):
    raise ValueError('A dataset cannot be registered as %r: use letters, digits, - and _ only.'
                     % name)
  files.make_dirs(folder())
  files.write_text(_path(name), json.dumps({'dataset_dir': files.absolute(dataset_dir)}) + '\n')
  return _path(name)


def _path(name):
  return os.path.join(folder(), name + _SUFFIX)
