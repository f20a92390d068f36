"""Checks inside the input graph whose message reaches the user as one sentence."""
import re

from deeplab.core.tf_compat import tf

# Around the sentence, in the long message of a failed assertion.
_START = '[input error]'
_END = '[/input error]'
_SENTENCE = re.compile(re.escape(_START) + r'\s*(.*?)\s*' + re.escape(_END), re.DOTALL)


def check(condition, parts):
  """Returns an operation that fails, when run, with a sentence for the user.

  Args:
    condition: bool scalar tensor that must hold.
    parts: list of strings and string scalars that make the sentence.
  """
  message = tf.strings.join([_START, ' '] + list(parts) + [' ', _END])
  return tf.Assert(condition, [message], summarize=1)


def sentence_of(error):
  """Returns the sentence of a failed `check`, or None for any other error."""
  match = _SENTENCE.search(str(error))
  return match.group(1) if match else None
