"""A readable end of a training whose loss is not finite."""
import base64
import contextlib
import re

from deeplab.core.tf_compat import tf
from deeplab.utils.training import learning_rate, summaries

NOT_FINITE = 'The loss is not finite'

_GRADIENT_NOT_FINITE = 'The gradients are not finite'
# What is not finite, by the message; TensorFlow itself looks at weights it makes a histogram of.
_SIGNS = ((NOT_FINITE, 'loss'), (_GRADIENT_NOT_FINITE, 'gradient'),
          ('istogram for: ' + summaries.VARIABLES_TAG, 'weights'))
_MAX_NAMES = 8
# Around the names of the samples, in the long message of a failed assertion.
_NAMES = re.compile(r'<samples:([\w=,-]*)>')


def check_finite(loss, names=None, gradient_norm=None):
  """Returns the loss, which fails when run unless it is finite.

  What changes weights must depend on the returned tensor. The error tells the names of the
  samples, for `readable_loss_errors`.

  Args:
    loss: float scalar.
    names: [B] string tensor, names of the samples in the batch, or None.
    gradient_norm: float scalar that must be finite too: weights moved along an infinite
      gradient would only show in the next step, when they may be saved. Or None.
  """
  if names is None:
    encoded = ''
  else:
    # Names may hold anything, and messages quote and escape.
    encoded = tf.strings.reduce_join(tf.io.encode_base64(tf.reshape(names, [-1])), 0,
                                     separator=',')
  parts = ['<samples:', encoded, '>']
  checks = [tf.Assert(tf.is_finite(loss), [NOT_FINITE, tf.strings.join(parts)], summarize=1)]
  if gradient_norm is not None:
    with tf.control_dependencies(checks):
      checks.append(tf.Assert(tf.is_finite(gradient_norm),
                              [_GRADIENT_NOT_FINITE, tf.strings.join(parts)], summarize=1))
  with tf.control_dependencies(checks):
    return tf.identity(loss)


@contextlib.contextmanager
def readable_loss_errors(options):
  """Turns the failed check of the loss into a ValueError that says what to do.

  Args:
    options: TrainOptions.
  """
  try:
    yield
  except tf.errors.InvalidArgumentError as error:
    what = [what for text, what in _SIGNS if text in str(error)]
    if not what:
      raise
    rate_option = learning_rate.OPTIMIZERS[options.optimizer].learning_rate_option
    raise ValueError(
        'The %s became NaN or infinite%s; the weights in %s are those of the last '
        'checkpoint. Look at these images, lower --%s (now %g) or raise --slow_start_step.'
        % (what[0], _batch_text(str(error)), options.train_logdir, rate_option,
           getattr(options, rate_option))) from error


def _batch_text(message):
  """Returns ' in the batch of NAME, NAME', or '' where the message has no names."""
  match = _NAMES.search(message)
  if not match or not match.group(1):
    return ''
  names = [base64.urlsafe_b64decode(code + '=' * (-len(code) % 4)).decode('utf-8', 'replace')
           for code in match.group(1).split(',')]
  names = list(dict.fromkeys(names))  # A small split may come twice in a batch.
  more = len(names) - _MAX_NAMES
  return ' in the batch of %s%s' % (', '.join(names[:_MAX_NAMES]),
                                    ' and %d more' % more if more > 0 else '')
