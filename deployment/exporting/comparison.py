"""Checks exported models: do they label pictures as the checkpoint does, and how near must they?

The models run in a process of their own, which only knows the files:

    python -m deeplab.deployment.exporting.comparison JOB RESULT
"""
import contextlib
import io
import itertools
import os
import subprocess
import sys
import tempfile
import typing

import numpy as np
from absl import logging
from PIL import Image

from deeplab.core.images import limits as image_limits
from deeplab.core.storage import files
from deeplab.datasets.records import example, shards
from deeplab.deployment import opened_models
from deeplab.deployment.graphs import freezing
from deeplab.deployment.graphs import record as exported

NUM_PICTURES = 4
_SPLIT = 'val'

# Sizes of drawn pictures where there is no crop size.
_FREE_SIZE = (161, 129)
# The mean IoU of fewer pictures says little.
LEAST_SCORED_PICTURES = 20
_ERROR_KEY = 'error'


class Limits(typing.NamedTuple):
  """What an exported model may lose."""
  equal_pixels: float = 0.99  # Least share of pixels with the label of the checkpoint, 0..1.
  miou_drop: float = 0.005  # Largest loss of mean IoU, 0..1.
  # Whether only pictures of the dataset tell: ranges of activations are those of photographs, what
  # drawings are labelled says little.
  needs_pictures: bool = False


FLOAT = Limits()
_8_BITS = Limits(0.97, 0.02, needs_pictures=True)
# Kind of TFLite file -> limits. Keys are those of `tflite_converter.KINDS`.
TFLITE = {
    'float32': FLOAT,
    'float16': FLOAT,
    'dynamic': _8_BITS,
    'int8': _8_BITS,
    # Its training knew the rounding.
    'qat': _8_BITS._replace(equal_pixels=0.98),
}


class Comparison(typing.NamedTuple):
  """How a model compares with its checkpoint."""
  equal_pixels: float  # Share of pixels with the same label, 0..1.
  num_pictures: int  # Number of pictures of the dataset, 0 for drawn ones.
  # Mean IoU of the model, 0..1, or None where labels are not known.
  miou: typing.Optional[float] = None
  checkpoint_miou: typing.Optional[float] = None  # That of the checkpoint.

  def __str__(self):
    told = '%.2f %% of the pixels of %s have the label that the checkpoint gives them' % (
        100 * self.equal_pixels, '%d pictures of the dataset' % self.num_pictures
        if self.num_pictures else 'drawn pictures')
    if self.miou is not None:
      told += '; mean IoU %.2f %%, of the checkpoint %.2f %%' % (
          100 * self.miou, 100 * self.checkpoint_miou)
    return told


def pictures_of_records(dataset_dir, num_pictures=NUM_PICTURES, split=_SPLIT):
  """Returns the first pictures of a dataset, list of [height, width, 3] uint8 RGB arrays.

  They are those of a split, if the dataset has it; else of the last one it has. The list is empty
  where there are no records, or no `dataset_dir`.
  """
  return [_decoded(example.image_bytes(record), 'RGB')
          for record in _records(dataset_dir, num_pictures, split)]


def truths_of_records(dataset_dir, num_pictures=NUM_PICTURES, split=_SPLIT):
  """Returns the [height, width] uint8 labels of `pictures_of_records`; [] if one has none."""
  encoded = [example.label_bytes(record)
             for record in _records(dataset_dir, num_pictures, split)]
  return [_decoded(data, 'L') for data in encoded] if all(encoded) else []


def drawn_pictures(crop_size=None):
  """Returns pictures of smooth colours with a bright and a dark shape, the same in every call.

  They are `NUM_PICTURES` [height, width, 3] uint8 RGB arrays. The first one has the crop size,
  (height, width) or None; the others are smaller, larger, turned.
  """
  height, width = crop_size or _FREE_SIZE
  sizes = [(height, width), (max(1, height * 3 // 4), max(1, width * 2 // 3)),
           (height + height // 8, width + width // 8), (width, height)]
  return [_draw(size, seed=index) for index, size in enumerate(sizes)]


def checkpoint_labels(checkpoint, model_options, predict, options, pictures):
  """Returns the [height, width] int32 labels of uint8 RGB pictures, by the graph with variables.

  Args but the last one are those of `freezing.freeze`.
  """
  session, outputs = freezing.open_session(
      checkpoint, model_options, predict, options._replace(dynamic_batch=False, input_size=None))
  with session:
    return [session.run(outputs[exported.OUTPUT_NAME],
                        {exported.INPUT_NAME + ':0': picture[np.newaxis]})[0]
            for picture in pictures]


def labels_in_fresh_process(paths, pictures, mean_pixel=None):
  """Returns per exported model its list of [height, width] int32 labels, found by another process.

  Given are paths of models and uint8 [height, width, 3] arrays; for the RGB colour of padding see
  `opened_models.open_exported`. Raises ValueError if a model cannot be loaded or run; tells which
  and why.
  """
  with tempfile.TemporaryDirectory() as folder:
    job_path, result_path = [os.path.join(folder, name) for name in ('job.npz', 'result.npz')]
    np.savez(job_path, *pictures, paths=np.array(paths),
             mean_pixel=np.array([] if mean_pixel is None else mean_pixel, np.float64))
    process = subprocess.run([sys.executable, '-m', __name__, job_path, result_path],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if process.returncode or not files.exists(result_path):
      raise ValueError('The exported models cannot be run in a process of their own: %s' % (
          process.stdout.decode('utf-8', 'replace').strip().split('\n')[-1]))
    with np.load(result_path) as result:
      if _ERROR_KEY in result:
        raise ValueError(str(result[_ERROR_KEY]))
      return [[result[_key(index, number)] for number in range(len(pictures))]
              for index in range(len(paths))]


def equal_share(labels, expected):
  """Returns the share, 0..1, of equal pixels of lists of arrays; ValueError if shapes differ."""
  for found, wanted in zip(labels, expected):
    if found.shape != wanted.shape:
      raise ValueError('The labels of an exported model are %s in place of %s.'
                       % (list(found.shape), list(wanted.shape)))
  equal = sum(np.count_nonzero(a == b) for a, b in zip(labels, expected))
  return equal / float(sum(wanted.size for wanted in expected))


def check_share(told, share, limits, wanted_flag):
  """Logs the share of equal pixels, which a sentence tells; raises ValueError if it is too low.

  Where only photographs tell, and a flag for them could be given (else ''), it asks for that.
  """
  logging.info('%s.', told)
  if share >= limits.equal_pixels:
    return
  if not limits.needs_pictures or not wanted_flag:
    raise ValueError('%s; at least %.0f %% should. Nothing was written.'
                     % (told, 100 * limits.equal_pixels))
  logging.warning('Drawn pictures tell little of 8 bits: give %s.', wanted_flag)


def check(name, comparison, limits):
  """Logs the Comparison of a format; raises ValueError if it exceeds the Limits."""
  told = '%s: %s' % (name, comparison)
  check_share(told, comparison.equal_pixels, limits,
              '' if comparison.num_pictures else '--dataset_dir')
  if (comparison.miou is not None and comparison.num_pictures >= LEAST_SCORED_PICTURES
      and comparison.checkpoint_miou - comparison.miou > limits.miou_drop):
    raise ValueError('%s; it may fall by %.1f points. Nothing was written.'
                     % (told, 100 * limits.miou_drop))


def main(argv):
  """Runs the models of a job; see the module."""
  _, job_path, result_path = argv
  result = {}
  with np.load(job_path) as job:
    # All but two have the names that NumPy gives to what has none.
    pictures = [job['arr_%d' % number] for number in range(len(job.files) - 2)]
    try:
      for index, path in enumerate(job['paths'].tolist()):
        opened = opened_models.open_exported(path, job['mean_pixel'].tolist() or None)
        with contextlib.closing(opened):
          result.update((_key(index, number), opened.predict(picture[np.newaxis])[0][0])
                        for number, picture in enumerate(pictures))
    except ValueError as error:
      result = {_ERROR_KEY: np.array(str(error))}
  np.savez(result_path, **result)


def _records(dataset_dir, num_records, split):
  """Returns an iterator of the first records of a split, of the last one if it is absent."""
  splits = shards.splits_in(dataset_dir) if dataset_dir else []
  if not splits:
    return iter(())
  paths = shards.split_files(dataset_dir, split if split in splits else splits[-1])
  return itertools.islice(
      (record for path in paths for record in example.read_records(path)), num_records)


def _decoded(data, mode):
  with image_limits.open_image(io.BytesIO(data)) as picture:
    return np.array(picture.convert(mode))


def _key(index, number):
  return 'model%d_%d' % (index, number)


def _draw(size, seed):
  """Returns one picture: interpolated noise, a disc and a bar."""
  rng = np.random.RandomState(seed)
  coarse = Image.fromarray(rng.randint(0, 256, (6, 5, 3)).astype(np.uint8))
  pixels = np.array(coarse.resize(size[::-1], Image.BICUBIC))
  y, x = np.mgrid[:size[0], :size[1]]
  center = rng.uniform(0.3, 0.7, 2) * size
  pixels[(y - center[0]) ** 2 + (x - center[1]) ** 2 < (min(size) / 5.) ** 2] = (230, 200, 170)
  pixels[:, size[1] // 8:size[1] // 8 + max(1, size[1] // 10)] = (20, 40, 30)
  return pixels


if __name__ == '__main__':
  main(sys.argv)
