"""The checkpoints in a folder, whatever a crash, a copy or a move has left; sessions from them.

TensorFlow's file `checkpoint` names them by paths that hold where the training ran. What counts
here is what lies in the folder: of a copy of a run, the copies.
"""
import functools
import os
import re
import typing

import numpy as np
from absl import logging

from deeplab.core.storage import errors, files
from deeplab.core.tf_compat import tf

STEP_SUFFIX = re.compile(r'-(\d+)$')
# Pattern of what the files of a checkpoint have after its prefix.
FILE_SUFFIX = r'\.(index|meta|data-\d+-of-\d+)'

_STATE_FILE = 'checkpoint'
_INDEX_SUFFIX = '.index'
# What TensorFlow calls files of checkpoints and graphs that it is writing, and what those of a run
# are called meanwhile.
_UNFINISHED = re.compile(
    r'(.+\.(index|data-\d+-of-\d+)\.tempstate\d+|(.+\.meta|checkpoint|graph\.pbtxt)\.tmp[0-9a-f]{32}'
    r'|\.(run\.json|losses\.csv)%s)$' % files.TEMPORARY_END)
_DATA_SUFFIX = re.compile(r'\.data-\d+-of-(\d+)$')


def reader_errors():
  """Returns the classes of what TensorFlow's reader of checkpoints raises for damaged files."""
  return tf.errors.OpError, RuntimeError, ValueError, IndexError


def newest(folder, is_read=False):
  """Returns the prefix of the newest whole checkpoint of a folder, or None.

  That is the one that the file `checkpoint` names, else that of the highest step. Those that
  lack bytes, or with `is_read` have wrong ones or values that are not finite, are left out with
  a warning.
  """
  path, _ = _read_state(folder)
  named = _in_folder(path, folder)
  others = [prefix for prefix in reversed(prefixes(folder)) if prefix != named]
  for prefix in ([named] if path and exists(named) else []) + others:
    problem = problem_of(prefix, is_read)
    if problem is None:
      return prefix
    _warn_of_incomplete(prefix, problem)
  return None


def newest_to_continue(folder):
  """Returns the `newest` whose values can be read, or None where a training may begin anew.

  Raises ValueError if there are checkpoints, or were, but none that is whole.
  """
  found = newest(folder, is_read=True)
  if found:
    return found
  left = prefixes(folder)
  if left:
    raise ValueError('No checkpoint in %s is whole: %s: %s. Copy them again, or remove them to '
                     'begin anew.' % (folder, left[-1], problem_of(left[-1], is_read=True)))
  path, _ = _read_state(folder)
  if path:
    raise ValueError('%s names %s, which is not there. Copy the checkpoints too, or remove that '
                     'file to begin anew.' % (os.path.join(folder, _STATE_FILE),
                                              _in_folder(path, folder)))
  return None


def recorded(folder):
  """Returns the prefixes that the training in a folder made and has not deleted, oldest first.

  Checkpoints that others put there are not among them.
  """
  found = [_in_folder(path, folder) for path in _read_state(folder)[1]]
  return [prefix for prefix in found if exists(prefix)]


def prefixes(folder):
  """Returns the checkpoint prefixes of a folder, lowest step first."""
  found = [path[:-len(_INDEX_SUFFIX)] for path in files.with_prefix(os.path.join(folder, ''))
           if path.endswith(_INDEX_SUFFIX)]

  def step(prefix):
    match = STEP_SUFFIX.search(prefix)
    return int(match.group(1)) if match else -1

  return sorted(found, key=lambda prefix: (step(prefix), prefix))


def remove_unfinished(folder):
  """Removes what a killed training was writing; nobody else may train in the folder."""
  for path in files.with_prefix(os.path.join(folder, '')):
    if _UNFINISHED.match(os.path.basename(path)):
      logging.info('Removing %s, which was never finished.', path)
      files.remove_if_present(path)


def exists(prefix):
  """Whether there is a checkpoint of a prefix, whole or not."""
  # TensorFlow 1.15 raises where the folder does not exist. A folder, such as one that another
  # process makes at this moment, also exists; it is looked at last, after it was counted.
  return (files.is_dir(os.path.dirname(prefix) or '.')
          and tf.train.checkpoint_exists(prefix)
          and not files.is_dir(prefix))


def problem_of(prefix, is_read=False):
  """Returns a sentence on what an existing checkpoint lacks, or None where it is whole.

  With `is_read` every value is read; TensorFlow keeps a checksum with each, and it must be finite.
  Else only missing bytes are found.
  """
  try:
    reader = tf.train.NewCheckpointReader(prefix)
    if not files.exists(prefix + _INDEX_SUFFIX):
      return None  # A single file, as TensorFlow wrote before 0.12.
    missing = missing_data(prefix)
    if missing:
      return missing
    num_bytes, num_needed = sum(map(files.size, _data_files(prefix))), _num_bytes(reader)
    if num_bytes < num_needed:
      return 'its data have %d of %d bytes' % (num_bytes, num_needed)
    return not_finite(reader, reader.get_variable_to_shape_map()) if is_read else None
  except reader_errors() + (OSError,) as error:
    return 'it cannot be read: %s' % errors.reason_of(error)


def missing_data(prefix):
  """Returns a sentence on the data files that a checkpoint with an index lacks, or None."""
  parts = _data_files(prefix)
  num_parts = max([int(_DATA_SUFFIX.search(path).group(1)) for path in parts] or [1])
  if len(parts) == num_parts or not files.exists(prefix + _INDEX_SUFFIX):
    return None
  return 'only %d of its %d data files (*.data-...) are there' % (len(parts), num_parts)


def not_finite(reader, names):
  """Reads variables; returns a sentence on one that is NaN or infinite, or None without any.

  Raises one of reader_errors() if a value cannot be read.
  """
  bad = []
  for name in sorted(names):
    value = reader.get_tensor(name)
    if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
      bad.append(name)
  if not bad:
    return None
  return '%s is NaN or infinite%s, after a training that went wrong' % (
      bad[0], ', and %d more' % (len(bad) - 1) if len(bad) > 1 else '')


def named_elsewhere(folder):
  """Returns the checkpoint outside of the folder that its file `checkpoint` names, or None."""
  path, _ = _read_state(folder)
  return path if path and _in_folder(path, folder) != path and exists(path) else None


def readable_damage(checkpoint, *kinds):
  """Returns what turns, in a `with`, errors of damaged files into a ValueError with their names.

  `kinds` are classes of errors; none given: those of loading variables.
  """
  return errors.told(
      'Checkpoint %s is damaged' % checkpoint,
      *(kinds or (tf.errors.DataLossError, tf.errors.OutOfRangeError)),
      advice='Copy it again, or remove its files to use the one before it.')


class ChiefSessionCreator(typing.NamedTuple):
  """Creates sessions, and again after a failure, that continue at the newest checkpoint.

  TensorFlow's own goes by the paths in the file `checkpoint`: in a copy of a folder it would load
  the weights of the original, and the saver would delete the original's checkpoints in time;
  where that file is damaged it would begin anew.
  """
  scaffold: typing.Any  # tf.train.Scaffold with a saver.
  master: str  # TensorFlow server; '': in this process.
  config: typing.Any  # ConfigProto.
  folder: str  # Folder of checkpoints.

  def create_session(self):
    newest = newest_to_continue(self.folder)
    creator = tf.train.ChiefSessionCreator(self.scaffold, self.master, self.config,
                                           checkpoint_filename_with_path=newest)
    if not newest:
      return creator.create_session()
    with readable_damage(newest):
      session = creator.create_session()
    kept = [prefix for prefix in recorded(self.folder) if prefix != newest]
    self.scaffold.saver.recover_last_checkpoints(kept + [newest])
    return session


def _data_files(prefix):
  return [path for path in files.with_prefix(prefix + '.') if _DATA_SUFFIX.search(path)]


def _num_bytes(reader):
  """Returns the bytes that all values of a checkpoint take at least."""
  types = reader.get_variable_to_dtype_map()
  total = 0
  for name, shape in reader.get_variable_to_shape_map().items():
    dtype = tf.as_dtype(types[name])
    if dtype != tf.string:
      total += functools.reduce(int.__mul__, map(int, shape), 1) * dtype.size
  return total


def _read_state(folder):
  """Returns (path of the newest, list of all) in the file `checkpoint`; ('', []) without."""
  try:
    state = tf.train.get_checkpoint_state(folder)
  except (ValueError, tf.errors.OpError):
    state = None  # Not even text, or empty.
  return (state.model_checkpoint_path, state.all_model_checkpoint_paths) if state else ('', [])


def _in_folder(path, folder):
  """Returns what a path of the file `checkpoint` stands for in its folder."""
  if path.startswith(os.path.join(folder, '')):
    return path
  return os.path.join(folder, os.path.basename(path))


@functools.lru_cache(maxsize=None)
def _warn_of_incomplete(prefix, problem):
  """Logs a warning, once per prefix."""
  logging.warning('Checkpoint %s is left out: %s.', prefix, problem)
