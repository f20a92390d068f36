"""One training per folder: a lock file that tells who trains there.

    with run_lock.held(train_logdir) as lock:
      with tf.train.MonitoredSession(hooks=[lock, ...]) as session:
        ...

Two trainings in one folder would overwrite each other's checkpoints. The lock is a file with
host and process, so that it works on every file system; the one who holds it changes it now and
then. A lock whose process is gone is taken over: at once on the same machine, and from another
machine when the file has not changed for some time.
"""
import contextlib
import json
import os
import socket
import threading
import time
import uuid

from absl import logging

from deeplab.core import tf_compat
from deeplab.core.storage import files, json_text

FILE_NAME = 'train.lock'

_BEAT_SECS = 10.0
# A lock of another machine is abandoned when it has not changed for so long.
_ABANDONED_SECS = 35.0
_LOOK_SECS = 1.0
# Where files are not created exclusively, for others who wrote at the same time: the last one
# holds the lock.
_SETTLE_SECS = 0.3


@contextlib.contextmanager
def held(folder):
  """Holds the lock of a folder of checkpoints, which is created; yields the Lock.

  A folder that was made for the lock goes with it if still empty. Raises ValueError if another
  process holds it, of which it names host and process, or the folder cannot be used.
  """
  is_new = not files.is_dir(folder)
  files.check_folder(folder, 'train_logdir')
  path = os.path.join(folder, FILE_NAME)
  abandoned = _check_is_free(path)
  own = dict(_this_process(), token=uuid.uuid4().hex,
             since=time.strftime('%Y-%m-%d %H:%M:%S'), beat=0)
  _take(path, own, abandoned)
  is_over, lock = threading.Event(), Lock(path)
  beats = threading.Thread(target=_beat, args=(path, own, is_over, lock), daemon=True)
  beats.start()
  try:
    yield lock
  finally:
    is_over.set()
    beats.join()
    if (_read(path) or {}).get('token') == own['token']:
      with contextlib.suppress(OSError):
        files.remove_if_present(path)
        # A training that could not begin leaves nothing.
        if is_new and not files.list_dir(folder):
          files.remove_tree(folder)


class Lock(tf_compat.SessionRunHook):
  """A lock that is held, as long as nobody takes it over.

  As a hook of a training it ends the run, without another save, once another process has the lock.

  Attributes:
    holder: what another process wrote that took it over, or None.
  """

  def __init__(self, path):
    self._path = path
    self.holder = None

  def after_run(self, run_context, run_values):
    """Stops, with a ValueError that names host and process, where another one has the lock."""
    if self.holder:
      raise ValueError(
          '%s was taken over by process %s on %s, which trains there now; this training ends and '
          'saves nothing more. Its lock had not changed for some time, or somebody removed it.'
          % (self._path, self.holder.get('pid'), self.holder.get('host')))


def _check_is_free(path):
  """Returns the content of an abandoned lock, None without one; raises ValueError otherwise."""
  found = _read(path)
  if found is None:
    return None
  here = _this_process()
  if found.get('machine') == here['machine'] and here['process_start']:
    is_alive = _start_of(found.get('pid')) == found.get('process_start')
  else:
    logging.info('%s is of %s: looking whether it is still in use.', path, found.get('host'))
    is_alive = _changes(path, found)
  if is_alive:
    raise _in_use(path, found)
  logging.info('%s is of a process that is gone (%s on %s): taken over.',
               path, found.get('pid'), found.get('host'))
  return found


def _take(path, own, abandoned):
  """Writes the lock of this process; ValueError if another one took it since this one looked.

  An abandoned one (its content, or None) makes way.
  """
  if abandoned is not None and not files.is_remote(path):
    _clear(path, abandoned)
  if files.write_new_text(path, json.dumps(own) + '\n') is None:
    files.write_text(path, json.dumps(own) + '\n')
    time.sleep(_SETTLE_SECS)
  found = _read(path)
  if found and found.get('token') != own['token']:
    raise _in_use(path, found)


def _clear(path, abandoned):
  """Removes a lock of this machine unless it is of somebody else by now."""
  # Nobody changes what has another name: what is looked at is what is removed.
  aside = files.temporary_beside(path)
  try:
    files.replace(path, aside)
  except FileNotFoundError:
    return
  try:
    if _read(aside) != abandoned:
      files.write_new_text(path, files.read_text(aside))
  finally:
    files.remove_if_present(aside)


def _changes(path, found):
  """Whether the holder of a lock changes it within the time in which it should."""
  until = time.monotonic() + _ABANDONED_SECS
  while time.monotonic() < until:
    time.sleep(_LOOK_SECS)
    now = _read(path)
    if now != found:
      return now is not None
  return False


def _in_use(path, found):
  """Returns the ValueError that names who has a lock."""
  return ValueError(
      '%s is in use: process %s on %s trains there since %s. Stop it first, or choose another '
      '--train_logdir.' % (os.path.dirname(path), found.get('pid'), found.get('host'),
                           found.get('since')))


def _beat(path, own, is_over, lock):
  """Changes the lock again and again until the event is set."""
  while not is_over.wait(_BEAT_SECS):
    found = _read(path)
    if found and found.get('token') != own['token']:
      lock.holder = found
      return
    own['beat'] += 1
    with contextlib.suppress(OSError):
      files.write_text(path, json.dumps(own) + '\n')


def _read(path):
  """Returns the content of a lock; None without one, {} where it cannot be read."""
  try:
    content = json_text.read(path)
  except json_text.Absent:
    return None
  except ValueError:
    return {}
  return content if isinstance(content, dict) else {}


def _this_process():
  """Returns what identifies this process, and the machine within which its number is unique."""
  pid = os.getpid()
  machine = [socket.gethostname()]
  for path in ('/proc/sys/kernel/random/boot_id', '/proc/self/ns/pid'):
    with contextlib.suppress(OSError):
      machine.append(os.readlink(path) if os.path.islink(path) else _text_of(path))
  return {'host': machine[0], 'machine': ' '.join(machine), 'pid': pid,
          'process_start': _start_of(pid)}


def _start_of(pid):
  """Returns when a process of this machine was started, or None if there is none, or no /proc."""
  try:
    # The fields after the name in parentheses, which may hold anything.
    return _text_of('/proc/%d/stat' % int(pid)).rpartition(')')[2].split()[19]
  except (OSError, TypeError, ValueError, IndexError):
    return None


def _text_of(path):
  with open(path, encoding='utf-8', errors='replace') as f:  # local: /proc
    return f.read().strip()
