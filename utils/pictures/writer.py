"""Writes pictures and predictions of a split in background threads."""
import hashlib
import json
import os
import re
import threading
import typing

import numpy as np
from absl import logging
from PIL import Image

from deeplab.core import colormaps
from deeplab.core.jobs import parallel
from deeplab.core.storage import files, json_text
from deeplab.utils import save_annotation
from deeplab.utils.pictures import overlay

PICTURE_FOLDER = 'segmentation_results'
RAW_FOLDER = 'raw_segmentation_results'
OVERLAY_FOLDER = 'overlays'
CONFIDENCE_FOLDER = 'confidence'
# As the PASCAL VOC evaluation server wants it, with the name of the split.
VOC_FOLDER = os.path.join('results', 'VOC2012', 'Segmentation', 'comp6_%s_cls')
PROGRESS_FILE_NAME = 'progress.json'
IMAGE_FORMAT = '%06d_image'
PREDICTION_FORMAT = '%06d_prediction'

_NUM_THREADS = 2
# Of images waiting for a thread.
_MAX_WAITING_BYTES = 128 << 20
# Images between two notes of how far the work is.
_PROGRESS_EVERY = 20
# File systems allow 255, of which suffixes take some.
_MOST_NAME_BYTES = 200
_NUM_HASH_DIGITS = 12
_SUFFIX = '.png'
_NOT_IN_FILE_NAMES = re.compile(r'[\x00-\x1f:*?"<>|]')


class Outputs(typing.NamedTuple):
  """What is written beside images and predictions.

  Attributes:
    raw: class ids as 8-bit PNG under the name of the record.
    overlay: image, label, prediction, errors and legend in one picture.
    confidence: probability of the predicted class, 0..1 as grey 0..255.
    voc_split: split of a submission to the PASCAL VOC server, PNG with palette; or None.
  """
  raw: bool = False
  overlay: bool = False
  confidence: bool = False
  voc_split: typing.Optional[str] = None


class Classes(typing.NamedTuple):
  """What is known of the classes of results.

  Attributes:
    colors: [n, 3] table of RGB values, or the name of a colour map.
    names: one name per class for legends, or None.
    ignore_label: label that is no class.
    eval_ids: the value of raw files per class id, or None for the id itself.
    clear_ids: ids that overlays do not paint; None: the background.
  """
  colors: typing.Any
  names: typing.Optional[typing.Sequence[str]] = None
  ignore_label: typing.Optional[int] = None
  eval_ids: typing.Optional[typing.Sequence[int]] = None
  clear_ids: typing.Optional[typing.Sequence[int]] = None


class ResultWriter(object):
  """A folder of results; use it in a `with` block, which ends when all files are written.

      <folder>/segmentation_results/000000_image.png, 000000_prediction.png
      <folder>/raw_segmentation_results/<image name>.png
      <folder>/overlays/000000_overlay.png
      <folder>/confidence/<image name>.png
      <folder>/results/VOC2012/Segmentation/comp6_<split>_cls/<image name>.png
      <folder>/progress.json

  Files of an image name are called by `safe_name`. Records of one and the same name share them,
  of which a warning tells.

  Attributes:
    finished: what an interrupted run with the same settings finished: number of images from
      the first on, and list of the indices of others.
  """

  def __init__(self, folder, classes, outputs=Outputs(), settings=None):  # noqa: B008
    """Creates the folders.

    Args:
      folder: folder of the results.
      classes: Classes.
      outputs: Outputs.
      settings: dict that JSON can hold, of all that the results depend on; with equal ones
        an interrupted run is resumed. None: never.

    Raises:
      ValueError: the folders cannot be created.
    """
    self._picture_folder = os.path.join(folder, PICTURE_FOLDER)
    self._raw_folder = os.path.join(folder, RAW_FOLDER) if outputs.raw else None
    self._overlay_folder = os.path.join(folder, OVERLAY_FOLDER) if outputs.overlay else None
    self._confidence_folder = (
        os.path.join(folder, CONFIDENCE_FOLDER) if outputs.confidence else None)
    self._voc_folder = (
        os.path.join(folder, VOC_FOLDER % outputs.voc_split) if outputs.voc_split else None)
    self._classes = classes
    self._folder = folder
    with files.telling_of_disk(folder):
      for path in (self._picture_folder, self._raw_folder, self._overlay_folder,
                   self._confidence_folder, self._voc_folder):
        if path:
          files.make_dirs(path)
    self._progress_path = os.path.join(folder, PROGRESS_FILE_NAME)
    self._settings = settings
    self.finished = self._read_progress()
    self._next_index, self._written = self.finished[0], set(self.finished[1])
    self._progress_lock = threading.Lock()
    self._indices_of_names, self._has_told_of_names = {}, False
    self._work = parallel.BackgroundWork(_NUM_THREADS, _MAX_WAITING_BYTES)

  @property
  def picture_folder(self):
    """The folder of the pictures."""
    return self._picture_folder

  def write(self, index, image, labels, name, confidence=None, truth=None):
    """Hands one image to the threads; waits only when too many are pending.

    Args:
      index: number of the image in the split.
      image: [height, width, 3] uint8 array.
      labels: [height, width] integer array of class ids.
      name: name of the image in its record, bytes or str.
      confidence: [height, width] uint8 array, if outputs has confidence.
      truth: [height, width] integer array of the right classes for the overlay, or None.

    Raises:
      ValueError: an earlier image could not be written.
    """
    if self._raw_folder or self._confidence_folder or self._voc_folder:
      self._tell_of_equal_names(int(index), name)
    num_bytes = sum(pixels.nbytes for pixels in (image, labels, confidence, truth)
                    if pixels is not None)
    self._work.submit(num_bytes, self._write, int(index), image, labels, name, confidence,
                      truth)

  def __enter__(self):
    return self

  def __exit__(self, error_type, *unused_args):
    try:
      self._work.__exit__(error_type)
    finally:
      self._write_progress()
    if error_type is None:
      # What is complete is not to be resumed.
      files.remove_if_present(self._progress_path)

  def _tell_of_equal_names(self, index, name):
    """Logs a warning, once, where an earlier image has the name of this one."""
    first = self._indices_of_names.setdefault(safe_name(name), index)
    if first != index and not self._has_told_of_names:
      self._has_told_of_names = True
      logging.warning(
          'The images %d and %d of the split are both called %s: the files of this name in %s are '
          'those of one of them. Give every record a name of its own; the numbered pictures are '
          'complete.', first, index, safe_name(name), self._folder)

  def _write(self, index, image, labels, name, confidence, truth):
    with files.telling_of_disk(self._folder):
      self._write_files(index, image, labels, name, confidence, truth)
    self._finish(index)

  def _write_files(self, index, image, labels, name, confidence, truth):
    image_path = os.path.join(self._picture_folder, IMAGE_FORMAT % index + '.png')
    with files.atomic_open(image_path) as f:
      Image.fromarray(image).save(f, **save_annotation.PNG_OPTIONS)
    save_annotation.save_annotation(labels, self._picture_folder, PREDICTION_FORMAT % index,
                                    colormap_type=self._classes.colors)
    if self._raw_folder:
      raw = labels
      if self._classes.eval_ids is not None:
        raw = to_eval_ids(labels, self._classes.eval_ids)
      _save(Image.fromarray(raw.astype(np.uint8)), self._raw_folder, safe_name(name))
    if self._overlay_folder:
      _save(overlay.side_by_side(image, labels, self._classes.colors, self._classes.names,
                                 truth, self._classes.ignore_label, self._classes.clear_ids),
            self._overlay_folder, '%06d_overlay' % index)
    if self._confidence_folder:
      _save(Image.fromarray(confidence), self._confidence_folder, safe_name(name))
    if self._voc_folder:
      picture = Image.fromarray(labels.astype(np.uint8), mode='P')
      picture.putpalette(np.asarray(colormaps.colormap('pascal', 256)).ravel().tolist())
      _save(picture, self._voc_folder, safe_name(name))

  def _finish(self, index):
    """Notes that an image is written; now and then also on disk."""
    with self._progress_lock:
      self._written.add(index)
      while self._next_index in self._written:
        self._written.remove(self._next_index)
        self._next_index += 1
      is_due = index % _PROGRESS_EVERY == 0
    if is_due:
      self._write_progress()

  def _read_progress(self):
    try:
      progress = json_text.read(self._progress_path)
      if self._settings is not None and progress['settings'] == self._settings:
        return int(progress['num_finished']), sorted(map(int, progress['others']))
    except (ValueError, KeyError, TypeError):
      pass
    # Without a record all images are done, which is right if slow.
    return 0, []

  def _write_progress(self):
    if self._settings is not None:
      with self._progress_lock, files.telling_of_disk(self._folder):
        files.write_text(self._progress_path, json.dumps(
            {'num_finished': self._next_index, 'others': sorted(self._written),
             'settings': self._settings}) + '\n')


def _save(picture, folder, name):
  """Writes a PIL image as `<folder>/<name>.png`; the name may have new sub-folders."""
  if not files.is_remote(folder):
    # In UTF-8, whatever the locale.
    name = os.fsdecode(name.encode('utf-8'))
  path = os.path.join(folder, name + _SUFFIX)
  files.make_dirs(os.path.dirname(path))
  with files.atomic_open(path) as f:
    picture.save(f, **save_annotation.PNG_OPTIONS)


def to_eval_ids(labels, train_id_to_eval_id):
  """Returns labels with every class id replaced by its evaluation id.

  Args:
    labels: integer array of class ids, all below the length of the table.
    train_id_to_eval_id: evaluation id per class id, 0..255.
  """
  return np.asarray(train_id_to_eval_id, np.uint8)[labels]


def safe_name(name):
  """Returns the name of a record as a relative path, without suffix, that stays in its folder.

  Sub-folders are kept; '..', roots and characters that file systems lack are not, and long parts
  are cut. A name that this changes ends in a hash of the original, so that different names stay
  different. No folder ends in '.png' as the files do.

  Args:
    name: bytes (UTF-8) or str.
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
