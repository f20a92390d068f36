"""Writes pictures and predictions of a split in background threads."""
import concurrent.futures
import os
import re
import threading

import numpy as np
from PIL import Image

from deeplab.core import files
from deeplab.core.tf_compat import tf
from deeplab.utils import save_annotation

PICTURE_FOLDER = 'segmentation_results'
RAW_FOLDER = 'raw_segmentation_results'
IMAGE_FORMAT = '%06d_image'
PREDICTION_FORMAT = '%06d_prediction'

_NUM_THREADS = 2
# A third of the time of the default level 6 for photographs of 7 % more bytes (measured).
_PHOTOGRAPH_COMPRESS_LEVEL = 1
# Images waiting for a thread; more would only fill the memory.
_MAX_WAITING = 16
_NOT_IN_FILE_NAMES = re.compile(r'[\x00-\x1f:*?"<>|]')


class ResultWriter(object):
  """A folder of results; use it in a `with` block, which ends when all files are written.

      <folder>/segmentation_results/000000_image.png, 000000_prediction.png
      <folder>/raw_segmentation_results/<image name>.png
  """

  def __init__(self, folder, colors, with_raw=False, train_id_to_eval_id=None):
    """Creates the folders.

    Args:
      folder: folder of the results.
      colors: [n, 3] table of RGB values, or the name of a colour map.
      with_raw: whether class ids are written too, as 8-bit PNG.
      train_id_to_eval_id: the value to write there per class id, or None for the id itself.
    """
    self._picture_folder = os.path.join(folder, PICTURE_FOLDER)
    self._raw_folder = os.path.join(folder, RAW_FOLDER) if with_raw else None
    self._colors = colors
    self._train_id_to_eval_id = train_id_to_eval_id
    for path in (self._picture_folder, self._raw_folder):
      if path:
        tf.gfile.MakeDirs(path)
    self._threads = concurrent.futures.ThreadPoolExecutor(_NUM_THREADS)
    self._places = threading.Semaphore(_MAX_WAITING)
    self._futures = []

  @property
  def picture_folder(self):
    """The folder of the pictures."""
    return self._picture_folder

  def write(self, index, image, labels, name):
    """Hands one image to the threads; waits only when too many are pending.

    Args:
      index: number of the image in the split.
      image: [height, width, 3] uint8 array.
      labels: [height, width] integer array of class ids.
      name: name of the image in its record, bytes or str.

    Raises:
      ValueError, OSError: an earlier image could not be written.
    """
    self._raise_errors(only_done=True)
    self._places.acquire()
    future = self._threads.submit(self._write, index, image, labels, name)
    future.add_done_callback(lambda unused_future: self._places.release())
    self._futures.append(future)

  def __enter__(self):
    return self

  def __exit__(self, error_type, *unused_args):
    self._threads.shutdown(wait=True)
    if error_type is None:
      self._raise_errors(only_done=False)

  def _raise_errors(self, only_done):
    pending = []
    for future in self._futures:
      if only_done and not future.done():
        pending.append(future)
      else:
        future.result()
    self._futures = pending

  def _write(self, index, image, labels, name):
    image_path = os.path.join(self._picture_folder, IMAGE_FORMAT % index + '.png')
    with files.atomic_path(image_path) as temporary:
      Image.fromarray(image).save(temporary, format='PNG',
                                  compress_level=_PHOTOGRAPH_COMPRESS_LEVEL)
    save_annotation.save_annotation(labels, self._picture_folder, PREDICTION_FORMAT % index,
                                    colormap_type=self._colors)
    if self._raw_folder:
      self._write_raw(labels, name)

  def _write_raw(self, labels, name):
    if self._train_id_to_eval_id is not None:
      labels = to_eval_ids(labels, self._train_id_to_eval_id)
    path = os.path.join(self._raw_folder, safe_name(name))
    folder, file_name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    save_annotation.save_annotation(labels, folder, file_name, add_colormap=False)


def to_eval_ids(labels, train_id_to_eval_id):
  """Returns labels with every class id replaced by its evaluation id.

  Args:
    labels: integer array of class ids, all below the length of the table.
    train_id_to_eval_id: evaluation id per class id, 0..255.
  """
  return np.asarray(train_id_to_eval_id, np.uint8)[labels]


def safe_name(name):
  """Returns the name of a record as a relative path that stays in its folder.

  Sub-folders are kept, '..' and roots are not.

  Args:
    name: bytes (UTF-8) or str.
  """
  if isinstance(name, bytes):
    name = name.decode('utf-8', 'replace')
  parts = [_NOT_IN_FILE_NAMES.sub('_', part) for part in re.split(r'[/\\]', name)]
  parts = [part for part in parts if part.strip('. ')]
  return os.path.join(*parts) if parts else 'unnamed'
