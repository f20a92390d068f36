"""What exported models look like: names of their parts, and the `export.json` beside them."""
import hashlib
import json
import os

from absl import logging

from deeplab.core.storage import errors, files, json_text

INPUT_NAME = 'ImageTensor'
OUTPUT_NAME = 'SemanticPredictions'
RAW_OUTPUT_NAME = 'RawSemanticPredictions'
PROBABILITIES_NAME = 'SemanticProbabilities'
RAW_PROBABILITIES_NAME = 'RawSemanticProbabilities'

# Of SavedModels.
SAVED_MODEL_FILE_NAME = 'saved_model.pb'
TAG = 'serve'
SIGNATURE = 'serving_default'
IMAGES_KEY, LABELS_KEY, PROBABILITIES_KEY = 'images', 'labels', 'probabilities'

RECORD_FILE_NAME = 'export.json'

# Name of the format of frozen graphs.
FROZEN = 'frozen'
# Begins the error of models of any format, with the shape of a batch.
FAILS_ON = 'The model fails on %d image(s) of %dx%d'


def write_record(model_path, content, entry=None):
  """Writes `export.json` beside a model; entries of other models there are kept.

  Args:
    model_path: the exported file; of a SavedModel, the file saved_model.pb in its folder.
    content: dict for JSON; 'class_names' (list of str or None), 'colormap' (list of
      [r, g, b] or None), 'num_classes' and 'flags' are what `deployment.inference` reads.
    entry: dict for JSON of what is known of this file alone, 'format' among it; None: that
      it is a frozen graph. It is found in 'models', under the name of the file.
  """
  entry = dict(entry or {'format': FROZEN}, sha256=sha256(model_path))
  path = record_path(model_path)
  with files.telling_of_disk(model_path):
    files.write_text(path, record_text(path, content, {os.path.basename(model_path): entry}))


def read_record(model_path):
  """Returns the content of export.json, {} where there is none of this very model.

  Models are files, or SavedModel folders. Raises ValueError if the record is no JSON.
  """
  if files.is_dir(model_path):
    model_path = os.path.join(model_path, SAVED_MODEL_FILE_NAME)
  path = record_path(model_path)
  record = _read(path)
  if not record:
    return {}
  entry = record.get('models', {}).get(os.path.basename(model_path), {})
  known = {record.get('sha256'), entry.get('sha256')}
  if not files.exists(model_path) or sha256(model_path) not in known:
    logging.warning('%s is of another model than %s: class names and colours are not known.',
                    path, model_path)
    return {}
  return record


def record_text(path, content, entries):
  """Returns the text of an `export.json`; entries of other models in the one there are kept.

  It is for a path; for the content see `write_record`. Entries are a dict, path of a model as seen
  from the folder of `path` -> dict of what is known of it alone, 'format' and 'sha256' among it.
  """
  try:
    earlier = _read(path)
  except ValueError:
    earlier = {}
  models = {other: row for other, row in earlier.get('models', {}).items()
            if other not in entries
            and _is_file_of(row, os.path.join(os.path.dirname(path), other))}
  # Readers that know of frozen graphs alone look here.
  graph = earlier.get('graph') if earlier.get('graph') in models else None
  frozen = {'graph': graph, 'sha256': earlier.get('sha256')} if graph else {}
  for name, entry in entries.items():
    if entry['format'] == FROZEN:
      frozen = {'graph': name, 'sha256': entry['sha256']}
  return json.dumps(dict(content, models=dict(models, **entries), **frozen), indent=2,
                    sort_keys=True, ensure_ascii=False, default=str) + '\n'


def read_model(path):
  """Returns the bytes of a model's file; raises a ValueError with its name if it cannot be read."""
  with errors.told('Cannot read the model %s' % path):
    return files.read_bytes(path)


def record_path(export_path):
  """Returns the path of the `export.json` that belongs to a frozen graph."""
  return os.path.join(os.path.dirname(files.absolute(export_path)), RECORD_FILE_NAME)


def sha256(path):
  """Returns the SHA-256 of a file as hexadecimal text."""
  digest = hashlib.sha256()
  with files.open_binary(path) as f:
    for block in iter(lambda: f.read(1 << 20), b''):
      digest.update(block)
  return digest.hexdigest()


def _read(path):
  """Returns the content of a record, {} where there is none; raises ValueError if it is another."""
  try:
    record = json_text.read(path)
  except json_text.Absent:
    return {}
  if not isinstance(record, dict) or not isinstance(record.get('models', {}), dict):
    raise ValueError('%s is no record of an export, a JSON object. Export again, or move it away.'
                     % path)
  return record


def _is_file_of(entry, path):
  return files.is_file(path) and entry.get('sha256') == sha256(path)
