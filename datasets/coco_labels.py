"""Label maps from the annotations of COCO: instances or COCO-Stuff, polygons or run lengths.

References: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; Caesar et al.,
"COCO-Stuff: Thing and Stuff Classes in Context", CVPR 2018.
"""
import collections
import os
import typing

import numpy as np

from deeplab.core import json_text

BACKGROUND = 'background'
_LEAST_COORDINATES = 6


class CocoLabel(typing.NamedTuple):
  """The label source of one image; smaller areas lie on top of larger ones.

  Attributes:
    path: JSON file.
    size: (height, width) the annotations are for.
    annotations: tuple of (class id, segmentation as in the file).
    unlabelled: id of pixels without annotation.
  """
  path: str
  size: typing.Tuple[int, int]
  annotations: typing.Tuple[typing.Tuple[int, typing.Any], ...]
  unlabelled: int

  def paths(self):
    """Returns the one file."""
    return [self.path]

  def read(self, height, width):
    """Returns the [height, width] uint8 class ids.

    Raises:
      ValueError: the image has another size, a segmentation is not usable, or pycocotools is
        not installed.
    """
    if self.size != (height, width):
      raise ValueError('%s: the annotations are for %dx%d (height x width), the image is %dx%d.'
                       % ((self.path,) + self.size + (height, width)))
    masks = [(class_id, self._mask(segmentation)) for class_id, segmentation in self.annotations]
    labels = np.full((height, width), self.unlabelled, np.uint8)
    for class_id, mask in sorted(masks, key=lambda item: -int(item[1].sum())):
      labels[mask] = class_id
    return labels

  def _mask(self, segmentation):
    """Returns the [height, width] bool mask of polygons or run lengths."""
    try:
      from pycocotools import mask
    except ImportError as error:
      raise ValueError('%s needs pycocotools to be read: pip install "deeplab[coco]".'
                       % self.path) from error
    height, width = self.size
    try:
      self._check(segmentation)
      runs = segmentation
      if isinstance(segmentation, list) or isinstance(segmentation['counts'], list):
        runs = mask.frPyObjects(segmentation, height, width)
      if isinstance(runs, list):
        runs = mask.merge(runs)
      return mask.decode(runs).astype(bool)
    except Exception as error:
      # Its C code raises whatever the numbers lead to.
      raise ValueError('%s: the segmentation %.80r is not usable: %s.'
                       % (self.path, segmentation, error)) from error

  def _check(self, segmentation):
    """Raises ValueError for what would harm the C code."""
    if isinstance(segmentation, dict):
      counts, size = segmentation['counts'], tuple(segmentation['size'])
      if size != self.size:
        raise ValueError('it is of size %r' % (size,))
      if isinstance(counts, list) and (min(counts) < 0 or sum(counts) != size[0] * size[1]):
        raise ValueError('the run lengths add up to %d, not %d pixels'
                         % (sum(counts), size[0] * size[1]))
    elif not segmentation or any(len(polygon) < _LEAST_COORDINATES or len(polygon) % 2
                                 for polygon in segmentation):
      raise ValueError('polygons need three points or more')


class MissingEntry(typing.NamedTuple):
  """The label source of an image that the file does not list.

  Attributes:
    path: JSON file.
    stem: name of the image.
  """
  path: str
  stem: str

  def paths(self):
    """Returns the one file."""
    return [self.path]

  def read(self, unused_height, unused_width):
    """Raises ValueError."""
    raise ValueError('%s has no entry for the image %r.' % (self.path, self.stem))


class CocoFile(object):
  """The annotations of a JSON file, by image.

  Attributes:
    path: the file.
    class_names: one name per class id.
  """

  def __init__(self, path, class_names=None):
    """Reads a file.

    Args:
      path: JSON file with images, annotations and categories.
      class_names: names of the classes in the order of their ids; those that are categories
        of the file are painted. None: background, then the categories in the order of their
        ids.

    Raises:
      ValueError: the file cannot be read, holds something else, or no class is a category.
    """
    self.path = path
    content = self._content()
    try:
      categories = {item['id']: item['name'] for item in content['categories']}
      self.class_names = class_names or [BACKGROUND] + [
          categories[i] for i in sorted(categories) if categories[i] != BACKGROUND]
      self._class_ids = {i: self.class_names.index(name) for i, name in categories.items()
                         if name in self.class_names}
      self._images = self._by_stem(content['images'])
      self._annotations = collections.defaultdict(list)
      for item in content['annotations']:
        if item['category_id'] not in categories:
          raise ValueError('%s: annotation %s is of category %r, which is not described.'
                           % (path, item.get('id'), item['category_id']))
        if item['category_id'] in self._class_ids and item.get('segmentation'):
          self._annotations[item['image_id']].append(
              (self._class_ids[item['category_id']], item['segmentation']))
    except (KeyError, TypeError) as error:
      raise ValueError('%s: expected images (id, file_name, height, width), categories (id, '
                       'name) and annotations (image_id, category_id, segmentation); missing: '
                       '%s.' % (path, error)) from error
    if not self._class_ids:
      raise ValueError('%s: none of the classes %s is a category; there are %s.' % (
          path, ', '.join(self.class_names), ', '.join(categories.values())))

  def stems(self):
    """Returns the names of the images, without folder and extension, sorted."""
    return sorted(self._images)

  def label(self, stem, unlabelled):
    """Returns the label source of an image.

    Args:
      stem: name of the image; one that the file does not list has a MissingEntry.
      unlabelled: id of pixels in no annotation.
    """
    image = self._images.get(stem)
    if image is None:
      return MissingEntry(self.path, stem)
    return CocoLabel(self.path, (int(image['height']), int(image['width'])),
                     tuple(self._annotations.get(image['id'], ())), unlabelled)

  def _content(self):
    try:
      return json_text.read(self.path)
    except (OSError, ValueError) as error:
      raise ValueError('%s cannot be read as JSON: %s.' % (self.path, error)) from error

  def _by_stem(self, images):
    found = {}
    for image in images:
      stem = os.path.splitext(os.path.basename(image['file_name']))[0]
      if stem in found:
        raise ValueError('%s: two images are called %r.' % (self.path, stem))
      int(image['height']), int(image['width']), image['id']  # noqa: B018  (all must be there)
      found[stem] = image
    return found
