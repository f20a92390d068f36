"""Turns label maps with a palette, or in the colours of PASCAL VOC, into grey PNGs of class ids.

    python3 ./datasets/remove_gt_colormap.py --original_gt_folder=VOC2012/SegmentationClass \
        --output_dir=VOC2012/SegmentationClassRaw

`build_voc2012_data.py` reads palette PNGs as they are; this is for other tools.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os
import shutil

import numpy as np
from absl import flags, logging

from deeplab.command_line import flag_groups, running
from deeplab.core import colormaps
from deeplab.core.jobs import parallel
from deeplab.core.storage import files
from deeplab.core.usage import UsageError
from deeplab.datasets.building import listing
from deeplab.datasets.building.spec import STOP
from deeplab.datasets.flags import building
from deeplab.datasets.labels import label_sources, pairs, raw_files

FLAGS = flags.FLAGS

_NUM_IDS = 256
_FILES_PER_PIECE = 64
_COLOR_MODES = ('RGB', 'RGBA')
# Borders and difficult objects.
_IGNORE_LABEL = 255
_NUM_CLASSES = 21

building.define_work_flags()
flag_groups.begin('files')
flags.DEFINE_string('original_gt_folder', './VOCdevkit/VOC2012/SegmentationClass',
                    'Folder of the label maps to turn.')
flags.DEFINE_string('segmentation_format', 'png', 'File name extension of these: png, bmp, tif.')
flags.DEFINE_string('output_dir', './VOCdevkit/VOC2012/SegmentationClassRaw',
                    'Folder of the grey PNGs, made if absent.')


def class_ids(path):
  """Returns the class ids of a label file, [height, width] uint8.

  Raises ValueError if the file cannot be decoded, or is in colours that are not those of VOC.
  """
  image, data = raw_files.read_lossless(path)
  if image.mode in _COLOR_MODES:
    ids = list(range(_NUM_CLASSES)) + [_IGNORE_LABEL]
    colors = colormaps.interleaved_bits(_NUM_IDS)[ids].tolist()
    return label_sources.ColorPicture(path, tuple(map(tuple, colors)), tuple(ids)).read(
        image.height, image.width)
  values = raw_files.ids(image, data, path)
  if values.min() < 0 or values.max() >= _NUM_IDS:
    raise ValueError('%s: values %d..%d are no class ids, expected 0..%d.'
                     % (path, values.min(), values.max(), _NUM_IDS - 1))
  return values.astype(np.uint8)


def convert(paths, output_dir, num_processes=None, on_error=STOP):
  """Writes a grey PNG of class ids for every label file of a dict, stem -> path.

  `output_dir`, made if absent, receives the PNGs when all are made: none, if the work stops half
  way. `num_processes` None means one per processor; `on_error` is 'stop' at a file that cannot be
  used, or 'skip' it. Returns a list of messages about the files that were skipped. Raises
  ValueError if a file, with 'skip' every file, cannot be used, or a folder cannot be written.
  """
  temporary = files.absolute(output_dir) + files.TEMPORARY_SUFFIX
  items = [(path, os.path.join(temporary, stem + '.png')) for stem, path in paths.items()]
  pieces = [(items[i:i + _FILES_PER_PIECE], on_error)
            for i in range(0, len(items), _FILES_PER_PIECE)]
  try:
    with files.telling_of_disk(output_dir):
      files.make_dirs(temporary)
      skipped = sum(parallel.run(_convert_piece, pieces, [len(piece) for piece, _ in pieces],
                                 num_processes, 'Converting'), [])
      if len(skipped) == len(paths):
        raise ValueError('None of %d label maps could be used, first: %s'
                         % (len(paths), skipped[0]))
      files.make_dirs(output_dir)
      for _, target in items:
        if files.exists(target):
          files.replace(target, os.path.join(output_dir, os.path.basename(target)))
  finally:
    shutil.rmtree(temporary, ignore_errors=True)  # local: raw labels
  return skipped


def _convert_piece(piece, on_item):
  """Converts some files; returns messages about the skipped; for worker processes."""
  items, on_error = piece
  skipped = []
  for source, target in items:
    try:
      label = pairs.encode_label(class_ids(source), _NUM_IDS, _IGNORE_LABEL, source)
      files.write_bytes(target, label.data)
    except ValueError as error:
      if on_error == STOP:
        raise
      skipped.append(str(error))
    on_item()
  return skipped


def main(unused_argv):
  source, target = FLAGS.original_gt_folder, FLAGS.output_dir
  if os.path.realpath(source) == os.path.realpath(target):
    raise UsageError('--output_dir must not be --original_gt_folder (%s): the label maps there '
                     'would be overwritten.' % source)
  suffix = '.' + FLAGS.segmentation_format.lower().lstrip('.')
  paths = listing.files_by_stem(source, (suffix,), 'label maps')
  skipped = convert(paths, target, **building.work_options())
  if skipped:
    logging.warning('%d of %d files skipped: %s', len(skipped), len(paths), ' '.join(skipped))
  logging.info('Label maps of class ids (%d): %s', len(paths) - len(skipped), target)


if __name__ == '__main__':
  running.run(main)
