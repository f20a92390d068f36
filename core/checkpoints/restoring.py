"""Checkpoints: which one is meant, whether it fits a graph, and waiting for new ones."""
import contextlib
import os
import re
import time

from absl import logging

from deeplab.core import keys
from deeplab.core.checkpoints import folder as checkpoint_folder
from deeplab.core.checkpoints import hints as checkpoint_hints
from deeplab.core.storage import errors, files
from deeplab.core.tf_compat import tf

_GLOBAL_STEP = 'global_step'
_FILE_SUFFIX = re.compile(checkpoint_folder.FILE_SUFFIX + '$')
# Of the names of checkpoints: a folder of that name that is not there yet is not meant.
_PREFIX = '.ckpt'

_POLL_SECS = 2.0
# Between two lines that say what is being waited for.
_REMIND_SECS = 300.0

# Names of a message; the rest is counted.
_MAX_NAMED = 3


class OtherModelError(ValueError):
  """A checkpoint does not fit a graph.

  Attributes:
    checkpoint: its prefix.
    num_classes: (that of the checkpoint, that of the graph), None where they agree.
  """

  def __init__(self, message, checkpoint, num_classes):
    super(OtherModelError, self).__init__(message)
    self.checkpoint = checkpoint
    self.num_classes = num_classes


def resolve_checkpoint(path):
  """Returns the checkpoint prefix that `path` stands for, or None where there is none.

  Args:
    path: folder (its newest whole checkpoint is meant), prefix such as 'run/model.ckpt-100', or
      one of the files of a checkpoint, e.g. the .index.
  """
  if not path:
    return None
  if files.is_dir(path):
    return checkpoint_folder.newest(path)
  prefix = _FILE_SUFFIX.sub('', path)
  return prefix if checkpoint_folder.exists(prefix) else None


def require_checkpoint(path, flag):
  """Returns `resolve_checkpoint(path)`.

  Args:
    path: folder, prefix or file.
    flag: name of the flag that holds it, for the message.

  Raises:
    ValueError: there is no checkpoint, or it lacks bytes; lists those beside it, if any.
  """
  checkpoint = resolve_checkpoint(path)
  if checkpoint:
    problem = checkpoint_folder.problem_of(checkpoint)
    if problem:
      raise ValueError('--%s=%s: the checkpoint %s is damaged: %s. Copy it again.'
                       % (flag, path, checkpoint, problem))
    return checkpoint
  if files.is_dir(path):
    left = checkpoint_folder.prefixes(path)
    if left:
      raise ValueError('--%s=%s: no checkpoint in the folder is whole: %s: %s.' % (
          flag, path, left[-1], checkpoint_folder.problem_of(left[-1])))
    elsewhere = checkpoint_folder.named_elsewhere(path)
    raise ValueError('--%s=%s: the folder holds no checkpoint (*.index).%s' % (
        flag, path, ' Its file `checkpoint` names another one: --%s=%s.' % (flag, elsewhere)
        if elsewhere else ''))
  folder = os.path.dirname(path) or '.'
  near = [os.path.basename(prefix) for prefix in checkpoint_folder.prefixes(folder)][-_MAX_NAMED:]
  raise ValueError('--%s=%s: no such checkpoint; %s' % (
      flag, path,
      'there are %s in %s.' % (', '.join(near), folder) if near
      else 'give a folder of checkpoints, or a prefix such as run/train/model.ckpt-1000.'))


def global_step(checkpoint):
  """Returns the training step of a checkpoint prefix; 0 where it is not known.

  Raises:
    ValueError: the files cannot be read.
  """
  reader = open_reader(checkpoint)
  if reader.has_tensor(_GLOBAL_STEP):
    try:
      return int(reader.get_tensor(_GLOBAL_STEP))
    except checkpoint_folder.reader_errors() as error:
      raise _unreadable(checkpoint, error) from error
  match = checkpoint_folder.STEP_SUFFIX.search(checkpoint)
  return int(match.group(1)) if match else 0


def num_classes(checkpoint):
  """Returns the number of classes of the model of a checkpoint prefix.

  Raises:
    ValueError: there are no weights of semantic logits in it.
  """
  shapes = open_reader(checkpoint).get_variable_to_shape_map()
  name = 'logits/%s/biases' % keys.OUTPUT_TYPE
  if name not in shapes:
    raise ValueError('%s is no checkpoint of this package: it has no variable %s.'
                     % (checkpoint, name))
  return shapes[name][0]


def check_restorable(checkpoint_path, variables):
  """Stops unless every variable is in the checkpoint with the same shape, and finite.

  Parts of the head that the checkpoint has and the graph lacks are refused too: without
  them the other weights fit but the labels would be wrong.

  Args:
    checkpoint_path: checkpoint prefix.
    variables: list of tf.Variable, those of the whole graph.

  Raises:
    OtherModelError: one line with the differing variables and the options to look at.
    ValueError: values are not finite, or damaged.
  """
  stored = open_reader(checkpoint_path).get_variable_to_shape_map()
  expected = {v.op.name: v.shape.as_list() for v in variables}
  missing = sorted(name for name in expected if name not in stored)
  reshaped = sorted(name for name in expected
                    if name in stored and list(stored[name]) != expected[name])
  unused = checkpoint_hints.unused_head_scopes(stored, expected)
  if not missing and not reshaped and not unused:
    _check_finite(checkpoint_path, expected)
    return
  missing, reshaped = [[name for name in names if not checkpoint_hints.is_slot(name)]
                       for names in (missing, reshaped)]
  problems = []
  if reshaped:
    problems.append(_some(
        ['%s is %s in the checkpoint, %s here' % (name, _text(stored[name]),
                                                  _text(expected[name]))
         for name in reshaped], 'variables of another shape', '; '))
  if missing:
    problems.append('not in the checkpoint: %s' % _some(missing, 'variables'))
  if unused:
    problems.append('only in the checkpoint: %s' % ', '.join(s + '/...' for s in unused))
  hints = checkpoint_hints.hints(stored, expected, missing, reshaped)
  raise OtherModelError('Checkpoint of another model: %s.%s' % (
      ': '.join([checkpoint_path] + ['; '.join(problems)] * bool(problems)),
      ''.join(' %s.' % hint for hint in hints)), checkpoint_path,
                        checkpoint_hints.num_classes(stored, expected))


def _check_finite(checkpoint, names):
  reader = open_reader(checkpoint)
  try:
    problem = checkpoint_folder.not_finite(reader, names)
  except checkpoint_folder.reader_errors() as error:
    raise _damaged(checkpoint, error) from error
  if problem:
    raise ValueError('Checkpoint %s cannot be used: %s. Take an earlier one.'
                     % (checkpoint, problem))


def wait_for_checkpoints(checkpoint_dir, min_interval_secs, max_number, timeout=None):
  """Yields checkpoints as they appear, the newest one first.

  A checkpoint that stopped existing, or that was passed by a newer one, is left out.

  Args:
    checkpoint_dir: folder that checkpoints are written to (it need not exist yet), or the
      prefix of one checkpoint, which is then the only one.
    min_interval_secs: least seconds between two checkpoints yielded.
    max_number: how many to yield; 0 or less: no limit.
    timeout: seconds to wait for a checkpoint; None: for ever.

  Raises:
    ValueError: `timeout` seconds went by without a new checkpoint, or the prefix is of none.
  """
  if not files.is_dir(checkpoint_dir) and (
      resolve_checkpoint(checkpoint_dir) or _PREFIX in os.path.basename(checkpoint_dir)):
    yield require_checkpoint(checkpoint_dir, 'checkpoint_dir')
    return
  previous = None
  number = 0
  while max_number <= 0 or number < max_number:
    yielded_at = time.monotonic()
    previous = _wait_for_other(checkpoint_dir, previous, timeout)
    yield previous
    number += 1
    is_last = 0 < max_number <= number
    left = 0 if is_last else yielded_at + min_interval_secs - time.monotonic()
    if left > 0:
      logging.info('Next look for a checkpoint in %s in %.0f s.', checkpoint_dir, left)
      time.sleep(left)


def _wait_for_other(folder, previous, timeout):
  """Returns the newest checkpoint once it is not `previous`."""
  what = 'a checkpoint newer than %s' % previous if previous else 'a first checkpoint'
  start = reminded = time.monotonic()
  is_announced = False
  while True:
    found = resolve_checkpoint(folder)
    if found and found != previous:
      return found
    now = time.monotonic()
    if timeout is not None and now - start >= timeout:
      raise ValueError('Waited %g s for %s in %s.' % (timeout, what, folder))
    if not is_announced or now - reminded >= _REMIND_SECS:
      logging.info('Waiting for %s in %s.', what, folder)
      is_announced, reminded = True, now
    time.sleep(_POLL_SECS if timeout is None else min(_POLL_SECS, timeout))


def open_reader(checkpoint):
  """Returns the CheckpointReader of a checkpoint prefix.

  Raises:
    ValueError: the files cannot be read.
  """
  try:
    return tf.train.NewCheckpointReader(checkpoint)
  except checkpoint_folder.reader_errors() as error:
    raise _unreadable(checkpoint, error) from error


def _unreadable(checkpoint, error):
  return ValueError('Checkpoint %s cannot be read: %s' % (checkpoint, errors.reason_of(error)))


def restore(saver, session, checkpoint):
  """Loads the variables of a saver from a checkpoint prefix.

  Raises:
    ValueError: the files are damaged.
  """
  with readable_damage(checkpoint):
    saver.restore(session, checkpoint)


@contextlib.contextmanager
def readable_damage(checkpoint):
  """Turns the errors of damaged files into a ValueError that names the checkpoint."""
  try:
    yield
  except (tf.errors.DataLossError, tf.errors.OutOfRangeError) as error:
    raise _damaged(checkpoint, error) from error


def _damaged(checkpoint, error):
  return ValueError(
      'Checkpoint %s is damaged (%s). Copy it again, or remove its files to use the one '
      'before it.' % (checkpoint, errors.reason_of(error)))


def _some(items, what, separator=', '):
  shown = separator.join(items[:_MAX_NAMED])
  rest = len(items) - _MAX_NAMED
  return shown if rest <= 0 else '%s and %d more %s' % (shown, rest, what)


def _text(shape):
  return '[%s]' % ','.join(str(d) for d in shape)
