"""Checkpoints: which one is meant, whether and why not it fits a graph, waiting for new ones."""
import contextlib
import itertools
import os
import re
import time

from absl import logging

from deeplab.core import keys
from deeplab.core.checkpoints import folder as checkpoint_folder
from deeplab.core.checkpoints import other_models
from deeplab.core.storage import errors, files
from deeplab.core.tf_compat import tf

GLOBAL_STEP = 'global_step'
_FILE_SUFFIX = re.compile(checkpoint_folder.FILE_SUFFIX + '$')
# Of the names of checkpoints: a folder of that name that is not there yet is not meant.
_PREFIX = '.ckpt'

_POLL_SECS = 2.0
# Between two lines that say what is being waited for.
_REMIND_SECS = 300.0


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

  It is a folder (its newest whole checkpoint is meant), a prefix such as 'run/model.ckpt-100', or
  one of the files of a checkpoint, e.g. the .index.
  """
  if not path:
    return None
  if files.is_dir(path):
    return checkpoint_folder.newest(path)
  prefix = prefix_of(path)
  return prefix if checkpoint_folder.exists(prefix) else None


def prefix_of(path):
  """Returns the prefix of a checkpoint, given that or the path of one of its files."""
  return _FILE_SUFFIX.sub('', path)


def require_checkpoint(path, flag):
  """Returns `resolve_checkpoint(path)`, `path` being the value of the flag `flag`.

  Raises ValueError if there is no checkpoint, or it lacks bytes; lists those beside it, if any.
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
  near = [os.path.basename(prefix) for prefix in checkpoint_folder.prefixes(folder)][
      -other_models.MAX_NAMED:]
  raise ValueError('--%s=%s: no such checkpoint; %s' % (
      flag, path,
      'there are %s in %s.' % (', '.join(near), folder) if near
      else 'give a folder of checkpoints, or a prefix such as run/train/model.ckpt-1000.'))


def global_step(checkpoint):
  """Returns the training step of a checkpoint prefix; 0 where it is not known.

  Raises ValueError if the files cannot be read.
  """
  reader = open_reader(checkpoint)
  if reader.has_tensor(GLOBAL_STEP):
    with checkpoint_folder.readable_damage(checkpoint, *checkpoint_folder.reader_errors()):
      return int(reader.get_tensor(GLOBAL_STEP))
  match = checkpoint_folder.STEP_SUFFIX.search(checkpoint)
  return int(match.group(1)) if match else 0


def num_classes(checkpoint):
  """Returns the number of classes of the model of a checkpoint prefix.

  Raises ValueError if there are no weights of semantic logits in it.
  """
  shapes = open_reader(checkpoint).get_variable_to_shape_map()
  name = 'logits/%s/biases' % keys.OUTPUT_TYPE
  found = [shapes[name]] if name in shapes else other_models.biases_of_decoder(shapes)
  if not found:
    raise ValueError('%s is no checkpoint of this package: it has no variable %s.'
                     % (checkpoint, name))
  return found[0][0]


def check_restorable(checkpoint_path, variables):
  """Stops unless every variable is in the checkpoint with the same shape, and finite.

  `variables` are those of the whole graph. Parts of the head that the checkpoint has and the graph
  lacks are refused too: without them the other weights fit but the labels would be wrong.

  Raises:
    OtherModelError: one line with the differing variables and the options to look at.
    ValueError: values are not finite, or damaged.
  """
  stored = open_reader(checkpoint_path).get_variable_to_shape_map()
  expected = {v.op.name: v.shape.as_list() for v in variables}
  told = other_models.differences(stored, expected)
  if told is None:
    _check_finite(checkpoint_path, expected)
    return
  problems, hints = told
  raise OtherModelError(
      'Checkpoint of another model: %s.' % '. '.join([
          ': '.join([checkpoint_path] + ['; '.join(problems)] * bool(problems))] + hints),
      checkpoint_path, other_models.differing_num_classes(stored, expected))


def _check_finite(checkpoint, names):
  reader = open_reader(checkpoint)
  with checkpoint_folder.readable_damage(checkpoint, *checkpoint_folder.reader_errors()):
    problem = checkpoint_folder.not_finite(reader, names)
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

  Raises ValueError if `timeout` seconds went by without a new checkpoint, or the prefix is of none.
  """
  if not files.is_dir(checkpoint_dir) and (
      resolve_checkpoint(checkpoint_dir) or _PREFIX in os.path.basename(checkpoint_dir)):
    yield require_checkpoint(checkpoint_dir, 'checkpoint_dir')
    return
  previous = None
  for number in itertools.count(1):
    started = time.monotonic()
    previous = _wait_for_other(checkpoint_dir, previous, timeout)
    yield previous
    if number == max_number:
      return
    left = started + min_interval_secs - time.monotonic()
    if left > 0:
      logging.info('Next look for a checkpoint in %s in %.0f s.', checkpoint_dir, left)
      time.sleep(left)


def _wait_for_other(folder, previous, timeout):
  """Returns the newest checkpoint once it is not `previous`."""
  what = 'a checkpoint newer than %s' % previous if previous else 'a first checkpoint'
  start, reminded = time.monotonic(), None
  while True:
    found = resolve_checkpoint(folder)
    if found and found != previous:
      return found
    now = time.monotonic()
    if timeout is not None and now - start >= timeout:
      raise ValueError('Waited %g s for %s in %s.' % (timeout, what, folder))
    if reminded is None or now - reminded >= _REMIND_SECS:
      logging.info('Waiting for %s in %s.', what, folder)
      reminded = now
    time.sleep(_POLL_SECS if timeout is None else min(_POLL_SECS, timeout))


def open_reader(checkpoint):
  """Returns the CheckpointReader of a checkpoint prefix.

  Raises ValueError if the files cannot be read.
  """
  with errors.told('Checkpoint %s cannot be read' % checkpoint,
                   *checkpoint_folder.reader_errors()):
    return tf.train.NewCheckpointReader(checkpoint)


def open_session(saver, checkpoint, master=None):
  """Returns a tf.Session of the default graph with the weights of a checkpoint prefix.

  Local variables begin anew, and one-shot input pipelines at their first record.

  Args:
    saver: tf.train.Saver of the model's variables, made once per graph.
    checkpoint: checkpoint prefix.
    master: TensorFlow server that runs the graph; None: this process.

  Raises ValueError if the checkpoint is of another model, or damaged.
  """
  check_restorable(checkpoint, tf.global_variables())
  session = tf.Session(target=master or '', config=tf.ConfigProto(allow_soft_placement=True))
  with contextlib.ExitStack() as after_error:
    after_error.callback(session.close)
    if tf.local_variables():
      session.run(tf.local_variables_initializer())
    with checkpoint_folder.readable_damage(checkpoint):
      saver.restore(session, checkpoint)
    after_error.pop_all()
  return session
