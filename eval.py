"""Evaluates checkpoints on TFRecords; see --help.

    python eval.py --checkpoint_dir=RUN/train --eval_logdir=RUN/eval \
        --dataset_dir=RECORDS --eval_crop_size=513,513 --max_number_of_evaluations=1
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os
import time

from absl import flags, logging

from deeplab import common
from deeplab.core import colormaps
from deeplab.core.checkpoints import restoring
from deeplab.core.jobs import progress
from deeplab.core.tf_compat import tf
from deeplab.deployment.cluster import tasks
from deeplab.evaluation.semantic import html_report, image_results
from deeplab.evaluation.semantic import report as report_lib
from deeplab.utils.evaluating import checkpoints, counting
from deeplab.utils.inference import sessions
from deeplab.utils.runs import run_record

FLAGS = flags.FLAGS

common.begin_flag_group('results')
flags.DEFINE_string('eval_logdir', None,
                    'Folder for the results: metrics.json, per_class.csv, per_image.csv, '
                    'charts, report.html and TensorBoard events. Required.')
flags.DEFINE_boolean('also_save_best', False,
                     'Keeps a copy of the checkpoint of the highest mean IoU in the folder '
                     'best of --eval_logdir.')
flags.DEFINE_boolean('per_image_report', True,
                     'Also measures boundaries and every single image, for per_image.csv and '
                     'report.html; off is faster.')

common.begin_flag_group('checkpoints')
flags.DEFINE_integer('max_number_of_evaluations', 0,
                     'Number of checkpoints to evaluate, the newest first; 0 or less: wait for '
                     'new ones for ever.')
flags.DEFINE_boolean('eval_once', False,
                     'Evaluates the newest checkpoint, which must exist, and ends.')

common.define_model_flags()
common.define_dataset_flags('eval_split', 'val')
common.define_data_check_flag()
common.define_inference_flags()
common.define_sizes_flags('eval')


def main(unused_argv):
  """Evaluates the newest checkpoint, and those that follow."""
  record = common.take_flags_of_run(FLAGS.checkpoint_dir)
  tasks.check_master(FLAGS.master)
  predict = common.prediction_function()
  sizes = common.input_sizes('eval')
  dataset = common.inference_dataset('eval', sizes)
  dataset.require_labels()
  common.check_data(dataset)
  run_record.warn_of_other_dataset(record, dataset.descriptor.name)
  model_options = common.model_options_of_flags(dataset.num_of_classes, sizes.network_size)
  prefixes = _checkpoints()
  with sessions.result_folder(FLAGS.eval_logdir, 'eval_logdir'), tf.Graph().as_default():
    graph = counting.build_eval_graph(dataset, sizes, model_options, predict, FLAGS.master)
    sessions.for_each_checkpoint(
        prefixes, lambda checkpoint: _evaluate(graph, checkpoint, dataset))


def _checkpoints():
  """Returns an iterator of the checkpoints to evaluate."""
  if FLAGS.eval_once:
    return iter([restoring.require_checkpoint(FLAGS.checkpoint_dir, 'checkpoint_dir')])
  return restoring.wait_for_checkpoints(
      FLAGS.checkpoint_dir, FLAGS.eval_interval_secs, FLAGS.max_number_of_evaluations,
      FLAGS.eval_timeout_secs)


def _evaluate(graph, checkpoint, dataset):
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
  report, path = checkpoints.evaluate(
      graph, checkpoint, dataset,
      report_lib.miou_tag(FLAGS.eval_scales, FLAGS.add_flipped_images), FLAGS.eval_logdir,
      results)
  logging.info('%s images/s.',
               progress.format_rate(report['num_examples'] / (time.time() - start)))
  report_lib.log_report(report)
  report_lib.write_per_class(report, FLAGS.eval_logdir)
  chart_paths = html_report.write_charts(report, FLAGS.eval_logdir)
  logging.info('Results: %s', path)
  if results:
    results.warn_of_single_classes()
    image_results.write_per_image(results.rows, descriptor.class_names, FLAGS.eval_logdir)
    logging.info('Page with images: %s', html_report.write_page(
        report, results, colors, chart_paths, FLAGS.eval_logdir))
  if FLAGS.also_save_best:
    kept = checkpoints.keep_if_best(
        checkpoint, report['miou'], os.path.join(FLAGS.eval_logdir, checkpoints.BEST_FOLDER))
    if kept:
      logging.info('Best so far, kept: %s', kept)


if __name__ == '__main__':
  common.run(main, required_flags=['checkpoint_dir', 'eval_logdir', 'dataset_dir'])
