"""What exported models look like: names of their nodes, and the `export.json` beside them."""
import contextlib
import hashlib
import json
import os

from deeplab.core import files

INPUT_NAME = 'ImageTensor'
OUTPUT_NAME = 'SemanticPredictions'
RAW_OUTPUT_NAME = 'RawSemanticPredictions'
PROBABILITIES_NAME = 'SemanticProbabilities'
RAW_PROBABILITIES_NAME = 'RawSemanticProbabilities'

RECORD_FILE_NAME = 'export.json'


def write_record(export_path, content):
  """Writes `export.json` beside a frozen graph.

  Args:
    export_path: the frozen graph.
    content: dict for JSON; 'class_names' (list of str or None) and 'colormap' (list of
      [r, g, b] or None) are what `deployment.inference` reads.
  """
  content = dict(content, graph=os.path.basename(export_path), sha256=sha256(export_path))
  with writing(export_path):
    files.write_text(record_path(export_path),
                     json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False,
                                default=str) + '\n')


def record_path(export_path):
  """Returns the path of the `export.json` that belongs to a frozen graph."""
  return os.path.join(os.path.dirname(os.path.abspath(export_path)), RECORD_FILE_NAME)


def sha256(path):
  """Returns the SHA-256 of a file as hexadecimal text."""
  digest = hashlib.sha256()
  with open(path, 'rb') as f:
    for block in iter(lambda: f.read(1 << 20), b''):
      digest.update(block)
  return digest.hexdigest()


@contextlib.contextmanager
def writing(path):
  """Turns a failure to write into a ValueError that names the path."""
  try:
    yield
  except OSError as error:
    raise ValueError('Cannot write %s: %s.' % (path, error.strerror or error)) from error
