"""Brings the next batch to the device of the model while the model works on this one.

    samples = to_device(samples, '/device:GPU:0')
    hooks = [StagingHook()]

The graph reads a batch that an earlier run has put on the device; each run also puts the next
one there.
"""
from deeplab.core import tf_compat
from deeplab.core.tf_compat import tf

_STAGE_OPS = 'stage_ops'
_HOST = '/device:CPU:0'


def to_device(samples, device):
  """Returns the samples of the batch before, on a device such as '/device:GPU:0'.

  Samples are a dict, name -> tensor [batch, ...]; names, shapes and dtypes stay. What has no place
  on a GPU, such as strings, stays on the CPU but comes with its batch. Adds operations to a
  collection of the graph: `StagingHook` runs them, ahead of the first step too.
  """
  of_host = {name: tensor for name, tensor in samples.items() if tensor.dtype == tf.string}
  staged = _stage({name: samples[name] for name in set(samples) - set(of_host)}, device)
  if of_host:
    staged.update(_stage(of_host, _HOST))
  return staged


def _stage(samples, device):
  names = sorted(samples)
  tensors = [samples[name] for name in names]
  with tf.device(device), tf.name_scope('staging'):
    # Both ends find each other by this name.
    buffer = tf.get_default_graph().unique_name('batches')
    put = tf.raw_ops.Stage(values=tensors, shared_name=buffer)
    taken = tf.raw_ops.Unstage(dtypes=[t.dtype for t in tensors], shared_name=buffer)
  tf.add_to_collection(_STAGE_OPS, put)
  for tensor, original in zip(taken, tensors):
    tensor.set_shape(original.shape)
  return dict(zip(names, taken))


class StagingHook(tf_compat.SessionRunHook):
  """Keeps one batch ahead on the devices; does nothing without staging."""

  def begin(self):
    self._puts = tf.get_collection(_STAGE_OPS)

  def after_create_session(self, session, coord):
    session.run(self._puts)

  def before_run(self, run_context):
    return tf.train.SessionRunArgs(self._puts) if self._puts else None
