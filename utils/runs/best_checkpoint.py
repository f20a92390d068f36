"""Keeps a copy of the checkpoint with the highest mean IoU.

    <folder>/model.ckpt-1000.index ..., run.json of the training,
    best.json: {'miou': 0.71, 'checkpoint': ...}
"""
import json
import os
import re

from deeplab.core.checkpoints import folder as checkpoint_folder
from deeplab.core.storage import files, json_text
from deeplab.utils.runs import run_record

RECORD_FILE_NAME = 'best.json'

_OF_A_CHECKPOINT = re.compile(
    '%s(%s)?$' % (checkpoint_folder.FILE_SUFFIX, files.TEMPORARY_END))


def keep_if_best(checkpoint, miou, folder):
  """Copies a checkpoint into a folder if its mean IoU is higher than that of the one there.

  Args:
    checkpoint: checkpoint prefix.
    miou: its mean IoU, or None where there is none.
    folder: folder of the best checkpoint alone; created.

  Returns:
    The prefix of the copy, or None if the checkpoint is not better.

  Raises:
    ValueError: the record in the folder cannot be read, or the checkpoint is gone.
  """
  before = read_best(folder)
  if miou is None or (before is not None and miou <= before['miou']):
    return None
  files.make_dirs(folder)
  prefix = os.path.join(folder, os.path.basename(checkpoint))
  parts = files.with_prefix(checkpoint + '.')
  # The index last: without it TensorFlow does not take the rest for a checkpoint.
  parts.sort(key=lambda path: path.endswith('.index'))
  try:
    copies = [files.copy(path, prefix + path[len(checkpoint):]) for path in parts]
  except FileNotFoundError:
    copies = []
  if not copies or not copies[-1].endswith('.index'):
    raise ValueError('Checkpoint %s was deleted before it could be kept as the best.'
                     % checkpoint)
  run_path = os.path.join(os.path.dirname(checkpoint), run_record.FILE_NAME)
  if files.exists(run_path):
    # The flags of the network belong to it.
    files.copy(run_path, os.path.join(folder, run_record.FILE_NAME))
  files.write_text(os.path.join(folder, RECORD_FILE_NAME), json.dumps(
      {'miou': miou, 'checkpoint': os.path.basename(checkpoint)}, indent=2) + '\n')
  _remove_others(prefix, folder)
  return prefix


def _remove_others(prefix, folder):
  """Removes earlier checkpoints, also those that a killed process kept or began to keep."""
  for path in files.with_prefix(os.path.join(folder, '')):
    if _OF_A_CHECKPOINT.search(os.path.basename(path)) and not path.startswith(prefix + '.'):
      files.remove_if_present(path)


def read_best(folder):
  """Returns dict of 'miou' and 'checkpoint', the base name; None where nothing is kept yet.

  Raises:
    ValueError: the record is broken.
  """
  path = os.path.join(folder, RECORD_FILE_NAME)
  try:
    record = json_text.read(path, advice='If it is broken, remove the folder.')
  except json_text.Absent:
    return None
  try:
    return {'miou': float(record['miou']), 'checkpoint': str(record['checkpoint'])}
  except (ValueError, KeyError, TypeError) as error:
    raise ValueError('%s is not the record of a best checkpoint: remove the folder.'
                     % path) from error
