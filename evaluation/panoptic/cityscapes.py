"""Cityscapes as released: folders of `<city>_<sequence>_<frame>..._instanceIds.png`.

Pixels below 1000 hold a label id; others hold label id * 1000 + number of the object. Label
ids that the benchmark does not evaluate are void. Ground truth of things without a number is
a group, treated as a crowd. Categories are the 19 classes in the order of their train ids.
"""
import os
import re
import typing

import numpy as np

from deeplab.datasets import registry
from deeplab.evaluation.panoptic import categories as panoptic_categories
from deeplab.evaluation.panoptic import images

_DESCRIPTOR = registry.DATASETS['cityscapes']
NUM_CATEGORIES = _DESCRIPTOR.num_classes
IGNORED_LABEL = _DESCRIPTOR.ignore_label

_INSTANCES_PER_LABEL = 1000
_NUM_LABEL_IDS = 34
# Label ids from here on are people and vehicles.
_FIRST_THING_LABEL_ID = 24
_FILE_NAME = re.compile(r'(?P<frame>.+_\d{6}_\d{6})(_.*instanceIds)?\.png$')


class CityscapesSource(typing.NamedTuple):
  """The segments of one image.

  Attributes:
    path: the PNG file.
    has_groups: whether things without a number are groups (ground truth) or segments.
  """
  path: str
  has_groups: bool

  def read(self, limits):
    """Returns the images.Segmentation.

    Raises:
      ValueError: names the file and what is wrong with it.
    """
    id_image = images.read_gray_ids(self.path)
    ids = images.distinct_ids(id_image)
    has_number = ids >= _INSTANCES_PER_LABEL
    label_ids = np.where(has_number, ids // _INSTANCES_PER_LABEL, ids)
    if label_ids.max() >= _NUM_LABEL_IDS:
      worst = label_ids.argmax()
      raise ValueError('%s: id %d means label id %d, which is not in 0..%d of Cityscapes.' % (
          self.path, ids[worst], label_ids[worst], _NUM_LABEL_IDS - 1))
    train_ids = np.full([_NUM_LABEL_IDS], IGNORED_LABEL)
    train_ids[list(_DESCRIPTOR.train_id_to_eval_id)] = np.arange(NUM_CATEGORIES)
    categories = train_ids[label_ids]
    is_void = categories == IGNORED_LABEL
    is_crowd = (self.has_groups & ~has_number & ~is_void
                & (label_ids >= _FIRST_THING_LABEL_ID))
    return images.to_segmentation(
        id_image, images.Segments(ids, categories, is_crowd, is_void), limits,
        self.path)


def list_pairs(groundtruth_folder, predicted_folder):
  """Returns the categories and the pairs of images of two folders and their subfolders.

  Args:
    groundtruth_folder: `gtFine/val` for example.
    predicted_folder: folder of files named alike, or `<city>_<sequence>_<frame>.png`.

  Returns:
    (dict, id -> categories.Category; list of ImagePair).

  Raises:
    ValueError: names the folder or file that is missing or stands twice.
  """
  categories = {
      i: panoptic_categories.Category(i, name, label_id >= _FIRST_THING_LABEL_ID)
      for i, (name, label_id) in enumerate(zip(_DESCRIPTOR.class_names,
                                               _DESCRIPTOR.train_id_to_eval_id))}
  truth, predicted = _find(groundtruth_folder), _find(predicted_folder)
  if not truth:
    raise ValueError('There are no files <city>_<sequence>_<frame>_gtFine_instanceIds.png in %s '
                     'or its subfolders.' % groundtruth_folder)
  return categories, [
      images.ImagePair(
          frame, CityscapesSource(truth[frame], True),
          CityscapesSource(predicted[frame], False) if frame in predicted else None)
      for frame in sorted(truth)]


def _find(folder):
  """Returns a dict, frame -> path of its PNG in the folder or a subfolder."""
  if not os.path.isdir(folder):
    raise ValueError('There is no folder %s.' % folder)
  paths = {}
  for parent, _, names in os.walk(folder):
    for name in sorted(names):
      match = _FILE_NAME.match(name)
      if not match:
        continue
      frame = match.group('frame')
      if frame in paths:
        raise ValueError('Two files are of the same frame: %s and %s.' % (
            paths[frame], os.path.join(parent, name)))
      paths[frame] = os.path.join(parent, name)
  return paths
