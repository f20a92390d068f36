"""Speed and memory of building records from pictures of the size of PASCAL VOC's.

Compared in one run: one process, two processes, and one process that decodes every picture
and encodes it again.
"""
import io
import os
import shutil
import tempfile
import time

import numpy as np
from PIL import Image

from deeplab.datasets import builder
from deeplab.utils import benchmark_child

_MODULE = 'deeplab.utils.benchmark_builder'
_NUM_CLASSES = 21
_HEIGHT, _WIDTH = 375, 500
# So many different pictures there are; the others are further names of them.
_NUM_DISTINCT = 40
_NUM_TIMED = 3000
_FEW, _MANY = 2000, 20000
_JPEG_QUALITY = 92
# Detail of the pictures: columns of random colours, smoothed.
_TEXTURE_SIZE = 60
_AGAIN = 'decode and encode again'
_ONE = 'build, one process'
_TWO = 'build, two processes'
_RATES = {
    _AGAIN: ('time_encoding_again', {}),
    _ONE: ('time_building', {'num_processes': 1}),
    _TWO: ('time_building', {'num_processes': 2}),
}


def measure_all(repeats, variants=None):
  """Yields the rows of `utils/benchmark.py`; backbones have no part in this."""
  del variants
  folder = tempfile.mkdtemp()
  try:
    write_pictures(folder, _MANY)
    runs = [_measure_rates(folder) for _ in range(repeats)]
    for name in _RATES:
      yield _row(name, np.median([run[name] for run in runs]), 'images/s')
    for name, base, target in ((_TWO, _AGAIN, '>= 3'), (_ONE, _AGAIN, None),
                               (_TWO, _ONE, '>= 1.7')):
      yield _row('%s / %s' % (name, base), np.median([run[name] / run[base] for run in runs]),
                 'x', target)
    peaks = [benchmark_child.measure(_MODULE, 'time_building', {
        'folder': folder, 'count': count, 'num_processes': 1})['peak_memory_mib']
             for count in (_FEW, _MANY)]
    for count, peak in zip((_FEW, _MANY), peaks):
      yield _row('peak memory, %d pictures' % count, peak, 'MiB')
    yield _row('growth per 1,000 pictures', 1000 * (peaks[1] - peaks[0]) / (_MANY - _FEW), 'MiB')
  finally:
    shutil.rmtree(folder)


def write_pictures(folder, count):
  """Writes pairs `images/<i>.jpg` and `labels/<i>.png`, 500x375, of photograph-like detail."""
  for kind in ('images', 'labels'):
    os.makedirs(os.path.join(folder, kind))
  random = np.random.RandomState(0)
  for i in range(count):
    image, label = _paths(folder, i)
    if i >= _NUM_DISTINCT:
      for path, source in zip((image, label), _paths(folder, i % _NUM_DISTINCT)):
        os.link(source, path)
      continue
    coarse = random.randint(0, 256, (_TEXTURE_SIZE * 3 // 4, _TEXTURE_SIZE, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((_WIDTH, _HEIGHT), Image.BICUBIC))
    noise = random.normal(0, 8, smooth.shape)
    Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8)).save(
        image, quality=_JPEG_QUALITY)
    regions = random.randint(0, _NUM_CLASSES, (6, 8)).astype(np.uint8)
    Image.fromarray(regions).resize((_WIDTH, _HEIGHT), Image.NEAREST).save(label)


def time_building(folder, count, num_processes):
  """Returns {'images_per_sec': ...} of building the first `count` pairs."""
  examples = [builder.Example('%06d' % i, *_paths(folder, i)) for i in range(count)]
  output_dir = tempfile.mkdtemp()
  try:
    begin = time.time()
    builder.build_dataset(builder.DatasetSpec(
        'benchmark', {'train': examples}, _NUM_CLASSES, 255, shard_size=200),
                          output_dir, num_processes)
    return {'images_per_sec': count / (time.time() - begin)}
  finally:
    shutil.rmtree(output_dir)


def time_encoding_again(folder, count):
  """Returns {'images_per_sec': ...} of decoding and encoding the first `count` pairs."""
  begin = time.time()
  for i in range(count):
    for path, encoding, options in zip(_paths(folder, i), ('JPEG', 'PNG'),
                                       ({'quality': _JPEG_QUALITY}, {})):
      with Image.open(path) as image:
        image.load()
        image.save(io.BytesIO(), encoding, **options)
  return {'images_per_sec': count / (time.time() - begin)}


def _measure_rates(folder):
  """Returns a dict, what -> images/s, measured one after the other."""
  return {name: benchmark_child.measure(
      _MODULE, function, dict(arguments, folder=folder, count=_NUM_TIMED))['images_per_sec']
          for name, (function, arguments) in _RATES.items()}


def _row(what, value, unit, target=None):
  row = {'what': what, 'value': float(value), 'unit': unit}
  if target:
    row['target'] = target
  return row


def _paths(folder, i):
  return (os.path.join(folder, 'images', '%06d.jpg' % i),
          os.path.join(folder, 'labels', '%06d.png' % i))
