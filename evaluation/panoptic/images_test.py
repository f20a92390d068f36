"""Tests of what is said about files that cannot be used, and of missing predictions."""
import json
import os
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from deeplab.evaluation import panoptic_quality, parsing_covering
from deeplab.evaluation.panoptic import coco, images

CATEGORIES = [{'id': 1, 'name': 'cat', 'isthing': 1}, {'id': 2, 'name': 'sky', 'isthing': 0}]
IDS = np.array([[0, 7, 7], [300, 300, 7]])


def write_ids(path, ids):
  ids = np.asarray(ids)
  Image.fromarray(np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype(
      np.uint8)).save(path)


def segment(number, category, **more):
  return dict(id=number, category_id=category, **more)


class Files:
  """A COCO ground truth and prediction of two images, equal, for tests to spoil."""

  def __init__(self, folder):
    self.folder = folder
    self.content = {}
    for kind in ('gt', 'pred'):
      os.makedirs(os.path.join(folder, kind))
      self.content[kind] = {'categories': CATEGORIES, 'annotations': [
          {'image_id': i, 'file_name': '%d.png' % i,
           'segments_info': [segment(7, 1), segment(300, 2)]} for i in (1, 2)]}
      for i in (1, 2):
        write_ids(self.png(kind, i), IDS)

  def png(self, kind, i):
    return os.path.join(self.folder, kind, '%d.png' % i)

  def segments(self, kind, i):
    return self.content[kind]['annotations'][i - 1]['segments_info']

  def evaluate(self, metric_class=panoptic_quality.PanopticQuality, max_instances=3, num_workers=0,
               on_missing='error', crowd_excuses='any'):
    paths = []
    for kind in ('gt', 'pred'):
      paths.append(os.path.join(self.folder, kind + '.json'))
      if self.content[kind] is not None:
        with open(paths[-1], 'w') as f:
          json.dump(self.content[kind], f)
    limits = images.Limits(3, 0, max_instances)
    _, pairs = coco.list_pairs(paths[0], paths[1], os.path.join(self.folder, 'gt'),
                               os.path.join(self.folder, 'pred'), limits)
    metric = metric_class(3, 0, max_instances, 4 * max_instances)
    num_missing = images.evaluate(metric, pairs, num_workers, on_missing, crowd_excuses)
    return metric, num_missing


@pytest.fixture
def files(tmp_path):
  return Files(str(tmp_path))


def test_equal_files_are_perfect(files):
  metric, num_missing = files.evaluate()
  assert metric.tp_per_class.tolist() == [0, 2, 2]
  assert (metric.result(), num_missing) == (1, 0)


def _rename_category(files):
  files.segments('pred', 2)[0]['category_id'] = 9


def _drop_listing(files):
  files.segments('pred', 2).pop()


def _list_too_much(files):
  files.segments('pred', 1).append(segment(5, 1))


def _many_instances(files):
  files.segments('gt', 2)[:] = [segment(i, 1) for i in (1, 2, 3, 4)]
  write_ids(files.png('gt', 2), [[1, 2, 2], [3, 4, 4]])


def _many_crowds(files):
  files.segments('gt', 2)[:] = [segment(i, 1, iscrowd=1) for i in (1, 2, 3)]
  write_ids(files.png('gt', 2), [[1, 2, 2], [3, 3, 3]])


def _other_size(files):
  write_ids(files.png('pred', 2), IDS.T)


def _gray(files):
  Image.fromarray(IDS.astype(np.uint16)).save(files.png('pred', 2))


def _sixteen_bit_rgb(files):
  def chunk(kind, data):
    body = kind + data
    return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body) & 0xFFFFFFFF)
  with open(files.png('gt', 2), 'wb') as f:
    f.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 3, 2, 16, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress((b'\0' + bytes(18)) * 2)) + chunk(b'IEND', b''))


def _jpeg(files):
  Image.new('RGB', (3, 2)).save(files.png('pred', 2), 'JPEG')


def _cut_off(files):
  path = files.png('pred', 2)
  write_ids(path, np.random.RandomState(0).randint(0, 2 ** 24, (50, 50)))
  with open(path, 'r+b') as f:
    f.truncate(600)


def _no_groundtruth_file(files):
  os.remove(files.png('gt', 1))


def _no_prediction_file(files):
  os.remove(files.png('pred', 2))


def _no_prediction_listed(files):
  del files.content['pred']['annotations'][1]


def _no_annotations(files):
  del files.content['pred']['annotations']


def _no_categories(files):
  del files.content['gt']['categories']


def _category_out_of_range(files):
  files.content['gt']['categories'] = CATEGORIES + [{'id': 3, 'name': 'sea'}]


def _category_without_id(files):
  files.content['gt']['categories'] = [{'name': 'sea'}]


def _category_twice(files):
  files.content['gt']['categories'] = CATEGORIES + [{'id': 1, 'name': 'sea'}]


def _segment_without_category(files):
  del files.segments('pred', 1)[0]['category_id']


def _id_of_text(files):
  files.segments('pred', 1)[0]['id'] = '7'


def _id_too_large(files):
  files.segments('gt', 1)[0]['id'] = 1 << 24


def _category_of_nothing(files):
  files.segments('pred', 1)[0]['category_id'] = None


def _image_twice(files):
  files.content['gt']['annotations'][1]['image_id'] = 1


def _nothing_in_it(files):
  files.content['gt']['annotations'] = []


def _not_json(files):
  files.content['pred'] = None
  with open(os.path.join(files.folder, 'pred.json'), 'w') as f:
    f.write('{"annotations": [')


def _no_json(files):
  files.content['gt'] = None


BAD = [
    (_rename_category, r'pred\.json: image 2 \(2\.png\): segment 7 has the unknown category 9'),
    (_drop_listing, r'pred/2\.png: segment id 300 is in the image, but not among the 1 segm'),
    (_list_too_much, r'pred/1\.png: segment id 5 is listed in the JSON file, but not in the im'),
    (_many_instances, r'gt/2\.png: category 1 has more segments than max_instances_per_cate'
                      r'gory=3 allows'),
    (_many_crowds, r'gt/2\.png: category 0 \(ignored, with crowds\) has more segments than'),
    (_other_size, r'pred/2\.png is 3x2 \(height x width\), but its ground truth .*gt/2\.png '
                  r'is 2x3'),
    (_gray, r'pred/2\.png is a PNG of 16-bit grayscale, expected ids as 8-bit RGB'),
    (_sixteen_bit_rgb, r'gt/2\.png is a PNG of 16-bit RGB, expected ids as 8-bit RGB'),
    (_jpeg, r'pred/2\.png is not a PNG file'),
    (_cut_off, r'pred/2\.png cannot be read'),
    (_no_groundtruth_file, r'gt/1\.png cannot be read: No such file'),
    (_no_prediction_file, r'1 of 2 predictions are missing.* image 2: there is no file '
                          r'.*pred/2\.png.*--on_missing=zero'),
    (_no_prediction_listed, r'1 of 2 predictions are missing.* image 2: it is not listed'),
    (_no_annotations, r"pred\.json has no list 'annotations'"),
    (_no_categories, r"gt\.json has no 'categories'"),
    (_category_out_of_range, r'gt\.json: category 3 \(sea\) is not in 0\.\.2: is num_cat'),
    (_category_without_id, r"gt\.json: a category needs an integer 'id' and a 'name'"),
    (_category_twice, r'gt\.json: category 1 stands twice'),
    (_segment_without_category, r"pred\.json: an annotation needs.*'category_id', got .*'id': 7"),
    (_id_of_text, r"pred\.json: an annotation needs.* integers 'id' .*'7'"),
    (_id_too_large, r'gt\.json: an annotation needs .*16777216'),
    (_category_of_nothing, r'pred\.json: an annotation needs .*None'),
    (_image_twice, r'gt\.json: image 1 \(2\.png\) stands twice'),
    (_nothing_in_it, r"gt\.json: 'annotations' is empty"),
    (_not_json, r'pred\.json cannot be read as JSON'),
    (_no_json, r'gt\.json cannot be read as JSON: No such file'),
]


@pytest.mark.parametrize('spoil, message', BAD, ids=[spoil.__name__[1:] for spoil, _ in BAD])
def test_bad_file_is_told_in_one_line_with_its_name(files, spoil, message):
  spoil(files)
  with pytest.raises(ValueError, match=message) as error:
    files.evaluate()
  assert '\n' not in str(error.value)


def _truth_lists_too_much(files):
  files.segments('gt', 1).append(segment(5, 1))


def _truth_lists_too_little(files):
  del files.segments('gt', 1)[1]


def _twice(files):
  files.segments('pred', 1).insert(0, segment(7, 2))


def _void_is_a_segment(files):
  files.segments('pred', 1).append(segment(0, 2))


def _void_is_a_segment_in_both(files):
  for kind in ('gt', 'pred'):
    files.segments(kind, 1).append(segment(0, 2))


def _crowd_predicted(files):
  files.segments('pred', 1)[0]['iscrowd'] = 1


# Per category, 0 is void: matched, missed, made up.
ODD = [
    (_truth_lists_too_much, [2, 2], [0, 0], [0, 0],
     r'gt/1\.png: segment id 5 is listed in the JSON file, but not in the image: it is taken as '
     r'left out'),
    (_truth_lists_too_little, [2, 1], [0, 0], [0, 0],
     r'gt/1\.png: segment id 300 is in the image, but not among the 1 segments listed for it: it '
     r'is taken as void'),
    (_twice, [2, 2], [0, 0], [0, 0],
     r'pred\.json: image 1 \(1\.png\): ids stand twice, and the last segment of an id counts'),
    # Its one pixel lies on void.
    (_void_is_a_segment, [2, 2], [0, 0], [0, 0],
     r'pred\.json: image 1 \(1\.png\): id 0, which means void elsewhere, is a segment here; '
     r'segments of 1 images'),
    (_void_is_a_segment_in_both, [2, 3], [0, 0], [0, 0], r'gt\.json: image 1 \(1\.png\): id 0'),
    (_crowd_predicted, [2, 2], [0, 0], [0, 0],
     r'pred\.json: image 1 \(1\.png\): predicted crowds are no crowds'),
]


@pytest.mark.parametrize('spoil, found, missed, made_up, message', ODD,
                         ids=[row[0].__name__[1:] for row in ODD])
def test_what_the_tools_of_coco_accept_is_taken_with_a_warning(files, caplog, spoil, found, missed,
                                                               made_up, message):
  spoil(files)
  metric, _ = files.evaluate(max_instances=4)
  assert metric.tp_per_class[1:].tolist() == found
  assert metric.fn_per_class[1:].tolist() == missed
  assert metric.fp_per_class[1:].tolist() == made_up
  assert re.search(message, caplog.text)


@pytest.mark.parametrize('spoil', [_no_prediction_file, _no_prediction_listed])
def test_missing_prediction_counts_as_empty_if_asked_for(files, spoil):
  spoil(files)
  metric, num_missing = files.evaluate(on_missing='zero')
  assert num_missing == 1
  assert metric.tp_per_class.tolist() == [0, 1, 1]
  assert metric.fn_per_class.tolist() == [0, 1, 1]
  assert not metric.fp_per_class[1:].any()
  metric, _ = files.evaluate(parsing_covering.ParsingCovering, on_missing='zero')
  assert metric.result() == 0.5


def test_error_in_a_worker_reaches_the_caller(files):
  _other_size(files)
  for i in range(3, 80):
    files.content['gt']['annotations'].append(
        dict(files.content['gt']['annotations'][0], image_id=i))
    files.content['pred']['annotations'].append(
        dict(files.content['pred']['annotations'][0], image_id=i))
  with pytest.raises(ValueError, match=r'pred/2\.png is 3x2'):
    files.evaluate(num_workers=2)


def test_predictions_of_other_images_are_left_out(files):
  del files.content['gt']['annotations'][1]
  metric, _ = files.evaluate()
  assert metric.tp_per_class.tolist() == [0, 1, 1]


@pytest.mark.parametrize('options, message', [
    ({'on_missing': 'skip'}, "on_missing must be one of error, zero, got 'skip'"),
    ({'crowd_excuses': 'none'}, "crowd_excuses must be one of any, same_category, got 'none'"),
    ({'num_workers': -1}, 'num_workers must not be negative, got -1'),
])
def test_arguments_out_of_range_are_told(files, options, message):
  with pytest.raises(ValueError, match=message):
    files.evaluate(**options)
