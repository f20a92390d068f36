"""Opens archives of exported models, as published checkpoints come.

    with zoo_archive.unpacked('deeplabv3_pascal_trainval_2018_01_04.tar.gz') as path:
      ...path is the frozen graph in a folder that goes again...

Of an archive only the frozen graph is unpacked, and the `export.json` beside it.
"""
import contextlib
import os
import posixpath
import shutil
import tarfile
import tempfile
import zlib

from deeplab.core.storage import files
from deeplab.deployment.graphs import record as exported

SUFFIXES = ('.tar', '.tar.gz', '.tgz')
# As all published archives call it.
GRAPH_FILE_NAME = 'frozen_inference_graph.pb'
_GRAPH_SUFFIX = '.pb'
_MAX_NAMED = 5


def is_archive(path):
  """Returns whether the name of a path is that of an archive."""
  return path.endswith(SUFFIXES)


@contextlib.contextmanager
def unpacked(path):
  """Yields the path of a model: that of the graph in an archive, other paths as they are.

  The folder of the unpacked graph is removed at the end of the block.

  Raises:
    ValueError: see `unpack`.
  """
  if not is_archive(path):
    yield path
    return
  with tempfile.TemporaryDirectory() as folder:
    yield unpack(path, folder)


def unpack(path, folder):
  """Returns the path of the frozen graph of an archive, unpacked into a folder.

  It is the member called `GRAPH_FILE_NAME`, else the only one that ends in .pb.

  Args:
    path: archive, one of `SUFFIXES`.
    folder: folder to write to; it must exist.

  Raises:
    ValueError: the archive cannot be read, or has not one frozen graph.
  """
  try:
    with files.open_binary(path) as f, tarfile.open(fileobj=f) as archive:
      members = archive.getmembers()
      graph = _graph_among(path, members)
      record = posixpath.normpath(posixpath.join(
          posixpath.dirname(graph.name), exported.RECORD_FILE_NAME))
      for member in members:
        if member is graph or member.isfile() and posixpath.normpath(member.name) == record:
          _write(archive, member, folder)
  except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
    raise ValueError('Cannot read the archive %s: %s.' % (
        path, getattr(error, 'strerror', None) or error)) from error
  return os.path.join(folder, posixpath.basename(graph.name))


def _graph_among(path, members):
  graphs = [member for member in members
            if member.isfile() and member.name.endswith(_GRAPH_SUFFIX)]
  named = [member for member in graphs
           if posixpath.basename(member.name) == GRAPH_FILE_NAME]
  choice = named or graphs
  if len(choice) == 1:
    return choice[0]
  found = choice or [member for member in members if member.isfile()]
  names = ', '.join(sorted(member.name for member in found)[:_MAX_NAMED])
  raise ValueError('%s must have one %s; it has %s.' % (path, GRAPH_FILE_NAME, names or 'no files'))


def _write(archive, member, folder):
  """Writes a member into a folder, under its own name without folders, so never outside."""
  target = os.path.join(folder, posixpath.basename(member.name))
  with archive.extractfile(member) as source, \
       open(target, 'wb') as stream:  # local: a temporary folder
    shutil.copyfileobj(source, stream)  # local: a temporary folder
