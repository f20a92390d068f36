"""Writes a small panoptic ground truth and a prediction with mistakes, to try the metrics on.

    python -m deeplab.evaluation.panoptic.make_sample --output_dir=sample
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import shlex

from absl import flags, logging

from deeplab.command_line import flag_groups
from deeplab.evaluation.panoptic import sample

FLAGS = flags.FLAGS


_SIZE = sample.SampleSize()

flag_groups.begin('files and sizes')
flags.DEFINE_string('output_dir', None, 'Folder for the files, made if absent. Required.')
flags.DEFINE_integer('num_images', _SIZE.num_images, 'Number of pictures.', lower_bound=1)
flags.DEFINE_integer('image_height', _SIZE.height, 'Height of the pictures in pixels.',
                     lower_bound=32)
flags.DEFINE_integer('image_width', _SIZE.width, 'Width of the pictures in pixels.',
                     lower_bound=32)
flags.DEFINE_integer('num_segments', _SIZE.num_segments,
                     'Segments painted per picture; later ones may cover earlier ones.',
                     lower_bound=4)
flags.DEFINE_integer('seed', 0, 'Equal seeds give equal files.')


def main(unused_argv):
  """Writes the sample and tells the command that evaluates it."""
  truth, prediction = sample.write_sample(
      FLAGS.output_dir,
      sample.SampleSize(FLAGS.num_images, FLAGS.image_height, FLAGS.image_width,
                        FLAGS.num_segments), FLAGS.seed)
  logging.info('%d pictures: %s', FLAGS.num_images, FLAGS.output_dir)
  print('python -m deeplab.evaluation.eval_coco_format '
        + ' '.join('--%s=%s' % (name, shlex.quote(path)) for name, path in zip(
            ('gt_json_file', 'gt_folder', 'pred_json_file', 'pred_folder'), truth + prediction)))


if __name__ == '__main__':
  from deeplab.command_line import running
  running.run(main, required_flags=('output_dir',))
