"""Files with what a model sees in own pictures, written in background threads.

    <name>_prediction.png      class ids, 8 bit (16 bit where there are more than 256)
    <name>_color.png           their colours
    <name>_overlay.png         the colours over the picture, and their legend below
    <name>_cutout.png          the picture, transparent outside of chosen classes
    <name>_probabilities.npz   'probabilities', float16 [height, width, classes]
    areas.json                 pixels and share of the classes of every picture
    sources.json               without areas.json: which picture the results of a name are of
"""
import json
import os
import threading
import time
import typing

import numpy as np
from PIL import Image

from deeplab.core.images import painting
from deeplab.core.jobs import parallel
from deeplab.core.storage import files, json_text
from deeplab.utils import save_annotation

PREDICTION = 'prediction'
COLOR = 'color'
OVERLAY = 'overlay'
AREAS = 'areas'
OUTPUTS = (PREDICTION, COLOR, OVERLAY, AREAS)
CUTOUT = 'cutout'
PROBABILITIES = 'probabilities'

AREAS_FILE_NAME = 'areas.json'
SOURCES_FILE_NAME = 'sources.json'

# More than there may be processors: half of the time of a file is waiting for the disk.
_NUM_THREADS = 4
_MAX_WAITING_BYTES = 256 << 20
# Least seconds between two writes of the JSON files, and the most of the time they may take.
_NOTES_INTERVAL_SECS = 10.
_NOTES_SHARE = 0.05
_OPAQUE = 255


class Options(typing.NamedTuple):
  """What is written.

  Attributes:
    outputs: names of `OUTPUTS`.
    overlay_opacity: share of the colours in the overlay, 0..1.
    cutout_ids: ids of the classes that a cut-out shows; empty: no cut-out.
    probabilities: whether to write probabilities.
    paint_background: whether the overlay paints the background too, see `core/images/painting.py`.
    legend: whether the overlay names the classes, below the picture.
  """
  outputs: typing.Sequence[str] = OUTPUTS
  overlay_opacity: float = 0.5
  cutout_ids: typing.Sequence[int] = ()
  probabilities: bool = False
  paint_background: bool = False
  legend: bool = False


class PredictionWriter(object):
  """A folder of results; use it in a `with` block, which ends when all files are written."""

  def __init__(self, folder, colormap, class_names=None, options=Options(),  # noqa: B008
               model_name=None):
    """Creates the folder.

    Args:
      folder: folder of the results.
      colormap: [n, 3] uint8 array, the colours of the class ids.
      class_names: one name per class, or None.
      options: Options.
      model_name: what areas.json says of the model.

    Raises:
      ValueError: the folder cannot be created or written into.
    """
    files.check_folder(folder, 'output_dir')
    self._folder = folder
    self._colormap = colormap
    self._class_names = class_names
    self._options = options
    self._clear_ids = () if options.paint_background else painting.background_ids(
        class_names, colormap)
    self._work = parallel.BackgroundWork(_NUM_THREADS, _MAX_WAITING_BYTES)
    self._areas = {'model': model_name, 'class_names': class_names, 'pictures': {}}
    self._notes_lock = threading.Lock()
    self._notes_due = time.monotonic() + _NOTES_INTERVAL_SECS
    self._earlier = self._read_dict(AREAS_FILE_NAME, 'pictures')
    # Name -> source; None while the files are replaced by those of another source.
    self._sources = self._read_dict(SOURCES_FILE_NAME, 'sources')

  def paths(self, name):
    """Returns the paths of the files written for the picture of a name, without areas.json."""
    wanted = [output for output in self._options.outputs if output != AREAS]
    endings = ['_%s.png' % output for output in wanted]
    if len(self._options.cutout_ids):
      endings.append('_%s.png' % CUTOUT)
    if self._options.probabilities:
      endings.append('_%s.npz' % PROBABILITIES)
    return [os.path.join(self._folder, name + ending) for ending in endings]

  def keep_finished(self, name, source):
    """Returns whether all files of a picture are there, of this very one and not older than it.

    Its entry in areas.json is kept then.

    Args:
      name: of the results.
      source: path of the picture.
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
    """Hands one picture to the threads; waits only when too much is pending.

    Args:
      picture: of_files.Picture.
      labels: [height, width] integer array of class ids.
      probabilities: [height, width, classes] array, if they are to be written.

    Returns:
      List of dicts with id, name, pixels and share of each class seen, the largest first.

    Raises:
      ValueError, OSError: an earlier picture could not be written.
    """
    if probabilities is not None:
      probabilities = probabilities.astype(np.float16)
    classes = areas_of(labels, self._class_names)
    if self._source_of(picture.name) not in (None, picture.source):
      # Else files of this picture would count as those of the other after a crash.
      with self._notes_lock:
        self._sources[picture.name] = None
      self._write_notes()
    num_bytes = picture.image.nbytes + labels.nbytes + (
        probabilities.nbytes if probabilities is not None else 0)
    self._work.submit(num_bytes, self._write, picture, labels, probabilities, classes)
    return classes

  def __enter__(self):
    return self

  def __exit__(self, error_type, *unused_args):
    try:
      self._work.__exit__(error_type)
    finally:
      # What is done is told of, also after an interruption.
      self._write_notes()

  def _write(self, picture, labels, probabilities, classes):
    outputs = self._options.outputs
    with files.telling_of_disk(self._folder):
      if PREDICTION in outputs:
        self._save(ids_picture(labels), picture.name, PREDICTION)
      if COLOR in outputs:
        self._save(Image.fromarray(self._colormap.take(labels, axis=0)), picture.name, COLOR)
      if OVERLAY in outputs:
        self._save(self._overlay(picture.image, labels, classes), picture.name, OVERLAY)
      if len(self._options.cutout_ids):
        self._save(cutout(picture.image, labels, self._options.cutout_ids), picture.name,
                   CUTOUT)
      if probabilities is not None:
        path = os.path.join(self._folder, '%s_%s.npz' % (picture.name, PROBABILITIES))
        with files.atomic_open(path) as f:
          np.savez(f, probabilities=probabilities)
    height, width = labels.shape
    entry = {'source': picture.source, 'height': height, 'width': width, 'classes': classes}
    with self._notes_lock:
      if AREAS in outputs:
        self._areas['pictures'][picture.name] = entry
      if AREAS not in outputs or picture.name in self._sources:
        self._sources[picture.name] = picture.source
      is_due = time.monotonic() >= self._notes_due
      if is_due:
        self._notes_due = float('inf')
    if is_due:
      self._write_notes()

  def _overlay(self, image, labels, classes):
    """Returns the PIL image of classes over a picture; `classes` as `areas_of` returns them."""
    blended = painting.blend(image, labels, self._colormap, self._options.overlay_opacity,
                             self._clear_ids)
    ids = sorted(each['id'] for each in classes) if self._options.legend else []
    return painting.sheet([blended], entries=painting.class_entries(
        ids, self._colormap, self._class_names, self._clear_ids))

  def _save(self, image, name, output):
    path = os.path.join(self._folder, '%s_%s.png' % (name, output))
    with files.atomic_open(path) as f:
      image.save(f, **save_annotation.PNG_OPTIONS)

  def _source_of(self, name):
    """Returns which picture the files of a name are of, None where it is not known."""
    with self._notes_lock:
      if name in self._sources:
        return self._sources[name]
    return self._earlier_source_of(name)

  def _earlier_source_of(self, name):
    entry = self._earlier.get(name)
    return entry.get('source') if isinstance(entry, dict) else None

  def _read_dict(self, file_name, key):
    """Returns the dict that an earlier JSON file has under a key, {} where there is none."""
    try:
      return dict(json_text.read(os.path.join(self._folder, file_name))[key])
    except (ValueError, KeyError, TypeError):
      return {}

  def _write_notes(self):
    """Writes areas.json if it is wanted, and sources.json if it has entries."""
    start = time.monotonic()
    with self._notes_lock:
      if self._sources:
        self._write_json(SOURCES_FILE_NAME, {'sources': self._sources})
      if AREAS in self._options.outputs:
        self._write_json(AREAS_FILE_NAME, self._areas)
      now = time.monotonic()
      self._notes_due = now + max(_NOTES_INTERVAL_SECS, (now - start) / _NOTES_SHARE)

  def _write_json(self, file_name, content):
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    with files.telling_of_disk(self._folder):
      files.write_text(os.path.join(self._folder, file_name), text + '\n')


def class_ids(words, class_names, num_classes=None):
  """Returns the ids of classes given by name or id.

  Args:
    words: list of names or decimal ids.
    class_names: names of the classes, or None where only ids are known.
    num_classes: number of classes, or None where it is not known.

  Raises:
    ValueError: there is no such class; lists those there are.
  """
  names = list(class_names or ())
  limit = len(names) or num_classes
  ids = []
  for word in words:
    if word in names:
      ids.append(names.index(word))
    elif word.isdigit() and (limit is None or int(word) < limit):
      ids.append(int(word))
    else:
      raise ValueError('No class %r. %s' % (word, (
          'The classes: %s.' % ', '.join('%d %s' % pair for pair in enumerate(names))
          if names else 'Names are not known; give ids%s.' % (
              ' 0..%d' % (limit - 1) if limit else ''))))
  return sorted(set(ids))


def areas_of(labels, class_names=None):
  """Returns a list of dicts with id, name, pixels and share per class, the largest first.

  Args:
    labels: integer array of class ids.
    class_names: one name per class, or None.
  """
  counts = np.bincount(labels.ravel())
  ids = np.argsort(-counts, kind='stable')[:np.count_nonzero(counts)]
  return [{'id': int(i), 'name': class_names[i] if class_names and i < len(class_names)
           else 'class %d' % i, 'pixels': int(counts[i]),
           'share': round(float(counts[i]) / labels.size, 6)} for i in ids]


def ids_picture(labels):
  """Returns class ids as a grey PIL image of 8 bit, or 16 where an id needs it."""
  if labels.max() < 1 << 8:
    return Image.fromarray(labels.astype(np.uint8))
  return Image.fromarray(labels.astype(np.uint16))


def cutout(image, labels, ids):
  """Returns an RGBA PIL image that is transparent outside of the classes.

  Args:
    image: [height, width, 3] uint8 array.
    labels: [height, width] integer array of class ids.
    ids: ids of the classes that are seen.
  """
  is_shown = np.isin(labels, ids)
  # Colours under full transparency are black, so that they are neither seen nor stored.
  pixels = np.zeros(labels.shape + (4,), np.uint8)
  pixels[is_shown, :3] = image[is_shown]
  pixels[..., 3] = _OPAQUE * is_shown
  return Image.fromarray(pixels)
