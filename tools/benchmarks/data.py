"""Speed and memory of building records from pictures, and of the training input from records."""
import os
import tempfile
import time

import numpy as np
from PIL import Image

from deeplab.core.images.augmentation import AUGMENTATIONS
from deeplab.core.tf_compat import tf
from deeplab.datasets import data_generator
from deeplab.datasets.building import builder
from deeplab.tools.benchmarks import child

_NUM_CLASSES, _IGNORE_LABEL = 21, 255
_JPEG_QUALITY = 92
# Pictures to build from: size as those of PASCAL VOC, how many are different; others are further
# names of them.
_SIZE, _NUM_DISTINCT = (375, 500), 40
_NUM_TIMED, _FEW, _MANY = 3000, 2000, 20000
# The training input.
_CROP, _BATCH, _VARIANT = (513, 513), 4, 'mobilenet_v2'
# (height, width) -> number of pictures, target in images/s.
_SOURCES = {(360, 480): (64, 60), (1200, 1600): (16, 40)}
_WARM_UP_BATCHES, _LEAST_BATCHES, _LEAST_SECS = 10, 10, 8.0
_MEMORY_BATCH, _MEMORY_BATCHES = 8, 2000
_NUM_SHARDS_TO_START = 100


def measure_building(settings):
  """Yields the rows of `__main__` of the builder."""
  with tempfile.TemporaryDirectory() as folder:
    write_pictures(folder, _MANY)

    def run(count, num_processes):
      return child.Run(time_building, {
          'folder': folder, 'count': count, 'num_processes': num_processes})

    turns = child.measure_in_turns({'one': run(_NUM_TIMED, 1), 'two': run(_NUM_TIMED, 2)},
                                   settings.repeats)
    one, two = [[turn[name]['images_per_sec'] for turn in turns] for name in ('one', 'two')]
    yield child.row('one process', one, 'images/s')
    yield child.row('two processes', two, 'images/s')
    yield child.row('two processes / one', [b / a for a, b in zip(one, two)], 'x', '>=', 1.7)
    for count in (_FEW, _MANY):
      yield child.row('peak memory, %d pictures' % count,
                      child.measure(run(count, 1))['peak_memory_mib'], 'MiB')


def measure_input(settings):
  """Yields the rows of `__main__` of the training input."""
  with tempfile.TemporaryDirectory() as folder:
    for size, (count, target) in sorted(_SOURCES.items()):
      records = os.path.join(folder, '%dx%d' % size)
      write_records(records, size, count, num_shards=2)
      yield from _rows_of_size(records, size, settings.repeats, target)
    figures = child.measure(child.Run(memory_growth, {
        'folder': records, 'num_batches': _MEMORY_BATCHES}))
    yield child.row('resident memory after %d batches of %d' % (_MEMORY_BATCHES, _MEMORY_BATCH),
                    figures['end_mib'], 'MiB')
    yield child.row('growth after the first quarter', figures['growth_mib'], 'MiB', '<', 50)
    many = os.path.join(folder, 'many')
    write_records(many, min(_SOURCES), _NUM_SHARDS_TO_START, num_shards=_NUM_SHARDS_TO_START)
    run = child.Run(secs_to_first_batch, {'folder': many})
    yield child.row('time to the first batch, %d shards' % _NUM_SHARDS_TO_START,
                    [child.measure(run)['secs'] for _ in range(settings.repeats)], 's', '<', 2)


def _rows_of_size(records, size, repeats, target):
  runs = {preset: child.Run(rate, {'folder': records, 'preset': preset})
          for preset in ('forma', 'deeplab')}
  tf1_python = child.tf1_python()
  if tf1_python:
    runs['forma, TF1 lane'] = runs['forma']._replace(python=tf1_python)
  turns = child.measure_in_turns(runs, repeats)
  rates = {name: [turn[name]['images_per_sec'] for turn in turns] for name in runs}
  text = '%dx%d, augmentation ' % size[::-1]
  for name in runs:
    yield child.row(text + name, rates[name], 'images/s', '>=',
                    target if name == 'forma' else None)
  yield child.row(text + 'deeplab / forma',
                  [a / b for a, b in zip(rates['deeplab'], rates['forma'])], 'x', '>=', 1.5)


def write_pictures(folder, count, size=_SIZE, noise=8):
  """Writes pairs of photograph-like pictures and labels of large regions; returns Examples.

  `noise` is its standard deviation in 0..255, which makes files larger.
  """
  random = np.random.RandomState(0)
  examples = _examples(folder, count)
  for i, example in enumerate(examples):
    if i >= _NUM_DISTINCT:
      for path, source in zip(example[1:3], examples[i % _NUM_DISTINCT][1:3]):
        os.link(source, path)
      continue
    coarse = random.randint(0, 256, (size[0] // 8, size[1] // 8, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.BICUBIC))
    noisy = np.clip(smooth + random.normal(0, noise, smooth.shape), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(example[1], quality=_JPEG_QUALITY)
    regions = random.randint(0, _NUM_CLASSES, (size[0] // 60, size[1] // 60)).astype(np.uint8)
    Image.fromarray(regions).resize(size[::-1], Image.NEAREST).save(example[2])
  return examples


def write_records(folder, size, count, num_shards):
  """Writes records of `count` pictures of a (height, width), see `write_pictures`."""
  with tempfile.TemporaryDirectory() as pictures:
    _build(write_pictures(pictures, count, size, noise=4), folder, 1, num_shards=num_shards)


def time_building(folder, count, num_processes):
  """Returns {'images_per_sec': ...} of building the first `count` pairs."""
  with tempfile.TemporaryDirectory() as output_dir:
    begin = time.time()
    _build(_examples(folder, count), output_dir, num_processes, shard_size=200)
    return {'images_per_sec': count / (time.time() - begin)}


def rate(folder, preset):
  """Returns {'images_per_sec': ...} of the project's pipeline."""
  with tf.Graph().as_default(), tf.Session() as session:
    batch = _next_batch(folder, preset)
    secs = child.secs_of_calls([lambda: session.run(batch.op)], _WARM_UP_BATCHES,
                               _LEAST_BATCHES, _LEAST_SECS)
  return {'images_per_sec': len(secs) * _BATCH / np.sum(secs)}


def secs_to_first_batch(folder):
  """Returns {'secs': ...} from the first line of the pipeline to the first batch."""
  begin = time.time()
  batch = _next_batch(folder, 'forma')
  with tf.Session() as session:
    session.run(batch)
  return {'secs': time.time() - begin}


def memory_growth(folder, num_batches):
  """Returns resident memory after all batches, and its growth after the first quarter."""
  batch = _next_batch(folder, 'forma', _MEMORY_BATCH)
  with tf.Session() as session:
    for index in range(num_batches):
      session.run(batch.op)
      if index == num_batches // 4:
        quarter = _resident_mib()
  end = _resident_mib()
  return {'end_mib': end, 'growth_mib': end - quarter}


def make_dataset(folder, preset, batch_size=_BATCH, crop_size=_CROP, variant=_VARIANT, **reading):
  """Returns the data_generator.Dataset of a training; preset: key of AUGMENTATIONS."""
  return data_generator.Dataset(
      None, 'train', folder, batch_size, crop_size, min_scale_factor=0.5, max_scale_factor=2.0,
      scale_factor_step_size=0.25, num_readers=2, is_training=True, should_shuffle=True,
      should_repeat=True, model_variant=variant,
      reading=data_generator.Reading(augmentation=AUGMENTATIONS[preset], **reading))


def _next_batch(folder, preset, batch_size=_BATCH):
  batches = make_dataset(folder, preset, batch_size).get_dataset()
  return tf.data.make_one_shot_iterator(batches).get_next()['image']


def _build(examples, output_dir, num_processes, **shards):
  builder.build_dataset(builder.DatasetSpec(
      'benchmark', {'train': examples}, _NUM_CLASSES, _IGNORE_LABEL, **shards), output_dir,
                        num_processes)


def _examples(folder, count):
  return [builder.Example('%06d' % i, *[os.path.join(folder, '%06d%s' % (i, suffix))
                                        for suffix in ('.jpg', '.png')]) for i in range(count)]


def _resident_mib():
  with open('/proc/self/statm') as stream:
    return int(stream.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2.0 ** 20
