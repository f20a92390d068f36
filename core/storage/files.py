"""Files on this machine, or on any file system that TensorFlow has; written ones are whole.

A path with a scheme (gs://, s3://, hdfs://, file://) goes through TensorFlow, which is loaded
only then. Whatever the place, errors are those of the os module: FileNotFoundError, OSError. A
file gets its name when its content is complete, so that it is whole or absent.
"""
import codecs
import contextlib
import errno
import importlib
import io
import os
import re
import shutil
import tempfile
import time
import uuid

from deeplab.core.storage import errors

# Names that never match the pattern of a data shard: a leading dot and this suffix.
TEMPORARY_SUFFIX = '.tmp'
# Pattern of what `temporary_beside` puts after a name; its group is the process.
TEMPORARY_END = r'\.(\d+)-[0-9a-f]{8}' + re.escape(TEMPORARY_SUFFIX)
# Other machines' processes, whose numbers mean nothing here, change what they write more often.
_ABANDONED_SECS = 3600

_SCHEME = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*://')


# --- looking -------------------------------------------------------------------------------


def is_remote(path):
  """Whether a path has a scheme, that is, goes through TensorFlow."""
  return bool(_SCHEME.match(path))


def exists(path):
  """Whether there is a file or folder."""
  return _remote().exists(path) if is_remote(path) else os.path.exists(path)


def is_dir(path):
  """Whether there is a folder."""
  return _remote().is_dir(path) if is_remote(path) else os.path.isdir(path)


def is_file(path):
  """Whether there is a file."""
  return exists(path) and not is_dir(path)


def list_dir(folder):
  """Returns the sorted names of what is in a folder."""
  return sorted(_remote().list_dir(folder) if is_remote(folder) else os.listdir(folder))


def with_prefix(prefix):
  """Returns the sorted paths that begin with a path; [] where there is no such folder."""
  folder, start = os.path.split(prefix)
  with contextlib.suppress(FileNotFoundError, NotADirectoryError):
    return [os.path.join(folder, name) for name in list_dir(folder or os.curdir)
            if name.startswith(start)]
  return []


def size(path):
  """Returns the number of bytes of a file."""
  return _remote().size(path) if is_remote(path) else os.path.getsize(path)


def change_time(path):
  """Returns when a file was last written, in seconds since 1970; some places know no fractions."""
  return _remote().change_time(path) if is_remote(path) else os.path.getmtime(path)


def absolute(path):
  """Returns a path that holds in any working folder."""
  return path if is_remote(path) else os.path.abspath(path)


def real(path):
  """Returns a path without symbolic links."""
  return path if is_remote(path) else os.path.realpath(path)


# --- reading -------------------------------------------------------------------------------


def open_binary(path, buffering=-1):
  """Returns a file of bytes to read and seek in; buffering 0: without a buffer of Python."""
  if is_remote(path):
    return _remote().open_binary(path, buffering)
  return open(path, 'rb', buffering)


def read_bytes(path):
  """Returns the content of a file."""
  with open_binary(path) as f:
    return f.read()


def read_text(path):
  """Returns the content of a text file (`decode_text`), line ends as they are."""
  return decode_text(read_bytes(path))


def read_lines(path):
  """Returns the lines of a text file without line ends and blanks around."""
  return [line.strip() for line in io.StringIO(read_text(path), newline=None)]


def decode_text(data):
  """Returns bytes as text: UTF-8, or UTF-16 with a byte order mark, which is left out of either.

  Editors and shells of Windows write such marks.

  Raises UnicodeDecodeError if the bytes are something else.
  """
  is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
  return data.decode('utf-16' if is_utf16 else 'utf-8-sig')


# --- writing -------------------------------------------------------------------------------


def temporary_beside(path):
  """Returns the path of a file that is not there, in the folder of another; hidden."""
  folder, name = os.path.split(absolute(path))
  return os.path.join(folder, '.%s.%d-%s%s' % (
      name, os.getpid(), uuid.uuid4().hex[:8], TEMPORARY_SUFFIX))


@contextlib.contextmanager
def atomic_path(path):
  """Yields a temporary path beside `path` that becomes `path` when the block ends well.

  For what TensorFlow writes, which knows paths with a scheme; else see `atomic_open`.

  On this machine the content is synced to disk before the rename; after an exception the temporary
  file is removed and an existing `path` stays as it was. The folder of `path` must exist.
  """
  temporary = temporary_beside(path)
  try:
    yield temporary
    replace(temporary, path)
  except BaseException:
    with contextlib.suppress(OSError):
      remove_if_present(temporary)
    raise


@contextlib.contextmanager
def atomic_open(path):
  """Yields a file of bytes whose content becomes that of `path`, as `atomic_path`."""
  if is_remote(path):
    content = io.BytesIO()
    yield content
    with atomic_path(path) as temporary:
      _remote().write_bytes(temporary, content.getvalue())
    return
  try:
    with atomic_path(path) as temporary, open(temporary, 'wb') as f:
      yield f
  except OSError as error:
    if error.errno and error.filename is None:
      # A full disk does not say which file it was.
      error.filename = path
    raise


def write_bytes(path, data):
  """Writes `data` to `path`, whole or not at all."""
  with atomic_open(path) as f:
    f.write(data)


def write_text(path, text):
  """Writes `text` as UTF-8 to `path`, whole or not at all."""
  write_bytes(path, text.encode('utf-8', 'surrogateescape'))


def write_new_text(path, text):
  """Writes `text` as UTF-8 to `path`, whole, unless there is a file; of several at once, one does.

  Returns whether it was written; None, and nothing is written, where that cannot be promised: for a
  path with a scheme, and on file systems without hard links.
  """
  if is_remote(path):
    return None
  temporary = temporary_beside(path)
  try:
    write_text(temporary, text)
    os.link(temporary, path)
  except FileExistsError:
    return False
  except OSError as error:
    if not os.path.exists(temporary) or error.errno == errno.ENOSPC:
      raise
    return None
  finally:
    remove_if_present(temporary)
  return True


def append_text(path, text):
  """Adds UTF-8 to the end of a file of this machine.

  Raises ValueError if the path has a scheme: stores of objects cannot append.
  """
  if is_remote(path):
    raise ValueError('%s cannot be appended to: write it anew.' % path)
  with open(path, 'a', encoding='utf-8', newline='') as f:
    f.write(text)


def copy(source, target):
  """Copies a file, whole or not at all; returns the target."""
  with atomic_path(target) as temporary:
    is_local = not is_remote(source) and not is_remote(target)
    (shutil.copyfile if is_local else _remote().copy)(source, temporary)
  return target


def copy_tree(source, target, last):
  """Copies a folder with those in it, each file whole or not at all.

  The file of the name `last` is copied last: its presence says that the others are there.
  """
  make_dirs(target)
  for name in sorted(list_dir(source), key=lambda name: name == last):
    inner, copied = os.path.join(source, name), os.path.join(target, name)
    if is_dir(inner):
      copy_tree(inner, copied, last)
    else:
      copy(inner, copied)


def link_or_copy(source, target):
  """Makes `target` a hard link of a file, or a copy where the file system has no links."""
  if is_remote(source) or is_remote(target):
    copy(source, target)
    return
  with atomic_path(target) as temporary:
    try:
      os.link(source, temporary)
    except OSError:
      shutil.copyfile(source, temporary)
  # Renaming one link of a file onto another leaves both in place.
  remove_if_present(temporary)


def replace(source, target):
  """Renames a file of which the content is complete; a file of that name makes way."""
  if is_remote(target):
    _remote().replace(source, target)
    return
  if os.path.isfile(source):
    _sync(source)
  os.replace(source, target)
  _sync(os.path.dirname(os.path.abspath(target)))


def make_dirs(folder):
  """Makes a folder and those above it, as far as they are not there."""
  if is_remote(folder):
    _remote().make_dirs(folder)
  else:
    os.makedirs(folder, exist_ok=True)


def remove_if_present(path):
  """Removes the file `path`; an absent one is fine."""
  with contextlib.suppress(FileNotFoundError):
    _remote().remove(path) if is_remote(path) else os.remove(path)


def remove_abandoned(folder):
  """Removes unfinished files, not of those below, that killed processes left in a folder."""
  for path in [] if is_remote(folder) else with_prefix(os.path.join(folder, '.')):
    match = re.match(r'\..+%s$' % TEMPORARY_END, os.path.basename(path))
    if match and not os.path.isdir('/proc/%s' % match.group(1)):
      with contextlib.suppress(OSError):
        if time.time() - change_time(path) > _ABANDONED_SECS:
          remove_if_present(path)


def remove_tree(folder):
  """Removes a folder and all in it; an absent one is fine."""
  with contextlib.suppress(FileNotFoundError):
    _remote().remove_tree(folder) if is_remote(folder) else shutil.rmtree(folder)


# --- messages ------------------------------------------------------------------------------


def check_folder(folder, flag):
  """Creates a folder for results and, on this machine, tries to write into it.

  What killed processes left unfinished there is removed.

  Raises ValueError if that is not possible; names the flag that holds the folder, and says why.
  """
  with errors.told('--%s=%s cannot be used for results' % (flag, folder), OSError):
    make_dirs(folder)
    if not is_remote(folder):
      with tempfile.TemporaryFile(dir=folder):
        pass
      remove_abandoned(folder)


@contextlib.contextmanager
def telling_of_disk(path):
  """Turns a failure to write a file, or into a folder, into a ValueError that names it."""
  try:
    yield
  except OSError as error:
    is_inside = str(error.filename).startswith(os.path.join(path, ''))
    raise ValueError('%s cannot be written: %s.' % (
        error.filename if is_inside else path, error.strerror or error)) from error


def _remote():
  return importlib.import_module('deeplab.core.storage.remote_files')


def _sync(path):
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)
