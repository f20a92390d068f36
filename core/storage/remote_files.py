"""Files on the file systems of TensorFlow, for `files`; errors are those of the os module.

A scheme that this TensorFlow does not know, nor the package tensorflow-io, is a ValueError.
"""
import contextlib
import errno
import functools
import importlib
import io
import os

from deeplab.core.storage import errors
from deeplab.core.tf_compat import tf

# Read at once; a request to a store takes longer than so many bytes of it.
_BUFFER_BYTES = 1 << 20
# Of tf.errors.
_CLASSES_TO_NUMBERS = {
    'NotFoundError': errno.ENOENT,
    'AlreadyExistsError': errno.EEXIST,
    'PermissionDeniedError': errno.EACCES,
    'UnauthenticatedError': errno.EACCES,
}
# Of errors that callers tell apart, by classes of Python.
_OF_PYTHON = (errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
# Of errors of class NotFoundError that are not about the path.
_NO_LIBRARY = 'cannot open shared object file'
# Of errors that share a class of TensorFlow; their text tells.
_NUMBERS = (errno.ENOSPC, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY)


class StorageError(OSError, ValueError):
  """A file system fails; scripts show it as one line."""


def exists(path):
  """As `files.exists`."""
  return _stat(path) is not None


def is_dir(path):
  """As `files.is_dir`."""
  stat = _stat(path)
  return stat is not None and stat.is_directory


def list_dir(folder):
  """As `files.list_dir`, in any order."""
  with _os_errors(folder):
    if not tf.gfile.IsDirectory(folder):
      # Some file systems have no error for it.
      raise _error(errno.ENOTDIR if exists(folder) else errno.ENOENT, folder)
    # Stores of objects mark folders.
    return [name for name in (entry.rstrip('/') for entry in tf.gfile.ListDirectory(folder))
            if name]


def size(path):
  """As `files.size`."""
  with _os_errors(path):
    return tf.gfile.Stat(path).length


def change_time(path):
  """As `files.change_time`."""
  with _os_errors(path):
    return tf.gfile.Stat(path).mtime_nsec / 1e9


def open_binary(path, buffering=-1):
  """As `files.open_binary`."""
  raw = _Reader(path)
  return raw if buffering == 0 else io.BufferedReader(raw, _BUFFER_BYTES)


def write_bytes(path, data):
  """Writes a file; it may be cut short after an error."""
  with _os_errors(path), tf.gfile.GFile(path, 'wb') as f:
    f.write(data)


def copy(source, target):
  """Copies a file; the target may be cut short after an error."""
  with _os_errors(source):
    tf.gfile.Copy(source, target, overwrite=True)


def replace(source, target):
  """As `files.replace`."""
  with _os_errors(target):
    tf.gfile.Rename(source, target, overwrite=True)


def make_dirs(folder):
  """As `files.make_dirs`."""
  with _os_errors(folder):
    tf.gfile.MakeDirs(folder)


def remove(path):
  """Removes a file."""
  with _os_errors(path):
    tf.gfile.Remove(path)


def remove_tree(folder):
  """As `files.remove_tree`, but an absent one is a FileNotFoundError."""
  with _os_errors(folder):
    tf.gfile.DeleteRecursively(folder)


class _Reader(io.RawIOBase):
  """A file of TensorFlow as one of Python."""
  _file = None

  def __init__(self, path):
    super(_Reader, self).__init__()
    # TensorFlow opens a file at its first read; an absent one is to be told now.
    with _os_errors(path):
      stat = tf.gfile.Stat(path)
    if stat.is_directory:
      raise _error(errno.EISDIR, path)
    self._size = stat.length
    self._path = path
    self._file = tf.gfile.GFile(path, 'rb')

  def readable(self):
    return True

  def seekable(self):
    return True

  def readinto(self, buffer):
    with _os_errors(self._path):
      data = self._file.read(len(buffer))
    buffer[:len(data)] = data
    return len(data)

  def readall(self):
    with _os_errors(self._path):
      return self._file.read()

  def seek(self, offset, whence=io.SEEK_SET):
    start = {io.SEEK_SET: 0, io.SEEK_END: self._size}.get(whence)
    with _os_errors(self._path):
      position = offset + (self._file.tell() if start is None else start)
      self._file.seek(position)
    return position

  def tell(self):
    with _os_errors(self._path):
      return self._file.tell()

  def close(self):
    if self._file is not None:
      self._file.close()
    super(_Reader, self).close()


def _stat(path):
  """Returns the FileStatistics of a path, or None where there is nothing."""
  try:
    with _os_errors(path):
      return tf.gfile.Stat(path)
  except (FileNotFoundError, NotADirectoryError):
    return None


@contextlib.contextmanager
def _os_errors(path):
  """Turns errors of TensorFlow into those that the os module has for them."""
  _register(path.split('://')[0])
  try:
    yield
  except tf.errors.UnimplementedError as error:
    raise ValueError('%s: %s. More schemes come with the package tensorflow-io.'
                     % (path, errors.reason_of(error))) from error
  except tf.errors.OpError as error:
    text = errors.reason_of(error)
    numbers = [number for name, number in _CLASSES_TO_NUMBERS.items()
               if isinstance(error, getattr(tf.errors, name)) and _NO_LIBRARY not in text]
    numbers += [number for number in _NUMBERS if os.strerror(number) in text]
    raise (_error(numbers[0], path) if numbers
           else StorageError(errno.EIO, text, path)) from error


@functools.lru_cache(maxsize=None)
def _register(scheme):
  """Loads the file systems of tensorflow-io, where it is installed, if a scheme needs them."""
  # TensorFlow 1 has no such list, and all of its own file systems from the start.
  known = getattr(tf.io.gfile, 'get_registered_schemes', None)
  if known is not None and scheme not in known():
    with contextlib.suppress(ImportError):
      importlib.import_module('tensorflow_io')


def _error(number, path):
  kind = OSError if number in _OF_PYTHON else StorageError
  return kind(number, os.strerror(number), path)
