"""Evaluates the checkpoints of a training: as they are saved, or in a process of its own."""
import functools
import os

from absl import logging

from deeplab import model
from deeplab.core.checkpoints import restoring
from deeplab.core.tf_compat import tf
from deeplab.evaluation.semantic import report as report_lib
from deeplab.utils.evaluating import counting
from deeplab.utils.inference import batches as eval_batches
from deeplab.utils.inference import sessions
from deeplab.utils.runs import best_checkpoint

_EVAL_FOLDER, _BEST_FOLDER = 'eval', 'best'


def evaluation(dataset, split, model_options, image_pyramid, train_logdir):
  """Returns a function of a checkpoint that evaluates it and keeps the best.

  Scores and the best checkpoint go to folders of their own in the folder of the training.

  Args:
    dataset: data_generator.Dataset of the split, single images of their own size.
    split: name of the split.
    model_options: ModelOptions of the training.
    image_pyramid: list of scales, or None, see `model.predict_labels`.
    train_logdir: folder of the training.

  Raises:
    ValueError: the split has no labels.
  """
  dataset.require_labels()
  with tf.Graph().as_default() as graph:
    batches = eval_batches.make_batches(dataset, eval_batches.InputSizes(
        model_options.output_stride, least_size=model_options.pooling_window))
    eval_graph = counting.build_eval_graph(
        tf.data.make_one_shot_iterator(batches).get_next(), dataset.descriptor,
        model_options._replace(crop_size=None), functools.partial(
            model.predict_labels, image_pyramid=image_pyramid))

  def evaluate(checkpoint):
    # First: the training may delete the checkpoint meanwhile.
    global_step = restoring.global_step(checkpoint)
    with graph.as_default():
      counts, num_images = counting.count_pixels(
          eval_graph, checkpoint, dataset.descriptor, split, dataset.files)
    report = report_lib.make_report(
        counts, dataset.descriptor.class_names, tag=report_lib.miou_tag([1.0], False),
        checkpoint=checkpoint, global_step=global_step, dataset=dataset.descriptor.name,
        split=split, num_examples=num_images)
    _write(report, os.path.join(train_logdir, _EVAL_FOLDER))
    kept = best_checkpoint.keep_if_best(checkpoint, report['miou'],
                                        os.path.join(train_logdir, _BEST_FOLDER))
    logging.info('Mean IoU on %s: %.4f%s.', split, report['miou'] or 0.0,
                 ', the best so far: %s' % kept if kept else '')

  return evaluate


def evaluate_all(evaluate, train_logdir, last_step):
  """Evaluates the checkpoints of a folder as they appear, up to that of the last step.

  Args:
    evaluate: function of a checkpoint.
    train_logdir: folder of the training.
    last_step: global step at which the training ends.
  """
  def up_to_the_last():
    for checkpoint in restoring.wait_for_checkpoints(train_logdir, 0, max_number=0):
      # Read first: the checkpoint may be gone when it has been evaluated.
      is_last = restoring.global_step(checkpoint) >= last_step
      yield checkpoint
      if is_last:
        return

  sessions.for_each_checkpoint(up_to_the_last(), evaluate)


def _write(report, folder):
  """Writes a report, and its scalars for TensorBoard."""
  tf.gfile.MakeDirs(folder)
  report_lib.write_report(report, folder)
  with tf.Graph().as_default(), tf.summary.FileWriter(folder) as writer:
    report_lib.write_scalars(report, writer)
