"""Sessions that hold the weights of a checkpoint."""
import contextlib

from deeplab.core import checkpoints
from deeplab.core.tf_compat import tf


@contextlib.contextmanager
def restored_session(saver, checkpoint):
  """Yields a session of the default graph with restored weights and fresh local variables.

  A new session starts one-shot input pipelines from their first record.

  Args:
    saver: tf.train.Saver of the model's variables, made once per graph.
    checkpoint: checkpoint prefix.

  Raises:
    ValueError: the checkpoint is of another model.
  """
  checkpoints.check_restorable(checkpoint, tf.global_variables())
  with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as session:
    session.run(tf.local_variables_initializer())
    saver.restore(session, checkpoint)
    yield session


def batches(session, fetches):
  """Yields the values of `fetches` until the input pipeline ends."""
  while True:
    try:
      values = session.run(fetches)
    except tf.errors.OutOfRangeError:
      return
    yield values
