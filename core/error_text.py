"""The one line of an error of TensorFlow that says what went wrong."""
import re

# Session errors of TensorFlow 2 begin with where the node was made.
_AFTER_TRACE = re.compile(r"\nNode: '[^\n]*'\n(?:\d+ root error\(s\) found\.\n\s*\(0\) )?(.+)")


def reason_of(error):
  """Returns one line, without the trace of the node that failed."""
  text = getattr(error, 'message', None) or str(error)
  match = _AFTER_TRACE.search(text)
  line = (match.group(1) if match else text.strip()).split('\n')[0]
  return line.strip().rstrip('.')
