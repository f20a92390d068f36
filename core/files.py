"""Files that are either whole or absent."""
import contextlib
import os

# Names that never match the pattern of a data shard: a leading dot and this suffix.
TEMPORARY_SUFFIX = '.tmp'


@contextlib.contextmanager
def atomic_path(path):
  """Yields a temporary path beside `path` that becomes `path` when the block ends well.

  The content is synced to disk before the rename; after an exception the temporary file is
  removed and an existing `path` stays as it was. The folder of `path` must exist.
  """
  folder, name = os.path.split(os.path.abspath(path))
  temporary = os.path.join(folder, '.%s.%d%s' % (name, os.getpid(), TEMPORARY_SUFFIX))
  try:
    yield temporary
    _sync(temporary)
    os.replace(temporary, path)
    _sync(folder)
  except BaseException:
    remove_if_present(temporary)
    raise


def write_bytes(path, data):
  """Writes `data` to `path`, whole or not at all."""
  with atomic_path(path) as temporary, open(temporary, 'wb') as f:
    f.write(data)


def write_text(path, text):
  """Writes `text` as UTF-8 to `path`, whole or not at all."""
  write_bytes(path, text.encode('utf-8'))


def remove_if_present(path):
  """Removes the file `path`; an absent one is fine."""
  try:
    os.remove(path)
  except FileNotFoundError:
    pass


def _sync(path):
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)
