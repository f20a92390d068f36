"""The COCO panoptic format: a JSON file of segments and categories, a folder of RGB id images.

The panoptic annotations of Cityscapes, as its scripts convert them, have this form too.
"""
import json
import os
import typing

import numpy as np
from absl import logging

from deeplab.core.storage import json_text
from deeplab.evaluation.panoptic import images

_VOID_ID = 0  # Pixels with this id belong to no segment.
_NUM_IDS = 1 << 24  # Three bytes.


class Category(typing.NamedTuple):
  """A category: its id, name, and whether it is a thing, a countable object (None: not known)."""
  id: int
  name: str
  is_thing: typing.Optional[bool]


class CocoSource(typing.NamedTuple):
  """The segments of one image."""
  path: str  # The PNG file.
  rows: np.ndarray  # [S, 3] int32: id, category, whether it is a crowd, of every segment.

  def read(self, limits):
    """Returns the images.Segmentation; raises ValueError with the file and what is wrong."""
    rows = self.rows
    has_void = _VOID_ID not in rows[:, 0]
    if has_void:
      rows = np.append(rows, [[_VOID_ID, limits.ignored_label, 0]], axis=0)
    ids, categories, is_crowd = rows.T
    return images.to_segmentation(
        images.read_color_ids(self.path), images.Segments(
            ids.astype(np.int64), categories, is_crowd != 0,
            has_void & (ids == _VOID_ID)), limits, self.path)


def list_pairs(groundtruth_json, predicted_json, groundtruth_folder, predicted_folder, limits):
  """Returns (dict, id -> Category; list of ImagePair) of two JSON files.

  The folders are those of their id images. Categories are read from the ground truth; the
  prediction need not have them. Raises ValueError; names the file and what is wrong with it.
  """
  content = _read(groundtruth_json)
  if 'categories' not in content:
    raise ValueError("%s has no 'categories'." % groundtruth_json)
  categories = _categories(content['categories'], groundtruth_json, limits)
  known = set(categories) | {limits.ignored_label}
  truth = _sources(content, groundtruth_json, groundtruth_folder, known, allows_crowds=True)
  predicted = _sources(_read(predicted_json), predicted_json, predicted_folder, known,
                       allows_crowds=False)
  if not truth:
    raise ValueError("%s: 'annotations' is empty." % groundtruth_json)
  extra = sorted(set(predicted) - set(truth), key=str)
  if extra:
    logging.warning('%s has %d images that are not in %s and are not evaluated, %r for example.',
                    predicted_json, len(extra), groundtruth_json, extra[0])
  return categories, [images.ImagePair(str(key), truth[key], predicted.get(key))
                      for key in sorted(truth, key=str)]


def with_room(limits, pairs):
  """Returns the limits, with room for all segments that a category has in an image of the pairs.

  Pairs are those of `list_pairs`; more room than was asked for is told in a warning.
  """
  most = 0
  for pair in pairs:
    for source in filter(None, (pair.groundtruth, pair.prediction)):
      categories = np.where(source.rows[:, 2] != 0, limits.ignored_label, source.rows[:, 1])
      # Void is one more of the ignored category.
      most = max(most, np.bincount(np.append(categories, limits.ignored_label)).max())
  if most <= limits.max_instances_per_category:
    return limits
  logging.warning('A category has up to %d segments in an image, more than '
                  'max_instances_per_category=%d: there is room for them all.', most,
                  limits.max_instances_per_category)
  return limits._replace(max_instances_per_category=int(most))


def read_categories(path, limits):
  """Returns dict, id -> Category, of a JSON file with a list as COCO has it, without the ignored.

  The list is of dicts with 'id', 'name' and, where known, 'isthing'. Raises ValueError if the file
  cannot be read, an item lacks something, or an id is out of range or stands twice.
  """
  return _categories(json_text.read(path), path, limits)


def _categories(items, path, limits):
  categories = {}
  for item in items if isinstance(items, list) else [items]:
    if not isinstance(item, dict) or not isinstance(item.get('id'), int) or 'name' not in item:
      raise ValueError("%s: a category needs an integer 'id' and a 'name', got %s."
                       % (path, json.dumps(item)))
    number, is_thing = item['id'], item.get('isthing')
    if number == limits.ignored_label:
      continue
    if not 0 <= number < limits.num_categories:
      raise ValueError('%s: category %d (%s) is not in 0..%d: is num_categories (%d) right?' % (
          path, number, item['name'], limits.num_categories - 1, limits.num_categories))
    if number in categories:
      raise ValueError('%s: category %d stands twice.' % (path, number))
    categories[number] = Category(number, str(item['name']),
                                  None if is_thing is None else bool(is_thing))
  return categories


def _read(path):
  """Returns the content of a JSON file, its annotations as `_compact` makes them."""
  content = json_text.read(path, object_pairs_hook=_compact)
  if not isinstance(content, dict) or not isinstance(content.get('annotations'), list):
    raise ValueError("%s has no list 'annotations': expected the COCO panoptic format." % path)
  return content


def _compact(items):
  """Returns the dict of an object in JSON; segments become tuples, their lists arrays.

  That is done while the file is parsed: dicts of all segments would take several times the
  memory of the file. What does not have the form stays a dict, for the message.
  """
  content = dict(items)
  if 'category_id' in content and 'id' in content and 'segments_info' not in content:
    return content['id'], content['category_id'], content.get('iscrowd', 0)
  rows = content.get('segments_info')
  if isinstance(rows, list) and all(map(_is_segment, rows)):
    rows = np.array(rows, np.int32).reshape(-1, 3)
    return dict({key: content[key] for key in ('image_id', 'file_name') if key in content},
                segments_info=rows)
  return content


def _is_segment(row):
  return isinstance(row, tuple) and all(
      isinstance(number, int) and 0 <= number < _NUM_IDS for number in row)


def _sources(content, path, folder, known, allows_crowds):
  """Returns a dict, image id -> CocoSource."""
  images.check_folder(folder, 'the folder of the id images of %s' % path)
  sources, odd = {}, {}
  for annotation in content['annotations']:
    if not (isinstance(annotation, dict) and {'image_id', 'file_name'} <= set(annotation)
            and isinstance(annotation.get('segments_info'), np.ndarray)):
      raise ValueError(
          "%s: an annotation needs 'image_id', 'file_name' and 'segments_info' with integers "
          "'id' and 'category_id', got %.150r." % (path, annotation))
    image_id, file_name = annotation['image_id'], annotation['file_name']
    where = '%s: image %s (%s)' % (path, image_id, file_name)
    if image_id in sources:
      raise ValueError('%s stands twice.' % where)
    rows = annotation['segments_info']
    _check_categories(rows, known, where)
    sources[image_id] = CocoSource(os.path.join(folder, file_name),
                                   _settled(rows, allows_crowds, where, odd))
  for what, places in odd.items():
    logging.warning('%s; segments of %d images have it.', what % places[0], len(places))
  return sources


def _check_categories(rows, known, where):
  """Raises ValueError if a row has another category than those known."""
  for segment_id, category, _ in rows.tolist():
    if category not in known:
      numbers = sorted(known)
      raise ValueError('%s: segment %d has the unknown category %d; the ground truth has %s%s.' % (
          where, segment_id, category, ', '.join(map(str, numbers[:8])),
          ', ... %d' % numbers[-1] if len(numbers) > 8 else ''))


def _settled(rows, allows_crowds, where, odd):
  """Returns the rows as the tools of COCO take them; adds `where` to what is odd about them.

  `odd` is a dict, what there is to say with a place for `where` -> the list of them.
  """
  def tell(what):
    odd.setdefault(what, []).append(where)

  last = {row[0]: row for row in rows.tolist()}
  if len(last) < len(rows):
    tell('%s: ids stand twice, and the last segment of an id counts')
    rows = np.array(list(last.values()), rows.dtype)
  if _VOID_ID in last:
    tell('%%s: id %d, which means void elsewhere, is a segment here' % _VOID_ID)
  if not allows_crowds and rows[:, 2].any():
    tell('%s: predicted crowds are no crowds, only ground truth has them')
    rows = rows * np.array([1, 1, 0], rows.dtype)
  return rows
