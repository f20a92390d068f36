"""Speed of evaluation: images of mixed sizes, and what comes after the network.

Compared in one run, on two cores: every image padded to the largest, and to its own size; the
network alone, and the whole step with upsampling, argmax and counting.
"""
import functools
import shutil
import tempfile
import time

import numpy as np

from deeplab import model
from deeplab.core import keys
from deeplab.core.tf_compat import tf
from deeplab.datasets import data_generator
from deeplab.evaluation import boundary_metrics
from deeplab.utils import (
    benchmark_child,
    confusion_matrix,
    eval_batches,
    evaluating,
    tiny_run,
)

_MODULE = 'deeplab.utils.benchmark_eval'
_CORES = 2
_LARGEST = (1601, 1137)
# Of the size of photographs on the web; the median is 600x450.
_SIZES = 2 * [(450, 600), (600, 450), (500, 375), (375, 500), (600, 450), (640, 480),
              (600, 450), (480, 640), (900, 600), (600, 450), (333, 500)] + [_LARGEST]
_CROP = (513, 513)
_NUM_CLASSES = 21
_NUM_STEPS = 8
_OPTIONS = tiny_run.MODEL_OPTIONS._replace(depth_multiplier=1.0, add_image_level_feature=True)


def measure_all(repeats, variants=None):
  """Yields the rows of the benchmark; see `utils/benchmark.py`.

  Args:
    repeats: number of measurements whose median counts.
    variants: not used; figures are of mobilenet_v2.
  """
  del variants
  folder = tempfile.mkdtemp()
  try:
    samples = tiny_run.make_samples(_SIZES)
    tiny_run.write_records(folder, samples)
    tiny_run.write_checkpoint(folder, samples[0].image, _OPTIONS)
    rates = {}
    for name, batch_size in (('padded to the largest', 0), ('own size', 1),
                             ('own size, batches of 4', 4)):
      figures = benchmark_child.median_of(
          repeats, _MODULE, 'time_mixed_sizes', {'folder': folder, 'batch_size': batch_size},
          _CORES)
      rates[name] = figures['images_per_s']
      yield _row(name, rates[name], 'images/s')
      yield _row('%s, peak memory' % name, figures['peak_memory_mib'], 'MiB')
    yield _row('own size / padded', max(list(rates.values())[1:])
               / rates['padded to the largest'], 'x', '>= 4')
    step = benchmark_child.median_of(repeats, _MODULE, 'time_step', {}, _CORES)
    yield _row('network alone, 513x513', step['network_s'], 's')
    yield _row('whole step', step['step_s'], 's')
    yield _row('after the network', 100 * (1 - step['network_s'] / step['step_s']), '%',
               '<= 15')
    yield _row('boundaries and counts per image, own thread', step['observe_s'], 's')
  finally:
    shutil.rmtree(folder)


def time_mixed_sizes(folder, batch_size):
  """Returns the images per second of an evaluation.

  Args:
    folder: folder of records and checkpoint.
    batch_size: most images of equal size in a batch; 0: every image padded to the largest.
  """
  dataset = data_generator.Dataset(
      tiny_run.NAME, 'val', folder, 1, [(side + 14) // 16 * 16 + 1 for side in (
          max(size[0] for size in _SIZES), max(size[1] for size in _SIZES))])
  options = _OPTIONS._replace(crop_size=None if batch_size else dataset.crop_size)
  with tf.Graph().as_default():
    batches = dataset.get_dataset()
    if batch_size:
      batches = eval_batches.batches_by_size(batches, batch_size, options.output_stride)
    graph = evaluating.build_eval_graph(
        tf.data.make_one_shot_iterator(batches).get_next(), dataset.descriptor, options,
        model.predict_labels)
    count = functools.partial(
        evaluating.count_pixels, graph, tf.train.latest_checkpoint(folder),
        dataset.descriptor, 'val', dataset.files)
    start = time.time()
    _, num_images = count()
    return {'images_per_s': num_images / (time.time() - start)}


def time_step():
  """Returns seconds per image of the network, of the whole step, and of the observer."""
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
  _, counts = confusion_matrix.streaming_confusion_matrix(
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
  figures = {name: float(np.median(values[2:])) for name, values in seconds.items()}
  return dict(figures, observe_s=time.time() - start)


def _row(what, value, unit, target=None):
  row = {'what': what, 'value': float(value), 'unit': unit}
  return dict(row, target=target) if target else row
