"""Evaluates checkpoints on TFRecords; see --help.

    python eval.py --checkpoint_dir=RUN/train --eval_logdir=RUN/eval \
        --dataset_dir=RECORDS --eval_crop_size=513,513 --max_number_of_evaluations=1
"""
import os
import time

from absl import flags, logging

from deeplab import common
from deeplab.core import checkpoints, colormaps, feature_extractor, keys
from deeplab.core.tf_compat import tf
from deeplab.datasets import data_generator
from deeplab.evaluation import charts, html_report, image_results
from deeplab.evaluation import report as report_lib
from deeplab.utils import best_checkpoint, eval_batches, evaluating, sessions

FLAGS = flags.FLAGS

flags.DEFINE_string('eval_logdir', None,
                    'Folder for the results: metrics.json, per_class.csv, per_image.csv, '
                    'charts, report.html and TensorBoard events. Required.')
flags.DEFINE_integer('eval_batch_size', 1, 'Images per step.', lower_bound=1)
flags.DEFINE_list('eval_crop_size', '513,513',
                  'Height,width in pixels that images are padded to; must hold the largest. '
                  'Empty: each image to the least size its features need, batches of equal '
                  'sizes.')
flags.DEFINE_list('tile_size', None,
                  'Height,width in pixels of overlapping tiles, for images whose features do '
                  'not fit into memory. Default: whole images.')
flags.DEFINE_integer('tile_overlap', 64, 'Least pixels that neighbouring tiles share.',
                     lower_bound=0)
flags.DEFINE_integer('max_number_of_evaluations', 0,
                     'Number of checkpoints to evaluate, the newest first; 0: wait for new '
                     'ones for ever.')
flags.DEFINE_boolean('eval_once', False,
                     'Evaluates the newest checkpoint, which must exist, and ends.')
flags.DEFINE_float('eval_timeout_secs', None,
                   'Stops with an error after so long without a new checkpoint. Default: '
                   'waits for ever.', lower_bound=0)
flags.DEFINE_boolean('also_save_best', False,
                     'Keeps a copy of the checkpoint of the highest mean IoU in the folder '
                     'best of --eval_logdir.')
flags.DEFINE_boolean('per_image_report', True,
                     'Also measures boundaries and every single image, for per_image.csv and '
                     'report.html.')

_BEST_FOLDER = 'best'

common.define_model_flags()
common.define_dataset_flags('eval_split', 'val')
common.define_data_check_flag()
common.define_inference_flags()


def main(unused_argv):
  """Evaluates the newest checkpoint, and those that follow."""
  common.take_flags_of_run(FLAGS.checkpoint_dir)
  common.refuse_flags(common.INFERENCE_NOT_YET)
  predict = common.prediction_function()
  is_whole = bool(FLAGS.eval_crop_size) and FLAGS.tile_size is None
  crop_size = common.size_list('eval_crop_size') if is_whole else _largest_size()
  dataset = data_generator.Dataset(
      dataset_name=common.dataset_name(),
      split_name=FLAGS.eval_split,
      dataset_dir=FLAGS.dataset_dir,
      batch_size=FLAGS.eval_batch_size if is_whole else 1,
      crop_size=crop_size,
      min_resize_value=FLAGS.min_resize_value,
      max_resize_value=FLAGS.max_resize_value,
      resize_factor=FLAGS.resize_factor,
      model_variant=FLAGS.model_variant,
      num_readers=2,
      is_training=False,
      should_shuffle=False,
      should_repeat=False)
  if is_whole:
    common.check_crop_holds_images('eval_crop_size', FLAGS.eval_split)
  common.check_data(dataset)
  model_options = common.ModelOptions(
      outputs_to_num_classes={keys.OUTPUT_TYPE: dataset.num_of_classes},
      crop_size=crop_size if is_whole else common.size_list('tile_size'),
      atrous_rates=FLAGS.atrous_rates,
      output_stride=FLAGS.output_stride)
  with tf.Graph().as_default():
    graph = evaluating.build_eval_graph(
        tf.data.make_one_shot_iterator(_batches(dataset)).get_next(), dataset.descriptor,
        model_options, predict, common.resized_size_function())
    make_folder(FLAGS.eval_logdir)
    with tf.summary.FileWriter(FLAGS.eval_logdir) as writer:
      sessions.for_each_checkpoint(
          _checkpoints(), lambda checkpoint: _evaluate(graph, checkpoint, dataset, writer))


def _largest_size():
  """Returns a (height, width) that holds all images, in which they are read."""
  if FLAGS['eval_crop_size'].present and FLAGS.eval_crop_size:
    return common.size_list('eval_crop_size')
  size = eval_batches.size_that_holds(FLAGS.dataset_dir, FLAGS.eval_split, FLAGS.output_stride,
                                      common.size_list('image_pooling_crop_size'))
  if size is None or FLAGS.min_resize_value:
    raise ValueError(
        'The largest size of the images is not known (%s): pass a --eval_crop_size that holds '
        'them%s.' % ('they are resized' if size else 'no dataset_info.json beside the records',
                     '' if FLAGS.tile_size else ' all'))
  return size


def _batches(dataset):
  """Returns the tf.data.Dataset of what the network is run on."""
  if FLAGS.tile_size is not None:
    return eval_batches.tile_batches(
        dataset.get_dataset(), common.size_list('tile_size'), FLAGS.tile_overlap,
        FLAGS.eval_batch_size, feature_extractor.mean_pixel(FLAGS.model_variant),
        dataset.ignore_label, common.resized_size_function())
  if not FLAGS.eval_crop_size:
    return eval_batches.batches_by_size(
        dataset.get_dataset(), FLAGS.eval_batch_size, FLAGS.output_stride,
        common.resized_size_function(), common.size_list('image_pooling_crop_size'))
  return dataset.get_dataset()


def make_folder(folder):
  """Creates the folder of the results.

  Raises:
    ValueError: it cannot be created, or nothing can be written into it.
  """
  try:
    tf.gfile.MakeDirs(folder)
    is_writable = os.access(folder, os.W_OK) or '://' in folder
    reason = 'it is not writable'
  except tf.errors.OpError as error:
    is_writable, reason = False, error.message.split('\n')[0]
  if not is_writable:
    raise ValueError('--eval_logdir=%s cannot be used for results: %s.' % (folder, reason))


def _checkpoints():
  """Returns an iterator of the checkpoints to evaluate."""
  if FLAGS.eval_once:
    return iter([checkpoints.require_checkpoint(FLAGS.checkpoint_dir, 'checkpoint_dir')])
  return checkpoints.wait_for_checkpoints(
      FLAGS.checkpoint_dir, FLAGS.eval_interval_secs, FLAGS.max_number_of_evaluations,
      FLAGS.eval_timeout_secs)


def _evaluate(graph, checkpoint, dataset, writer):
  """Evaluates one checkpoint and writes what came out."""
  logging.info('Evaluating %s on %s, split %s.', checkpoint, FLAGS.dataset_dir,
               FLAGS.eval_split)
  descriptor = dataset.descriptor
  colors = colormaps.colormap(
      'pascal' if descriptor.colormap is None else descriptor.colormap,
      num_entries=descriptor.num_classes)
  results = None
  if FLAGS.per_image_report:
    results = image_results.ImageResults(descriptor.num_classes, descriptor.ignore_label,
                                         colors)
  start = time.time()
  counts, num_images = evaluating.count_pixels(
      graph, checkpoint, descriptor, FLAGS.eval_split, dataset.files,
      results.add if results else None)
  logging.info('%.1f images/s.', num_images / (time.time() - start))
  report = report_lib.make_report(
      counts, descriptor.class_names,
      results.boundary_counts if results else None,
      tag=report_lib.miou_tag(FLAGS.eval_scales, FLAGS.add_flipped_images),
      checkpoint=checkpoint,
      global_step=checkpoints.global_step(checkpoint),
      dataset=descriptor.name,
      split=FLAGS.eval_split,
      num_examples=num_images)
  path = report_lib.write_report(report, FLAGS.eval_logdir)
  report_lib.write_scalars(report, writer)
  report_lib.log_report(report)
  report_lib.write_per_class(report, FLAGS.eval_logdir)
  chart_paths = charts.write_charts(report, FLAGS.eval_logdir)
  logging.info('Results: %s', path)
  if results:
    image_results.write_per_image(results.rows, descriptor.class_names, FLAGS.eval_logdir)
    logging.info('Page with images: %s', html_report.write_page(
        report, results, colors, chart_paths, FLAGS.eval_logdir))
  if FLAGS.also_save_best:
    kept = best_checkpoint.keep_if_best(checkpoint, report['miou'],
                                        os.path.join(FLAGS.eval_logdir, _BEST_FOLDER))
    if kept:
      logging.info('Best so far, kept: %s', kept)


if __name__ == '__main__':
  common.run(main, required_flags=['checkpoint_dir', 'eval_logdir', 'dataset_dir'])
