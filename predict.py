"""Labels pictures with an exported model; see --help.

    python predict.py --model=RUN/export/frozen_inference_graph.pb \
        --input='photos/*.jpg' --output_dir=labelled

Per picture: <name>_prediction.png (class ids), <name>_color.png and <name>_overlay.png.
Exit code 3 tells that some pictures could not be read; the others are done.
"""
import glob
import itertools
import os
import struct

import numpy as np
from absl import flags, logging
from PIL import Image, ImageOps

from deeplab import common
from deeplab.deployment import inference
from deeplab.utils import save_annotation

FLAGS = flags.FLAGS

flags.DEFINE_string('model', None, 'Frozen graph, as export_model.py writes it. Required.')
flags.DEFINE_string('input', None,
                    'Picture, folder of pictures, or a quoted pattern such as '
                    "'photos/*.jpg'. Required.")
flags.DEFINE_string('output_dir', None, 'Folder for the results; created. Required.')
flags.DEFINE_float('overlay_opacity', 0.5, 'Share of the colours in the overlay, 0..1.',
                   lower_bound=0, upper_bound=1)

EXIT_BAD_FILES = 3
_PICTURE_SUFFIXES = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
# Endings of the files written here: a second run on the same folder leaves them out.
_RESULT_ENDINGS = ('_prediction.png', '_color.png', '_overlay.png')


def main(unused_argv):
  """Labels the pictures; returns the exit code."""
  paths = list_pictures(FLAGS.input)
  names = output_names(paths)
  try:
    os.makedirs(FLAGS.output_dir, exist_ok=True)
  except OSError as error:
    raise ValueError('--output_dir=%s cannot be created: %s.'
                     % (FLAGS.output_dir, error.strerror)) from error
  bad = []
  with inference.Segmenter(FLAGS.model) as segmenter:
    for path, name in zip(paths, names):
      try:
        image = read_picture(path)
      except ValueError as error:
        logging.error('%s', error)
        bad.append(str(error))
        continue
      mask, = segmenter.run([image])
      write_results(image, mask, name, segmenter.colormap)
      print('%s: %s' % (path, describe(mask, segmenter)))
  logging.info('%d of %d pictures labelled. Results: %s', len(paths) - len(bad), len(paths),
               FLAGS.output_dir)
  if not bad:
    return 0
  logging.error('Not labelled:\n%s', '\n'.join(bad))
  return EXIT_BAD_FILES


def list_pictures(pattern):
  """Returns the sorted files that a path, folder or pattern stands for.

  Raises:
    ValueError: there are none.
  """
  if os.path.isdir(pattern):
    paths = [os.path.join(pattern, name) for name in os.listdir(pattern)
             if name.lower().endswith(_PICTURE_SUFFIXES)
             and not name.endswith(_RESULT_ENDINGS)]
    if not paths:
      raise ValueError('--input=%s: the folder holds no pictures (%s).'
                       % (pattern, ' '.join(_PICTURE_SUFFIXES)))
  elif os.path.exists(pattern):
    paths = [pattern]
  else:
    paths = [path for path in glob.glob(pattern) if os.path.isfile(path)]
    if not paths:
      raise ValueError('--input=%s: no such file or folder, and the pattern matches none.'
                       % pattern)
  return sorted(paths)


def output_names(paths):
  """Returns a different name per path: the file name without suffix, if no other has it."""
  names = []
  for path in paths:
    file_name = os.path.basename(path)
    name = os.path.splitext(file_name)[0]
    if name in names:
      name = file_name.replace('.', '_')
    clashes = itertools.count(2)
    unique = name
    while unique in names:
      unique = '%s_%d' % (name, next(clashes))
    names.append(unique)
  return names


def read_picture(path):
  """Returns a picture as a [height, width, 3] uint8 RGB array, upright by its EXIF tag.

  Raises:
    ValueError: the file cannot be read as a picture; names it.
  """
  try:
    with Image.open(path) as picture:
      return np.array(ImageOps.exif_transpose(picture).convert('RGB'))
  except (OSError, ValueError, SyntaxError, EOFError, struct.error,
          Image.DecompressionBombError) as error:
    raise ValueError('%s: not a readable picture (%s).' % (path, error)) from error


def write_results(image, mask, name, colormap):
  """Writes class ids, colours and overlay of one picture to --output_dir."""
  colors = colormap[mask]
  overlay = (1 - FLAGS.overlay_opacity) * image + FLAGS.overlay_opacity * colors
  for ending, pixels in (('prediction', mask), ('color', colors),
                         ('overlay', np.rint(overlay).astype(np.uint8))):
    save_annotation.save_annotation(pixels, FLAGS.output_dir, '%s_%s' % (name, ending),
                                    add_colormap=False)


def describe(mask, segmenter):
  """Returns text such as 'sky 40.1%, road 59.9%', the largest class first."""
  ids, counts = np.unique(mask, return_counts=True)
  return ', '.join('%s %.1f%%' % (segmenter.class_name(ids[i]),
                                  100. * counts[i] / mask.size)
                   for i in np.argsort(-counts, kind='stable'))


if __name__ == '__main__':
  common.run(main, required_flags=['model', 'input', 'output_dir'])
