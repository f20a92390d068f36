"""Speed and memory of evaluating panoptic files of the size of COCO's.

Compared in one run: one process, two worker processes, and a plain loop that takes masks
segment by segment and `np.unique` of every pixel's ids.
"""
import json
import os
import shutil
import tempfile
import time

import numpy as np
from PIL import Image

from deeplab.evaluation import panoptic_quality, panoptic_sample
from deeplab.evaluation.base_metric import realdiv_maybe_zero
from deeplab.utils import benchmark_child

_MODULE = 'deeplab.utils.benchmark_panoptic'
_NUM_CATEGORIES = 6
_MAX_INSTANCES = 256
_OFFSET = (_NUM_CATEGORIES + 1) * _MAX_INSTANCES
# Some segments are hidden by others; about twenty are seen.
_SIZE = panoptic_sample.SampleSize(num_images=40, height=480, width=640, num_segments=23)
_KINDS = ('groundtruth', 'prediction')
# Images are listed again and again until there are so many.
_FEW, _MANY = 500, 5000
_NUM_IN_LOOP, _NUM_IN_ONE = 200, 1000
_LOOP, _ONE, _TWO = 'np.unique loop', 'one process', 'two workers'


def measure_all(repeats, variants=None):
  """Yields the rows of `utils/benchmark.py`; backbones have no part in this."""
  del variants
  folder = tempfile.mkdtemp()
  try:
    yield _row('segments per image', write_files(folder), '')
    runs = [_measure_rates(folder) for _ in range(repeats)]
    for name, target in ((_LOOP, None), (_ONE, None), (_TWO, '>= 100')):
      yield _row(name, np.median([run[name] for run in runs]), 'images/s', target)
    for name, base, target in ((_ONE, _LOOP, '>= 1.5'), (_TWO, _ONE, None)):
      yield _row('%s / %s' % (name, base), np.median([run[name] / run[base] for run in runs]),
                 'x', target)
    yield _row('metrics alone, %s / loop' % _ONE,
               np.median([run['metrics alone'] for run in runs]), 'x')
    peaks = [benchmark_child.measure(_MODULE, 'time_evaluating', {
        'folder': folder, 'count': count, 'num_workers': 0})['peak_memory_mib']
             for count in (_FEW, _MANY)]
    for count, peak in zip((_FEW, _MANY), peaks):
      yield _row('peak memory, %d images' % count, peak, 'MiB')
  finally:
    shutil.rmtree(folder)


def write_files(folder, size=_SIZE, counts=(_NUM_IN_LOOP, _NUM_IN_ONE, _FEW, _MANY)):
  """Writes a sample and JSON files that list its images `counts` times; returns their segments.

  Returns:
    The mean number of segments of an image of the ground truth.
  """
  panoptic_sample.write_sample(folder, size)
  for kind in _KINDS:
    with open(os.path.join(folder, kind + '.json')) as f:
      content = json.load(f)
    images = content['annotations']
    for count in counts:
      content['annotations'] = [dict(images[i % len(images)], image_id=i)
                                for i in range(count)]
      with open(_json_path(folder, kind, count), 'w') as f:
        json.dump(content, f)
    if kind == _KINDS[0]:
      num_segments = np.mean([len(image['segments_info']) for image in images])
  return num_segments


def time_evaluating(folder, count, num_workers):
  """Returns {'images_per_sec', 'pq'} of the evaluation of `count` images."""
  # Here, where it runs: the flags of this script are none of the benchmark's.
  from deeplab.evaluation import eval_coco_format
  begin = time.time()
  means = eval_coco_format.eval_coco_format(
      *[_json_path(folder, kind, count) for kind in _KINDS],
      gt_folder=os.path.join(folder, _KINDS[0]), pred_folder=os.path.join(folder, _KINDS[1]),
      num_categories=_NUM_CATEGORIES, max_instances_per_category=_MAX_INSTANCES,
      num_workers=num_workers)
  return {'images_per_sec': count / (time.time() - begin), 'pq': means['All']['pq']}


def time_loop(folder, count):
  """Returns {'images_per_sec', 'pq'} of the plain loop over `count` images."""
  begin = time.time()
  lists = []
  for kind in _KINDS:
    with open(_json_path(folder, kind, count)) as f:
      lists.append(json.load(f)['annotations'])
  counts = np.zeros([4, _NUM_CATEGORIES])
  for annotations in zip(*lists):
    counts += count_plainly(*[
        read_plainly(os.path.join(folder, kind, annotation['file_name']), annotation)
        for kind, annotation in zip(_KINDS, annotations)])
  iou, tp, fp, fn = counts[:, 1:]
  pq = realdiv_maybe_zero(iou, tp + fp / 2 + fn / 2)
  return {'images_per_sec': count / (time.time() - begin),
          'pq': pq[(tp + fp + fn) > 0].mean()}


def read_plainly(path, annotation):
  """Returns the [height, width] segment ids of an image, one mask per segment."""
  channels = np.asarray(Image.open(path)).astype(np.uint32)
  ids = channels[..., 0] + 256 * channels[..., 1] + 65536 * channels[..., 2]
  segment_ids = np.zeros(ids.shape, np.uint32)
  following = {0: 1}
  for segment in annotation['segments_info']:
    category = 0 if segment['iscrowd'] else segment['category_id']
    instance = following.get(category, 0)
    following[category] = instance + 1
    segment_ids[ids == segment['id']] = category * _MAX_INSTANCES + instance
  return segment_ids


def count_plainly(truth, predicted):
  """Returns [4, categories] IoU sums, TP, FP and FN of segment ids, pair by pair."""
  areas, predicted_areas, shared = (
      dict(zip(*[array.tolist() for array in np.unique(ids, return_counts=True)]))
      for ids in (truth, predicted, truth * np.uint32(_OFFSET) + predicted))
  counts = np.zeros([4, _NUM_CATEGORIES])
  matched, matched_predicted, on_ignored = set(), set(), {}
  for pair, area in shared.items():
    one, other = divmod(pair, _OFFSET)
    if one < _MAX_INSTANCES:
      on_ignored[other] = on_ignored.get(other, 0) + area
    elif one // _MAX_INSTANCES == other // _MAX_INSTANCES:
      iou = area / float(areas[one] + predicted_areas[other] - area - shared.get(other, 0))
      if iou > 0.5:
        counts[:2, one // _MAX_INSTANCES] += iou, 1
        matched.add(one)
        matched_predicted.add(other)
  for other in set(predicted_areas) - matched_predicted:
    if on_ignored.get(other, 0) <= 0.5 * predicted_areas[other]:
      counts[2, other // _MAX_INSTANCES] += 1
  for one in set(areas) - matched:
    counts[3, one // _MAX_INSTANCES] += 1
  return counts


def time_metrics_alone(folder, count):
  """Returns {'ratio': ...}, speed of the metric over the plain counting on decoded arrays."""
  metric = panoptic_quality.PanopticQuality(_NUM_CATEGORIES, 0, _MAX_INSTANCES, _OFFSET)
  lists = []
  for kind in _KINDS:
    with open(_json_path(folder, kind, _NUM_IN_LOOP)) as f:
      lists.append(json.load(f)['annotations'][:count])
  images = [[read_plainly(os.path.join(folder, kind, annotation['file_name']), annotation)
             for kind, annotation in zip(_KINDS, annotations)] for annotations in zip(*lists)]
  arrays = [[part for ids in image for part in (ids // _MAX_INSTANCES, ids % _MAX_INSTANCES)]
            for image in images]
  times = [time.time()]
  for image in arrays:
    metric.compare_and_accumulate(*image)
  times.append(time.time())
  for image in images:
    count_plainly(*image)
  times.append(time.time())
  return {'ratio': (times[2] - times[1]) / (times[1] - times[0])}


def _measure_rates(folder):
  """Returns dict, what -> images/s (or a ratio), measured one after the other."""
  loop = benchmark_child.measure(_MODULE, 'time_loop',
                                 {'folder': folder, 'count': _NUM_IN_LOOP})
  rates = {_LOOP: loop['images_per_sec']}
  for name, num_workers, count in ((_ONE, 1, _NUM_IN_ONE), (_TWO, 2, _MANY)):
    figures = benchmark_child.measure(_MODULE, 'time_evaluating', {
        'folder': folder, 'count': count, 'num_workers': num_workers})
    if abs(figures['pq'] - loop['pq']) > 1e-9:
      raise RuntimeError('The loop finds PQ %r, %s %r.' % (loop['pq'], name, figures['pq']))
    rates[name] = figures['images_per_sec']
  rates['metrics alone'] = benchmark_child.measure(
      _MODULE, 'time_metrics_alone', {'folder': folder, 'count': _SIZE.num_images})['ratio']
  return rates


def _row(what, value, unit, target=None):
  row = {'what': what, 'value': float(value), 'unit': unit}
  if target:
    row['target'] = target
  return row


def _json_path(folder, kind, count):
  return os.path.join(folder, '%s_%d.json' % (kind, count))
