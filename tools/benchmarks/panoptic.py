"""Speed and memory of evaluating panoptic files of the size of COCO's, by one process and two."""
import json
import os
import tempfile
import time

import numpy as np

from deeplab.evaluation.panoptic import sample
from deeplab.tools.benchmarks import child

_MODULE = 'deeplab.tools.benchmarks.panoptic'
_NUM_CATEGORIES = 6
_MAX_INSTANCES = 256
# Some segments are hidden by others; about twenty are seen.
_SIZE = sample.SampleSize(num_images=40, height=480, width=640, num_segments=23)
_KINDS = ('groundtruth', 'prediction')
# Images are listed again and again until there are so many.
_FEW, _MANY = 500, 5000
_NUM_IN_ONE = 1000
# What is measured -> number of worker processes, images, target.
_RATES = {'one process': (1, _NUM_IN_ONE, None), 'two workers': (2, _MANY, '>= 100')}


def measure_all(repeats, variants=None):
  """Yields the rows of `__main__`; backbones have no part in this."""
  del variants
  with tempfile.TemporaryDirectory() as folder:
    yield child.row('segments per image', write_files(folder), '')
    for name, (num_workers, count, target) in _RATES.items():
      runs = [_evaluate(folder, count, num_workers) for _ in range(repeats)]
      yield child.row(name, [run['images_per_sec'] for run in runs], 'images/s', target)
    for count in (_FEW, _MANY):
      yield child.row('peak memory, %d images' % count,
                      _evaluate(folder, count, 0)['peak_memory_mib'], 'MiB')


def write_files(folder, size=_SIZE, counts=(_NUM_IN_ONE, _FEW, _MANY)):
  """Writes a sample and JSON files that list its images `counts` times; returns their segments.

  Returns:
    The mean number of segments of an image of the ground truth.
  """
  sample.write_sample(folder, size)
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


def _evaluate(folder, count, num_workers):
  return child.measure(_MODULE, 'time_evaluating', {
      'folder': folder, 'count': count, 'num_workers': num_workers})


def _json_path(folder, kind, count):
  return os.path.join(folder, '%s_%d.json' % (kind, count))
