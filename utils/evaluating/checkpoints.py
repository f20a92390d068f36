"""Evaluates checkpoints: one, or those of a training as they are saved; keeps a copy of the best.

    <folder>/model.ckpt-1000.index ..., run.json of the training,
    best.json: {'miou': 0.71, 'checkpoint': ...}
"""
import functools
import json
import os
import re

from absl import logging

from deeplab import model
from deeplab.core.checkpoints import folder as checkpoint_folder
from deeplab.core.checkpoints import restoring
from deeplab.core.storage import files, json_text
from deeplab.core.tf_compat import tf
from deeplab.evaluation.semantic import report as report_lib
from deeplab.utils.evaluating import counting
from deeplab.utils.inference import batches, sessions
from deeplab.utils.runs import run_record

RECORD_FILE_NAME = 'best.json'
EVAL_FOLDER, BEST_FOLDER = 'eval', 'best'

_OF_A_CHECKPOINT = re.compile(
    '%s(%s)?$' % (checkpoint_folder.FILE_SUFFIX, files.TEMPORARY_END))


def evaluate(graph, checkpoint, dataset, tag, folder, results=None):
  """Evaluates a checkpoint; writes a report, and its scalars for TensorBoard, into a folder.

  Returns the dict of `report.make_report`, and its path.

  Args:
    graph: counting.EvalGraph of the default graph.
    checkpoint: checkpoint prefix.
    dataset: data_generator.Dataset that the graph reads.
    tag: see `report.miou_tag`.
    folder: existing folder.
    results: image_results.ImageResults to add all images to, or None.

  Raises ValueError if the checkpoint is of another model, a record is bad, or the split is empty.
  """
  # First: a training that goes on may delete the checkpoint meanwhile.
  global_step = restoring.global_step(checkpoint)
  descriptor = dataset.descriptor
  counts, num_images = counting.count_pixels(
      graph, checkpoint, dataset, results.add if results else None)
  report = report_lib.make_report(
      counts, descriptor.class_names, results.boundary_counts if results else None, tag=tag,
      checkpoint=checkpoint, global_step=global_step, dataset=descriptor.name,
      split=dataset.split_name, num_examples=num_images)
  # Before the report: where a disk is full, the thread that writes events tells it worst. They
  # shall not hold the graph, which the cache adds.
  with tf.Graph().as_default():
    writer = tf.summary.FileWriterCache.get(folder)
  report_lib.write_scalars(report, writer)
  return report, report_lib.write_report(report, folder)


def evaluation_of_training(dataset, model_options, image_pyramid, train_logdir):
  """Returns a function of a checkpoint that evaluates it and keeps the best.

  Scores and the best checkpoint go to folders of their own in the folder of the training.

  Args:
    dataset: data_generator.Dataset of single images of their own size.
    model_options, train_logdir: ModelOptions and folder of the training.
    image_pyramid: list of scales, or None, see `model.predict_labels`.

  Raises ValueError if the split has no labels.
  """
  dataset.require_labels()
  with tf.Graph().as_default() as graph:
    eval_graph = counting.build_eval_graph(
        dataset, batches.InputSizes(
            model_options.output_stride, least_size=model_options.pooling_window),
        model_options._replace(crop_size=None), functools.partial(
            model.predict_labels, image_pyramid=image_pyramid))

  folder = os.path.join(train_logdir, EVAL_FOLDER)

  def evaluate_one(checkpoint):
    tf.gfile.MakeDirs(folder)
    with graph.as_default():
      report, _ = evaluate(eval_graph, checkpoint, dataset,
                           report_lib.miou_tag([1.0], False), folder)
    kept = keep_if_best(checkpoint, report['miou'], os.path.join(train_logdir, BEST_FOLDER))
    logging.info('Mean IoU on %s: %.4f%s.', dataset.split_name, report['miou'] or 0.0,
                 ', the best so far: %s' % kept if kept else '')

  return evaluate_one


def evaluate_all(evaluate_one, train_logdir, last_step):
  """Calls `evaluate_one(checkpoint)` as those of a training appear, up to that of `last_step`."""
  def up_to_the_last():
    for checkpoint in restoring.wait_for_checkpoints(train_logdir, 0, max_number=0):
      # Read first: the checkpoint may be gone when it has been evaluated.
      is_last = restoring.global_step(checkpoint) >= last_step
      yield checkpoint
      if is_last:
        return

  sessions.for_each_checkpoint(up_to_the_last(), evaluate_one)


def keep_if_best(checkpoint, miou, folder):
  """Copies a checkpoint if its mean IoU, which may be None, is higher than that of the one kept.

  The folder, of the best checkpoint alone, is created. Returns the prefix of the copy, or None if
  the checkpoint is not better. Raises ValueError if the record in the folder cannot be read, or the
  checkpoint is gone.
  """
  before = read_best(folder)
  if miou is None or (before is not None and miou <= before['miou']):
    return None
  files.make_dirs(folder)
  prefix = os.path.join(folder, os.path.basename(checkpoint))
  parts = files.with_prefix(checkpoint + '.')
  # The index last: without it TensorFlow does not take the rest for a checkpoint.
  parts.sort(key=lambda path: path.endswith('.index'))
  try:
    copies = [files.copy(path, prefix + path[len(checkpoint):]) for path in parts]
  except FileNotFoundError:
    copies = []
  if not copies or not copies[-1].endswith('.index'):
    raise ValueError('Checkpoint %s was deleted before it could be kept as the best.'
                     % checkpoint)
  run_path = os.path.join(os.path.dirname(checkpoint), run_record.FILE_NAME)
  if files.exists(run_path):
    # The flags of the network belong to it.
    files.copy(run_path, os.path.join(folder, run_record.FILE_NAME))
  files.write_text(os.path.join(folder, RECORD_FILE_NAME), json.dumps(
      {'miou': miou, 'checkpoint': os.path.basename(checkpoint)}, indent=2) + '\n')
  _remove_others(prefix, folder)
  return prefix


def _remove_others(prefix, folder):
  """Removes earlier checkpoints, also those that a killed process kept or began to keep."""
  for path in files.with_prefix(os.path.join(folder, '')):
    if _OF_A_CHECKPOINT.search(os.path.basename(path)) and not path.startswith(prefix + '.'):
      files.remove_if_present(path)


def read_best(folder):
  """Returns dict of 'miou' and 'checkpoint' (base name), or None; ValueError if it is broken."""
  path = os.path.join(folder, RECORD_FILE_NAME)
  try:
    record = json_text.read(path, advice='If it is broken, remove the folder.')
  except json_text.Absent:
    return None
  try:
    return {'miou': float(record['miou']), 'checkpoint': str(record['checkpoint'])}
  except (ValueError, KeyError, TypeError) as error:
    raise ValueError('%s is not the record of a best checkpoint: remove the folder.'
                     % path) from error
