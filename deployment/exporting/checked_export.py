"""From a checkpoint to files of several formats, each checked before it gets its name.

All files are written into a folder of their own beside where they belong (or on this machine, if
they belong elsewhere), run by another process on pictures, compared with the checkpoint, and only
then moved, with what describes them: after an error there is none of them.
"""
import contextlib
import os
import tempfile
import typing

from deeplab.core import feature_extractor
from deeplab.core.storage import files
from deeplab.deployment.exporting import comparison as export_check
from deeplab.deployment.exporting import formats as export_formats
from deeplab.deployment.graphs import fitting, freezing
from deeplab.deployment.graphs import record as exported

_STAGE_PREFIX = '.export-'


class Written(typing.NamedTuple):
  """A model that was written and checked: its file or folder, and what `export.json` tells."""
  path: str
  entry: dict


def export_all(formats, export_path, source, text_graph_path=None, content=None):
  """Writes and checks a checkpoint in several formats, all or none; returns a list of Written.

  Args:
    formats: list of keys of `formats.FORMATS`.
    export_path: file or folder to write; with several formats the name they have in common,
      see `formats.paths`.
    source: formats.Source.
    text_graph_path: file for the graph with variables as text, or None.
    content: dict for `export.json`, see `record.write_record`; None: none is written.

  Raises ValueError if a format cannot be written, or labels too many pixels differently.
  """
  targets = export_formats.paths(formats, export_path)
  for name in formats:
    export_formats.FORMATS[name].check(source)
  folder = os.path.dirname(files.absolute(export_path))
  with files.telling_of_disk(export_path):
    stage = tempfile.mkdtemp(prefix=_STAGE_PREFIX, dir=_place_of_stage(folder))
  try:
    staged = [os.path.join(stage, os.path.basename(target)) for target in targets]
    for name, path in zip(formats, staged):
      export_formats.FORMATS[name].write(source, path)
    comparisons = _compare(formats, staged, source)
    written = [Written(target, _entry(name, comparison, source))
               for name, target, comparison in zip(formats, targets, comparisons)]
    with files.telling_of_disk(export_path):
      moves = list(zip(staged, targets))
      if text_graph_path:
        moves.append((_stage_text_graph(source, stage), text_graph_path))
      if content is not None:
        moves += _stage_records(written, staged, content)
      files.make_dirs(folder)
      move_all(moves, stage, exported.SAVED_MODEL_FILE_NAME)
  finally:
    files.remove_tree(stage)
  return written


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


def _compare(formats, staged, source):
  """Returns the comparison.Comparison per format; stops where a model differs too much."""
  pictures = list(source.pictures) or export_check.drawn_pictures(source.model_options.crop_size)
  mean_pixel = feature_extractor.mean_pixel(source.model_options.model_variant)
  found = export_check.labels_in_fresh_process(staged, pictures, mean_pixel)
  known, comparisons = {}, []
  for name, labels in zip(formats, found):
    row = export_formats.FORMATS[name]
    if row.has_crop_size not in known:
      known[row.has_crop_size] = _checkpoint_labels(
          source, pictures, mean_pixel if row.has_crop_size else None)
    wanted = known[row.has_crop_size]
    scores = [source.score(each) for each in (labels, wanted)
              ] if source.score and source.pictures else []
    comparisons.append(export_check.Comparison(
        export_check.equal_share(labels, wanted), len(source.pictures), *scores))
    export_check.check(name, comparisons[-1], row.limits(source))
  return comparisons


def _checkpoint_labels(source, pictures, mean_pixel):
  """Returns the labels by the checkpoint, of pictures fitted to the crop size with a colour."""
  crop_size = source.model_options.crop_size
  fitted = [fitting.fit(picture, crop_size, mean_pixel) if mean_pixel
            else (picture, picture.shape[:2]) for picture in pictures]
  labels = export_check.checkpoint_labels(
      source.checkpoint, source.model_options, source.predict, source.options,
      [picture for picture, _ in fitted])
  return [fitting.unfit(each, size, picture.shape[:2])
          for each, (_, size), picture in zip(labels, fitted, pictures)]


def _entry(name, comparison, source):
  row = export_formats.FORMATS[name]
  entry = {'format': name,
           'input_size': list(source.model_options.crop_size) if row.has_crop_size else None,
           'batch_size': row.options(source).input_shape[0],
           'equal_pixels': round(comparison.equal_pixels, 6),
           'pictures': comparison.num_pictures or 'drawn'}
  if comparison.miou is not None:
    entry.update(miou=round(comparison.miou, 6),
                 checkpoint_miou=round(comparison.checkpoint_miou, 6))
  return dict(entry, kind=source.tflite_kind) if name == export_formats.TFLITE else entry


# --- files ---------------------------------------------------------------------------------


def _place_of_stage(folder):
  """Returns the folder, or that above it which is there already; None if it has a scheme."""
  if files.is_remote(folder):
    return None
  while not files.exists(folder):
    folder = os.path.dirname(folder)
  return folder


def _stage_text_graph(source, stage):
  """Writes the graph with variables as text; returns its path in the stage."""
  _, graph_def = freezing.freeze(source.checkpoint, source.model_options, source.predict,
                                 source.options._replace(optimize=False))
  path = os.path.join(stage, freezing.TEXT_GRAPH_FILE_NAME)
  files.write_text(path, str(graph_def))
  return path


def _stage_records(written, staged, content):
  """Writes `export.json` into staged SavedModels and the one beside files; returns moves of that.

  A move is (path in the stage, path); models are `written` in the end and `staged` now.
  """
  entries = {}
  for (target, entry), path in zip(written, staged):
    name = os.path.basename(target)
    if files.is_dir(path):
      path, name = [os.path.join(each, exported.SAVED_MODEL_FILE_NAME) for each in (path, name)]
      exported.write_record(path, content, entry)
    entries[name] = dict(entry, sha256=exported.sha256(path))
  if all(files.is_dir(path) for path in staged):
    return []
  record, target = (exported.record_path(path) for path in (staged[0], written[0].path))
  files.write_text(record, exported.record_text(target, content, entries))
  return [(record, target)]


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
