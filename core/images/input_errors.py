"""Checks inside the input graph whose message reaches the user as one sentence."""
import re

from deeplab.core.tf_compat import tf

# Around the sentence, in the long message of a failed assertion.
_START = '[input error]'
_END = '[/input error]'
_SENTENCE = re.compile(re.escape(_START) + r'\s*(.*?)\s*' + re.escape(_END), re.DOTALL)


def check(condition, make_parts):
  """Returns a tensor that fails, when run, with a sentence for the user unless `condition` holds.

  `condition` is a bool scalar tensor. `make_parts` returns a list of strings and string scalars
  that make the sentence; they are computed only when it is needed.
  """
  def fail():
    message = tf.strings.join([_START, ' '] + list(make_parts()) + [' ', _END])
    # Names of damaged records may be no text, which messages must be.
    message = tf.strings.unicode_transcode(message, 'UTF-8', 'UTF-8', errors='replace')
    with tf.control_dependencies([tf.Assert(False, [message], summarize=1)]):
      return tf.constant(False)

  return tf.cond(condition, lambda: tf.constant(True), fail)


def marked(sentence):
  """Returns a sentence so that `sentence_of` finds it in the message of an error."""
  return '%s %s %s' % (_START, sentence, _END)


def sentence_of(error):
  """Returns the sentence of a failed `check`, or None for any other error."""
  match = _SENTENCE.search(str(error))
  return match.group(1) if match else None
