"""Speed and memory of building records from pictures of the size of PASCAL VOC's."""
import os
import tempfile
import time

import numpy as np
from PIL import Image

from deeplab.datasets.building import builder
from deeplab.tools.benchmarks import child

_MODULE = 'deeplab.tools.benchmarks.builder'
NUM_CLASSES, IGNORE_LABEL = 21, 255
_SIZE = (375, 500)
# So many different pictures there are; the others are further names of them.
_NUM_DISTINCT = 40
_NUM_TIMED = 3000
_FEW, _MANY = 2000, 20000
_JPEG_QUALITY = 92


def measure_all(repeats, variants=None):
  """Yields the rows of `__main__`; backbones have no part in this."""
  del variants
  with tempfile.TemporaryDirectory() as folder:
    write_pictures(folder, _MANY)
    runs = [[_build(folder, _NUM_TIMED, num_processes)['images_per_sec']
             for num_processes in (1, 2)] for _ in range(repeats)]
    yield child.row('one process', [run[0] for run in runs], 'images/s')
    yield child.row('two processes', [run[1] for run in runs], 'images/s')
    yield child.row('two processes / one', [run[1] / run[0] for run in runs], 'x',
                    '>= 1.7')
    for count in (_FEW, _MANY):
      yield child.row('peak memory, %d pictures' % count,
                      _build(folder, count, 1)['peak_memory_mib'], 'MiB')


def write_pictures(folder, count, size=_SIZE, noise=8):
  """Writes pictures of photograph-like detail, and labels of large regions.

  Args:
    folder: existing folder.
    count: number of pairs.
    size: (height, width).
    noise: standard deviation of the noise in 0..255, which makes files larger.

  Returns:
    List of builder.Example.
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
    regions = random.randint(0, NUM_CLASSES, (size[0] // 60, size[1] // 60)).astype(np.uint8)
    Image.fromarray(regions).resize(size[::-1], Image.NEAREST).save(example[2])
  return examples


def time_building(folder, count, num_processes):
  """Returns {'images_per_sec': ...} of building the first `count` pairs."""
  with tempfile.TemporaryDirectory() as output_dir:
    begin = time.time()
    builder.build_dataset(builder.DatasetSpec(
        'benchmark', {'train': _examples(folder, count)}, NUM_CLASSES, IGNORE_LABEL,
        shard_size=200), output_dir, num_processes)
    return {'images_per_sec': count / (time.time() - begin)}


def _build(folder, count, num_processes):
  return child.measure(_MODULE, 'time_building', {
      'folder': folder, 'count': count, 'num_processes': num_processes})


def _examples(folder, count):
  return [builder.Example('%06d' % i, *[os.path.join(folder, '%06d%s' % (i, suffix))
                                        for suffix in ('.jpg', '.png')]) for i in range(count)]
