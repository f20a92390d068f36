"""Reads JSON that anybody may have written: whatever is wrong with it is a ValueError."""
import json

from deeplab.core.storage import files


class Absent(FileNotFoundError, ValueError):
  """There is no such file."""


def read(path, what='', advice='', object_pairs_hook=None):
  """Returns the content of a JSON file; `object_pairs_hook` is as in `json.loads`.

  In messages `what`, such as '--categories_file:', stands before the path, and `advice`, a
  sentence, at the end.

  Raises:
    Absent: there is no such file.
    ValueError: it cannot be read, is not JSON, or nested too deeply.
  """
  name = '%s %s' % (what, path) if what else path
  try:
    data = files.read_bytes(path)
  except OSError as error:
    is_absent = isinstance(error, (FileNotFoundError, NotADirectoryError))
    raise (Absent if is_absent else ValueError)(
        _message(name, error.strerror or error, advice)) from error
  return parse(data, name, advice, object_pairs_hook)


def parse(text, name, advice='', object_pairs_hook=None):
  """Returns what a JSON text, str or bytes, says; a ValueError begins with its name."""
  try:
    if isinstance(text, bytes):
      text = files.decode_text(text)
    return json.loads(text, object_pairs_hook=object_pairs_hook)
  except RecursionError as error:
    reason = 'lists and objects are nested too deeply'
    raise ValueError(_message(name, reason, advice)) from error
  except ValueError as error:
    raise ValueError(_message(name, error, advice)) from error


def _message(name, reason, advice):
  return ('%s cannot be read as JSON: %s. %s' % (name, reason, advice)).rstrip()
