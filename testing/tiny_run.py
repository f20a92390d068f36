"""A tiny dataset and a random checkpoint, for tests of the scripts that come after training."""
import io
import json
import os
import struct
import typing
import zlib

import numpy as np
from PIL import Image

from deeplab import model
from deeplab.core import options, utils
from deeplab.core.checkpoints import initial_weights
from deeplab.core.storage import files
from deeplab.core.tf_compat import tf
from deeplab.datasets.labels import pairs
from deeplab.datasets.records import dataset_info, example, shards
from deeplab.testing import forked_scripts, networks
from deeplab.utils.runs import run_record

ROOT = forked_scripts.ROOT

NAME = 'tiny'
CLASS_NAMES = ['ground', 'tree', 'house', 'sky']
COLORMAP = [[90, 60, 30], [10, 150, 20], [200, 30, 40], [120, 180, 250]]
IGNORE_LABEL = 255
CROP = (49, 65)
SIZES = ((33, 41), (49, 65), (40, 33))

MODEL_OPTIONS = options.NetworkOptions(
    {'semantic': len(CLASS_NAMES)}, crop_size=CROP, output_stride=16, depth_multiplier=0.25,
    add_image_level_feature=False)
MODEL_FLAGS = ('--output_stride=16', '--depth_multiplier=0.25', '--noadd_image_level_feature')


class Sample(typing.NamedTuple):
  """A record: its name, [height, width, 3] uint8 image and [height, width] uint8 label."""
  name: str
  image: np.ndarray
  label: np.ndarray


def make_samples(sizes=SIZES):
  """Returns samples of coloured patches; a tenth of the label pixels is ignored."""
  rng = np.random.RandomState(0)
  samples = []
  for index, (height, width) in enumerate(sizes):
    patches = rng.randint(0, 256, (height // 8 + 1, width // 8 + 1, 3))
    image = np.kron(patches, np.ones((8, 8, 1)))[:height, :width].astype(np.uint8)
    label = (image[..., 0] // 64).astype(np.uint8)
    label[rng.rand(height, width) < 0.1] = IGNORE_LABEL
    samples.append(Sample('tiny/%03d' % index, image, label))
  return samples


def write_records(folder, samples, split='val', cut_image=None, has_labels=True):
  """Writes a shard and its dataset_info.json, image `cut_image` cut in half; returns the shard."""
  path = os.path.join(folder, shards.shard_name(split, 0, 1))
  with tf.io.TFRecordWriter(path) as writer:
    for index, sample in enumerate(samples):
      height, width = sample.label.shape
      image = encode(sample.image)
      if index == cut_image:
        image = image[:len(image) // 2]
      writer.write(example.make_example(
          pairs.EncodedImage(image, 'png', height, width), sample.name,
          encode(sample.label) if has_labels else None).SerializeToString())
  sides = [sorted(side) for side in zip(*[sample.label.shape for sample in samples])]
  counts = np.bincount(np.concatenate([sample.label.ravel() for sample in samples]),
                       minlength=256) * has_labels
  dataset_info.write(dataset_info.DatasetInfo(
      NAME, len(CLASS_NAMES), IGNORE_LABEL, CLASS_NAMES, COLORMAP,
      {split: dataset_info.SplitInfo(
          len(samples), 1,
          {'min': [side[0] for side in sides], 'max': [side[-1] for side in sides],
           'median': [side[len(side) // 2] for side in sides]},
          counts[:len(CLASS_NAMES)].tolist(), int(counts[IGNORE_LABEL]))}), folder)
  return path


def add_records(folder, samples, split, has_labels=True):
  """Writes one more split into a folder of `write_records`, with the same arguments."""
  before = dataset_info.read(folder)
  write_records(folder, samples, split, has_labels=has_labels)
  added = dataset_info.read(folder)
  dataset_info.write(added._replace(splits=dict(before.splits, **added.splits)), folder)


def write_checkpoint(folder, image, model_options=MODEL_OPTIONS, step=3):
  """Writes random weights whose labels of `image` are of several classes.

  Every class gets the same mean logit on the [height, width, 3] image. Returns the prefix.
  """
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.constant(np.asarray(image, np.float32)[np.newaxis])
    logits = model.multi_scale_logits(
        images, model_options._replace(crop_size=image.shape[:2]), None)
    global_step = tf.train.get_or_create_global_step()
    session.run(tf.global_variables_initializer())
    # None is 0, as in trained networks: TensorFlow leaves out sums with 0, and what it then makes
    # of the graph is slower.
    networks.load_golden_weights(session, tf.global_variables())
    bias, = [v for v in tf.global_variables() if v.op.name == 'logits/semantic/biases']
    means = session.run(logits['semantic'][model.MERGED_LOGITS_SCOPE]).mean(axis=(0, 1, 2))
    initial_weights.assign(session, {bias: -means, global_step: step})
    return tf.train.Saver().save(session, os.path.join(str(folder), 'model.ckpt'),
                                 global_step=step)


def write_run(folder, image, model_options=MODEL_OPTIONS):
  """Writes the checkpoint of `write_checkpoint` and its run.json; returns the prefix."""
  prefix = write_checkpoint(folder, image, model_options)
  run_record.write(str(folder), {
      name: getattr(model_options, name)
      for name in ('model_variant', 'depth_multiplier', 'output_stride',
                   'add_image_level_feature', 'aspp_with_batch_norm')},
      dataset_info.DatasetInfo(NAME, len(CLASS_NAMES), IGNORE_LABEL, CLASS_NAMES, COLORMAP, {}))
  return prefix


def write_job(folder, samples):
  """Fills a Path: records in train/, val/, PNGs in pictures/, labels/, `write_run` in run/."""
  for name in ('train', 'val', 'pictures', 'labels', 'run'):
    (folder / name).mkdir()
  for split in ('train', 'val'):
    write_records(str(folder / split), samples, split=split)
  for index, sample in enumerate(samples):
    save_png(str(folder / 'pictures' / ('%d.png' % index)), sample.image)
    save_png(str(folder / 'labels' / ('%d.png' % index)), sample.label)
  write_run(folder / 'run', samples[0].image)


def predict(checkpoint, samples, fill, model_options=MODEL_OPTIONS,
            predict_labels=model.predict_labels, tiles=None):
  """Returns the [height, width] labels of samples, each padded with `fill` and run alone.

  They are padded to the crop size; without one each to the least k * output_stride + 1. `tiles`:
  function of a (height, width) that returns regions as `tiles.tile_regions` does, of tiles of the
  crop size, or less where the padded image is less; without it whole images are run.
  """
  crop_size = model_options.crop_size
  if tiles is not None:
    model_options = model_options._replace(crop_size=None)
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(
        tf.float32, [None] + list(model_options.crop_size or (None, None)) + [3])
    predictions = predict_labels(images, model_options)['semantic']
    tf.train.Saver().restore(session, checkpoint)

    def aligned(image):
      return utils.aligned_size(image.shape[:2], model_options.output_stride)

    def run(image, size=None):
      height, width = image.shape[:2]
      size = size or crop_size or aligned(image)
      padded = np.empty((1,) + tuple(size) + (3,), np.float32)
      padded[:] = fill
      padded[0, :height, :width] = image
      return session.run(predictions, {images: padded})[0, :height, :width]

    if tiles is None:
      return [run(sample.image) for sample in samples]
    labels = []
    for sample in samples:
      labels.append(np.full(sample.label.shape, -1))
      size = np.minimum(crop_size, aligned(sample.image)).tolist()
      for top, left, upper, lower, first, last, _, _ in tiles(sample.label.shape):
        part = run(sample.image[top:top + crop_size[0], left:left + crop_size[1]], size)
        labels[-1][upper:lower, first:last] = part[upper - top:lower - top,
                                                   first - left:last - left]
    return labels


_MAIN_RUNNER = """
import importlib, json, sys
script = importlib.import_module('deeplab.' + sys.argv[1])
""" + forked_scripts.PARSE_LINE + """
messages = []
for arguments in json.loads(sys.argv[2]):
  parse_line(arguments)
  try:
    script.main([])
    messages.append('')
  except ValueError as error:
    messages.append(str(error))
print('MESSAGES ' + json.dumps(messages))
"""


def run_main(module, *command_lines):
  """Runs a script's main per list of flags in one process; returns texts of ValueErrors, or ''."""
  code, output, log = forked_scripts.run_code(
      _MAIN_RUNNER, module,
      json.dumps([[str(flag) for flag in line] for line in command_lines]))
  lines = output.split('MESSAGES ')
  if code or len(lines) != 2:
    raise RuntimeError(log)
  return json.loads(lines[1])


def save_png(path, pixels):
  """Writes an array of uint8 as a PNG file."""
  files.write_bytes(path, encode(pixels))


def encode(pixels, encoding='PNG'):
  """Returns an array of uint8 as an image file."""
  stream = io.BytesIO()
  Image.fromarray(pixels).save(stream, encoding)
  return stream.getvalue()


def wide_png(values):
  """Returns [h, w, c] integers in 0..65535 as a PNG of 16 bits; Pillow writes grey ones alone."""
  height, width, channels = values.shape
  rows = b''.join(b'\0' + row.astype('>u2').tobytes() for row in values)
  return png_file(height, width, 16, channels, rows)


def png_file(height, width, num_bits, channels, rows):
  """Returns a PNG file of a header that says so and of the bytes of rows, each behind a 0."""
  color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
  png = b'\x89PNG\r\n\x1a\n'
  for kind, data in (
      (b'IHDR', struct.pack('>IIBBBBB', width, height, num_bits, color_type, 0, 0, 0)),
      (b'IDAT', zlib.compress(rows)), (b'IEND', b'')):
    png += struct.pack('>I', len(data)) + kind + data + struct.pack(
        '>I', zlib.crc32(kind + data) & 0xffffffff)
  return png


def make_run(folder, samples):
  """Writes the records of samples to records/ and a checkpoint to train/; returns the folder."""
  for name in ('records', 'train'):
    (folder / name).mkdir()
  write_records(str(folder / 'records'), samples)
  write_checkpoint(folder / 'train', samples[1].image)
  return folder
