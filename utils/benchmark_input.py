"""Speed and memory of the training input, beside a plain pipeline of the same steps."""
import io
import os
import shutil
import tempfile
import time

import numpy as np
from PIL import Image

from deeplab.core import feature_extractor
from deeplab.core.augmentation import AUGMENTATIONS, Padding
from deeplab.core.tf_compat import tf
from deeplab.datasets import data_generator, dataset_info, example, pairs, shards
from deeplab.utils import benchmark_child, step_by_step_input

_MODULE = 'deeplab.utils.benchmark_input'
_CROP = (513, 513)
_BATCH = 4
_SCALES = (0.5, 2.0, 0.25)
_NUM_CLASSES = 21
_IGNORE_LABEL = 255
_VARIANT = 'mobilenet_v2'
# (height, width) -> number of pictures, targets: images/s, times the plain pipeline.
_SOURCES = {
    (360, 480): (64, 60, 8),
    (1200, 1600): (16, 40, 25),
}
_WARM_UP_BATCHES = 10
_LEAST_BATCHES, _LEAST_SECS = 10, 8.0
_MEMORY_BATCH, _MEMORY_BATCHES = 8, 2000
_NUM_SHARDS_TO_START = 100
_JPEG_QUALITY = 90


def measure_all(repeats, variants=None):
  """Yields the rows of `utils/benchmark.py`; backbones have no part in this."""
  del variants
  folder = tempfile.mkdtemp()
  try:
    for size, (count, rate_target, ratio_target) in sorted(_SOURCES.items()):
      records = os.path.join(folder, '%dx%d' % size)
      write_records(records, size, count, num_shards=2)
      for row in _rows_of_size(records, size, repeats, rate_target, ratio_target):
        yield row
    for row in _memory_rows(os.path.join(folder, '%dx%d' % max(_SOURCES))):
      yield row
    many = os.path.join(folder, 'many')
    write_records(many, min(_SOURCES), _NUM_SHARDS_TO_START, num_shards=_NUM_SHARDS_TO_START)
    secs = benchmark_child.median_of(repeats, _MODULE, 'secs_to_first_batch', {'folder': many})
    yield _row('time to the first batch, %d shards' % _NUM_SHARDS_TO_START, secs['secs'], 's',
               '< 2')
  finally:
    shutil.rmtree(folder)


def _rows_of_size(records, size, repeats, rate_target, ratio_target):
  text = '%dx%d, ' % size[::-1]
  kinds = [('plain', 'plain_rate', {}, None), ('forma', 'rate', {'preset': 'forma'}, None),
           ('deeplab', 'rate', {'preset': 'deeplab'}, None)]
  tf1_python = benchmark_child.tf1_python()
  if tf1_python:
    kinds.append(('plain on TF1', 'plain_rate', {}, tf1_python))
  runs = [{name: benchmark_child.measure(_MODULE, function, dict(arguments, folder=records),
                                         python=python)['images_per_sec']
           for name, function, arguments, python in kinds} for _ in range(repeats)]
  median = lambda value: float(np.median([value(run) for run in runs]))  # noqa: E731
  yield _row(text + 'one step after the other', median(lambda run: run['plain']), 'images/s')
  yield _row(text + 'augmentation forma', median(lambda run: run['forma']), 'images/s',
             '>= %d' % rate_target)
  yield _row(text + 'forma / one step after the other',
             median(lambda run: run['forma'] / run['plain']), 'x', '>= %d' % ratio_target)
  if tf1_python:
    yield _row(text + 'one step after the other on the TF1 lane',
               median(lambda run: run['plain on TF1']), 'images/s')
    yield _row(text + 'forma / one step after the other on the TF1 lane',
               median(lambda run: run['forma'] / run['plain on TF1']), 'x')
  yield _row(text + 'augmentation deeplab', median(lambda run: run['deeplab']), 'images/s')
  yield _row(text + 'deeplab / forma', median(lambda run: run['deeplab'] / run['forma']), 'x',
             '>= 1.5')


def _memory_rows(records):
  figures = benchmark_child.measure(_MODULE, 'memory_growth', {
      'folder': records, 'num_batches': _MEMORY_BATCHES})
  yield _row('resident memory after %d batches of %d' % (_MEMORY_BATCHES, _MEMORY_BATCH),
             figures['end_mib'], 'MiB')
  yield _row('growth after the first quarter', figures['growth_mib'], 'MiB', '< 50')


def write_records(folder, size, count, num_shards):
  """Writes records of photograph-like JPEG pictures and labels of large regions.

  Args:
    folder: made.
    size: (height, width).
    count: number of records.
    num_shards: number of shards.
  """
  os.makedirs(folder)
  random = np.random.RandomState(0)
  for shard in range(num_shards):
    path = os.path.join(folder, shards.shard_name('train', shard, num_shards))
    with tf.io.TFRecordWriter(path) as writer:
      for index in range(shard, count, num_shards):
        writer.write(example.make_example(
            pairs.EncodedImage(_picture(random, size), 'jpeg', *size), 'picture %d' % index,
            _regions(random, size)).SerializeToString())
  sizes = {name: list(size) for name in ('min', 'median', 'max')}
  dataset_info.write(dataset_info.DatasetInfo(
      'benchmark', _NUM_CLASSES, _IGNORE_LABEL,
      splits={'train': dataset_info.SplitInfo(count, num_shards, sizes, [1] * _NUM_CLASSES, 0)}),
                     folder)


def rate(folder, preset):
  """Returns {'images_per_sec': ...} of the project's pipeline."""
  with tf.Graph().as_default():
    return {'images_per_sec': _rate(_dataset(folder, preset).get_dataset(), _BATCH)}


def plain_rate(folder):
  """Returns {'images_per_sec': ...} of one step after the other."""
  with tf.Graph().as_default():
    return {'images_per_sec': _rate(step_by_step_input.make_batches(
        shards.split_files(folder, 'train'), _BATCH, _CROP, _SCALES, AUGMENTATIONS['forma'],
        Padding(feature_extractor.mean_pixel(_VARIANT), _IGNORE_LABEL)), _BATCH)}


def secs_to_first_batch(folder):
  """Returns {'secs': ...} from the first line of the pipeline to the first batch."""
  begin = time.time()
  batch = _next_batch(_dataset(folder, 'forma').get_dataset())
  with tf.Session() as session:
    session.run(batch)
  return {'secs': time.time() - begin}


def memory_growth(folder, num_batches):
  """Returns resident memory after all batches, and its growth after the first quarter."""
  batch = _next_batch(_dataset(folder, 'forma', _MEMORY_BATCH).get_dataset())
  with tf.Session() as session:
    for index in range(num_batches):
      session.run(batch.op)
      if index == num_batches // 4:
        quarter = _resident_mib()
  end = _resident_mib()
  return {'end_mib': end, 'growth_mib': end - quarter}


def _dataset(folder, preset, batch_size=_BATCH):
  return data_generator.Dataset(
      None, 'train', folder, batch_size, _CROP, min_scale_factor=_SCALES[0],
      max_scale_factor=_SCALES[1], scale_factor_step_size=_SCALES[2], model_variant=_VARIANT,
      num_readers=2, is_training=True, should_shuffle=True, should_repeat=True,
      augmentation=AUGMENTATIONS[preset])


def _next_batch(batches):
  return tf.data.make_one_shot_iterator(batches).get_next()['image']


def _rate(batches, batch_size):
  batch = _next_batch(batches)
  with tf.Session() as session:
    for _ in range(_WARM_UP_BATCHES):
      session.run(batch.op)
    begin, count = time.time(), 0
    while count < _LEAST_BATCHES or time.time() - begin < _LEAST_SECS:
      session.run(batch.op)
      count += 1
    return count * batch_size / (time.time() - begin)


def _resident_mib():
  with open('/proc/self/statm') as stream:
    return int(stream.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2.0 ** 20


def _picture(random, size):
  coarse = random.randint(0, 256, (size[0] // 8, size[1] // 8, 3)).astype(np.uint8)
  smooth = np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.BICUBIC))
  noisy = np.clip(smooth + random.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)
  stream = io.BytesIO()
  Image.fromarray(noisy).save(stream, 'JPEG', quality=_JPEG_QUALITY)
  return stream.getvalue()


def _regions(random, size):
  coarse = random.randint(0, _NUM_CLASSES, (size[0] // 60, size[1] // 60)).astype(np.uint8)
  stream = io.BytesIO()
  Image.fromarray(coarse).resize(size[::-1], Image.NEAREST).save(stream, 'PNG')
  return stream.getvalue()


def _row(what, value, unit, target=None):
  row = {'what': what, 'value': value, 'unit': unit}
  if target:
    row['target'] = target
  return row
