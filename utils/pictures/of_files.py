"""Own pictures as input: which files are meant, how results are called, and reading them.

    paths = list_pictures(['photos/*.jpg', 'film.mp4'], 'results')
    for picture in read_all(name_pictures(paths)):
      picture.image  # or picture.error
"""
import collections
import concurrent.futures
import glob
import itertools
import os
import struct
import typing

import numpy as np
from PIL import Image

from deeplab.core.images import limits, orientation, wide_pictures
from deeplab.core.storage import errors, files
from deeplab.datasets.labels import raw_files

PICTURE_SUFFIXES = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.webm')
LIST_SUFFIX = '.txt'
# Endings of the files that labelling writes: a later run on the same folder leaves them out.
RESULT_ENDINGS = ('_prediction.png', '_color.png', '_overlay.png', '_cutout.png')

_NUM_THREADS = 2
# Pictures read ahead; more would only fill the memory.
_NUM_AHEAD = 4


class NamedPath(typing.NamedTuple):
  """A file, and the name of its results without ending."""
  name: str
  path: str


class Picture(typing.NamedTuple):
  """A picture that was read, or why not."""
  name: str  # Of its results, without ending.
  source: str  # Path of the file; for frames of a video '<path>, frame <n>'.
  image: typing.Optional[np.ndarray]  # [height, width, 3] uint8 RGB array, or None.
  error: typing.Optional[str] = None  # One line where it could not be read, or None.


def list_pictures(patterns, results_folder=None):
  """Returns the files that patterns stand for, without repetition.

  Patterns are picture files, folders of pictures, patterns such as 'photos/*.jpg', video files, and
  text files with one of these per line. Pictures of `results_folder`, or None, with names as
  results are left out. Raises ValueError if a pattern stands for nothing.
  """
  unique = collections.OrderedDict()
  for pattern in patterns:
    for path in _expand(pattern, results_folder):
      unique.setdefault(os.path.realpath(path), path)
  return list(unique.values())


def name_pictures(paths):
  """Returns NamedPaths of files, all of different names even where upper and lower case are one.

  The name is that of the file without suffix, if no earlier one has it; else with it, as in
  'a_png'; else numbered.
  """
  named, taken = [], set()
  for path in paths:
    file_name = os.path.basename(path)
    name = os.path.splitext(file_name)[0]
    if name.lower() in taken:
      name = file_name.replace('.', '_')
    unique = name
    clashes = itertools.count(2)
    while unique.lower() in taken:
      unique = '%s_%d' % (name, next(clashes))
    taken.add(unique.lower())
    named.append(NamedPath(unique, path))
  return named


def read_all(named_paths, image_range=None):
  """Yields a Picture per NamedPath, per frame of videos; reads ahead in background threads.

  For `image_range` see `read_picture`.
  """
  waiting = collections.deque()
  with concurrent.futures.ThreadPoolExecutor(_NUM_THREADS) as threads:
    try:
      for named in named_paths:
        waiting.append((named, None if is_video(named.path) else threads.submit(
            read_picture, named.path, image_range)))
        if len(waiting) > _NUM_AHEAD:
          yield from _collect(*waiting.popleft())
      while waiting:
        yield from _collect(*waiting.popleft())
    finally:
      for _, future in waiting:
        if future is not None:
          future.cancel()


def read_picture(path, image_range=None):
  """Returns a picture file as a [height, width, 3] uint8 RGB array, upright by its EXIF tag.

  Grey, palette and CMYK become RGB, an alpha channel is dropped, of 16 bits the upper byte
  counts: what the dataset builders do. `image_range` is the (lowest, highest) value of pictures of
  more than 8 bits, see `wide_pictures.to_rgb`.

  Raises ValueError if the file cannot be read as a picture, or without image_range its values do
  not fill the 16 bits that they have; names it.
  """
  try:
    with limits.open_image(path) as picture:
      raw_files.require_one_page(picture)
      if wide_pictures.is_wide(picture):
        values = wide_pictures.read_colors(picture, path)
        return np.array(wide_pictures.to_rgb(values, image_range))
      return np.array(orientation.upright_image(picture).convert('RGB'))
  except (OSError, ValueError, SyntaxError, EOFError, struct.error, MemoryError,
          Image.DecompressionBombError) as error:
    raise ValueError('%s: not a readable picture (%s).' % (path, error)) from error


def read_frames(path):
  """Yields the frames of a video as [height, width, 3] uint8 RGB arrays.

  Raises ValueError if OpenCV is not installed, or the file cannot be read as a video, or its frames
  have more pixels than allowed.
  """
  try:
    import cv2
  except ImportError as error:
    raise ValueError('%s: videos need OpenCV: pip install opencv-python-headless.'
                     % path) from error
  video = cv2.VideoCapture(path)
  try:
    limits.check_size(int(video.get(cv2.CAP_PROP_FRAME_HEIGHT)),
                      int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), 'a frame')
    is_read, frame = video.read()
    is_empty = not is_read
    while is_read:
      limits.check_size(*frame.shape[:2], 'a frame')
      yield np.ascontiguousarray(frame[..., ::-1])
      is_read, frame = video.read()
  except ValueError as error:
    raise ValueError('%s: not a readable video (%s).' % (path, error)) from error
  finally:
    video.release()
  if is_empty:
    raise ValueError('%s: not a readable video.' % path)


def is_video(path):
  """Returns whether a path has the suffix of a video."""
  return path.lower().endswith(VIDEO_SUFFIXES)


def _expand(pattern, results_folder):
  """Returns the files of one pattern, sorted; those of a list in its order."""
  if os.path.isdir(pattern):  # local: own pictures
    with errors.told('--input=%s: the folder cannot be read' % pattern):
      names = os.listdir(pattern)  # local: own pictures
    paths = [os.path.join(pattern, name) for name in names
             if name.lower().endswith(PICTURE_SUFFIXES)]
    paths = _without_results(paths, results_folder)
    if not paths:
      raise ValueError('--input=%s: the folder holds no pictures (%s).'
                       % (pattern, ' '.join(PICTURE_SUFFIXES)))
    return sorted(paths)
  if os.path.exists(pattern):  # local: own pictures
    return _read_list(pattern, results_folder) if (
        pattern.lower().endswith(LIST_SUFFIX)) else [pattern]
  paths = _matches(pattern, results_folder)
  if not paths:
    raise ValueError('--input=%s: no such file or folder, and the pattern matches none.'
                     % pattern)
  return paths


def _matches(pattern, results_folder):
  """Returns the files that a pattern such as 'photos/*.jpg' matches, sorted."""
  paths = [path for path in glob.glob(pattern, recursive=True)  # local: own pictures
           if os.path.isfile(path)]  # local: own pictures
  # 'photos/*' means the pictures; a pattern of none by name means all the same.
  paths = [path for path in paths
           if path.lower().endswith(PICTURE_SUFFIXES + VIDEO_SUFFIXES)] or paths
  return sorted(_without_results(paths, results_folder))


def _read_list(path, results_folder):
  """Returns the files of a list; relative lines count from here, else from its folder."""
  with errors.told('--input=%s: the list cannot be read' % path):
    lines = files.read_lines(path)
  paths = []
  for line in lines:
    if not line or line.startswith('#'):
      continue
    beside = os.path.join(os.path.dirname(path), line)
    if not os.path.exists(line) and os.path.exists(beside):  # local: own pictures
      line = beside
    if os.path.isdir(line):  # local: own pictures
      paths += _expand(line, results_folder)
    elif os.path.exists(line):  # local: own pictures
      paths.append(line)
    else:
      # What is not there is told of with the pictures that cannot be read.
      paths += (_matches(line, results_folder) or _matches(beside, results_folder)) or [line]
  if not paths:
    raise ValueError('--input=%s: the list is empty.' % path)
  return paths


def _without_results(paths, results_folder):
  """Leaves out what is called like a result and lies with results or its own picture."""
  stems = {os.path.splitext(path)[0] for path in paths}
  results_folder = os.path.realpath(results_folder) if results_folder else None

  def is_result(path):
    for ending in RESULT_ENDINGS:
      if path.endswith(ending):
        return (os.path.realpath(os.path.dirname(path)) == results_folder
                or path[:-len(ending)] in stems)
    return False

  return [path for path in paths if not is_result(path)]


def _collect(named, future):
  """Yields the Pictures of one file."""
  try:
    if future is not None:
      yield Picture(named.name, named.path, future.result())
    else:
      for index, frame in enumerate(read_frames(named.path)):
        yield Picture('%s_%06d' % (named.name, index),
                      '%s, frame %d' % (named.path, index), frame)
  except ValueError as error:
    yield Picture(named.name, named.path, None, str(error))
