"""Moves several files and folders to their names: all of them, or none after an error."""
import contextlib
import os

from deeplab.core import files


def move_all(moves, stage, last):
  """Gives files and folders their names; earlier ones of these names make way.

  After an error the earlier ones are back. Not so where a target has a scheme: what was copied
  before the error stays.

  Args:
    moves: list of (path, target).
    stage: folder of this machine for earlier ones, on the file system of local targets.
    last: name of the file in every folder whose presence says that the others are there; an
      earlier folder makes way only with such a file in it, or empty.

  Raises:
    ValueError: a target is in the way; nothing was moved.
    OSError: a move failed.
  """
  for path, target in moves:
    _check_target(path, target, last)
  with contextlib.ExitStack() as undo:
    for path, target in moves:
      if files.is_remote(target):
        _copy(path, target, last)
      else:
        undo.callback(_restore, target, _keep(target, stage))
        files.replace(path, target)
    undo.pop_all()


def _check_target(path, target, last):
  is_folder = files.is_dir(path)
  if files.is_dir(target):
    if not is_folder or not files.exists(os.path.join(target, last)) and files.list_dir(target):
      raise ValueError('Cannot write %s: there is a folder of that name. Move it away, or choose '
                       'another path.' % target)
  elif is_folder and files.exists(target):
    raise ValueError('Cannot write the folder %s: there is a file of that name. Move it away, or '
                     'choose another path.' % target)


def _keep(target, stage):
  """Returns the path at which an earlier file or folder is kept, None where there is none."""
  if not files.exists(target):
    return None
  kept = os.path.join(stage, 'earlier-' + os.path.basename(target))
  if files.is_dir(target):
    files.replace(target, kept)
  else:
    # The file keeps its name until the new one has it.
    files.link_or_copy(target, kept)
  return kept


def _restore(target, kept):
  if files.is_dir(target):
    files.remove_tree(target)
  if kept is None:
    files.remove_if_present(target)
  else:
    files.replace(kept, target)


def _copy(path, target, last):
  if not files.is_dir(path):
    files.copy(path, target)
    return
  if files.is_dir(target):
    files.remove_tree(target)
  files.copy_tree(path, target, last=last)
