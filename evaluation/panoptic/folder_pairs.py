"""Plain folders: one of class PNGs and one of instance PNGs, of the same file names.

Pixels with the same class and instance are a segment. Instance 0 of the ignored class is
void; its other instances are crowds of unknown classes.
"""
import os
import typing

import numpy as np

from deeplab.evaluation.panoptic import images

_SUFFIX = '.png'


class FolderSource(typing.NamedTuple):
  """The segments of one image.

  Attributes:
    path: PNG of class ids, one channel.
    instance_path: PNG of instance ids, one channel, same size.
  """
  path: str
  instance_path: str

  def read(self, limits):
    """Returns the images.Segmentation.

    Raises:
      ValueError: names the file and what is wrong with it.
    """
    classes = images.read_gray_ids(self.path)
    instances = images.read_gray_ids(self.instance_path)
    if classes.shape != instances.shape:
      raise ValueError('%s is %dx%d (height x width), but %s is %dx%d.' % (
          (self.path,) + classes.shape + (self.instance_path,) + instances.shape))
    # Instances have up to 16 bits; numbering them anew keeps large ids within the limits.
    ids = (classes << np.uint32(16)) + instances
    present = images.distinct_ids(ids)
    categories = present >> 16
    is_ignored = categories == limits.ignored_label
    return images.to_segmentation(
        ids, images.Segments(present, categories, np.zeros(len(present), bool),
                             is_ignored & (present & 0xFFFF == 0)),
        limits, self.path)


def list_pairs(groundtruth_folders, predicted_folders):
  """Returns the list of ImagePair of (class folder, instance folder) twice.

  Files may lie in subfolders, the same in all four.

  Raises:
    ValueError: names the folder or file that is missing.
  """
  truth, predicted = _list(groundtruth_folders), _list(predicted_folders)
  if not truth:
    raise ValueError('There are no PNG files in %s.' % groundtruth_folders[0])
  return [images.ImagePair(name, truth[name], predicted.get(name))
          for name in sorted(truth)]


def _list(folders):
  """Returns a dict, relative path -> FolderSource."""
  for folder in folders:
    if not os.path.isdir(folder):
      raise ValueError('There is no folder %s.' % folder)
  names = []
  for parent, _, files in os.walk(folders[0]):
    names += [os.path.relpath(os.path.join(parent, f), folders[0]) for f in files
              if f.endswith(_SUFFIX)]
  sources = {name: FolderSource(*[os.path.join(folder, name) for folder in folders])
             for name in names}
  for source in sources.values():
    if not os.path.exists(source.instance_path):
      raise ValueError('%s has no instances: there is no file %s.'
                       % (source.path, source.instance_path))
  return sources
