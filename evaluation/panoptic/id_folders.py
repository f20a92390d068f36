"""Folders of PNG files whose pixels alone tell the segments, as Cityscapes or as plain folders.

Cityscapes as released: `<city>_<sequence>_<frame>..._instanceIds.png`. Pixels below 1000 hold a
label id; others hold label id * 1000 + number of the object. Label ids that the benchmark does not
evaluate are void. Ground truth of things without a number is a group, treated as a crowd.
Categories are the 19 classes in the order of their train ids.

Plain folders: one of class PNGs and one of instance PNGs, of the same file names. Pixels with the
same class and instance are a segment. Instance 0 of the ignored class is void; its other
instances are crowds of unknown classes.
"""
import os
import re
import typing

import numpy as np

from deeplab.datasets import registry
from deeplab.evaluation.panoptic import coco, images

_CITYSCAPES = registry.DATASETS['cityscapes']
CITYSCAPES_NUM_CATEGORIES = _CITYSCAPES.num_classes
CITYSCAPES_IGNORED_LABEL = _CITYSCAPES.ignore_label

_INSTANCES_PER_LABEL = 1000
_NUM_LABEL_IDS = 34
_FIRST_THING_LABEL_ID = 24  # Label ids from here on are people and vehicles.
_CITYSCAPES_NAME = re.compile(r'(.+_\d{6}_\d{6})(_.*instanceIds)?\.png$')
_PLAIN_NAME = re.compile(r'.*\.png$')


class CityscapesSource(typing.NamedTuple):
  """The segments of one image."""
  path: str  # The PNG file.
  has_groups: bool  # Whether things without a number are groups (ground truth) or segments.

  def read(self, limits):
    """Returns the images.Segmentation; raises ValueError with the file and what is wrong."""
    id_image = images.read_gray_ids(self.path)
    ids = images.distinct_ids(id_image)
    has_number = ids >= _INSTANCES_PER_LABEL
    label_ids = np.where(has_number, ids // _INSTANCES_PER_LABEL, ids)
    if label_ids.max() >= _NUM_LABEL_IDS:
      worst = label_ids.argmax()
      raise ValueError('%s: id %d means label id %d, which is not in 0..%d of Cityscapes.' % (
          self.path, ids[worst], label_ids[worst], _NUM_LABEL_IDS - 1))
    train_ids = np.full([_NUM_LABEL_IDS], CITYSCAPES_IGNORED_LABEL)
    train_ids[list(_CITYSCAPES.train_id_to_eval_id)] = np.arange(CITYSCAPES_NUM_CATEGORIES)
    categories = train_ids[label_ids]
    is_void = categories == CITYSCAPES_IGNORED_LABEL
    is_crowd = (self.has_groups & ~has_number & ~is_void
                & (label_ids >= _FIRST_THING_LABEL_ID))
    return images.to_segmentation(
        id_image, images.Segments(ids, categories, is_crowd, is_void), limits, self.path)


class PlainSource(typing.NamedTuple):
  """The segments of one image."""
  path: str  # PNG of class ids, one channel.
  instance_path: str  # PNG of instance ids, one channel, same size.

  def read(self, limits):
    """Returns the images.Segmentation; raises ValueError with the file and what is wrong."""
    classes = images.read_gray_ids(self.path)
    instances = images.read_gray_ids(self.instance_path)
    if classes.shape != instances.shape:
      raise ValueError('%s is %dx%d (height x width), but %s is %dx%d.' % (
          (self.path,) + classes.shape + (self.instance_path,) + instances.shape))
    # Instances have up to 16 bits; numbering them anew keeps large ids within the limits.
    id_image = (classes << np.uint32(16)) + instances
    ids = images.distinct_ids(id_image)
    categories = ids >> 16
    is_void = (categories == limits.ignored_label) & (ids & 0xFFFF == 0)
    return images.to_segmentation(
        id_image, images.Segments(ids, categories, np.zeros(len(ids), bool), is_void), limits,
        self.path)


def list_cityscapes_pairs(groundtruth_folder, predicted_folder):
  """Returns (dict, id -> coco.Category; list of ImagePair) of two folders and their subfolders.

  The ground truth is in `gtFine/val` for example; predictions are named alike, or
  `<city>_<sequence>_<frame>.png`. Raises ValueError; names what is missing or stands twice.
  """
  categories = {
      i: coco.Category(i, name, label_id >= _FIRST_THING_LABEL_ID)
      for i, (name, label_id) in enumerate(zip(_CITYSCAPES.class_names,
                                               _CITYSCAPES.train_id_to_eval_id))}
  truth, predicted = _frames(groundtruth_folder), _frames(predicted_folder)
  if not truth:
    raise ValueError('There are no files <city>_<sequence>_<frame>_gtFine_instanceIds.png in %s '
                     'or its subfolders.' % groundtruth_folder)
  return categories, [
      images.ImagePair(
          frame, CityscapesSource(truth[frame], True),
          CityscapesSource(predicted[frame], False) if frame in predicted else None)
      for frame in sorted(truth)]


def list_plain_pairs(groundtruth_folders, predicted_folders):
  """Returns the list of ImagePair of (class folder, instance folder) twice.

  Files may lie in subfolders, the same in all four. Raises ValueError; names what is missing.
  """
  truth, predicted = _plain_sources(groundtruth_folders), _plain_sources(predicted_folders)
  if not truth:
    raise ValueError('There are no PNG files in %s.' % groundtruth_folders[0])
  return [images.ImagePair(name, truth[name], predicted.get(name)) for name in sorted(truth)]


def _frames(folder):
  """Returns a dict, '<city>_<sequence>_<frame>' -> path of its PNG."""
  paths = {}
  for path, match in _files(folder, _CITYSCAPES_NAME):
    frame = match.group(1)
    if frame in paths:
      raise ValueError('Two files are of the same frame: %s and %s.' % (paths[frame], path))
    paths[frame] = path
  return paths


def _plain_sources(folders):
  """Returns a dict, relative path -> PlainSource."""
  class_folder, instance_folder = folders
  images.check_folder(instance_folder)
  sources = {}
  for path, _ in _files(class_folder, _PLAIN_NAME):
    name = os.path.relpath(path, class_folder)
    sources[name] = PlainSource(path, os.path.join(instance_folder, name))
    if not os.path.exists(sources[name].instance_path):
      raise ValueError('%s has no instances: there is no file %s.' % sources[name])
  return sources


def _files(folder, pattern):
  """Yields (path, match of its name) of the files of a folder and its subfolders."""
  images.check_folder(folder)
  for parent, _, names in os.walk(folder):
    for name in sorted(names):
      match = pattern.match(name)
      if match:
        yield os.path.join(parent, name), match
