"""Reads JSON that anybody may have written: whatever is wrong with it is a ValueError."""
import json

from deeplab.core.storage import files


def read(path, object_pairs_hook=None):
  """Returns the content of a JSON file.

  Args:
    path: the file.
    object_pairs_hook: as in `json.loads`.

  Raises:
    ValueError: it is not JSON, or nested too deeply; the message leaves the path to the caller.
    OSError: it cannot be read.
  """
  return parse(files.read_text(path), object_pairs_hook)


def parse(text, object_pairs_hook=None):
  """Returns what a JSON text says; arguments and ValueError as with `read`."""
  try:
    return json.loads(text, object_pairs_hook=object_pairs_hook)
  except RecursionError as error:
    raise ValueError('lists and objects are nested too deeply') from error
