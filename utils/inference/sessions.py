"""Work on checkpoints that come and go: passes over a split, and the folder of what comes of it."""
import contextlib

from absl import logging

from deeplab.core.checkpoints import restoring
from deeplab.core.jobs import progress
from deeplab.core.storage import files
from deeplab.core.tf_compat import tf
from deeplab.datasets.checks.in_runs import readable_input_errors


@contextlib.contextmanager
def result_folder(folder, flag):
  """Makes a folder for results, which goes again if an error comes before any result.

  Raises ValueError if it cannot be used; names the flag that holds it.
  """
  is_new = not files.is_dir(folder)
  files.check_folder(folder, flag)
  try:
    yield
  except BaseException:
    with contextlib.suppress(OSError):
      if is_new and not files.list_dir(folder):
        files.remove_tree(folder)
    raise


@contextlib.contextmanager
def pass_over_split(graph, checkpoint, dataset, what):
  """Yields the session of a checkpoint, and a bar to count the images of a Dataset's split with.

  The graph is the default one: a record with its `saver`, and `master`, the TensorFlow server that
  runs it or None. `what` stands before the bar. Raises ValueError if the checkpoint is of another
  model, a record is bad, or no image was counted.
  """
  sizes = dataset.descriptor.splits_to_sizes
  with readable_input_errors(dataset.files, dataset.descriptor), \
       restoring.open_session(graph.saver, checkpoint, graph.master) as session, \
       progress.bar(what, total=sizes.get(dataset.split_name)) as bar:
    yield session, bar
  if not bar.n:
    raise ValueError('Split %r has no records in %s.' % (
        dataset.split_name, ', '.join(dataset.files)))


def batches(session, fetches):
  """Yields the values of `fetches` until the input pipeline ends."""
  while True:
    try:
      values = session.run(fetches)
    except tf.errors.OutOfRangeError:
      return
    yield values


def for_each_checkpoint(prefixes, work):
  """Calls `work(prefix)` per checkpoint prefix; one that is deleted meanwhile is left out.

  Raises:
    ValueError, tf.errors.OpError: an error of `work` on a checkpoint that is still there,
      or the last one if all were deleted.
  """
  error_of_deleted = None
  is_done = False
  for prefix in prefixes:
    try:
      work(prefix)
      is_done = True
    except (ValueError, tf.errors.OpError) as error:
      if restoring.resolve_checkpoint(prefix):
        raise
      logging.warning('%s was deleted meanwhile: left out.', prefix)
      error_of_deleted = error
  if error_of_deleted is not None and not is_done:
    raise error_of_deleted
