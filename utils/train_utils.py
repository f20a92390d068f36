"""The public names of the training pieces."""
from deeplab.core.checkpoints import initial_weights, restoring
from deeplab.core.tf_compat import tf
from deeplab.utils.training.losses import add_softmax_cross_entropy_loss_for_each_scale
from deeplab.utils.training.optimizing import (
    get_model_gradient_multipliers,
    get_model_learning_rate,
)

__all__ = [
    'add_softmax_cross_entropy_loss_for_each_scale',
    'get_model_gradient_multipliers',
    'get_model_init_fn',
    'get_model_learning_rate',
]


def get_model_init_fn(train_logdir, tf_initial_checkpoint, initialize_last_layer, last_layers,
                      ignore_missing_vars=False):
  """Returns a function (session) that starts the variables of the default graph, or None.

  Args:
    train_logdir: folder of the run; if it holds a checkpoint, that goes before.
    tf_initial_checkpoint: see `initial_weights.read_weights`; None or '': no start.
    initialize_last_layer: whether the last layers start from it too.
    last_layers: scopes of the last layers.
    ignore_missing_vars: whether variables may be missing there.

  Raises ValueError if a variable has another shape there, or is missing and must not be.
  """
  if not tf_initial_checkpoint or restoring.resolve_checkpoint(train_logdir):
    return None
  global_step = tf.train.get_or_create_global_step()
  excluded = [] if initialize_last_layer else list(last_layers)
  variables = [v for v in tf.global_variables() if v is not global_step]
  weights = initial_weights.read_weights(tf_initial_checkpoint, 'tf_initial_checkpoint')
  missing = [v.op.name for v in variables if v.op.name not in weights.shapes
             and not v.op.name.startswith(tuple(excluded))]
  if missing and not ignore_missing_vars:
    raise ValueError('%s lacks %d variables, such as %s.'
                     % (weights.where, len(missing), ', '.join(missing[:5])))
  return initial_weights.plan_restore(weights, variables, excluded, list(last_layers)).load
