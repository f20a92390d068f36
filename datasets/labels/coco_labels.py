"""Label maps from the annotations of COCO: instances or COCO-Stuff, polygons or run lengths.

References: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; Caesar et al.,
"COCO-Stuff: Thing and Stuff Classes in Context", CVPR 2018.
"""
import collections
import difflib
import os
import typing

from absl import logging

from deeplab.core import keys
from deeplab.core.storage import json_text
from deeplab.datasets.labels import areas
from deeplab.datasets.labels.class_names import BACKGROUND, IGNORE_NAMES
from deeplab.datasets.labels.label_sources import Unusable, by_reason, shown

# Field of annotations that other formats have put into the content: areas.Area.layer.
LAYER = ' layer'
_PARTS = {'images': 'id, file_name, height, width', 'categories': 'id, name',
          'annotations': 'image_id, category_id, segmentation'}


class CocoLabel(typing.NamedTuple):
  """The label source of one image; smaller areas lie on top of larger ones."""
  path: str  # JSON file.
  # (height, width) the annotations are for, or None where the file does not say.
  size: typing.Optional[typing.Tuple[int, int]]
  areas: typing.Tuple[areas.Area, ...]  # Tuple of areas.Area.
  unlabelled: int  # Id of pixels without annotation.
  # Tuple of (name, reason) of annotations that are no areas.
  left_out: typing.Tuple[typing.Tuple[str, str], ...] = ()

  def read(self, height, width):
    """Returns the label_sources.Drawing of [height, width] uint8 class ids.

    Raises ValueError if the image has another size, or pycocotools is not installed.
    """
    if self.size not in (None, (height, width)):
      raise ValueError('%s: the annotations are for %dx%d (height x width), the image is %dx%d.'
                       % ((self.path,) + self.size + (height, width)))
    return areas.draw(self.areas, (height, width), self.unlabelled, self.left_out)


class MissingEntry(typing.NamedTuple):
  """The label source of an image, of the name `stem`, that the JSON file `path` does not list."""
  path: str
  stem: str

  def read(self, unused_height, unused_width):
    """Raises ValueError."""
    raise ValueError('%s has no entry for the image %r.' % (self.path, self.stem))


class CocoFile(object):
  """The annotations of a JSON file, by image.

  What leads nowhere is counted and named in the log: annotations of images or categories that are
  not in the file, categories and classes without each other, images without annotation.
  """

  def __init__(self, path, class_names=None, ignore_label=keys.IGNORE_LABEL,
               boxes_as_areas=None, content=None):
    """Reads a JSON file with images, annotations and categories.

    Args:
      path: the file.
      class_names: names of the classes in the order of their ids; those that are categories of the
        file are painted. None: background, then the categories in the order of their ids.
      ignore_label: value of categories called `ignore`.
      boxes_as_areas: whether the boxes of annotations without segmentation are painted.
      content: what the file holds, if it is read already.

    Raises ValueError if the file cannot be read, holds something else, contradicts itself, no class
    is a category, or none of its annotations is an area of an image and class.
    """
    self.path = path
    self._boxes_as_areas = boxes_as_areas
    content = json_text.read(path) if content is None else content
    self._check_parts(content)
    self._categories = self._by_id(content['categories'], 'categories', 'name')
    self._names = {key: str(item['name']) for key, item in self._categories.items()}
    self.class_names = class_names or self._names_by_id()  # One name per class id.
    ids = dict.fromkeys(IGNORE_NAMES, ignore_label)
    ids.update((name, i) for i, name in enumerate(self.class_names))
    self._class_ids = {key: ids[name] for key, name in self._names.items() if name in ids}
    self._images = self._by_id(content['images'], 'images', 'file_name')
    self._stems = self._by_stem()
    self._areas = collections.defaultdict(list)
    self._left_out = collections.defaultdict(list)
    self._check_classes(content['annotations'])
    self._sort_in(content['annotations'])

  def stems(self):
    """Returns the names of the images, without folder and extension, sorted."""
    return sorted(self._stems)

  def label(self, stem, unlabelled):
    """Returns the label source of the image `stem`; a MissingEntry if the file does not list it.

    `unlabelled` is the id of pixels in no annotation.
    """
    key = self._stems.get(stem)
    if key is None:
      return MissingEntry(self.path, stem)
    return CocoLabel(self.path, self._size(key), tuple(self._areas.get(key, ())), unlabelled,
                     tuple(self._left_out.get(key, ())))

  def _check_parts(self, content):
    missing = [part for part in _PARTS
               if not isinstance(content, dict) or not isinstance(content.get(part), list)]
    if missing:
      raise ValueError('%s: expected an object with the lists %s; missing: %s.' % (
          self.path, ', '.join('%s (%s)' % item for item in _PARTS.items()),
          ', '.join(missing)))
    if any(isinstance(item, dict) and 'segments_info' in item
           for item in content['annotations'][:1]):
      raise ValueError('%s is a file of panoptic COCO, whose labels are PNG files; expected '
                       'instances or COCO-Stuff.' % self.path)

  def _by_id(self, items, part, name):
    """Returns dict, _key of the id -> entry."""
    found = collections.OrderedDict()
    for item in items:
      missing = [field for field in ('id', name)
                 if not isinstance(item, dict) or item.get(field) is None]
      if missing:
        raise ValueError('%s: every entry of %s must have %s; missing: %r in %.80r.'
                         % (self.path, part, _PARTS[part], missing[0], item))
      key = _key(item['id'])
      if found.get(key, item) != item:
        raise ValueError('%s: two entries of %s have the id %s: %s and %s.' % (
            self.path, part, key, found[key][name], item[name]))
      found[key] = item
    return found

  def _names_by_id(self):
    """Returns background and the names of the categories by their ids, each once."""
    names = [BACKGROUND]
    for key in sorted(self._names, key=lambda key: (not key.isdigit(), key.zfill(20))):
      name = self._names[key]
      if name in names[1:]:
        logging.warning('%s: several categories are called %r; they become one class.',
                        self.path, name)
      elif name not in (BACKGROUND,) + IGNORE_NAMES:
        names.append(name)
    return names

  def _by_stem(self):
    """Returns dict, stem of an image -> _key of its id."""
    found = {}
    for key, image in self._images.items():
      path = str(image['file_name']).replace('\\', '/')
      stem = os.path.splitext(os.path.basename(path))[0]
      if stem in found:
        raise ValueError('%s: two images are called %r.' % (self.path, stem))
      self._size(key)
      found[stem] = key
    return found

  def _size(self, key):
    """Returns (height, width) of an image, None where they are not said."""
    image = self._images[key]
    stated = image.get('height') or None, image.get('width') or None
    try:
      return None if stated == (None, None) else (int(stated[0]), int(stated[1]))
    except (TypeError, ValueError, OverflowError) as error:
      raise ValueError('%s: image %s has the height %r and the width %r, expected two whole '
                       'numbers.' % (self.path, image['file_name'], *stated)) from error

  def _check_classes(self, annotations):
    """Stops at classes without any category; tells of those without each other."""
    there = sorted(set(self._names.values()))
    if not self._class_ids:
      raise ValueError('%s: none of the classes %s is a category; there are %s.' % (
          self.path, ', '.join(self.class_names), ', '.join(there) or 'none'))
    counts = collections.Counter(
        _key(item.get('category_id')) for item in annotations if isinstance(item, dict))
    self._tell('categories that are not among --class_names are not painted: %s.', [
        '%r (%d annotations)' % (name, counts[key]) for key, name in self._names.items()
        if key not in self._class_ids])
    self._tell('categories without annotation: %s.',
               [repr(name) for key, name in self._names.items() if not counts[key]])
    for name in self.class_names:
      if name not in there and name.strip('_').lower() != BACKGROUND:
        others = {each.lower(): each for each in reversed(there) if each not in self.class_names}
        near = difflib.get_close_matches(name.lower(), others, 1, .8)
        logging.warning('%s: class %r is no category, no annotation becomes it%s.', self.path,
                        name, '; did you mean %r?' % others[near[0]] if near else '')

  def _sort_in(self, annotations):
    """Puts annotations to their images; raises ValueError if all of them lead nowhere."""
    nowhere, unwanted, num_renamed, num_crowds = [], [], 0, 0
    for i, item in enumerate(annotations):
      if not isinstance(item, dict):
        nowhere.append(('entry %d' % i, 'no fields'))
        continue
      image, category = _key(item.get('image_id')), _key(item.get('category_id'))
      name = 'annotation %s (%s)' % (
          item.get('id', 'number %d' % i),
          self._names.get(category, 'category_id %.20r' % item.get('category_id')))
      if image not in self._images:
        nowhere.append((name, 'an image_id that is no image of the file'))
      elif category not in self._categories:
        self._left_out[image].append((name, 'a category_id that is no category of the file'))
      elif category not in self._class_ids:
        unwanted.append((name, 'a category that is not among the classes'))
      else:
        num_renamed += (type(item['image_id']) is not type(self._images[image]['id'])
                        or type(item['category_id']) is not type(self._categories[category]['id']))
        num_crowds += bool(item.get('iscrowd'))
        self._add(item, name, image, self._class_ids[category])
    found = nowhere + unwanted + [entry for entries in self._left_out.values() for entry in entries]
    if found and not self._areas:
      raise ValueError('%s: none of its annotations can be drawn. %s.' % (
          self.path, '; '.join(by_reason(found))))
    for line in by_reason(nowhere):
      logging.warning('%s: annotations left out: %s', self.path, line)
    if num_renamed:
      logging.warning('%s: %d annotations write the ids of images or categories in another way '
                      '(text, number) than those do; they are taken for the same.', self.path,
                      num_renamed)
    if num_crowds:
      logging.info('%s: %d annotations are crowds (iscrowd); they are painted as their class.',
                   self.path, num_crowds)
    empty = [stem for stem, key in sorted(self._stems.items())
             if key not in self._areas and key not in self._left_out]
    self._tell('%d of %d images have no annotation that is painted: %%s.'
               % (len(empty), len(self._stems)), empty)

  def _add(self, item, name, image, class_id):
    segmentation = item.get('segmentation')
    try:
      if not segmentation or (isinstance(segmentation, list) and not any(segmentation)):
        segmentation = areas.box_segmentation(item.get('bbox'))
        if not self._boxes_as_areas:
          raise Unusable(areas.BOX_ALONE)
      self._areas[image].append(
          areas.Area(name, class_id, segmentation, item.get(LAYER, 0)))
    except Unusable as error:
      self._left_out[image].append((name, str(error)))

  def _tell(self, message, names):
    """Logs names, if there are any, with a message in which %s stands for them."""
    if names:
      logging.info('%s: %s', self.path, message % shown(names))


def _key(value):
  """Returns an id as text, the same for 7, 7.0, "7" and "007"."""
  if isinstance(value, float) and value.is_integer():
    value = int(value)
  text = str(value).strip()
  return text.lstrip('0') or '0' if text.isdigit() else text
