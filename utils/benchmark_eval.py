"""Speed of evaluation: images of mixed sizes, and what comes after the network.

Compared in one run, on two cores: every image padded to the largest, and to its own size; the
network alone, and the whole step with upsampling, argmax and counting; eval, vis and predict
on the same images. Rates are those of the work itself, without imports and building graphs.
"""
import glob
import os
import shutil
import tempfile
import time

import numpy as np
from PIL import Image

from deeplab import model
from deeplab.core import colormaps, keys
from deeplab.core.tf_compat import tf
from deeplab.datasets import data_generator
from deeplab.deployment import inference
from deeplab.evaluation import boundary_metrics, image_results
from deeplab.testing import tiny_run
from deeplab.utils import (
    benchmark_child,
    eval_batches,
    evaluating,
    picture_batches,
    picture_inputs,
    predict_results,
    result_writer,
    visualizing,
)

_MODULE = 'deeplab.utils.benchmark_eval'
_CORES = 2
_LARGEST = (1601, 1137)
# Of the size of photographs on the web; the median is 600x450. Enough of them, so that the
# first step, which settles the graph, does not count much.
_SIZES = 5 * [(450, 600), (600, 450), (500, 375), (375, 500), (600, 450), (640, 480),
              (600, 450), (480, 640), (900, 600), (600, 450), (333, 500)] + [_LARGEST]
_BATCH_SIZE = 4
_CROP = (513, 513)
_NUM_CLASSES = 21
_NUM_STEPS, _WARM_UP_STEPS = 22, 2
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
  """Yields the rows of the benchmark; see `utils/benchmark.py`.

  Args:
    repeats: number of measurements whose median counts.
    variants: not used; figures are of mobilenet_v2.
  """
  del variants
  folder = tempfile.mkdtemp()
  try:
    write_set(folder)
    # In turns, so that all see the same machine; ratios are of one turn.
    runs = [{name: benchmark_child.measure(_MODULE, function, dict(arguments, folder=folder),
                                           _CORES)
             for name, (function, arguments) in _RUNS.items()} for _ in range(repeats)]
    for name in _RUNS:
      yield _row(name, _median(run[name]['images_per_s'] for run in runs), 'images/s')
      yield _row('%s, peak memory' % name,
                 _median(run[name]['peak_memory_mib'] for run in runs), 'MiB')
    turns = [{name: figures['images_per_s'] for name, figures in run.items()} for run in runs]
    yield _row('own size / padded', _median(
        max(rates[_OWN], rates[_IN_BATCHES]) / rates[_PADDED] for rates in turns), 'x', '>= 4')
    for what, name in (('vis', _VIS), ('predict', _PREDICT)):
      yield _row('%s / eval' % what,
                 100 * _median(rates[name] / rates[_OWN] for rates in turns), '%', '>= 90')
    step = benchmark_child.median_of(repeats, _MODULE, 'time_step', {}, _CORES)
    yield _row('network alone, 513x513', step['network_s'], 's')
    yield _row('whole step', step['step_s'], 's')
    yield _row('after the network', 100 * step['share_after'], '%', '<= 15')
    yield _row('boundaries and counts per image, own thread', step['observe_s'], 's')
  finally:
    shutil.rmtree(folder)


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
    graph = evaluating.build_eval_graph(
        tf.data.make_one_shot_iterator(batches).get_next(), dataset.descriptor, options,
        model.predict_labels)
    start = time.time()
    _, num_images = evaluating.count_pixels(
        graph, tf.train.latest_checkpoint(folder), dataset.descriptor, 'val', dataset.files,
        results.add if has_report else None)
    return {'images_per_s': num_images / (time.time() - start)}


def time_vis(folder):
  """Returns the images per second of pictures of `write_set` and their predictions."""
  dataset, sizes, options = _setting(folder, 1, True)
  with tf.Graph().as_default(), tempfile.TemporaryDirectory() as results:
    graph = visualizing.build_vis_graph(dataset, sizes, options, model.predict_labels)
    start = time.time()
    with result_writer.ResultWriter(results, result_writer.Classes('pascal')) as writer:
      num_images = visualizing.write_pictures(
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
      pictures = picture_inputs.read_all(picture_inputs.name_pictures(paths))
      for batch in picture_batches.batches_of_equal_size(pictures, 1):
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


def time_step():
  """Returns seconds per image of the network, of the whole step, and of the observer.

  And 'share_after', what the step does after the network as a share of the step.
  """
  rng = np.random.RandomState(0)
  options = _OPTIONS._replace(crop_size=_CROP,
                              outputs_to_num_classes={keys.OUTPUT_TYPE: _NUM_CLASSES})
  label = np.kron(rng.randint(0, _NUM_CLASSES, (27, 27)), np.ones((19, 19), np.int32))
  samples = {
      keys.IMAGE: tf.constant(rng.uniform(0, 255, (1,) + _CROP + (3,)).astype(np.float32)),
      keys.LABEL: tf.constant(label.reshape((1,) + _CROP + (1,)), tf.int32),
      keys.HEIGHT: tf.constant(_CROP[:1]), keys.WIDTH: tf.constant(_CROP[1:]),
      keys.IMAGE_NAME: tf.constant(['a'])}
  # Without constant folding of what does not change here.
  samples[keys.IMAGE] = tf.placeholder_with_default(samples[keys.IMAGE], [1, 513, 513, 3])
  logits = model.multi_scale_logits(samples[keys.IMAGE], options, None)
  network = logits[keys.OUTPUT_TYPE][model.MERGED_LOGITS_SCOPE]
  with tf.variable_scope(tf.get_variable_scope(), reuse=True):
    predictions = model.predict_labels(samples[keys.IMAGE], options)[keys.OUTPUT_TYPE]
  counts = evaluating.streaming_confusion_matrix(
      samples[keys.LABEL], predictions, _NUM_CLASSES, 255)
  with tf.Session() as session:
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    seconds = {'network_s': [], 'step_s': []}
    # In turns, so that both see the same machine.
    for _ in range(_NUM_STEPS):
      for name, fetch in (('network_s', network), ('step_s', counts)):
        start = time.time()
        session.run(fetch.op)
        seconds[name].append(time.time() - start)
    predicted = session.run(predictions)[0]
  start = time.time()
  boundary_metrics.image_counts(label, predicted, _NUM_CLASSES)
  observe_secs = time.time() - start
  figures = {name: _median(values[_WARM_UP_STEPS:]) for name, values in seconds.items()}
  shares = 1 - np.divide(seconds['network_s'], seconds['step_s'])
  return dict(figures, observe_s=observe_secs, share_after=_median(shares[_WARM_UP_STEPS:]))


def _median(values):
  return float(np.median(list(values)))


def _row(what, value, unit, target=None):
  row = {'what': what, 'value': float(value), 'unit': unit}
  return dict(row, target=target) if target else row
