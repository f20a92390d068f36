"""The COCO panoptic format: a JSON file of segments and a folder of RGB id images.

The panoptic annotations of Cityscapes, as its scripts convert them, have this form too.
"""
import os
import typing

import numpy as np
from absl import logging

from deeplab.evaluation import panoptic_categories, panoptic_images, segment_pairs

# Pixels with this id belong to no segment.
_VOID_ID = 0
_FOLDER_HINT = 'folder of the id images'


class CocoSource(typing.NamedTuple):
  """The segments of one image.

  Attributes:
    path: the PNG file.
    segments: panoptic_images.Segments.
  """
  path: str
  segments: panoptic_images.Segments

  def read(self, limits):
    """Returns the panoptic_images.Segmentation.

    Raises:
      ValueError: names the file and what is wrong with it.
    """
    ids = panoptic_images.read_color_ids(self.path)
    segmentation = panoptic_images.to_segmentation(ids, _with_void(self.segments), limits,
                                                   self.path)
    absent = np.setdiff1d(self.segments.ids, segment_pairs.runs(ids.ravel())[0])
    if absent.size:
      raise ValueError('%s: segment id %d is listed in the JSON file, but not in the image.'
                       % (self.path, absent[0]))
    return segmentation


def list_pairs(groundtruth_json, predicted_json, groundtruth_folder, predicted_folder, limits):
  """Returns the categories and the pairs of images of two JSON files.

  Args:
    groundtruth_json: path of the JSON file of the ground truth.
    predicted_json: path of that of the prediction; its categories are not needed.
    groundtruth_folder: folder of the id images.
    predicted_folder: the same for the prediction.
    limits: panoptic_images.Limits.

  Returns:
    (dict, id -> panoptic_categories.Category; list of ImagePair).

  Raises:
    ValueError: names the file and what is wrong with it.
  """
  content = _read(groundtruth_json)
  if 'categories' not in content:
    raise ValueError("%s has no 'categories'." % groundtruth_json)
  categories = panoptic_categories.parse(content['categories'], groundtruth_json,
                                         limits.num_categories, limits.ignored_label)
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
  return categories, [panoptic_images.ImagePair(str(key), truth[key], predicted.get(key))
                      for key in sorted(truth, key=str)]


def _read(path):
  content = panoptic_categories.read_json(path)
  if not isinstance(content, dict) or not isinstance(content.get('annotations'), list):
    raise ValueError("%s has no list 'annotations': expected the COCO panoptic format." % path)
  return content


def _sources(content, path, folder, known, allows_crowds):
  """Returns a dict, image id -> CocoSource; the parsed JSON can be dropped afterwards."""
  if not os.path.isdir(folder):
    raise ValueError('There is no folder %s, expected the %s of %s.'
                     % (folder, _FOLDER_HINT, path))
  sources = {}
  for annotation in content['annotations']:
    try:
      image_id, file_name = annotation['image_id'], annotation['file_name']
      rows = [(int(s['id']), int(s['category_id']), bool(s.get('iscrowd', 0)))
              for s in annotation['segments_info']]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
      raise ValueError(
          "%s: an annotation needs 'image_id', 'file_name' and 'segments_info' with 'id' and "
          "'category_id': %s in %.120r." % (path, repr(error), annotation)) from error
    where = '%s: image %s (%s)' % (path, image_id, file_name)
    if image_id in sources:
      raise ValueError('%s stands twice.' % where)
    _check_segments(rows, where, known, allows_crowds)
    sources[image_id] = CocoSource(os.path.join(folder, file_name), _segments(rows))
  return sources


def _check_segments(rows, where, known, allows_crowds):
  """Raises ValueError for segments that contradict each other or the categories."""
  seen = set()
  for segment_id, category, is_crowd in rows:
    if segment_id in seen:
      raise ValueError('%s: segment id %d stands twice.' % (where, segment_id))
    seen.add(segment_id)
    if segment_id == _VOID_ID:
      raise ValueError('%s: segment id %d stands for void and cannot have a category.'
                       % (where, segment_id))
    if category not in known:
      raise ValueError('%s: segment %d has the unknown category %d; the ground truth has %s.'
                       % (where, segment_id, category, _shortened(sorted(known))))
    if is_crowd and not allows_crowds:
      raise ValueError('%s: segment %d is a crowd, which only ground truth can have.'
                       % (where, segment_id))


def _segments(rows):
  columns = np.array(rows, np.int64).reshape(-1, 3)
  return panoptic_images.Segments(
      ids=columns[:, 0], categories=columns[:, 1].astype(np.int32),
      is_crowd=columns[:, 2] != 0, is_void=np.zeros(len(columns), bool))


def _with_void(segments):
  first = (_VOID_ID, -1, False, True)
  return panoptic_images.Segments(*[np.append(array, np.array([value], array.dtype))
                                    for array, value in zip(segments, first)])


def _shortened(numbers):
  text = ', '.join(str(n) for n in numbers[:8])
  return text + (', ... %d' % numbers[-1] if len(numbers) > 8 else '')
