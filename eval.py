"""Evaluates checkpoints on TFRecords; see --help.

    python eval.py --checkpoint_dir=RUN/train --eval_logdir=RUN/eval \
        --dataset_dir=RECORDS --eval_crop_size=513,513 --max_number_of_evaluations=1
"""
import time

from absl import flags, logging

from deeplab import common
from deeplab.core import checkpoints, keys
from deeplab.core.tf_compat import tf
from deeplab.datasets import data_generator
from deeplab.evaluation import report as report_lib
from deeplab.utils import evaluating

FLAGS = flags.FLAGS

flags.DEFINE_string('eval_logdir', None,
                    'Folder for metrics.json and TensorBoard events. Required.')
flags.DEFINE_integer('eval_batch_size', 1, 'Images per step.', lower_bound=1)
flags.DEFINE_list('eval_crop_size', '513,513',
                  'Height,width in pixels that images are padded to; must hold the largest.')
flags.DEFINE_integer('max_number_of_evaluations', 0,
                     'Number of checkpoints to evaluate, the newest first; 0: wait for new '
                     'ones for ever.')

common.define_model_flags()
common.define_dataset_flags('eval_split', 'val')
common.define_data_check_flag()
common.define_inference_flags()


def main(unused_argv):
  """Evaluates the newest checkpoint, and those that follow."""
  common.refuse_flags(common.INFERENCE_NOT_YET)
  predict = common.prediction_function()
  crop_size = common.size_list('eval_crop_size')
  dataset = data_generator.Dataset(
      dataset_name=common.dataset_name(),
      split_name=FLAGS.eval_split,
      dataset_dir=FLAGS.dataset_dir,
      batch_size=FLAGS.eval_batch_size,
      crop_size=crop_size,
      min_resize_value=FLAGS.min_resize_value,
      max_resize_value=FLAGS.max_resize_value,
      resize_factor=FLAGS.resize_factor,
      model_variant=FLAGS.model_variant,
      num_readers=2,
      is_training=False,
      should_shuffle=False,
      should_repeat=False)
  common.check_crop_holds_images('eval_crop_size', FLAGS.eval_split)
  common.check_data(dataset)
  model_options = common.ModelOptions(
      outputs_to_num_classes={keys.OUTPUT_TYPE: dataset.num_of_classes},
      crop_size=crop_size,
      atrous_rates=FLAGS.atrous_rates,
      output_stride=FLAGS.output_stride)
  with tf.Graph().as_default():
    graph = evaluating.build_eval_graph(
        dataset.get_one_shot_iterator().get_next(), dataset.descriptor, model_options,
        predict)
    tf.gfile.MakeDirs(FLAGS.eval_logdir)
    with tf.summary.FileWriter(FLAGS.eval_logdir) as writer:
      for checkpoint in checkpoints.wait_for_checkpoints(
          FLAGS.checkpoint_dir, FLAGS.eval_interval_secs, FLAGS.max_number_of_evaluations):
        _evaluate(graph, checkpoint, dataset, writer)


def _evaluate(graph, checkpoint, dataset, writer):
  """Evaluates one checkpoint and writes what came out."""
  logging.info('Evaluating %s on %s, split %s.', checkpoint, FLAGS.dataset_dir,
               FLAGS.eval_split)
  start = time.time()
  counts, num_images = evaluating.count_pixels(
      graph, checkpoint, dataset.descriptor, FLAGS.eval_split, dataset.files)
  logging.info('%.1f images/s.', num_images / (time.time() - start))
  report = report_lib.make_report(
      counts, dataset.descriptor.class_names,
      tag=report_lib.miou_tag(FLAGS.eval_scales, FLAGS.add_flipped_images),
      checkpoint=checkpoint,
      global_step=checkpoints.global_step(checkpoint),
      dataset=dataset.descriptor.name,
      split=FLAGS.eval_split,
      num_examples=num_images)
  path = report_lib.write_report(report, FLAGS.eval_logdir)
  report_lib.write_scalars(report, writer)
  report_lib.log_report(report)
  logging.info('Results: %s', path)


if __name__ == '__main__':
  common.run(main, required_flags=['checkpoint_dir', 'eval_logdir', 'dataset_dir'])
