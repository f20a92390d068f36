"""Files that are either whole or absent."""
import contextlib
import os
import tempfile

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


def check_folder(folder, flag):
  """Creates a folder for results and tries to write into it; remote ones are taken as they are.

  Args:
    folder: the folder.
    flag: name of the flag that holds it, for the message.

  Raises:
    ValueError: that is not possible; says why.
  """
  if '://' in folder:
    return
  try:
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
      pass
  except OSError as error:
    raise ValueError('--%s=%s cannot be used for results: %s.'
                     % (flag, folder, error.strerror or error)) from error


@contextlib.contextmanager
def telling_of_disk(folder):
  """Turns a failure to write into `folder` into a ValueError."""
  try:
    yield
  except OSError as error:
    raise ValueError('%s cannot be written: %s.' % (error.filename or folder,
                                                    error.strerror or error)) from error


def _sync(path):
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)
