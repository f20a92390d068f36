"""Speed of evaluation on images of mixed sizes, of vis and predict on the same, and of panoptic.

Compared in one run, on two cores: every image padded to the largest, and to its own size. Rates
are those of the work itself, without imports and building graphs.
"""
import glob
import json
import os
import tempfile
import time

import numpy as np
from PIL import Image

from deeplab import model
from deeplab.core import colormaps
from deeplab.core.storage import files, json_text
from deeplab.core.tf_compat import tf
from deeplab.datasets import data_generator
from deeplab.deployment import inference
from deeplab.evaluation.panoptic import make_sample
from deeplab.evaluation.semantic import image_results
from deeplab.testing import tiny_run
from deeplab.tools.benchmarks import child
from deeplab.utils.evaluating import counting
from deeplab.utils.inference import batches as eval_batches
from deeplab.utils.inference import tiles
from deeplab.utils.pictures import of_files, of_records
from deeplab.utils.pictures import writer as picture_writer

_CORES = 2
_LARGEST = (1601, 1137)
# Of the size of photographs on the web; the median is 600x450. Enough of them, so that the
# first step, which settles the graph, does not count much.
_SIZES = 5 * [(450, 600), (600, 450), (500, 375), (375, 500), (600, 450), (640, 480),
              (600, 450), (480, 640), (900, 600), (600, 450), (333, 500)] + [_LARGEST]
_BATCH_SIZE = 4
_OPTIONS = tiny_run.MODEL_OPTIONS._replace(depth_multiplier=1.0, add_image_level_feature=True)
_PHOTO_FOLDER = 'photos'
_PADDED, _OWN, _IN_BATCHES = 'padded to the largest', 'own size', 'own size, batches of 4'
_VIS, _PREDICT = 'vis, own size', 'predict'

# Panoptic files. Some segments are hidden by others; about twenty are seen.
_PANOPTIC_SIZE = make_sample.SampleSize(40, 480, 640, num_segments=23)
_KINDS = (make_sample.GROUNDTRUTH, make_sample.PREDICTION)
_NUM_CATEGORIES, _MAX_INSTANCES = 6, 256
# Images are listed again and again until there are so many.
_FEW, _NUM_IN_ONE, _MANY = 500, 1000, 5000


def measure_all(settings):
  """Yields the rows of `__main__`; figures are of mobilenet_v2."""
  with tempfile.TemporaryDirectory() as folder:
    write_set(folder)
    # In turns, so that all see the same machine; ratios are of one turn.
    turns = child.measure_in_turns(
        {name: child.Run(function, dict(arguments, folder=folder), _CORES)
         for name, (function, arguments) in _runs().items()}, settings.repeats)
  rates = {name: [turn[name]['images_per_s'] for turn in turns] for name in turns[0]}
  for name in rates:
    yield child.row(name, rates[name], 'images/s')
    yield child.row('%s, peak memory' % name,
                    [turn[name]['peak_memory_mib'] for turn in turns], 'MiB')
  yield child.row('own size / padded', [
      max(own, in_batches) / padded for own, in_batches, padded in zip(
          rates[_OWN], rates[_IN_BATCHES], rates[_PADDED])], 'x', '>=', 4)
  for what, name in (('vis', _VIS), ('predict', _PREDICT)):
    yield child.row('%s / eval' % what,
                    [100 * rate / own for rate, own in zip(rates[name], rates[_OWN])],
                    '%', '>=', 90)


def _runs():
  """Returns what is measured: dict, name -> function and arguments."""
  return {
      _PADDED: (time_eval, {'batch_size': 1, 'is_own': False}),
      _OWN: (time_eval, {'batch_size': 1}),
      _IN_BATCHES: (time_eval, {'batch_size': _BATCH_SIZE}),
      'own size, boundaries and report': (time_eval, {'batch_size': 1, 'has_report': True}),
      _VIS: (time_vis, {}),
      _PREDICT: (time_predict, {}),
  }


def measure_panoptic(settings):
  """Yields the rows of `__main__` of panoptic files of the size of COCO's."""
  with tempfile.TemporaryDirectory() as folder:
    yield child.row('segments per image', write_panoptic(folder), '')

    def run(count, num_workers):
      return child.Run(time_panoptic, {
          'folder': folder, 'count': count, 'num_workers': num_workers})

    for name, num_workers, count, target in (('one process', 1, _NUM_IN_ONE, None),
                                             ('two workers', 2, _MANY, 100)):
      yield child.row(name, [child.measure(run(count, num_workers))['images_per_sec']
                             for _ in range(settings.repeats)], 'images/s', '>=', target)
    for count in (_FEW, _MANY):
      yield child.row('peak memory, %d images' % count,
                      child.measure(run(count, 0))['peak_memory_mib'], 'MiB')


def write_set(folder):
  """Writes records, a checkpoint, and the same pictures as files into a folder."""
  samples = tiny_run.make_samples(_SIZES)
  tiny_run.write_records(folder, samples)
  tiny_run.write_checkpoint(folder, samples[0].image, _OPTIONS)
  photos = os.path.join(folder, _PHOTO_FOLDER)
  os.makedirs(photos)
  for index, sample in enumerate(samples):
    Image.fromarray(sample.image).save(os.path.join(photos, '%03d.png' % index))


def time_eval(folder, batch_size, is_own=True, has_report=False):
  """Returns the images per second of an evaluation of `write_set`, at own sizes or padded.

  `has_report`: with boundaries and single images.
  """
  dataset, sizes, options = _setting(folder, batch_size, is_own)
  results = image_results.ImageResults(
      len(tiny_run.CLASS_NAMES), tiny_run.IGNORE_LABEL,
      colormaps.colormap('pascal', len(tiny_run.CLASS_NAMES)))
  with tf.Graph().as_default():
    graph = counting.build_eval_graph(dataset, sizes, options, model.predict_labels)
    start = time.time()
    _, num_images = counting.count_pixels(
        graph, tf.train.latest_checkpoint(folder), dataset, results.add if has_report else None)
    return {'images_per_s': num_images / (time.time() - start)}


def time_vis(folder):
  """Returns the images per second of pictures of `write_set` and their predictions."""
  dataset, sizes, options = _setting(folder, 1, True)
  with tf.Graph().as_default(), tempfile.TemporaryDirectory() as results:
    graph = of_records.build_vis_graph(dataset, sizes, options, model.predict_labels)
    start = time.time()
    with of_records.ResultWriter(results, of_records.Classes('pascal')) as writer:
      num_images = of_records.write_pictures(
          graph, tf.train.latest_checkpoint(folder), dataset, writer)
    return {'images_per_s': num_images / (time.time() - start)}


def time_predict(folder):
  """Returns the pictures per second of files labelled with the default results."""
  paths = sorted(glob.glob(os.path.join(folder, _PHOTO_FOLDER, '*.png')))
  with tempfile.TemporaryDirectory() as results, inference.Segmenter.from_checkpoint(
      tf.train.latest_checkpoint(folder), _OPTIONS) as segmenter:
    start = time.time()
    with picture_writer.PredictionWriter(results, segmenter.colormap) as writer:
      pictures = of_files.read_all(of_files.name_pictures(paths))
      for batch in tiles.batches_of_equal_size(pictures, 1):
        labels, _ = segmenter.run_batch(np.stack([picture.image for picture in batch]))
        for picture, ids in zip(batch, labels):
          writer.write(picture, ids)
    return {'images_per_s': len(paths) / (time.time() - start)}


def write_panoptic(folder, size=_PANOPTIC_SIZE, counts=(_NUM_IN_ONE, _FEW, _MANY)):
  """Writes a sample and JSON files that list its images `counts` times.

  Returns the mean number of segments of an image of the ground truth.
  """
  make_sample.write_sample(folder, size)
  for kind in _KINDS:
    content = json_text.read(os.path.join(folder, kind + '.json'))
    images = content['annotations']
    for count in counts:
      content['annotations'] = [dict(images[i % len(images)], image_id=i)
                                for i in range(count)]
      files.write_text(_json_path(folder, kind, count), json.dumps(content))
    if kind == _KINDS[0]:
      num_segments = np.mean([len(image['segments_info']) for image in images])
  return num_segments


def time_panoptic(folder, count, num_workers):
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


def _setting(folder, batch_size, is_own):
  """Returns Dataset, InputSizes and ModelOptions."""
  crop_size = None if is_own else [
      (max(sides) + 14) // 16 * 16 + 1 for sides in zip(*_SIZES)]
  dataset = data_generator.Dataset(tiny_run.NAME, 'val', folder, batch_size, crop_size)
  sizes = eval_batches.InputSizes(_OPTIONS.output_stride, batch_size, crop_size)
  return dataset, sizes, _OPTIONS._replace(crop_size=crop_size)


def _json_path(folder, kind, count):
  return os.path.join(folder, '%s_%d.json' % (kind, count))
