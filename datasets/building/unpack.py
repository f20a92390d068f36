"""Unpacks a tar or zip archive, and nothing beside the folder it is unpacked into.

    python datasets/building/unpack.py VOCtrainval_11-May-2012.tar pascal_voc_seg

Needs no TensorFlow. While it works the folder holds `.unpacking-<archive>`: if that is there,
files may be missing.
"""
import contextlib
import os
import posixpath
import shutil
import stat
import sys
import tarfile
import typing
import zipfile
import zlib

MARKER_PREFIX = '.unpacking-'
_TEMPORARY_SUFFIX = '.tmp'
_ZIP_SYSTEM_UNIX = 3
_UNIX_MODE_SHIFT = 16
# What damaged archives lead to, besides the error classes of the formats. That of gzip is an
# OSError before Python 3.8, without a number.
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError,
           OSError)


class _Entry(typing.NamedTuple):
  """A file, folder or symbolic link, which leads to the path `link`, of an archive."""
  name: str
  is_folder: bool
  open: typing.Callable
  link: typing.Optional[str] = None


def unpack(archive_path, folder):
  """Writes all files of an archive into a folder, made if absent; returns their number.

  Every name is checked before the first file is written. Symbolic links are left out. Raises
  ValueError if the archive is damaged or of no known kind, or an entry or a symbolic link leads out
  of the folder; OSError if files cannot be read or written.
  """
  marker = os.path.join(folder, MARKER_PREFIX + os.path.basename(archive_path))
  with _opened(archive_path) as entries:
    for entry in entries:
      _check_path(entry.name, entry.name, archive_path)
      if entry.link is not None:
        target = posixpath.join(posixpath.dirname(entry.name), entry.link)
        _check_path(posixpath.normpath(target), entry.name, archive_path)
    os.makedirs(folder, exist_ok=True)
    with open(marker, 'w'):
      pass
    num_files = sum(_write(entry, os.path.realpath(folder), archive_path)
                    for entry in entries if entry.link is None)
  os.sync()
  os.remove(marker)
  return num_files


@contextlib.contextmanager
def _opened(path):
  """Yields the list of _Entry of an archive."""
  try:
    if tarfile.is_tarfile(path):
      with tarfile.open(path) as archive:
        yield [_tar_entry(archive, member, path) for member in archive.getmembers()]
    elif zipfile.is_zipfile(path):
      with zipfile.ZipFile(path) as archive:
        yield [_zip_entry(archive, member) for member in archive.infolist()]
    else:
      raise ValueError('%s is no whole tar or zip archive.' % path)
  except _DAMAGE as error:
    if getattr(error, 'errno', None):
      raise
    raise ValueError('%s is damaged: %s.' % (path, error)) from error


def _tar_entry(archive, member, path):
  if not (member.isfile() or member.isdir() or member.islnk() or member.issym()):
    raise ValueError('%s: %r is neither a file nor a folder. Nothing was unpacked.'
                     % (path, member.name))
  # What a hard link stands for is read from the archive, never from the disk.
  return _Entry(member.name, member.isdir(), lambda: archive.extractfile(member),
                member.linkname if member.issym() else None)


def _zip_entry(archive, member):
  mode = member.external_attr >> _UNIX_MODE_SHIFT
  is_link = member.create_system == _ZIP_SYSTEM_UNIX and stat.S_ISLNK(mode)
  return _Entry(member.filename, member.is_dir(), lambda: archive.open(member),
                archive.read(member).decode('utf-8', 'surrogateescape') if is_link else None)


def _check_path(path, name, archive_path):
  """Raises ValueError if a path in an archive is absolute or has a step up."""
  parts = path.replace('\\', '/').split('/')
  if parts[0] == '' or '..' in parts:
    raise ValueError('%s: %r leads out of the folder. Nothing was unpacked.'
                     % (archive_path, name))


def _write(entry, folder, archive_path):
  """Writes one entry; returns the number of files it is."""
  target = os.path.join(folder, *entry.name.rstrip('/').split('/'))
  parent = target if entry.is_folder else os.path.dirname(target)
  # A link that was in the folder before would lead out as well.
  if os.path.commonpath([folder, os.path.realpath(parent)]) != folder:
    raise ValueError('%s: %r leads out of %s by a link that is there.'
                     % (archive_path, entry.name, folder))
  os.makedirs(parent, exist_ok=True)
  if entry.is_folder:
    return 0
  temporary = target + _TEMPORARY_SUFFIX
  try:
    with entry.open() as source, open(temporary, 'wb') as f:
      shutil.copyfileobj(source, f)
    os.replace(temporary, target)
  except BaseException:
    with contextlib.suppress(FileNotFoundError):
      os.remove(temporary)
    raise
  return 1


def main(argv):
  if len(argv) != 3:
    sys.stderr.write('usage: unpack.py ARCHIVE FOLDER\n')
    return 2
  try:
    print('%d files in %s' % (unpack(*argv[1:]), argv[2]))
  except (ValueError, OSError) as error:
    sys.stderr.write('unpack.py: error: %s\n' % error)
    return 1
  return 0


if __name__ == '__main__':
  sys.exit(main(sys.argv))
