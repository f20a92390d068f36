"""Draws class-id PNGs of the nine Forma classes with an exported model.

    ls photos/*.jpg | python3 ./tools/records/build_part_labels.py \
        --model=frozen_inference_graph.pb --output_dir=parts

Reads paths of images from standard input, one per line. PNGs that are there stay.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os
import sys

import numpy as np
from absl import flags, logging
from PIL import Image

from deeplab import common
from deeplab.core.jobs import progress
from deeplab.core.storage import files
from deeplab.datasets import registry
from deeplab.datasets.labels import pairs
from deeplab.deployment import inference

FLAGS = flags.FLAGS

common.begin_flag_group('files')
flags.DEFINE_string('model', None, 'Frozen graph, as export_model.py writes it. Required.')
flags.DEFINE_string('output_dir', None, 'Folder for the PNGs, made if absent. Required.')
flags.DEFINE_enum('on_error', 'stop', ['stop', 'skip'],
                  'At an image that cannot be read: stop, or go on without it.')

# Longer images are shrunk for the model.
_LONGEST_SIDE = 1000


def main(unused_argv):
  paths = sys.stdin.buffer.read().decode('utf-8', 'surrogateescape').splitlines()
  if not paths:
    raise ValueError('There are no paths on standard input.')
  files.make_dirs(FLAGS.output_dir)
  num_skipped = 0
  with inference.Segmenter(FLAGS.model) as segmenter, \
       progress.bar('Drawing parts', total=len(paths)) as bar:
    for path in paths:
      target = os.path.join(FLAGS.output_dir,
                            os.path.splitext(os.path.basename(path))[0] + '.png')
      try:
        if not files.exists(target):
          write_parts(path, target, segmenter)
      except ValueError as error:
        if FLAGS.on_error == 'stop':
          raise
        logging.warning('%s', error)
        num_skipped += 1
      bar.update()
  logging.info('%d of %d images have part labels in %s', len(paths) - num_skipped, len(paths),
               FLAGS.output_dir)


def write_parts(path, target, segmenter):
  """Writes the class-id PNG of one image, of the image's size.

  Args:
    path: image.
    target: PNG to write.
    segmenter: inference.Segmenter of a model of the Forma classes.

  Raises:
    ValueError: the image cannot be read, or the model gives other classes.
  """
  image = Image.fromarray(pairs.read_pixels(path))
  scale = min(1.0, _LONGEST_SIDE / image.width, _LONGEST_SIDE / image.height)
  small = image
  if scale < 1:
    small = image.resize((int(image.width * scale), int(image.height * scale)), Image.BOX)
  ids, = segmenter.run([np.asarray(small)])
  if ids.max() >= len(registry.FORMA_CLASSES):
    raise ValueError('--model=%s gives class %d; expected a model of the %d Forma classes %s.'
                     % (FLAGS.model, ids.max(), len(registry.FORMA_CLASSES),
                        ', '.join(registry.FORMA_CLASSES)))
  labels = Image.fromarray(ids.astype(np.uint8)).resize(image.size, Image.NEAREST)
  with files.atomic_open(target) as f:
    labels.save(f, format='PNG')


if __name__ == '__main__':
  common.run(main, required_flags=('model', 'output_dir'))
