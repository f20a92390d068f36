"""Writes labelled pictures in background threads: the files of own pictures, and what is shared.

    <name>_prediction.png      class ids, 8 bit (16 bit where there are more than 256)
    <name>_color.png           their colours
    <name>_overlay.png         the colours over the picture, and their legend below
    <name>_cutout.png          the picture, transparent outside of chosen classes
    <name>_probabilities.npz   'probabilities', float16 [height, width, classes]
    areas.json                 pixels and share of the classes of every picture
    sources.json               without areas.json: which picture the results of a name are of
"""
import contextlib
import hashlib
import json
import os
import re
import threading
import time

import numpy as np
from PIL import Image

from deeplab.core import settings
from deeplab.core.images import painting
from deeplab.core.jobs import parallel
from deeplab.core.settings import LIST, NO_FLAG, Setting
from deeplab.core.storage import files, json_text
from deeplab.utils import save_annotation
from deeplab.utils.pictures import drawing

PREDICTION, COLOR, OVERLAY, AREAS = OUTPUTS = ('prediction', 'color', 'overlay', 'areas')
CUTOUT = 'cutout'
GROUP = 'pictures and results'
PROBABILITIES = 'probabilities'

AREAS_FILE_NAME = 'areas.json'
SOURCES_FILE_NAME = 'sources.json'

# More than there may be processors: half of the time of a file is waiting for the disk.
_NUM_THREADS = 4
_MAX_WAITING_BYTES = 256 << 20
# Least seconds between two writes of the JSON files, and the most of the time they may take.
_NOTES_INTERVAL_SECS = 10.
_NOTES_SHARE = 0.05
# File systems allow 255, of which suffixes take some.
_MOST_NAME_BYTES = 200
_NUM_HASH_DIGITS = 12
_SUFFIX = '.png'
_NOT_IN_FILE_NAMES = re.compile(r'[\x00-\x1f:*?"<>|]')


class Writer(contextlib.AbstractContextManager):
  """A folder of results; use it in a `with` block, which ends when all files are written.

  Subclasses say which files there are, and in `_notes` what JSON files tell of what is done: from
  these an interrupted run is resumed.
  """

  def __init__(self, folder, sub_folders=('',)):
    """Creates the folders; ValueError if that cannot be."""
    self._folder = folder
    with files.telling_of_disk(folder):
      for each in sub_folders:
        files.make_dirs(os.path.join(folder, each))
    self._work = parallel.BackgroundWork(_NUM_THREADS, _MAX_WAITING_BYTES)
    # Held by who reads or changes what the JSON files tell.
    self._notes_lock = threading.Lock()
    self._notes_due = time.monotonic() + _NOTES_INTERVAL_SECS

  def __exit__(self, error_type, *unused_args):
    try:
      self._work.__exit__(error_type)
    finally:
      # What is done is told of, also after an interruption.
      self._write_notes()

  def _submit(self, arrays, *work):
    """Has a function called in a thread, which holds arrays (or None) until it is done."""
    self._work.submit(sum(array.nbytes for array in arrays if array is not None), *work)

  def _save(self, picture, name, sub_folder=''):
    """Writes a PIL image as `<sub_folder>/<name>.png`."""
    path = os.path.join(self._folder, sub_folder, name + _SUFFIX)
    with files.atomic_open(path) as f:
      picture.save(f, **save_annotation.PNG_OPTIONS)

  def _tell(self, note, *arguments):
    """Calls a function that notes what is done; now and then writes the notes."""
    with self._notes_lock:
      note(*arguments)
      is_due = time.monotonic() >= self._notes_due
      if is_due:
        self._notes_due = float('inf')
    if is_due:
      self._write_notes()

  def _write_notes(self):
    start = time.monotonic()
    with self._notes_lock:
      for file_name, content in self._notes().items():
        text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
        with files.telling_of_disk(self._folder):
          files.write_text(os.path.join(self._folder, file_name), text + '\n')
      now = time.monotonic()
      self._notes_due = now + max(_NOTES_INTERVAL_SECS, (now - start) / _NOTES_SHARE)

  def _read_notes(self, file_name, read):
    """Returns `read(content)` of an earlier file; None where there is none, or it is damaged."""
    try:
      return read(json_text.read(os.path.join(self._folder, file_name)))
    except (ValueError, KeyError, TypeError):
      return None


@settings.record
class Options(object):
  """What is written of own pictures."""
  outputs = Setting(OUTPUTS, 'What is written, some of: %s.' % ','.join(OUTPUTS), LIST, group=GROUP)
  overlay_opacity = Setting(
      0.5, 'Share of the colours in the overlay, 0..1.', at_least=0, at_most=1)
  overlay_legend = Setting(
      True, 'Names the classes of the overlay below the picture; off: the overlay has the size of '
      'the picture.')
  paint_background = painting.PAINT_BACKGROUND
  save_probabilities = Setting(
      False, 'Also writes <name>_probabilities.npz, float16 [height, width, classes].')
  cutout_ids = Setting((), 'Ids of the classes that a cut-out shows; empty: none.', group=NO_FLAG)


class PredictionWriter(Writer):
  """The results of own pictures."""

  def __init__(self, folder, colormap, class_names=None, options=Options(),  # noqa: B008
               model_name=None):
    """Creates the folder of the results.

    The colormap is a [n, 3] uint8 array, the colours of the class ids; class names are one per
    class, or None. `model_name` is what areas.json says of the model.
    """
    super(PredictionWriter, self).__init__(folder)
    self._colormap = colormap
    self._class_names = class_names
    self._options = options
    self._drawn = [output for output in OUTPUTS if output in options.outputs and output != AREAS]
    if len(options.cutout_ids):
      self._drawn.append(CUTOUT)
    self._clear_ids = () if options.paint_background else painting.background_ids(
        class_names, colormap)
    self._areas = {'model': model_name, 'class_names': class_names, 'pictures': {}}
    self._earlier = self._read_notes(AREAS_FILE_NAME, lambda notes: dict(notes['pictures'])) or {}
    # Name -> source; None while the files are replaced by those of another source.
    self._sources = self._read_notes(
        SOURCES_FILE_NAME, lambda notes: dict(notes['sources'])) or {}

  def paths(self, name):
    """Returns the paths of the files written for the picture of a name, without areas.json."""
    endings = [output + '.png' for output in self._drawn]
    if self._options.save_probabilities:
      endings.append(PROBABILITIES + '.npz')
    return [os.path.join(self._folder, '%s_%s' % (name, ending)) for ending in endings]

  def keep_finished(self, name, source):
    """Returns whether the results of a name are all there, of this source and not older than it.

    The entry in areas.json is kept then.
    """
    try:
      changed = files.change_time(source)
      if any(files.change_time(path) < changed for path in self.paths(name)):
        return False
    except OSError:
      return False
    if self._source_of(name) != source:
      return False
    if AREAS in self._options.outputs:
      if self._earlier_source_of(name) != source:
        return False
      with self._notes_lock:
        self._areas['pictures'][name] = self._earlier[name]
    return bool(self._options.outputs or self.paths(name))

  def write(self, picture, labels, probabilities=None):
    """Hands one of_files.Picture to the threads; waits only when too much is pending.

    Labels are [height, width] integer class ids; probabilities, if they are to be written, [height,
    width, classes]. Returns a list of dicts with id, name, pixels and share of each class seen, the
    largest first. Raises ValueError or OSError if an earlier picture could not be written.
    """
    if probabilities is not None:
      probabilities = probabilities.astype(np.float16)
    classes = drawing.areas_of(labels, self._class_names)
    with self._notes_lock:
      is_replaced = self._source_of(picture.name) not in (None, picture.source)
      if is_replaced:
        # Else files of this picture would count as those of the other after a crash.
        self._sources[picture.name] = None
    if is_replaced:
      self._write_notes()
    self._submit([picture.image, labels, probabilities],
                 self._write, picture, labels, probabilities, classes)
    return classes

  def _write(self, picture, labels, probabilities, classes):
    pictures = {
        PREDICTION: lambda: drawing.ids_picture(labels),
        COLOR: lambda: Image.fromarray(self._colormap.take(labels, axis=0)),
        OVERLAY: lambda: self._overlay(picture.image, labels, classes),
        CUTOUT: lambda: drawing.cutout(picture.image, labels, self._options.cutout_ids),
    }
    with files.telling_of_disk(self._folder):
      for output in self._drawn:
        self._save(pictures[output](), '%s_%s' % (picture.name, output))
      if probabilities is not None:
        path = os.path.join(self._folder, '%s_%s.npz' % (picture.name, PROBABILITIES))
        with files.atomic_open(path) as f:
          np.savez(f, probabilities=probabilities)
    height, width = labels.shape
    self._tell(self._finish, picture.name, {
        'source': picture.source, 'height': height, 'width': width, 'classes': classes})

  def _overlay(self, image, labels, classes):
    """Returns the PIL image of classes over a picture; `classes` as `areas_of` returns them."""
    ids = sorted(each['id'] for each in classes) if self._options.overlay_legend else []
    return painting.sheet(
        [painting.blend(image, labels, self._colormap, self._options.overlay_opacity,
                        self._clear_ids)],
        entries=painting.class_entries(
            ids, self._colormap, self._class_names, self._clear_ids))

  def _finish(self, name, entry):
    if AREAS in self._options.outputs:
      self._areas['pictures'][name] = entry
    if AREAS not in self._options.outputs or name in self._sources:
      self._sources[name] = entry['source']

  def _notes(self):
    notes = {SOURCES_FILE_NAME: {'sources': self._sources}} if self._sources else {}
    if AREAS in self._options.outputs:
      notes[AREAS_FILE_NAME] = self._areas
    return notes

  def _source_of(self, name):
    """Returns which picture the files of a name are of, None where it is not known."""
    return self._sources[name] if name in self._sources else self._earlier_source_of(name)

  def _earlier_source_of(self, name):
    entry = self._earlier.get(name)
    return entry.get('source') if isinstance(entry, dict) else None


def safe_name(name):
  """Returns the name of a record as a relative path, without suffix, that stays in its folder.

  The name is bytes (UTF-8) or str. Sub-folders are kept; '..', roots and characters that file
  systems lack are not, and long parts are cut. A name that this changes ends in a hash of the
  original, so that different names stay different. No folder ends in '.png' as the files do.
  """
  data = name if isinstance(name, bytes) else name.encode('utf-8', 'surrogateescape')
  parts = [_NOT_IN_FILE_NAMES.sub('_', part)
           for part in re.split(r'[/\\]', data.decode('utf-8', 'replace'))]
  parts = [part for part in parts if part.strip('. ')] or ['unnamed']
  folders = [_cut(part, _MOST_NAME_BYTES) for part in parts[:-1]]
  folders = [part + '_' if part.lower().endswith(_SUFFIX) else part for part in folders]
  last = _cut(parts[-1], _MOST_NAME_BYTES)
  if '/'.join(folders + [last]).encode('utf-8') != data:
    digest = '-' + hashlib.sha256(data).hexdigest()[:_NUM_HASH_DIGITS]
    last = _cut(last, _MOST_NAME_BYTES - len(digest)) + digest
  return os.path.join(*(folders + [last]))


def _cut(part, num_bytes):
  """Returns the beginning of a str that takes at most so many bytes in UTF-8."""
  return part.encode('utf-8')[:num_bytes].decode('utf-8', 'ignore')
