"""Renders people into raw folders that look like the public sources of the Forma sets.

    python3 ./datasets/build_sample_forma_sources.py --output_dir=sources --num_pictures=40

OUTPUT_DIR/atr, OUTPUT_DIR/fashion and OUTPUT_DIR/tryon are what the builders of
humanparsing17k, imaterialist37k and tryon1k read, each with parts and landmarks beside it.
Nothing is downloaded.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os

from absl import flags, logging

from deeplab.command_line import flag_groups, running
from deeplab.core.jobs import progress
from deeplab.datasets.sample_people import raw_folders, scene

FLAGS = flags.FLAGS

flag_groups.begin('files and sizes')
flags.DEFINE_string('output_dir', None, 'Folder for the sources, made if absent. Required.')
flags.DEFINE_integer('num_pictures', 40, 'Number of pictures of each source.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Equal seeds give equal pictures.')

_SOURCES = (('atr', raw_folders.write_atr), ('fashion', raw_folders.write_fashion),
            ('tryon', raw_folders.write_folders))


def render_samples(source, seed, count):
  """Yields raw_folders.Samples of one source."""
  with progress.bar('Rendering %s' % source, count) as bar:
    for index in range(count):
      picture = scene.render(seed, source, index)
      yield raw_folders.Sample('%s_%05d' % (source, index), picture.image,
                                 picture.dense_labels, picture.landmarks)
      bar.update()


def main(unused_argv):
  for source, write in _SOURCES:
    folder = os.path.join(FLAGS.output_dir, source)
    write(folder, render_samples(source, FLAGS.seed, FLAGS.num_pictures))
    logging.info('%s: %d pictures.', folder, FLAGS.num_pictures)


if __name__ == '__main__':
  running.run(main, required_flags=('output_dir',))
