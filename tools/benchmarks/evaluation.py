"""Speed of evaluation on images of mixed sizes, and of vis and predict on the same images.

Compared in one run, on two cores: every image padded to the largest, and to its own size. Rates
are those of the work itself, without imports and building graphs.
"""
import glob
import os
import tempfile
import time

import numpy as np
from PIL import Image

from deeplab import model
from deeplab.core import colormaps
from deeplab.core.tf_compat import tf
from deeplab.datasets import data_generator
from deeplab.deployment import inference
from deeplab.evaluation.semantic import image_results
from deeplab.testing import tiny_run
from deeplab.tools.benchmarks import child
from deeplab.utils.evaluating import counting
from deeplab.utils.inference import batches as eval_batches
from deeplab.utils.inference import tiles
from deeplab.utils.pictures import of_files, of_records, predict_results
from deeplab.utils.pictures import writer as result_writer

_MODULE = 'deeplab.tools.benchmarks.evaluation'
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
# What is measured -> function and arguments.
_RUNS = {
    _PADDED: ('time_eval', {'is_own': False}),
    _OWN: ('time_eval', {}),
    _IN_BATCHES: ('time_eval', {'batch_size': _BATCH_SIZE}),
    'own size, boundaries and report': ('time_eval', {'has_report': True}),
    _VIS: ('time_vis', {}),
    _PREDICT: ('time_predict', {}),
}


def measure_all(repeats, variants=None):
  """Yields the rows of `__main__`; figures are of mobilenet_v2."""
  del variants
  with tempfile.TemporaryDirectory() as folder:
    write_set(folder)
    # In turns, so that all see the same machine; ratios are of one turn.
    runs = [{name: child.measure(_MODULE, function, dict(arguments, folder=folder),
                                 _CORES)
             for name, (function, arguments) in _RUNS.items()} for _ in range(repeats)]
    turns = [{name: figures['images_per_s'] for name, figures in run.items()} for run in runs]
    for name in _RUNS:
      yield child.row(name, [rates[name] for rates in turns], 'images/s')
      yield child.row('%s, peak memory' % name,
                      [run[name]['peak_memory_mib'] for run in runs], 'MiB')
    yield child.row('own size / padded', [
        max(rates[_OWN], rates[_IN_BATCHES]) / rates[_PADDED] for rates in turns], 'x', '>= 4')
    for what, name in (('vis', _VIS), ('predict', _PREDICT)):
      yield child.row(
          '%s / eval' % what, [100 * rates[name] / rates[_OWN] for rates in turns], '%', '>= 90')


def write_set(folder):
  """Writes records, a checkpoint, and the same pictures as files into a folder."""
  samples = tiny_run.make_samples(_SIZES)
  tiny_run.write_records(folder, samples)
  tiny_run.write_checkpoint(folder, samples[0].image, _OPTIONS)
  photos = os.path.join(folder, _PHOTO_FOLDER)
  os.makedirs(photos)
  for index, sample in enumerate(samples):
    Image.fromarray(sample.image).save(os.path.join(photos, '%03d.png' % index))


def time_eval(folder, batch_size=1, is_own=True, has_report=False):
  """Returns the images per second of an evaluation.

  Args:
    folder: folder of `write_set`.
    batch_size: most images of equal size in a batch.
    is_own: whether images are evaluated at their own size, else padded to the largest.
    has_report: whether boundaries and single images are measured.
  """
  dataset, sizes, options = _setting(folder, batch_size, is_own)
  results = image_results.ImageResults(
      len(tiny_run.CLASS_NAMES), tiny_run.IGNORE_LABEL,
      colormaps.colormap('pascal', len(tiny_run.CLASS_NAMES)))
  with tf.Graph().as_default():
    batches = eval_batches.make_batches(dataset, sizes)
    graph = counting.build_eval_graph(
        tf.data.make_one_shot_iterator(batches).get_next(), dataset.descriptor, options,
        model.predict_labels)
    start = time.time()
    _, num_images = counting.count_pixels(
        graph, tf.train.latest_checkpoint(folder), dataset.descriptor, 'val', dataset.files,
        results.add if has_report else None)
    return {'images_per_s': num_images / (time.time() - start)}


def time_vis(folder):
  """Returns the images per second of pictures of `write_set` and their predictions."""
  dataset, sizes, options = _setting(folder, 1, True)
  with tf.Graph().as_default(), tempfile.TemporaryDirectory() as results:
    graph = of_records.build_vis_graph(dataset, sizes, options, model.predict_labels)
    start = time.time()
    with result_writer.ResultWriter(results, result_writer.Classes('pascal')) as writer:
      num_images = of_records.write_pictures(
          graph, tf.train.latest_checkpoint(folder), dataset.descriptor, 'val', dataset.files,
          writer)
    return {'images_per_s': num_images / (time.time() - start)}


def time_predict(folder):
  """Returns the pictures per second of files labelled with the default results."""
  paths = sorted(glob.glob(os.path.join(folder, _PHOTO_FOLDER, '*.png')))
  with tempfile.TemporaryDirectory() as results, inference.Segmenter.from_checkpoint(
      tf.train.latest_checkpoint(folder), _OPTIONS) as segmenter:
    start = time.time()
    with predict_results.PredictionWriter(results, segmenter.colormap) as writer:
      pictures = of_files.read_all(of_files.name_pictures(paths))
      for batch in tiles.batches_of_equal_size(pictures, 1):
        labels, _ = segmenter.run_batch(np.stack([picture.image for picture in batch]))
        for picture, ids in zip(batch, labels):
          writer.write(picture, ids)
    return {'images_per_s': len(paths) / (time.time() - start)}


def _setting(folder, batch_size, is_own):
  """Returns Dataset, InputSizes and ModelOptions."""
  crop_size = None if is_own else [
      (max(sides) + 14) // 16 * 16 + 1 for sides in zip(*_SIZES)]
  dataset = data_generator.Dataset(tiny_run.NAME, 'val', folder, batch_size, crop_size)
  sizes = eval_batches.InputSizes(_OPTIONS.output_stride, batch_size, crop_size)
  return dataset, sizes, _OPTIONS._replace(crop_size=crop_size)
