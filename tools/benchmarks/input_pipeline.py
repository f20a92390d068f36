"""Speed and memory of the training input."""
import os
import tempfile
import time

from deeplab.core.images.augmentation import AUGMENTATIONS
from deeplab.core.tf_compat import tf
from deeplab.datasets import data_generator
from deeplab.datasets.building import builder
from deeplab.tools.benchmarks import builder as benchmark_builder
from deeplab.tools.benchmarks import child

_MODULE = 'deeplab.tools.benchmarks.input_pipeline'
_CROP = (513, 513)
_BATCH = 4
_VARIANT = 'mobilenet_v2'
# (height, width) -> number of pictures, target in images/s.
_SOURCES = {(360, 480): (64, 60), (1200, 1600): (16, 40)}
_WARM_UP_BATCHES = 10
_LEAST_BATCHES, _LEAST_SECS = 10, 8.0
_MEMORY_BATCH, _MEMORY_BATCHES = 8, 2000
_NUM_SHARDS_TO_START = 100


def measure_all(repeats, variants=None):
  """Yields the rows of `__main__`; backbones have no part in this."""
  del variants
  with tempfile.TemporaryDirectory() as folder:
    for size, (count, target) in sorted(_SOURCES.items()):
      records = os.path.join(folder, '%dx%d' % size)
      write_records(records, size, count, num_shards=2)
      yield from _rows_of_size(records, size, repeats, target)
    yield from _memory_rows(os.path.join(folder, '%dx%d' % max(_SOURCES)))
    many = os.path.join(folder, 'many')
    write_records(many, min(_SOURCES), _NUM_SHARDS_TO_START, num_shards=_NUM_SHARDS_TO_START)
    secs = child.median_of(repeats, _MODULE, 'secs_to_first_batch', {'folder': many})
    yield child.row('time to the first batch, %d shards' % _NUM_SHARDS_TO_START,
                    secs['secs'], 's', '< 2')


def _rows_of_size(records, size, repeats, target):
  kinds = {preset: ((_MODULE, 'rate', {'folder': records, 'preset': preset}), None)
           for preset in ('forma', 'deeplab')}
  tf1_python = child.tf1_python()
  if tf1_python:
    kinds['forma, TF1 lane'] = (kinds['forma'][0], tf1_python)
  runs = [{name: figures['images_per_sec'] for name, figures in run.items()}
          for run in child.measure_in_turns(kinds, repeats)]
  text = '%dx%d, augmentation ' % size[::-1]
  for name in kinds:
    yield child.row(text + name, [run[name] for run in runs], 'images/s',
                    '>= %d' % target if name == 'forma' else None)
  yield child.row(text + 'deeplab / forma',
                  [run['deeplab'] / run['forma'] for run in runs], 'x', '>= 1.5')


def _memory_rows(records):
  figures = child.measure(_MODULE, 'memory_growth', {
      'folder': records, 'num_batches': _MEMORY_BATCHES})
  yield child.row('resident memory after %d batches of %d' % (
      _MEMORY_BATCHES, _MEMORY_BATCH), figures['end_mib'], 'MiB')
  yield child.row('growth after the first quarter', figures['growth_mib'], 'MiB',
                  '< 50')


def write_records(folder, size, count, num_shards):
  """Writes records of photograph-like JPEG pictures and labels of large regions.

  Args:
    folder: made.
    size: (height, width).
    count: number of records.
    num_shards: number of shards.
  """
  with tempfile.TemporaryDirectory() as pictures:
    builder.build_dataset(builder.DatasetSpec(
        'benchmark',
        {'train': benchmark_builder.write_pictures(pictures, count, size, noise=4)},
        benchmark_builder.NUM_CLASSES, benchmark_builder.IGNORE_LABEL, num_shards=num_shards),
                          folder, num_processes=1)


def rate(folder, preset):
  """Returns {'images_per_sec': ...} of the project's pipeline."""
  with tf.Graph().as_default():
    return {'images_per_sec': _rate(make_dataset(folder, preset).get_dataset(), _BATCH)}


def secs_to_first_batch(folder):
  """Returns {'secs': ...} from the first line of the pipeline to the first batch."""
  begin = time.time()
  batch = _next_batch(make_dataset(folder, 'forma').get_dataset())
  with tf.Session() as session:
    session.run(batch)
  return {'secs': time.time() - begin}


def memory_growth(folder, num_batches):
  """Returns resident memory after all batches, and its growth after the first quarter."""
  batch = _next_batch(make_dataset(folder, 'forma', _MEMORY_BATCH).get_dataset())
  with tf.Session() as session:
    for index in range(num_batches):
      session.run(batch.op)
      if index == num_batches // 4:
        quarter = _resident_mib()
  end = _resident_mib()
  return {'end_mib': end, 'growth_mib': end - quarter}


def make_dataset(folder, preset, batch_size=_BATCH, crop_size=_CROP, variant=_VARIANT, **kwargs):
  """Returns the data_generator.Dataset of a training; preset: key of AUGMENTATIONS."""
  return data_generator.Dataset(
      None, 'train', folder, batch_size, crop_size, min_scale_factor=0.5, max_scale_factor=2.0,
      scale_factor_step_size=0.25, num_readers=2, is_training=True, should_shuffle=True,
      should_repeat=True, augmentation=AUGMENTATIONS[preset], model_variant=variant, **kwargs)


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
